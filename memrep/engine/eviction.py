"""The memory limit: how much all that clients store may take, and what has to go.

An eviction is a read-modify-write like any other: it goes round the cluster, so that replicas do not drift
apart, and is dropped without a second try if the key is written meanwhile. What is on its way already
counts as gone; until it is, the store may be a little above its limit.

The limit is the operator's (-m, `cache_memlimit`), or the ceiling where the kernel leaves less than that.
"""

from __future__ import annotations

from typing import Final

from memrep.engine.ceiling import Ceiling
from memrep.engine.counters import Counters
from memrep.engine.keyspace import Keyspace
from memrep.events import CGROUP_FULL, CGROUP_HAS_ROOM, MEMORY_FULL, Line, Tell
from memrep.log_limit import Recurrence
from memrep.storage.entry import NEVER, Entry
from memrep.storage.store import ENTRY_BYTES, EVICTED, EVICTED_MS, idle
from memrep.storage.version import ZERO

_RAISE: Final = "raise MemoryMax= (systemd) or the container's limit, or lower -m on every server"

#: How far above the memory limit the store may be while evictions are on their way round the cluster.
_OVERSHOOT: Final = 1.1

#: How many are evicted in a turn for nobody: behind a limit that is much lower than before. Takes about 2 ms.
_PIECE: Final = 150


class MemoryLimit:
    """The limit of one node's store.

    Args:
        keyspace: what is limited. The limit in force is the store's: see `look`.
        counters: where evictions are counted.
        log: takes a line for the operator.

    Attributes:
        evictions: those of values that had not run out, for the operator.
        ceiling: what the kernel leaves.
        memory: what the operator allows, bytes.
        behind: whether more has to go at once than went in one piece.
    """

    def __init__(self, keyspace: Keyspace, counters: Counters, log: Tell = lambda line: None) -> None:
        store = keyspace.store
        self.memory = store.limit
        self.ceiling = Ceiling()
        self.behind = False
        self.evictions = Recurrence(
            log,
            lambda count: MEMORY_FULL(evicted=count, remedy=self._remedy),
        )
        self._changes = Recurrence(log, lambda count: self._of_memory())
        self._was_cramped = False  # at the last tick
        self._squeezed = False  # when a value was last dropped
        self._evicting = 0
        self._started = 0  # how much the last piece was, bytes
        self._swept = -1  # when a sweep was last begun here, own monotonic ms
        self._store = store
        self._pending = keyspace.writes.pending
        self._replicator = keyspace.replicator
        self._clock = keyspace.clock
        self._counters = counters

    def allow(self, memory: int) -> None:
        """Let items take so many bytes from now on, on this node; what is too much goes bit by bit."""
        self.memory = memory
        self._apply()

    def look(self, memory: tuple[int, int] | None) -> None:
        """See how much of its memory this process has taken, and of how much; None if that is not known."""
        self.ceiling.look(memory, self._store.used, self.memory)
        self._apply()

    def _apply(self) -> None:
        granted = self.ceiling.bytes
        self._store.limit = self.memory if granted is None else min(self.memory, granted)

    @property
    def cramped(self) -> bool:
        """Tell whether the kernel leaves less than the operator allows, because memory has run short."""
        return self.ceiling.full and self._store.limit < self.memory

    def tick(self) -> None:
        """Tell the operator what is due."""
        now = self._clock.now
        if self.cramped != self._was_cramped:
            self._was_cramped = self.cramped
            self._changes.happened()
        self._changes.tick(now)
        self.evictions.tick(now)

    def _of_memory(self) -> Line:
        taken, limit, allowed = (
            size >> 20 for size in (self.ceiling.taken, self.ceiling.limit, self._store.limit)
        )
        if self.cramped:
            return CGROUP_FULL(taken_mb=taken, limit_mb=limit, allowed_mb=allowed, remedy=_RAISE)
        return CGROUP_HAS_ROOM(taken_mb=taken, limit_mb=limit, allowed_mb=allowed)

    @property
    def _remedy(self) -> str:
        if self._squeezed:
            return f"{_RAISE} (its memory cgroup was nearly full)"
        return f"raise -m on every server (it is {self.memory >> 20} MB)"

    def make(self, size: int) -> bool:
        """Evict for a write of this size (bytes); say whether it may go on."""
        store = self._store
        if size > store.limit:
            return False  # nobody has to go for what will never have room
        before = store.used
        leaving = self.evict(size)
        # The limit has been lowered, and what is above it goes bit by bit: as much as comes has gone, or will.
        if store.used + size <= before or (before > store.limit * _OVERSHOOT and self._started >= size):
            return True
        return store.used + size <= store.limit * (_OVERSHOOT if leaving else 1)

    def go_on(self) -> None:
        """Evict a piece of what is above the limit, if anything is."""
        self.behind = False
        if self._store.used > self._store.limit:
            self.evict(most=_PIECE)

    def evict(self, size: int = 0, most: int = 0) -> bool:
        """Get the store `size` bytes below its limit: by what has run out, old tombstones, the least used.

        Of a great excess only a piece goes: `most` entries, or those that together cost twice `size`.

        Returns:
            Whether something leaves it: this node, or another one that is as full, is about to drop it.
        """
        others = False
        store, now = self._store, self._clock.now
        if self._swept != now:  # once a turn, however many writes want room in it
            self._swept = now
            store.sweep(now)
        excess = store.used + size - self._evicting - store.limit
        enough = min(excess, 2 * size + most * ENTRY_BYTES)
        started = store.purge(enough)
        for key, entry, cost in store.victims(enough - started):
            started += cost
            if key in self._pending:
                others = True
            else:
                self._evicting += cost
                self._describe(entry)
                gone = Entry(ZERO, None, EVICTED, now + EVICTED_MS)
                if self._replicator.commit(key, gone):
                    self.evicted(cost, done=True)
                else:
                    self._replicator.propose(key, gone, entry.version, _Eviction(self, cost))
        self._started = started
        self.behind = excess > enough and started > 0
        return others or self._evicting > 0

    def _describe(self, entry: Entry) -> None:
        """Keep for `stats items` what has to go."""
        counters = self._counters
        counters.evicted_time = idle(entry, self._clock)
        counters.evicted_nonzero += entry.expires < NEVER
        counters.evicted_unfetched += not entry.seen

    def evicted(self, cost: int, done: bool) -> None:
        """Note that an eviction of this cost (bytes) has ended, by success or not."""
        self._evicting -= cost
        self._counters.evictions += done
        if done:
            self._squeezed = self.cramped
            self.evictions.happened()


class _Eviction:
    """The attempt of an eviction: nobody waits for it, but its bytes are counted as leaving."""

    __slots__ = ("_cost", "_limit")

    def __init__(self, limit: MemoryLimit, cost: int) -> None:
        self._limit = limit
        self._cost = cost

    def committed(self) -> None:
        """Note that the memory is free."""
        self._limit.evicted(self._cost, done=True)
        self._cost = 0

    def aborted(self) -> None:
        """Note that the key has been written; it is not the least recently used any more."""
        self._limit.evicted(self._cost, done=False)
        self._cost = 0  # a change of view may yet settle it: then it has left already
