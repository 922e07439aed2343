"""Settled writes: what a view has decided of the writes in flight, as each member takes it over.

Problem: the proposer decides for all (membership/settlement.py), and its message reaches one member after the
other. If it dies meanwhile, a member that the message has not reached goes on without those decisions. So
nothing that follows from them may be told to anybody before every member is known to have the view: no client
is answered, and none is shown what was settled, for nobody serves until then (rule S1, finding 1).

A member whose data count keeps what was settled at once: it stands above all that the member had. One whose
data do not count takes it as pending. If it alone got the view, it would otherwise come back with it later,
above what the others went on to write.

What this node had not finished itself is decided by the same message (M8): its write was settled, or a newer
one was, which overwrote it, or it never took place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import attrs
from msgspec.structs import replace

from memrep.replication.message import Install, Write, describe
from memrep.replication.observer import ReplicationObserver
from memrep.storage.entry import Entry
from memrep.storage.pending import Attempt, Pending, PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import Clock, Version


@attrs.frozen
class Unfinished:
    """A write of this node's own whose round a change of view has cut short.

    Attributes:
        key: the key.
        version: that it went round under.
        plain: whether it needed no base, so that it cannot have failed.
        attempt: whom to tell.
    """

    key: bytes
    version: Version
    plain: bool
    attempt: Attempt


class SettledWrites:
    """What the present view has settled, from its beginning until every member has it.

    Its length is the number of this node's clients' writes that are settled and not answered yet.

    Args:
        store: takes what is settled, if this node's data count.
        writes: take it if they do not.
        clock: the time; it is raised above all that was settled.
        observer: told of the requests and owners of what was settled.
    """

    def __init__(
        self, store: Store, writes: PendingWrites, clock: Clock, observer: ReplicationObserver
    ) -> None:
        self._store = store
        self._writes = writes
        self._clock = clock
        self._observer = observer
        self._unanswered: list[Attempt] = []  # committed when every member has the view
        self._settled_unconfirmed: dict[bytes, bytes] = {}  # key to version; pending until then

    def __len__(self) -> int:
        return len(self._unanswered)

    def in_flight(self) -> list[Write]:
        """Return all that is in flight here, own and others', as a vote carries it (M7)."""
        now = self._clock.now
        return [
            describe(key, pending.entry, pending.base, pending.dead, now, pending.request_id)
            for key, pending in self._writes.pending.items()
        ]

    def take_over(self, message: Install, keep: bool, away: Collection[int]) -> None:
        """Take over what a view has settled; nothing may be pending any more.

        Args:
            message: the view.
            keep: whether this node's data count in it.
            away: the nodes that this one is without, and that may yet live.
        """
        now = self._clock.now
        # Finding 1: a view that reaches this node alone must leave nothing behind that it would announce later.
        self._settled_unconfirmed = {} if keep else {s.write.key: s.write.version for s in message.settled}
        for settled in message.settled:
            write = settled.write
            # The proposer's new versions are above all that any voter had seen.
            self._clock.observe(Version(write.version))
            entry = write.entry(now)
            # This node may hear of the write by the view alone: from now on it must know copies of it.
            if write.request_id is not None:
                self._observer.accepted(write.key, write.request_id)
            lost_owner = _lost_owner(entry, message)
            # Finding 15: whose clients are gone is the last view's affair, and this says it for all members.
            if entry.owner is not None and lost_owner:
                entry.owner = replace(entry.owner, node=0)
            if keep:
                self._store.put(write.key, entry, now)
                if lost_owner:
                    others = [node for node in away if node != lost_owner]
                    self._observer.settled_for_lost(write.key, entry, others)
            else:
                self._writes.pending[write.key] = Pending(entry, None, None)

    def decide(
        self,
        cut: Iterable[Unfinished],
        aborted: Mapping[Version, Attempt],
        message: Install,
        keep: bool,
    ) -> None:
        """Decide by a view what has become of this node's own writes; after `take_over`.

        Args:
            cut: those on their way when it began.
            aborted: those of which not every member knew yet that they were aborted, by version.
            message: the view.
            keep: whether this node's data count in it.
        """
        origins = {settled.origin for settled in message.settled}
        keys = {settled.write.key for settled in message.settled}
        # Finding 3: the view has settled what had been aborted here before every member knew.
        if keep:
            self._unanswered += [attempt for version, attempt in aborted.items() if version in origins]
        for one in cut:
            # A plain write that something newer has overwritten took place just before that. Not so a
            # read-modify-write: that newer one was not computed from it.
            overwritten = one.key in keys or self._store.version(one.key) >= one.version
            if keep and (one.version in origins or (one.plain and overwritten)):
                self._unanswered.append(one.attempt)
            else:
                one.attempt.aborted()
        # Others have gone on without this node: what it knew of requests may be told again elsewhere.
        if not keep:
            self._observer.yielded()
            # Also those of the view before, which was never confirmed: their clients' connections are closed.
            dropped, self._unanswered = self._unanswered, []
            for attempt in dropped:
                attempt.aborted()

    def confirmed(self) -> None:
        """Keep what the view settled, which every member has now, and answer for this node's part of it."""
        settled, self._settled_unconfirmed = self._settled_unconfirmed, {}
        for key, version in settled.items():
            pending = self._writes.pending.get(key)
            # A newer write may have displaced it since the view began.
            if pending is not None and pending.entry.version == version:
                self._store.put(key, pending.entry, self._clock.now)
                self._writes.clear(key)
        answered, self._unanswered = self._unanswered, []
        for attempt in answered:
            attempt.committed()


def _lost_owner(entry: Entry, message: Install) -> int:
    """Return the node whose client owns this entry, if its clients are gone when this view begins; else 0.

    Whatever is in flight is from the view before, so no earlier start of the node comes into question.
    """
    node = entry.owner.node if entry.owner is not None else 0
    return 0 if node in message.full and node not in message.alone else node
