"""Grants in doubt: locks that were granted in the last moment of their node, of which perhaps nobody knows.

Problem: a node dies in the moment of granting a lock, perhaps before it answered. Then nobody will release it,
and PHP would spin until its timeout. But a request that really holds it must have time to finish.

Rule: such a lock ends soon, by a write and not by another expiry on each node: a node that is away now would
come back with the same version, alive. How soon depends on who may hold it. pecl-memcache writes to all nodes
at once and gives up after a second; php-memcached writes to one after another, and its request may be waiting
for seconds at a node that has fallen silent: where its own node is merely silent its lock is not doubted at
all. Where others may yet live this node may let the holder wait, too, for more than a second (host_gate.py).
"""

from __future__ import annotations

from collections.abc import Collection

from memrep.php.lock_names import ORPHAN_MS, PATIENT_MS, PECL_FLAGS, is_held
from memrep.storage.entry import Entry
from memrep.storage.store import Store


class UncertainGrants:
    """The grants in doubt, as one node knows them.

    Args:
        store: the committed entries.

    Attributes:
        ends: by lock, the cas unique of the grant, and when it is to end, own monotonic ms.
        ended: how many doubts are over.
    """

    def __init__(self, store: Store) -> None:
        self.ends: dict[bytes, tuple[int, int]] = {}
        self.ended = 0
        self._store = store

    def doubt(self, key: bytes, entry: Entry, now: int, away: Collection[int]) -> None:
        """Remember that this lock may be nobody's, and is to end soon.

        Args:
            key: the lock.
            entry: what it is now.
            now: own monotonic ms.
            away: the other nodes that this one is without and that may yet live.
        """
        if not is_held(entry.value, entry.owner):
            return
        patient = away and entry.flags != PECL_FLAGS
        self.ends[key] = entry.cas_unique, now + (PATIENT_MS if patient else ORPHAN_MS)

    def inherit(self, keys: list[bytes], now: int) -> None:
        """Doubt those of these locks, and drop them, that have come here as nobody's and have no timeout.

        Who has doubted them so far may be gone, or be gone soon.
        """
        for key in keys:
            entry = self._store.values.get(key)
            if entry is None or entry.owner is None or entry.owner.node:
                continue
            if is_held(entry.value, entry.owner) and self.ends.get(key, (0, 0))[0] != entry.cas_unique:
                self.ends[key] = entry.cas_unique, now + PATIENT_MS
        keys.clear()

    def prolong(self, now: int) -> None:
        """Prolong doubts from now (own ms) on: a node, or this one, fell silent, and clients may be waiting."""
        for key, (unique, _) in self.ends.items():
            entry = self._store.values.get(key)
            if entry is not None and entry.flags != PECL_FLAGS:
                self.ends[key] = unique, now + PATIENT_MS

    def over(self, all_heard: int) -> list[tuple[bytes, int]]:
        """Take the locks whose time is over, each with the cas unique of its grant; they are in doubt no more.

        Args:
            all_heard: when all members had been heard last, own monotonic ms. A lock's holder may be waiting
                for one that has stopped before the doubt was over.
        """
        over = [(key, unique) for key, (unique, end) in self.ends.items() if end <= all_heard]
        for key, _ in over:
            del self.ends[key]
        self.ended += len(over)
        return over
