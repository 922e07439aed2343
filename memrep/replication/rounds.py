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
The loser is given up and computed again on what won.

What a read-modify-write is based on is a version, or a miss. Two misses are alike even if one node still
remembers a tombstone that another has purged.
"""

from __future__ import annotations

from collections import deque

import attrs
from msgspec.structs import replace

from memrep.replication.frames import FrameStream
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.view import out_of_touch
from memrep.replication.message import Abort, Commit, Install, Nack, Write, describe
from memrep.replication.observer import ReplicationObserver
from memrep.storage.entry import Entry, RequestId
from memrep.storage.pending import Attempt, Pending, PendingWrites
from memrep.storage.store import FLUSH_KEY, Store
from memrep.storage.version import Clock, Version


@attrs.define(eq=False)
class _Round:
    """A write of this node's own that is on its way."""

    key: bytes
    pending: Pending
    frame: int
    attempt: Attempt
    over: bool = False


class Rounds:
    """The writes of one node and their rivals; the `replicator.Committer` of a node with peers."""

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
        self._own: dict[Version, _Round] = {}
        self._queue: deque[_Round] = deque()
        self._given_up: deque[tuple[int, Version, Attempt]] = deque()
        self._settled: list[Attempt] = []  # answered when every member has the view
        self._foretold: dict[bytes, bytes] = {}  # settled writes, key to version, that are pending until then

    def __len__(self) -> int:
        """How many writes of this node's own are on their way."""
        return len(self._own) + len(self._settled)

    def pending(self, key: bytes) -> bool:
        """Whether some write of this key is on its way, this node's own or another's."""
        return key in self._writes.pending

    # --- as coordinator

    def commit(self, key: bytes, entry: Entry) -> bool:
        """Commit a write at once if this node is alone in its view; say whether it was."""
        state = self._state
        view = state.view
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
        self._forget_given_up(attempt)
        self._start(key, entry, base, attempt, copy, dead=base is not None and self._is_dead(key))

    def give_way(self, key: bytes, entry: Entry, base: Version, attempt: Attempt, *, dead: bool) -> None:
        """Put under a new version what another member has, and not this node: a miss there, if it is dead."""
        entry.version = self._clock.stamp(self._state.view.gen)
        self._start(key, entry, base, attempt, dead=dead)

    def announce(self, key: bytes, entry: Entry, attempt: Attempt) -> None:
        """Send an entry round that only this node has, as a plain write with the version that it has."""
        self._start(key, entry, None, attempt)

    def _is_dead(self, key: bytes) -> bool:
        return self._store.is_miss(key, self._clock.now)

    def _start(
        self,
        key: bytes,
        entry: Entry,
        base: Version | None,
        attempt: Attempt,
        copy: RequestId | None = None,
        *,
        dead: bool = False,
    ) -> None:
        pending = Pending(entry, base, attempt, copy)
        now = self._clock.now
        before = self._writes.pending.get(key)
        # I2: a plain write displaces any read-modify-write on its way, and any older plain write. One that is
        # newer stays pending; this one is committed below it, which `Store.put` makes nothing of.
        if before is None or before.base is not None or entry.version > before.entry.version:
            self._writes.pending[key] = pending
        frame = self._stream.add(describe(key, entry, base, dead, now, copy))
        own = _Round(key, pending, frame, attempt)
        self._own[entry.version] = own
        self._flow.begin(len(entry.value or b""))
        self._queue.append(own)
        if before is not None:
            self._displaced(before)

    def progress(self) -> None:
        """Commit every round that all members acknowledge. Not while a promise pauses this node."""
        if self._state.paused:
            return
        # K1: frames are acknowledged in order, so the oldest rounds are the first to be done.
        held = self._stream.held_by_all()
        queue = self._queue
        while queue and (queue[0].over or queue[0].frame <= held):
            own = queue.popleft()
            if not own.over:
                self._commit(own)
        # Finding 3: every member has taken the `Abort`, so no view can settle those any more.
        while self._given_up and self._given_up[0][0] <= held:
            self._given_up.popleft()

    def _commit(self, own: _Round) -> None:
        own.over = True
        entry = own.pending.entry
        del self._own[entry.version]
        self._flow.end(len(entry.value or b""))
        # Said in the turn in which the client is answered; who reads elsewhere meanwhile waits for it.
        self._stream.add(Commit(own.key, entry.version))
        self._make_committed(own.key, entry)
        own.attempt.committed()

    def _make_committed(self, key: bytes, entry: Entry) -> None:
        pending = self._writes.pending.get(key)
        if pending is not None and pending.entry.version == entry.version:
            self._store.put(key, entry, self._clock.now)
            self._writes.clear(key)

    def _abort(self, own: _Round) -> None:
        """Give a read-modify-write up; its command is computed again when the key is clean.

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
        self._given_up.append((frame, version, own.attempt))
        own.attempt.aborted()

    def _forget_given_up(self, attempt: Attempt) -> None:
        """A command that was given up is tried again, under a new version: that one counts from now on."""
        if self._given_up:
            self._given_up = deque(one for one in self._given_up if one[2] is not attempt)

    # --- as member

    def take(self, node: int, item: Write | Commit | Abort | Nack) -> None:
        """Act on an item of a member's frame."""
        kind = type(item)
        if kind is Write:
            assert isinstance(item, Write)
            self._take_write(item)
            return
        pending = self._writes.pending.get(item.key)
        if kind is Nack:
            own = self._own.get(Version(item.version))
            if own is not None and own.pending.base is not None:
                self._abort(own)
        elif pending is not None and pending.entry.version == item.version and pending.attempt is None:
            if kind is Commit:
                self._store.put(item.key, pending.entry, self._clock.now)
            self._writes.clear(item.key)

    def _take_write(self, write: Write) -> None:
        version = Version(write.version)
        # Whatever this node stamps from now on is newer than what it has seen (the hybrid clock's rule).
        self._clock.observe(version)
        if write.copy is not None:
            self._observer.accepted(write.key, write.copy)
        before = self._writes.pending.get(write.key)
        if write.base is not None and not self._accept(write, before):
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
        self._writes.pending[write.key] = Pending(entry, _version(write.base), None, write.copy)
        if before is not None:
            self._displaced(before)

    def _accept(self, write: Write, before: Pending | None) -> bool:
        """Whether nothing has overtaken what this read-modify-write is based on."""
        key = write.key
        # Finding 17: a flush_all changes no version that is here, so nothing else would object.
        if not write.dead and self._is_flushed(Version(write.base or b"")):
            return False
        if before is not None and before.entry.version == write.base:
            # That somebody has based a write on it certifies that it was committed.
            self._certify(key, before)
            before = None
        # I2 and I3: something stronger is on its way.
        if before is not None and (before.base is None or before.entry.version > write.version):
            return False
        # I3: it has that base; or this very write, settled by a view before it came.
        version = self._store.version(key)
        if version in (write.base, write.version):
            return True
        if write.version < version:
            return False
        # Finding 5: both found nothing, though one of them may have purged a tombstone that the other has.
        if write.dead and self._store.is_miss(key, self._clock.now):
            return True
        # A newcomer knows less, or what only it knows from a time apart, which gives way to what is newer.
        return not self._state.full

    def _is_flushed(self, base: Version) -> bool:
        """Whether a flush_all, committed or on its way, ends what a read-modify-write was computed from."""
        return FLUSH_KEY in self._writes.pending or base <= self._store.flushed

    def _certify(self, key: bytes, pending: Pending) -> None:
        """Commit what somebody has seen committed."""
        own = self._own.get(pending.entry.version)
        if own is not None:  # another newcomer has announced the same entry, and was quicker
            self._commit(own)
        else:
            self._store.put(key, pending.entry, self._clock.now)
            self._writes.clear(key)

    def _displaced(self, pending: Pending) -> None:
        """Another write has taken the place of this pending one; a read-modify-write of our own is given up."""
        if pending.base is not None:
            own = self._own.get(pending.entry.version)
            if own is not None:
                self._abort(own)

    # --- at a change of view

    def pending_writes(self) -> list[Write]:
        """All that is in flight, own and others', as a vote carries it."""
        now = self._clock.now
        return [
            describe(key, pending.entry, pending.base, False, now, pending.request_id)
            for key, pending in self._writes.pending.items()
        ]

    def settle(self, message: Install, keep: bool) -> None:
        """Take over what a new view has settled; nothing is in flight afterwards but the answers.

        A node whose data do not count takes the settled writes as pending, until every member has the view:
        if it alone got the view, it would later announce them above what the others went on to write.

        Args:
            message: the view.
            keep: whether this node's data count in it. If not, its own rounds end without an answer: its
                clients' connections are closed.
        """
        now = self._clock.now
        # M8: nothing is in flight afterwards. What is, was in some vote, this node's own included.
        own = [one for one in self._queue if not one.over]
        given_up = self._given_up
        self._own.clear()
        self._flow.clear()
        self._queue.clear()
        self._given_up = deque()
        self._writes.clear_all()
        origins = set()
        keys = set()
        self._foretold = {} if keep else {s.write.key: s.write.version for s in message.settled}
        for settled in message.settled:
            origins.add(settled.origin)
            keys.add(settled.write.key)
            # The proposer's new versions are above all that any voter had seen.
            self._clock.observe(Version(settled.write.version))
            entry = settled.write.entry(now)
            if settled.write.copy is not None:
                self._observer.accepted(settled.write.key, settled.write.copy)
            lost_owner = _lost_owner(entry, message)
            # Finding 15: whose clients are gone is the last view's affair, and this says it for all members.
            if entry.owner is not None and lost_owner:
                entry.owner = replace(entry.owner, node=0)
            if keep:
                self._store.put(settled.write.key, entry, now)
                if lost_owner:
                    others = [node for node in out_of_touch(message) if node != lost_owner]
                    self._observer.settled_for_lost(settled.write.key, entry, others)
            else:
                self._writes.pending[settled.write.key] = Pending(entry, None, None)
        # Finding 3: the view has settled what had been given up here before every member knew.
        for _, version, attempt in given_up:
            if keep and version in origins:
                self._settled.append(attempt)
        for one in own:
            version = one.pending.entry.version
            # A plain write that something newer has overwritten took place just before that.
            overwritten = one.key in keys or self._store.version(one.key) >= version
            if keep and (version in origins or (one.pending.base is None and overwritten)):
                self._settled.append(one.attempt)
            else:
                one.attempt.aborted()
        # Others have gone on without this node: what it knew of requests may be told again elsewhere.
        if not keep:
            self._observer.yielded()
            dropped, self._settled = self._settled, []
            for attempt in dropped:
                attempt.aborted()

    def confirmed(self) -> None:
        """Every member has installed the view: keep what it settled, and answer for this node's part of it."""
        settled_unconfirmed, self._foretold = self._foretold, {}
        for key, version in settled_unconfirmed.items():
            pending = self._writes.pending.get(key)
            if pending is not None and pending.entry.version == version:
                self._store.put(key, pending.entry, self._clock.now)
                self._writes.clear(key)
        settled, self._settled = self._settled, []
        for attempt in settled:
            attempt.committed()


def _lost_owner(entry: Entry, message: Install) -> int:
    """The node whose client owns this entry, if its clients are gone when this view begins; else 0.

    Whatever is in flight is from the view before, so no earlier start of the node comes into question.
    """
    node = entry.owner.node if entry.owner is not None else 0
    return 0 if node in message.full and node not in message.alone else node


def _version(base: bytes | None) -> Version | None:
    return None if base is None else Version(base)
