"""PHP's locks among the entries of a store: which session each may guard; held ones are not evicted.

Under a prefix that nobody has declared only the lock itself tells that a key is a session. Its holder may have
been told of it, and write the session here, while this node has the grant only on its way: so that counts, too.
"""

from __future__ import annotations

from typing import Final

from memrep.php.lock_names import is_endless, is_held, may_name
from memrep.storage.entry import Entry
from memrep.storage.owned_keys import OwnedKeys

#: Locks on their way that are remembered. What comes of one is known within a round; one that was given up is
#: pushed out by later ones.
_ON_THEIR_WAY_MAX: Final = 256


class LockIndex(OwnedKeys):
    """The keys of PHP's locks.

    Attributes:
        guarded: sessions that may be php-memcached's, each with the lock that told so as long as something is
            left of that; see `Owner.maybe`.
        coming: the same of locks that are on their way.
        orphans: locks without a timeout that were nobody's when they came here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.guarded: dict[bytes, bytes] = {}
        self.coming: dict[bytes, bytes] = {}
        self.orphans: list[bytes] = []

    def lock_of(self, session: bytes) -> bytes | None:
        """Return the lock that tells that this may be a session of php-memcached's; None if there is none."""
        return self.guarded.get(session) or self.coming.get(session)

    def proposed(self, key: bytes, entry: Entry) -> None:
        """Index a lock that is on its way, of another node's."""
        if entry.owner is not None and entry.owner.maybe and entry.value is not None:
            if len(self.coming) >= _ON_THEIR_WAY_MAX:
                del self.coming[next(iter(self.coming))]
            self.coming[may_name(key)] = key

    def placed(self, key: bytes, entry: Entry) -> None:
        """Index a lock, and the session that it may guard."""
        super().placed(key, entry)
        if entry.owner is not None and not entry.owner.node and is_endless(key, entry):
            self.orphans.append(key)
        if entry.owner is not None and entry.owner.maybe and entry.value is not None:
            session = may_name(key)
            self.guarded[session] = key
            self.coming.pop(session, None)

    def removed(self, key: bytes) -> None:
        """Forget a key of which nothing is left."""
        super().removed(key)
        if self.guarded:
            self.guarded.pop(may_name(key), None)

    def pinned(self, entry: Entry) -> bool:
        """Tell whether a request holds this lock: evicting it would free a session under its holder."""
        return is_held(entry.value, entry.owner)
