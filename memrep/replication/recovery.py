"""Recovery: what becomes of a snapshot, which a node has brought back from an earlier life of its own.

Problem: power fails in all nodes, and what each of them has on its disk is all that is left. But a disk also
comes back with a single node, beside others that have gone on: then whatever it holds may be old, deleted
since, or never have been agreed on. What is old must not come back, and what is left must not be lost.

Rules (the argument is in docs/replication.md):

- P1 A snapshot is of a node that served: all that it holds was held by every member of a confirmed view, and it
  lacks nothing that had been acknowledged by then.
- P2 It is not in the store before it is known what it is worth, so it answers nobody and objects to nothing.
- P3 Beside a node that is full it is a hint, and no more: what is in buckets that differ from the donor's is
  dropped, what is in others need not be fetched. So a node with a disk ends up as one without.
- P4 Where nobody is full it counts by version. The snapshot that knows the latest view, and of those the latest
  one, is where the view starts from; the others add what is newer than all that it has, and what it has never
  heard of. It has heard of all up to its purge horizon.
- P5 What is new stays above what is old: no view at or below one that is known of in a snapshot, no version
  below the clock's reading in it.

A snapshot is done with when its node is full for the first time.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from msgspec.structs import replace

from memrep.replication.message import ColdVote, Vote
from memrep.storage.digest import Digest, bucket_of
from memrep.storage.entry import Entry
from memrep.storage.snapshot import Snapshot, adopt
from memrep.storage.store import Store
from memrep.storage.version import ZERO, Clock, Version, stamped_at

#: Of a snapshot's keys a newcomer looks at so many at a time.
LOOKED_AT: Final = 3_000

#: So far the cluster's time may be from this machine's, ms, or how long it was away is not known.
_OFF_MAX: Final = 1_000

_NODE_BITS: Final = 6


class Recovery:
    """What one node has brought back, as long as that matters.

    Args:
        snapshot: None if there is none.
        store: what the node holds.
        clock: of the node; no later stamp will be below anything in the snapshot.

    Attributes:
        counts: whether it counts by its versions in the present view, for nobody was full when that began.
    """

    def __init__(self, snapshot: Snapshot | None, store: Store, clock: Clock) -> None:
        self._snapshot = snapshot
        self._store = store
        self._clock = clock
        self._left: list[tuple[tuple[bytes, ...], tuple[Entry, ...]]] = []
        self._differing: frozenset[int] | None = None  # None: all of them
        self.counts = False
        if snapshot is not None:
            clock.observe_logical(snapshot.clock)  # P5

    @property
    def pending(self) -> bool:
        """Tell whether there is more to be looked at before this node holds everything."""
        return bool(self._left)

    def vote(self, vote: Vote, served_elsewhere: bool) -> Vote:
        """Return this node's vote, which tells what it has brought back.

        Args:
            vote: as it would be without.
            served_elsewhere: whether a node is heard that is full; then it matters to nobody.
        """
        snapshot = self._snapshot
        if snapshot is None or vote.full:
            return vote
        own = snapshot.store
        records = vote.records + len(own.values) + len(own.tombstones)
        # The one that is full may be gone before this view is settled: then there is something to begin with.
        if served_elsewhere:
            return replace(vote, records=records)
        return ColdVote(
            vote.vid,
            snapshot.gen,
            snapshot.view,
            False,
            vote.pending,
            vote.logical,
            max(vote.horizon, own.horizon),
            records,
            vote.alone,
            vote.past,
            vote.apart,
            snapshot.at,
        )

    def adopt(self, full: Collection[int]) -> int:
        """Hold what was brought back, for the view starts from this node; return how many entries.

        Args:
            full: all from which it starts. If there are others, what only this one has would part them.
        """
        snapshot, entries = self._snapshot, 0
        if snapshot is not None and len(full) == 1:
            entries = len(snapshot.store)
            adopt(self._store, snapshot.store, self._clock.now)
        self.end()
        return entries

    def begin(self) -> list[int] | None:
        """Begin to compare what was brought back with what others have.

        Returns:
            The digest of what need not be fetched if it is the same there; None if everything has to be.
        """
        snapshot = self._snapshot
        self._left, self._differing = [], None
        if snapshot is None:
            return None
        self._left = snapshot.store.pieces()
        self._store.holding = True  # or what is put in later could be older than a tombstone that has gone
        something = len(self._store.values) or len(self._store.tombstones)
        if self.counts or something or not self._knows_its_age(snapshot):
            return None
        # Whose an entry is is no part of its version, so equal digests would not tell.
        store, digest = snapshot.store, Digest()
        digest.sums = list(store.digest.sums)
        for key in store.owned.keys:
            digest.replace(key, store.version(key), ZERO)
        return digest.sums

    def _knows_its_age(self, snapshot: Snapshot) -> bool:
        """Tell whether times left are right, as equal versions do not tell: two clocks say the same."""
        cluster = stamped_at(self._clock.logical << _NODE_BITS) - stamped_at(snapshot.at << _NODE_BITS)
        return snapshot.exact or abs(cluster - (self._clock.now - snapshot.saved)) <= _OFF_MAX

    def compared(self, differing: frozenset[int]) -> None:
        """Take it that the donor has the same as this digest says, but for these buckets."""
        self._differing = differing

    def cancel(self) -> None:
        """Compare no further: the view is over."""
        self._left = []
        self._store.holding = False

    def look(self, horizon: Version) -> dict[bytes, Version]:
        """Look at some of what was brought back; all that the donor sends must be here if it counts (P4).

        Args:
            horizon: the highest version that the donor has purged.

        Returns:
            What this node alone has, and has taken into its store: the others have to hear of it.
        """
        keys, entries = self._left.pop()
        if len(keys) > LOOKED_AT:
            self._left.append((keys[:-LOOKED_AT], entries[:-LOOKED_AT]))
        pairs = list(zip(keys[-LOOKED_AT:], entries[-LOOKED_AT:], strict=True))
        return self._add(pairs, horizon) if self.counts else self._confirm(pairs)

    def _add(self, pairs: list[tuple[bytes, Entry]], horizon: Version) -> dict[bytes, Version]:
        store, now = self._store, self._clock.now
        horizon = max(horizon, store.horizon)
        mine: dict[bytes, Version] = {}
        for key, entry in pairs:
            here = store.peek(key)
            # P4: the donor's horizon is below what it has never heard of, and not below what it has forgotten.
            if entry.version > horizon if here is None else entry.version > here.version:
                store.put(key, entry, now)
                mine[key] = entry.version
            else:
                self._drop(key)
        return mine

    def _confirm(self, pairs: list[tuple[bytes, Entry]]) -> dict[bytes, Version]:
        assert self._snapshot is not None
        store, now, differing = self._store, self._clock.now, self._differing
        owned = self._snapshot.store.owned.keys
        changed = store.values.changed
        for key, entry in pairs:
            # P3: no key of a bucket that differs, for it is not known which of them it is.
            if differing is None or bucket_of(key) in differing or key in owned:
                self._drop(key)
            elif store.put(key, entry, now) and changed is not None and store.peek(key) is entry:
                changed.discard(key)  # it stands on the disk as it is
        return {}

    def _drop(self, key: bytes) -> None:
        """Let it be looked at what has become of this key, of which something else may stand on the disk."""
        changed = self._store.values.changed
        if changed is not None:
            changed.add(key)

    def end(self) -> None:
        """Be done with it: this node is full."""
        self._snapshot = None
        self.cancel()
