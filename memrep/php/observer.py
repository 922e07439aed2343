"""What PHP's policy makes of what replication tells: late duplicates are known, grants come into doubt."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from memrep.php.dedup import DuplicateWrites
from memrep.php.doubt import UncertainGrants
from memrep.php.lock_index import LockIndex
from memrep.php.lock_names import PECL_FLAGS, is_endless
from memrep.replication.observer import Disowned, ReplicationObserver
from memrep.storage.entry import Entry, RequestId
from memrep.storage.store import Store
from memrep.storage.version import Clock, milliseconds


class PhpObserver(ReplicationObserver):
    """Hears for PHP's policy what happens between nodes.

    Args:
        store: the committed entries.
        index: the locks among them.
        clock: the time.

    Attributes:
        duplicates: the writes of the last minute.
        uncertain: the grants in doubt.
    """

    def __init__(self, store: Store, index: LockIndex, clock: Clock) -> None:
        self.duplicates = DuplicateWrites(clock)
        self.uncertain = UncertainGrants(store)
        self.store = store
        self.index = index
        self.clock = clock

    def proposed(self, key: bytes, entry: Entry) -> None:
        """Know a lock that is on its way: its holder may write its session here before it has come."""
        self.index.proposed(key, entry)

    def accepted(self, key: bytes, request: RequestId) -> None:
        """Know the write again when its copy comes here."""
        self.duplicates.heard(key, request)

    def owners_lost(
        self, disowned: Disowned, lost: Mapping[int, int], silent: Collection[int], away: Collection[int]
    ) -> None:
        """Doubt what was granted in the last moment, or for ever: no client owns these locks any more."""
        for key, entry, owner in disowned:
            answered = milliseconds(entry.version) < lost[owner.node]  # its node was heard after that
            in_time = entry.flags == PECL_FLAGS or owner.node not in silent
            if is_endless(key, entry) or (in_time and not answered):
                self.uncertain.doubt(key, entry, self.clock.now, away)

    def settled_for_lost(self, key: bytes, entry: Entry, away: Collection[int]) -> None:
        """Doubt a lock that was in flight, if it is held."""
        self.uncertain.doubt(key, entry, self.clock.now, away)

    def out_of_touch(self) -> None:
        """Let locks in doubt live on for longer, for php-memcached's requests may be waiting somewhere."""
        self.uncertain.prolong(self.clock.now)

    def yielded(self) -> None:
        """Forget all writes: no copies are on their way to this node."""
        self.duplicates.clear()
