"""Who carries a write to every node that must hold it: what the engine asks of replication, and its absence."""

from __future__ import annotations

from typing import Protocol

from memrep.storage.entry import Entry, RequestId
from memrep.storage.pending import Attempt
from memrep.storage.store import Store
from memrep.storage.version import Clock, Version


class Replicator(Protocol):
    """Carries a write to every node that must hold it."""

    def commit(self, key: bytes, entry: Entry) -> bool:
        """Give the entry its version and commit it, if no other node must hold it; say whether that was so."""
        ...

    def propose(
        self,
        key: bytes,
        entry: Entry,
        base: Version | None,
        attempt: Attempt,
        request_id: RequestId | None = None,
    ) -> None:
        """Give the entry its version and start its round; only after `commit` has said no.

        Args:
            key: the key; clean if `base` is given.
            entry: its version is filled in here.
            base: the version a read-modify-write was computed from, None for a plain write.
            attempt: told the end, later.
            request_id: travels with it, so that its copies are known elsewhere.
        """
        ...


class Alone:
    """The replicator of a node without peers: every write is committed when it is proposed."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def commit(self, key: bytes, entry: Entry) -> bool:
        """Commit at once."""
        entry.version = self._clock.stamp(1)
        self._store.put(key, entry, self._clock.now)
        return True

    def propose(
        self,
        key: bytes,
        entry: Entry,
        base: Version | None,
        attempt: Attempt,
        request_id: RequestId | None = None,
    ) -> None:
        """Do nothing: this is never asked for."""
