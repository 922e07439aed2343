"""Rounds: a write's way round the members of a view (Hermes, Katsarakis et al., ASPLOS 2020).

The coordinator, any node that has the client, gives the write a version, makes it the key's pending entry and
broadcasts it. Every member takes it as pending and acknowledges the frame. When all have, the coordinator
commits, answers the client and broadcasts the commit. Reads of a pending key wait, so a read that starts after
the answer sees the write on every node.

Two writes of one key meet:
- Plain against plain: the higher version stands; the other one was overwritten at once and counts as done.
- Plain against read-modify-write: the plain one stands, whatever the versions. Otherwise a third node could
  ignore the plain one while its coordinator objects to the other, and nobody's write would stay.
- Read-modify-write against read-modify-write on the same base: the higher version stands.
- A read-modify-write whose base is not what a member has: that member objects. Version order alone would lose
  updates, because with several coordinators a write may be on its way that the coordinator has not seen.
- A read-modify-write against a flush_all: whoever knows of the flush objects to what was computed before it.
The loser is aborted and computed again on what won.

What a read-modify-write is based on is a version, or a miss. Two misses are alike even if one node still
remembers a tombstone that another has purged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

import attrs

from memrep.replication.frames import FrameStream
from memrep.replication.membership.state import ReplicaState
from memrep.replication.message import Abort, Commit, Install, Nack, Write, describe
from memrep.replication.observer import ReplicationObserver
from memrep.replication.round_times import RoundTimes
from memrep.replication.settled_writes import SettledWrites, Unfinished
from memrep.storage.entry import Entry, RequestId
from memrep.storage.namespaces import FLUSH_KEY, flush_key_of
from memrep.storage.pending import Attempt, Pending, PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import Clock, Version


@attrs.define(eq=False)
class _Round:
    """A write of this node's own that is on its way."""

    key: bytes
    pending: Pending
    frame: int
    attempt: Attempt
    begun: int
    over: bool = False


class Rounds:
    """The writes of one node and their rivals; the engine's `Replicator` on a node with peers.

    Attributes:
        settled: what the present view has settled.
        times: what this node's own writes took.
    """

    def __init__(
        self,
        state: ReplicaState,
        stream: FrameStream,
        store: Store,
        writes: PendingWrites,
        clock: Clock,
        observer: ReplicationObserver,
    ) -> None:
        self._state = state
        self._stream = stream
        self._store = store
        self._writes = writes
        self._clock = clock
        self._observer = observer
        self._flow = writes.flow
        self.settled = SettledWrites(store, writes, clock, observer)
        self.times = RoundTimes()
        self._own: dict[Version, _Round] = {}
        self._queue: deque[_Round] = deque()
        self._aborted: deque[tuple[int, Version, Attempt]] = deque()

    def __len__(self) -> int:
        """Return how many writes of this node's own are on their way."""
        return len(self._own) + len(self.settled)

    def lag(self, node: int) -> int:
        """Return how many of them that node, if it is a member, has not acknowledged."""
        acked = self._stream.acked.get(node)
        return 0 if acked is None else sum(one.frame > acked for one in self._queue if not one.over)

    def pending(self, key: bytes) -> bool:
        """Tell whether some write of this key is on its way, this node's own or another's."""
        return key in self._writes.pending

    # --- as coordinator

    def commit(self, key: bytes, entry: Entry) -> bool:
        """Commit a write at once if this node is alone in its view; say whether it was."""
        state = self._state
        view = state.view
        # K1: a round of one member is done at once, and forbidden by a promise like any other.
        if len(view.members) != 1 or state.promised > view.vid:
            return False
        entry.version = self._clock.stamp(view.gen)
        self._store.put(key, entry, self._clock.now)
        return True

    def propose(
        self, key: bytes, entry: Entry, base: Version | None, attempt: Attempt, copy: RequestId | None = None
    ) -> None:
        """Start the round of a write."""
        entry.version = self._clock.stamp(self._state.view.gen)
        self._forget_aborted(attempt)
        # I3, finding 5: a miss is a base that no version tells, for tombstones are purged at different times.
        self._start(key, entry, base, attempt, copy, dead=base is not None and self._is_dead(key))

    def give_way(self, key: bytes, entry: Entry, base: Version, attempt: Attempt, *, dead: bool) -> None:
        """Put under a new version what another member has, and not this node: a miss there, if it is dead."""
        entry.version = self._clock.stamp(self._state.view.gen)
        self._start(key, entry, base, attempt, dead=dead)

    def announce(self, key: bytes, entry: Entry, attempt: Attempt) -> None:
        """Send an entry round that only this node has, as a plain write with the version that it has."""
        # J3: not under a new one, or it would come out above what the others have written since.
        self._start(key, entry, None, attempt)

    def _is_dead(self, key: bytes) -> bool:
        return self._store.is_miss(key, self._clock.now)

    def _start(
        self,
        key: bytes,
        entry: Entry,
        base: Version | None,
        attempt: Attempt,
        request_id: RequestId | None = None,
        *,
        dead: bool = False,
    ) -> None:
        pending = Pending(entry, base, attempt, request_id, dead)
        now = self._clock.now
        before = self._writes.pending.get(key)
        # I2: a plain write displaces any read-modify-write on its way, and any older plain write. One that is
        # newer stays pending; this one is committed below it, which `Store.put` makes nothing of.
        if before is None or before.base is not None or entry.version > before.entry.version:
            self._writes.pending[key] = pending
        frame = self._stream.add(describe(key, entry, base, dead, now, request_id))
        own = _Round(key, pending, frame, attempt, now)
        self._own[entry.version] = own
        self._flow.begin(len(entry.value or b""))
        self._queue.append(own)
        # I4: last, for an aborted command waits for its key, which has to be pending by then.
        if before is not None:
            self._displaced(before)

    def progress(self) -> None:
        """Commit every round that all members acknowledge. Not while a promise pauses this node."""
        queue = self._queue
        # K1: its vote has told what is in flight here; what it committed behind that, a view could settle
        # otherwise.
        if not (queue or self._aborted) or self._state.paused:
            return
        # K1: frames are acknowledged in order, so the oldest rounds are the first to be done.
        held = self._stream.held_by_all()
        # What was aborted stays in its place until it is the first.
        while queue and (queue[0].over or queue[0].frame <= held):
            own = queue.popleft()
            if not own.over:
                self._commit(own)
        # Finding 3: every member has taken the `Abort`, so no view can settle those any more.
        while self._aborted and self._aborted[0][0] <= held:
            self._aborted.popleft()

    def _commit(self, own: _Round) -> None:
        own.over = True
        self.times.note(self._clock.now - own.begun)
        entry = own.pending.entry
        del self._own[entry.version]
        self._flow.end(len(entry.value or b""))
        # Said in the turn in which the client is answered; who reads elsewhere meanwhile waits for it.
        self._stream.add(Commit(own.key, entry.version))
        self._make_committed(own.key, entry)
        own.attempt.committed()

    def _make_committed(self, key: bytes, entry: Entry) -> None:
        # I2: if a newer plain write has displaced it, it took place just before that one, and nobody saw it.
        pending = self._writes.pending.get(key)
        if pending is not None and pending.entry.version == entry.version:
            self._store.put(key, entry, self._clock.now)
            self._writes.clear(key)

    def _abort(self, own: _Round) -> None:
        """Abort a read-modify-write; its command is computed again when the key is clean.

        Until every member knows, a change of view may still settle it; so it is remembered that long.
        """
        own.over = True
        version = own.pending.entry.version
        del self._own[version]
        self._flow.end(len(own.pending.entry.value or b""))
        # I4: members forget it, or their readers would wait for a commit that never comes.
        frame = self._stream.add(Abort(own.key, version))
        if self._writes.pending.get(own.key) is own.pending:
            self._writes.clear(own.key)
        # Finding 3: until all have taken that frame, a view may settle what they hold of it.
        self._aborted.append((frame, version, own.attempt))
        own.attempt.aborted()

    def _forget_aborted(self, attempt: Attempt) -> None:
        """Forget an aborted write when its command is tried anew: its new version counts from now on."""
        # Finding 3: were both remembered, a view that settles both would have it answered twice.
        if self._aborted:
            self._aborted = deque(one for one in self._aborted if one[2] is not attempt)

    # --- as member

    def take(self, node: int, item: Write | Commit | Abort | Nack) -> None:
        """Act on an item of a member's frame."""
        if type(item) is Write:
            self._take_write(item)
            return
        kind = type(item)
        pending = self._writes.pending.get(item.key)
        if kind is Nack:
            own = self._own.get(Version(item.version))
            # None if it is over already: displaced, or another member has objected first.
            if own is not None and own.pending.base is not None:
                self._abort(own)
        # K1: an own write ends by acknowledgements only. What was displaced here is pending no more.
        elif pending is not None and pending.entry.version == item.version and pending.attempt is None:
            if kind is Commit:
                self._store.put(item.key, pending.entry, self._clock.now)
            self._writes.clear(item.key)

    def _take_write(self, write: Write) -> None:
        version = Version(write.version)
        # Whatever this node stamps from now on is newer than what it has seen (the hybrid clock's rule).
        self._clock.observe(version)
        # Whatever becomes of it here: its copy may be the next thing that a client of this node sends.
        if write.request_id is not None:
            self._observer.accepted(write.key, write.request_id)
        before = self._writes.pending.get(write.key)
        if write.base is not None:
            if not self._accept(write, before):
                # I1: in a frame, so before the acknowledgement of the write, which would commit it.
                self._stream.add(Nack(write.key, write.version))
                return
            # Asked again: `_accept` may have committed what was pending.
            before = self._writes.pending.get(write.key)
        # I1: what is not newer than what is here changes nothing; the acknowledgement of its frame tells
        # nothing else to its coordinator, for a plain write has no one to object to.
        if version <= self._store.version(write.key):
            return
        # I2: of two plain writes the newer one stays pending, in whatever order they come.
        if write.base is None and before is not None and before.base is None and version < before.entry.version:
            return
        # A newcomer announces again what another one has announced (J3).
        if before is not None and version == before.entry.version:
            return
        entry = write.entry(self._clock.now)
        base = _version(write.base)
        self._writes.pending[write.key] = Pending(entry, base, None, write.request_id, write.dead)
        if entry.owner is not None:
            self._observer.proposed(write.key, entry)
        if before is not None:
            self._displaced(before)

    def _accept(self, write: Write, before: Pending | None) -> bool:
        """Tell whether nothing has overtaken what this read-modify-write is based on."""
        key = write.key
        # Finding 17: a flush_all changes no version that is here, so nothing else would object.
        if not write.dead and self._is_flushed(key, Version(write.base or b"")):
            return False
        if before is not None and before.entry.version == write.base:
            # I3: only what is committed is shown, so its coordinator has seen it committed; the word of that is
            # still on its way.
            self._certify(key, before)
            before = None
        # I2 and I3: something stronger is on its way.
        if before is not None and (before.base is None or before.entry.version > write.version):
            return False
        # I3: it has that base; or this very write, settled by a view before it came.
        version = self._store.version(key)
        if version in (write.base, write.version):
            return True
        # I1: it was computed from something older than what is here.
        if write.version < version:
            return False
        # Finding 5: both found nothing, though one of them may have purged a tombstone that the other has.
        if write.dead and self._store.is_miss(key, self._clock.now):
            return True
        # I3: a newcomer knows less, or what only it knows from a time apart, which gives way to what is newer.
        return not self._state.full

    def _is_flushed(self, key: bytes, base: Version) -> bool:
        """Tell whether a flush, committed or on its way, ends what a read-modify-write was computed from."""
        # On its way counts as well: it may have been answered where this is not known yet.
        pending = self._writes.pending
        return FLUSH_KEY in pending or flush_key_of(key) in pending or self._store.flushes.end(key, base)

    def _certify(self, key: bytes, pending: Pending) -> None:
        """Commit what another node has seen committed."""
        own = self._own.get(pending.entry.version)
        if own is not None:  # another newcomer has announced the same entry, and was quicker
            self._commit(own)
        else:
            self._store.put(key, pending.entry, self._clock.now)
            self._writes.clear(key)

    def _displaced(self, pending: Pending) -> None:
        """Abort this pending write, displaced by another one, if it is a read-modify-write of our own."""
        if pending.base is not None:
            own = self._own.get(pending.entry.version)
            if own is not None:
                self._abort(own)

    # --- at a change of view

    def end(self, message: Install, keep: bool, away: Collection[int]) -> None:
        """End the view's rounds: what this node has not finished is for the next view to decide (M8).

        Args:
            message: the next view.
            keep: whether this node's data count in it. If not, its own rounds end without an answer: its
                clients' connections are closed.
            away: the nodes that this one is without, and that may yet live.
        """
        # M8: nothing is in flight afterwards. What is, was in some vote, this node's own included.
        cut = [
            Unfinished(one.key, one.pending.entry.version, one.pending.base is None, one.attempt)
            for one in self._queue
            if not one.over
        ]
        if keep:
            for one in self._own.values():
                self.times.note(self._clock.now - one.begun)
        aborted = {version: attempt for _, version, attempt in self._aborted}
        self._own.clear()
        self._flow.clear()
        self._queue.clear()
        self._aborted = deque()
        self._writes.clear_all()
        self.settled.take_over(message, keep, away)
        self.settled.decide(cut, aborted, message, keep)


def _version(base: bytes | None) -> Version | None:
    return None if base is None else Version(base)
