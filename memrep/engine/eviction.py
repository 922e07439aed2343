"""Room for what clients store: the size limit of one item, the memory limit of all, and who has to go.

An eviction is a read-modify-write like any other: it goes round the cluster, so that replicas do not drift
apart, and is dropped without a second try if somebody writes the key meanwhile. What is on its way already
counts as gone; until it is, the store may be a little above its limit.

The limit is the operator's (-m, `cache_memlimit`), or the ceiling where the kernel leaves less than that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memrep.engine.ceiling import Ceiling
from memrep.engine.counters import Counters
from memrep.engine.replicator import Replicator
from memrep.log_limit import Recurrence
from memrep.storage.entry import NEVER, Entry
from memrep.storage.pending import PendingWrites
from memrep.storage.store import EVICTED, EVICTED_MS, Store, idle
from memrep.storage.version import ZERO, Clock

#: What memcached adds to key and value when it holds an item against its size limit.
_ITEM_HEADER: Final = 59

_RAISE: Final = "raise MemoryMax= (systemd) or the container's limit, or lower -m on every server"

#: How far above the memory limit the store may be while evictions are on their way round the cluster.
_OVERSHOOT: Final = 1.1


class MemoryLimit:
    """The limits of one node's store.

    Args:
        store: the committed entries, and the memory limit. The one in force: see `look`.
        writes: the pending ones.
        replicator: where evictions go.
        clock: the time of the present turn.
        counters: where evictions are counted.
        item_max: the largest item, bytes, as memcached counts it.
        log: takes a line for the operator.

    Attributes:
        evictions: those of values that had not run out, for the operator.
        ceiling: what the kernel leaves.
        memory: what the operator allows, bytes.
    """

    def __init__(
        self,
        store: Store,
        writes: PendingWrites,
        replicator: Replicator,
        clock: Clock,
        counters: Counters,
        item_max: int,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.item_max = item_max
        self.memory = store.limit
        self.ceiling = Ceiling()
        self.evictions = Recurrence(
            log,
            lambda count: (
                f"memory is full: {count} live sessions or other values were dropped, the least recently used "
                f"first; {self._remedy}"
            ),
        )
        self._changes = Recurrence(log, lambda count: self._of_memory())
        self._was_cramped = False  # at the last tick
        self._squeezed = False  # when a value was last dropped
        self._evicting = 0
        self._store = store
        self._pending = writes.pending
        self._replicator = replicator
        self._clock = clock
        self._counters = counters

    def limit(self, memory: int) -> None:
        """Let items take so many bytes from now on, on this node; what is too much goes bit by bit."""
        self.memory = memory
        self._apply()

    def look(self, memory: tuple[int, int] | None) -> None:
        """See how much of its memory this process has taken, and of how much; None if nobody knows."""
        self.ceiling.look(memory, self._store.used, self.memory)
        self._apply()

    def _apply(self) -> None:
        granted = self.ceiling.bytes
        self._store.limit = self.memory if granted is None else min(self.memory, granted)

    @property
    def cramped(self) -> bool:
        """Whether the kernel leaves less than the operator allows, because memory has run short."""
        return self.ceiling.full and self._store.limit < self.memory

    def tick(self) -> None:
        """Tell the operator what is due."""
        now = self._clock.now
        if self.cramped != self._was_cramped:
            self._was_cramped = self.cramped
            self._changes.happened()
        self._changes.tick(now)
        self.evictions.tick(now)

    def _of_memory(self) -> str:
        allowed = f"entries may take {self._store.limit >> 20} MB"
        if self.cramped:
            return (
                f"the memory cgroup is nearly full ({self._of_cgroup}): until there is room {allowed}; {_RAISE}"
            )
        return f"the memory cgroup has room again ({self._of_cgroup}): {allowed}"

    @property
    def _of_cgroup(self) -> str:
        return f"{self.ceiling.taken >> 20} of {self.ceiling.limit >> 20} MB are taken"

    @property
    def _remedy(self) -> str:
        if self._squeezed:
            return f"{_RAISE} (its memory cgroup was nearly full)"
        return f"raise -m on every server (it is {self.memory >> 20} MB)"

    def too_large(self, key: bytes, flags: int, length: int) -> bool:
        """Whether a value of this length (bytes) is above the item size limit, counted as memcached does."""
        return _ITEM_HEADER + len(key) + (4 if flags else 0) + length > self.item_max

    def fits(self, key: bytes, flags: int, length: int) -> bool:
        """Whether a value of this length (bytes) may be stored; the opposite of `too_large`."""
        return not self.too_large(key, flags, length)

    def make(self, size: int) -> bool:
        """Evict for a write of this size (bytes); say whether it may go on."""
        leaving = self.evict(size)
        limit = self._store.limit * (_OVERSHOOT if leaving else 1)
        return self._store.used + size <= limit

    def evict(self, room: int = 0) -> bool:
        """Get the store `room` bytes below its limit: by what has run out, old tombstones, the least used.

        Returns:
            Whether something leaves it: this node, or another one that is as full, is about to drop it.
        """
        others = False
        store = self._store
        store.sweep(self._clock.now)
        excess = store.used + room - self._evicting - store.limit
        excess -= store.purge(excess)
        for key, entry, cost in store.victims(excess):
            if key in self._pending:
                others = True
            else:
                self._evicting += cost
                self._describe(entry)
                gone = Entry(ZERO, None, EVICTED, self._clock.now + EVICTED_MS)
                if self._replicator.commit(key, gone):
                    self.evicted(cost, done=True)
                else:
                    self._replicator.propose(key, gone, entry.version, _Eviction(self, cost))
        return others or self._evicting > 0

    def _describe(self, entry: Entry) -> None:
        """Keep for `stats items` what has to go."""
        counters = self._counters
        counters.evicted_time = idle(entry, self._clock)
        counters.evicted_nonzero += entry.expires < NEVER
        counters.evicted_unfetched += not entry.seen

    def evicted(self, cost: int, done: bool) -> None:
        """An eviction of this cost (bytes) has ended, by success or not."""
        self._evicting -= cost
        self._counters.evictions += done
        if done:
            self._squeezed = self.cramped
            self.evictions.happened()


class _Eviction:
    """The attempt of an eviction: nobody waits for it, but its bytes are counted as leaving."""

    __slots__ = ("_cost", "_room")

    def __init__(self, room: MemoryLimit, cost: int) -> None:
        self._room = room
        self._cost = cost

    def committed(self) -> None:
        """The memory is free."""
        self._room.evicted(self._cost, done=True)
        self._cost = 0

    def aborted(self) -> None:
        """Somebody wrote the key; it is not the least recently used any more."""
        self._room.evicted(self._cost, done=False)
        self._cost = 0  # a change of view may yet settle it: then it has left already
