"""The giving side of a transfer: one bounded piece of work a request, so that clients are served in between.

The keys are those that are there all the time. What is written meanwhile goes round to all members of the view,
the one that lacks data among them, so none of it has to be in a chunk.

A chunk is small, for the newcomer acknowledges clients' writes, which come behind it on the link: each of them
waits until what lies in front of it is taken. One that fits into a receive of 64 KiB is read in a single turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from memrep.replication.membership.state import ReplicaState
from memrep.replication.message import Chunk, ChunkRequest, TransferRequest, Write, describe
from memrep.storage.digest import BUCKETS, bucket_of
from memrep.storage.store import Store
from memrep.storage.version import Clock

#: A chunk is closed when it comes to this many bytes,
CHUNK_BYTES: Final = 48 << 10

#: or when it has looked at this many keys.
CHUNK_KEYS: Final = 2_000

#: What a record takes on the wire beside its key and value, at about.
_RECORD_BYTES: Final = 40


class Donor:
    """The giving side: one transfer for each member that asked in this view."""

    def __init__(self, state: ReplicaState, store: Store, clock: Clock) -> None:
        self._state = state
        self._store = store
        self._clock = clock
        self._transfers: dict[int, _Transfer] = {}

    def reset(self) -> None:
        """Drop all transfers: a view begins, and a member that still lacks something asks again."""
        self._transfers.clear()

    def on_transfer_request(self, node: int, message: TransferRequest) -> None:
        """Prepare for a member what differs from its digests, as it has asked for."""
        wrong = len(message.sums) not in (0, BUCKETS)
        if wrong or message.vid != self._state.view.vid or not self._state.full:
            return
        # Who comes back with most of its data gets what differs; who comes with none, everything.
        digest = self._store.digest
        buckets = digest.differing(message.sums) if message.sums else None
        store = self._store
        total = len(store.values) + len(store.tombstones)
        self._transfers[node] = _Transfer(store.walk(), total, buckets)

    def on_chunk_request(self, node: int, message: ChunkRequest) -> Chunk | None:
        """Return the chunk that a member asks for; None if it asks out of turn."""
        transfer = self._transfers.get(node)
        # Out of turn means that one was lost; the joiner notices, and asks for a view.
        if transfer is None or message.vid != self._state.view.vid or message.i != transfer.chunks:
            return None
        chunk = self._chunk(transfer)
        if chunk.last:
            del self._transfers[node]
        return chunk

    def _chunk(self, transfer: _Transfer) -> Chunk:
        now = self._clock.now
        store, buckets = self._store, transfer.buckets
        records: list[Write] = []
        size = looked = 0
        while looked < CHUNK_KEYS and size < CHUNK_BYTES and transfer.goes_on:
            key = transfer.next_key()
            looked += 1
            entry = store.peek(key)
            if entry is not None and (buckets is None or bucket_of(key) in buckets):
                records.append(describe(key, entry, None, False, now))
                size += _RECORD_BYTES + len(key) + len(entry.value or b"")
        number, transfer.chunks = transfer.chunks, transfer.chunks + 1
        differing = [] if number or buckets is None else sorted(buckets)
        # Finding 13: the horizon as it is behind the last look at a key, for a tombstone may go meanwhile.
        last = not transfer.goes_on
        return Chunk(self._state.view.vid, number, records, transfer.total, differing, last, store.horizon)


@attrs.define(eq=False)
class _Transfer:
    """How far a transfer has come.

    Attributes:
        pieces: the keys that are still to come.
        total: how many there were when it began.
        buckets: those of interest; None for all.
        chunks: how many were given.
    """

    pieces: Iterator[tuple[bytes, ...]]
    total: int
    buckets: frozenset[int] | None
    chunks: int = 0
    _piece: tuple[bytes, ...] = ()
    _position: int = 0

    @property
    def goes_on(self) -> bool:
        """Tell whether there is a next key."""
        while self._position >= len(self._piece):
            piece = next(self.pieces, None)
            if piece is None:
                return False
            self._piece, self._position = piece, 0
        return True

    def next_key(self) -> bytes:
        """Take the next key, of which `goes_on` has told."""
        self._position += 1
        return self._piece[self._position - 1]
