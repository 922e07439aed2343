"""Transfer: how a member that is not full gets what it lacks, while everybody goes on serving.

The newcomer is a member of the view first and acknowledges every new write like any other; so all it lacks is
what was committed before. It asks the lowest full member for that, chunk by chunk: pulling paces the donor,
which does one bounded piece of work a request (donor.py) and serves its clients in between. Digests say which
buckets differ, so that a node that comes back with most of its data receives little.

Then the newcomer looks at what it had and the donor did not send. Such a key may be one that only it knows,
from a time when it was cut off: then it sends it round as a plain write under the version it has. Or one that
was deleted so long ago that the tombstone is purged: the donor's purge horizon tells, and it is discarded.

A node that was cut off with no client to write for has nothing that anybody was told of. What it has stamped
since was in flight at the cut, and a read-modify-write among it was computed from what the others have gone on
from. There it yields: it sends the donor's entry round under a new version, unless a client writes meanwhile.

A node may have a million keys: so all that has to be done for each of them is done bit by bit, some with each
chunk, some at each tick.

Only when all this is acknowledged by everybody is the node full, and its client port opens. If a chunk does
not come, or the view changes, the transfer starts again; what has been merged stays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from memrep.events import SENDS_ROUND, Tell
from memrep.replication.donor import CHUNK_KEYS
from memrep.replication.membership.membership import Membership
from memrep.replication.message import Chunk, ChunkRequest, TransferRequest, Write
from memrep.replication.recovery import Recovery
from memrep.replication.rounds import Rounds
from memrep.storage.digest import bucket_of
from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSHES
from memrep.storage.store import Store
from memrep.storage.version import ZERO, Version, logical

#: How many chunks a newcomer asks for ahead: one is on its way while it takes the other. More would only lie in
#: front of clients' writes.
AHEAD: Final = 2

#: Where the donor is far away more are on their way: one for so many ms that the way to it and back takes,
AHEAD_EACH_MS: Final = 2

#: but no more than this, and only when the way has been measured with so many chunks.
AHEAD_MAX: Final = 12
_MEASURED: Final = 8

#: Of its own keys a newcomer sorts so many at a time, and sends round so many.
SORTED: Final = 2 * CHUNK_KEYS
ANNOUNCED: Final = 1_000


class Joiner:
    """The taking side of a node that is not full.

    Args:
        membership: where this node stands, which becomes full here; the time, and how long to wait for a chunk.
        store: what it holds.
        rounds: carry what only this node has.
        recovery: what it has brought back from its disk.
        send: sends a message to a node.
        log: takes a line for the operator.

    Attributes:
        taken: how many keys of the donor's have been looked at, and
        total: of how many; for `stats` and the log.
    """

    def __init__(
        self,
        membership: Membership,
        store: Store,
        rounds: Rounds,
        recovery: Recovery,
        send: Callable[[int, TransferRequest | ChunkRequest], None],
        log: Tell,
    ) -> None:
        self.taken = 0
        self.total = 0
        self._state = membership.state
        self._store = store
        self._rounds = rounds
        self._recovery = recovery
        self._clock = membership.clock
        self._timing = membership.timing
        self._send = send
        self._log = log
        self._donor = 0
        self._horizon: Version = ZERO
        self._before: list[
            tuple[tuple[bytes, ...], tuple[Entry, ...]]
        ] = []  # what was here, and is not sorted yet
        self._buckets: frozenset[int] = frozenset()  # those in which the donor has something else
        self._sent: dict[bytes, Write] = {}  # what the donor has sent of them meanwhile
        self._mine: dict[bytes, Version] = {}  # what was here and the donor has not sent
        self._theirs: dict[bytes, Write | None] = {}  # of those, what the donor has, if this node yields
        self._kept: set[bytes] = set()  # those of which it does not
        self._yields = 0
        self._everything = False
        self._complete = False  # the donor has sent everything
        self._expected = 0
        self._asked = 0
        self._asked_at: deque[int] = deque()  # for those that have not come
        self._way = NEVER  # the shortest time between asking for a chunk and its coming, ms
        self._heard = 0
        self._announcing: _Announcements | None = None

    def begin(self, horizon: Version, yields: int = 0) -> None:
        """Ask the lowest full member of the present view for what this node lacks.

        Args:
            horizon: the highest version that any full member has purged.
            yields: what this node has stamped above this reading of the hybrid clock gives way to what the
                donor has; 0 if nothing does. It holds for the transfers that follow, until one is complete.
        """
        view = self._state.view
        # N5: a transfer that was broken off has not done it, and the view that begins it anew may not say so.
        self._yields = yields or self._yields
        self._theirs, self._kept = {}, set()
        self._donor = min(view.full)
        self._horizon = horizon
        self._before = self._store.pieces()
        self._mine, self._sent, self._buckets = {}, {}, frozenset()
        brought = self._recovery.begin()
        self._everything = not self._before and brought is None
        self._complete = False
        self._expected = self._asked = self.taken = self.total = 0
        self._asked_at.clear()
        self._way = NEVER
        self._heard = self._clock.now
        self._announcing = None
        self._store.joining = True
        sums = [] if self._everything else brought or list(self._store.digest.sums)
        self._send(self._donor, TransferRequest(view.vid, sums))
        self._ask()

    def cancel(self) -> None:
        """Stop the transfer: the view is over."""
        self._donor = 0
        self._announcing = None
        self._before = []
        self._recovery.cancel()

    def _ask(self) -> None:
        far = min(AHEAD_MAX - AHEAD, self._way // AHEAD_EACH_MS) if self._expected >= _MEASURED else 0
        while self._asked < self._expected + AHEAD + far:
            self._send(self._donor, ChunkRequest(self._state.view.vid, self._asked))
            self._asked_at.append(self._clock.now)
            self._asked += 1

    def on_chunk(self, node: int, message: Chunk) -> None:
        """Take what the donor sends; the newer version of each key stays."""
        if node != self._donor or message.vid != self._state.view.vid:
            return
        if message.i != self._expected:
            # F2: chunks are asked for in order and links keep it, so one was lost. A view begins all anew.
            self._state.need_view(f"chunk {message.i} of the transfer came instead of {self._expected}")
            return
        now = self._clock.now
        self._heard = now
        if self._asked_at:
            self._way = min(self._way, now - self._asked_at.popleft())
        self._expected += 1
        self.total = message.total
        if message.i == 0 and not self._everything:
            self._buckets = frozenset(message.buckets)
            if not self._before:  # it was what has been brought back that was compared
                self._recovery.compared(self._buckets)
        for write in message.records:
            version = Version(write.version)
            self._store.put(write.key, write.entry(now), now)
            if self._before:
                self._sent[write.key] = write
            # J1: the newer version of each key stays, whichever way it came.
            if self._mine.get(write.key, ZERO) <= version:
                self._mine.pop(write.key, None)
            else:
                self._know(write)
        self.taken += len(message.records)
        # Finding 13: of what it has purged since, there was no tombstone to send.
        self._horizon = max(self._horizon, Version(message.horizon))  # it may have purged since the view began
        self._complete = message.last
        if not message.last:
            self._ask()

    def _sort(self) -> None:
        """Find out of some keys that were here which the donor has not sent, as far as it has come."""
        keys, entries = self._before.pop()
        if self._buckets:  # else they are the same everywhere
            for key, entry in zip(keys[-SORTED:], entries[-SORTED:], strict=True):
                sent = self._sent.get(key)
                if bucket_of(key) in self._buckets and (sent is None or entry.version > sent.version):
                    self._mine[key] = entry.version
                    if sent is not None:
                        self._know(sent)
        if len(keys) > SORTED:
            self._before.append((keys[:-SORTED], entries[:-SORTED]))
        if not self._before:
            self._sent = {}

    def _know(self, write: Write) -> None:
        """Note what the donor has of a key of which this node has something newer."""
        self._theirs[write.key] = write if self._gives_way(self._mine[write.key]) else None

    def _announce(self) -> None:
        """Send round what only this node has, except what must have been purged elsewhere.

        A key that is pending has to wait: this node has acknowledged a newer write of it, which the older one,
        sent round as a plain write, would displace.
        """
        announcing = self._announcing = self._announcing or _Announcements()
        kept: list[tuple[bytes, Entry]] = []
        later: dict[bytes, Version] = {}
        for key, version in self._some():
            entry = self._store.peek(key)
            if entry is None or entry.version != version:
                continue
            if self._rounds.pending(key):
                later[key] = version
            # J3: the others may have purged its tombstone. Finding 29: what the donor has it has not deleted.
            elif version <= self._horizon and key not in self._theirs:
                self._store.remove(key)
            else:
                kept.append((key, entry))
        announcing.open += len(kept)
        announced = 0
        for key, entry in kept:
            # N5, findings 27 and 34: stamped since the sides have parted, and nobody was told of it.
            # Finding 49: but for a flush, for what that has ended here cannot be brought back to life.
            if self._gives_way(entry.version) and key not in self._kept and key not in FLUSHES:
                self._yield(key, announcing)
            else:
                self._rounds.announce(key, entry, announcing)
                announced += 1
        self._mine.update(later)
        if announced:
            self._log(SENDS_ROUND(keys=announced))

    def _gives_way(self, version: Version) -> bool:
        """Tell whether what this node has stamped like this gives way to what the donor has."""
        return 0 < self._yields < logical(version)

    def _yield(self, key: bytes, announcing: _Announcements) -> None:
        """Put the donor's entry, or its lack of one, above what this node has."""
        now = self._clock.now
        theirs = self._theirs.get(key)
        if theirs is None:
            entry, base = self._store.tombstone(now), ZERO
        else:
            entry, base = theirs.entry(now), Version(theirs.version)
            entry.cas = entry.cas_unique
            # Finding 53: a flush that has ended it since is not to be passed by a version above its own.
            if self._store.flushes.end(key, base):
                entry = self._store.tombstone(now)
        # Under a new version, for all members: that with the older one stays below it wherever it is.
        # Finding 31: to yield to nothing is to answer a miss, and has to be marked as based on one.
        dead = entry.value is None or entry.expires <= now
        attempt = _Yielding(announcing, partial(self._insist, key, self._store.version(key)))
        self._rounds.give_way(key, entry, base, attempt, dead=dead)

    def _insist(self, key: bytes, version: Version) -> None:
        """Let what this node has go round, unless the donor has something else by now that is newer."""
        # Finding 31: what is not taken as it was asked for goes round, or two full nodes would differ for good.
        self._mine[key] = version
        self._kept.add(key)

    def _some(self) -> list[tuple[bytes, Version]]:
        """Take some of the keys that only this node has: all, unless they are many."""
        if len(self._mine) <= ANNOUNCED:
            some, self._mine = list(self._mine.items()), {}
            return some
        return [self._mine.popitem() for _ in range(ANNOUNCED)]

    def tick(self) -> None:
        """Become full when everything is here; ask for a new view if the donor has fallen silent."""
        if not self._donor or self._state.full or self._state.paused:
            return
        if self._before and self._expected:
            self._sort()
        if self._recovery.pending and self._expected and (self._complete or not self._recovery.counts):
            self._mine.update(self._recovery.look(self._horizon))
        if self._complete:
            if self._before or self._recovery.pending:
                return
            if self._mine or self._announcing is None:
                self._announce()
            # J4: what only it knew is held by every member, so any of them may answer for it.
            if self._announcing is not None and not self._announcing.open and not self._mine:
                self._store.joining = False
                self._store.horizon = max(self._store.horizon, self._horizon)
                self._recovery.end()
                self._state.become_full()
                self._donor = self._yields = 0
        elif self._clock.now - self._heard > self._timing.chunk and not self._state.view_change_reason:
            self._state.need_view(f"no chunk from node {self._donor} for {self._timing.chunk} ms")


class _Announcements:
    """Counts the rounds of a newcomer's own keys that are still open."""

    open = 0

    def committed(self) -> None:
        """Note that one is held by every member."""
        self.open -= 1

    def aborted(self) -> None:
        """Do nothing: the view ended, and the transfer starts again."""


@attrs.define(eq=False)
class _Yielding:
    """One of those rounds, in which this node yields."""

    announcing: _Announcements
    insist: Callable[[], None]

    def committed(self) -> None:
        """Note that every member has what the donor had."""
        self.announcing.committed()

    def aborted(self) -> None:
        """Insist on what this node has: the donor has something else by now; or the view ended."""
        self.insist()
        self.announcing.committed()
