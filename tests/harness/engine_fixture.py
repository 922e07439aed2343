"""An engine and all that it needs, alone or with a replicator that ends writes when the test says so."""

from __future__ import annotations

from collections import deque

import attrs

from memrep.engine.counters import Counters
from memrep.engine.engine import Engine
from memrep.engine.eviction import MemoryLimit
from memrep.engine.future import Future
from memrep.engine.item_limit import ItemLimit
from memrep.engine.keyspace import Keyspace
from memrep.engine.operations import STORED
from memrep.engine.replicator import Alone, Replicator
from memrep.protocol.memcached.limits import deadline
from memrep.storage.entry import NEVER, Entry, RequestId
from memrep.storage.owned_keys import OwnedKeys
from memrep.storage.pending import Attempt, Pending, PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import Clock, Version
from tests.harness.lone_node import WALL

NOW = 1_000_000


@attrs.define
class _Round:
    key: bytes
    entry: Entry
    base: Version | None
    attempt: Attempt


class Postponing:
    """A replicator whose writes end when the test says so, in the order in which they were proposed.

    Attributes:
        rounds: those that are on their way.
        alone: whether no other node must hold anything any more.
    """

    def __init__(self, store: Store, writes: PendingWrites, clock: Clock) -> None:
        self.rounds: deque[_Round] = deque()
        self.alone = False
        self._store = store
        self._writes = writes
        self._clock = clock

    def commit(self, key: bytes, entry: Entry) -> bool:
        """Commit at once, unless other nodes must hold everything."""
        if not self.alone:
            return False
        entry.version = self._clock.stamp(1)
        return self._store.put(key, entry, self._clock.now)

    def propose(
        self,
        key: bytes,
        entry: Entry,
        base: Version | None,
        attempt: Attempt,
        request_id: RequestId | None = None,
    ) -> None:
        """Keep it pending."""
        entry.version = self._clock.stamp(1)
        self._writes.pending[key] = Pending(entry, base, attempt)
        self.rounds.append(_Round(key, entry, base, attempt))

    def succeed(self) -> None:
        """Every member holds the oldest write."""
        done = self.rounds.popleft()
        self._store.put(done.key, done.entry, self._clock.now)
        self._writes.clear(done.key)
        done.attempt.committed()
        self.wake()

    def fail(self, winner: Entry | None = None) -> None:
        """The oldest write loses, against `winner` if there is one."""
        lost = self.rounds.popleft()
        if winner is not None:
            winner.version = self._clock.stamp(1)
            self._store.put(lost.key, winner, self._clock.now)
        self._writes.clear(lost.key)
        lost.attempt.aborted()
        self.wake()

    def wake(self) -> None:
        """The end of a turn."""
        while self._writes.woken:
            self._writes.woken.popleft()()


class Pinning(OwnedKeys):
    """What has an owner may not be evicted."""

    def pinned(self, entry: Entry) -> bool:
        """Whether a client owns it."""
        return entry.owner is not None and entry.owner.node != 0


class Rig:
    """An engine and all that it needs; entries with an owner are never evicted."""

    def __init__(self, replicator: str = "alone", limit: int = 1 << 30, item_max: int = 1 << 20) -> None:
        self.clock = Clock(1, NOW, WALL)
        self.store = Store(limit, owned=Pinning())
        self.writes = PendingWrites()
        self.counters = Counters()
        self.later = Postponing(self.store, self.writes, self.clock)
        carrier: Replicator = Alone(self.store, self.clock) if replicator == "alone" else self.later
        keyspace = Keyspace(self.store, self.writes, carrier, self.clock)
        memory_limit = MemoryLimit(keyspace, self.counters)
        self.engine = Engine(keyspace, self.counters, memory_limit, ItemLimit(item_max))

    def advance(self, ms: int) -> None:
        self.clock.turn(self.clock.now + ms, self.clock.wall + ms)

    def value(self, key: bytes) -> bytes | None:
        entry = self.store.get(key, self.clock.now)
        return None if entry is None else entry.value

    def entry(self, key: bytes) -> Entry:
        entry = self.store.peek(key)
        assert entry is not None
        return entry

    def unique(self, key: bytes) -> int:
        entry = self.engine.get(key)
        assert isinstance(entry, Entry)
        return entry.cas_unique

    def holding(self, value: bytes, key: bytes = b"a", flags: int = 0, exptime: int = 0) -> Rig:
        assert self.engine.set(key, flags, deadline(self.clock, exptime), value) is STORED
        return self


def waits(outcome: object) -> Future:
    """A future whose outcome is not known."""
    assert isinstance(outcome, Future)
    assert not outcome.settled
    return outcome


def rig_later(**held: bytes) -> Rig:
    """An engine whose writes are postponed, and which holds these values."""
    rig = Rig("later")
    for key, value in held.items():
        rig.engine.set(key.encode(), 0, NEVER, value)
        rig.later.succeed()
    rig.counters.reset()
    return rig
