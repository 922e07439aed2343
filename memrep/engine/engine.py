"""The engine: what each command means, told in outcomes that belong to no protocol.

It reads committed entries from the store and hands every change to a replicator, whose one method carries it
round the cluster. It knows neither peers nor the spelling of any protocol. With the replicator `Alone`, engine
and store are a complete memcached.

Time is told in one way only: a deadline, the monotonic ms of this node at which an entry ends, or NEVER.
Seconds or milliseconds, from now on or since 1970, 0 for ever or 0 at once: each protocol says it in its own
way, and makes a deadline of it where it reads the command (protocol/memcached/limits.py).

Two kinds of write:
- A plain one (`set`, `Flush`) needs no look at what is there.
- A read-modify-write (all others, `delete` among them) is a pure function from the live entry to either a
  final outcome ("no, it exists") or a new entry. It runs only on a clean key; if another write wins, it is
  run again on what won, and the client never sees that (modification.py).

Each method returns its outcome at once where it can, else a `Future` on which the outcome will appear. On a
single node no future ever waits, and the hot path makes no object but the entry itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from memrep.engine import operations
from memrep.engine.counters import Counters
from memrep.engine.eviction import MemoryLimit
from memrep.engine.flush import Flush
from memrep.engine.future import Future, uncounted
from memrep.engine.item_limit import ItemLimit
from memrep.engine.keyspace import Keyspace
from memrep.engine.modification import modify
from memrep.engine.operations import DELETED, NO_MEMORY, NOT_FOUND, STORED, Operation, Outcome, Result
from memrep.storage.entry import Entry, RequestId
from memrep.storage.store import ENTRY_BYTES, RAN_OUT, WAS_FLUSHED
from memrep.storage.version import ZERO


class Engine:
    """Executes commands against the store.

    Args:
        keyspace: what they work on.
        counters: where hits and misses are counted.
        memory_limit: that of all that is stored.
        item_limit: that of each item.

    Attributes:
        clock: the time of the present turn.
        flush: ends everything.
    """

    def __init__(
        self, keyspace: Keyspace, counters: Counters, memory_limit: MemoryLimit, item_limit: ItemLimit
    ) -> None:
        self.keyspace = keyspace
        self.counters = counters
        self.memory_limit = memory_limit
        self.item_limit = item_limit
        self.clock = keyspace.clock
        self.flush = Flush(keyspace, counters)
        # The hot path looks each of these up once, and not twice.
        self._store = keyspace.store
        self._pending = keyspace.writes.pending
        self._replicator = keyspace.replicator

    # --- reads

    def get(self, key: bytes) -> Entry | Future | None:
        """Return the live entry, None for a miss, or a future while a write of the key is on its way."""
        if self._pending and self.keyspace.obstacle(key) is not None:
            return self.keyspace.read_later(key, partial(self.count_get, key))
        now = self.clock.now
        entry = self._store.get(key, now)
        if entry is None:
            self._count_miss(key)
        else:
            entry.seen = now
            self.counters.get_hits += 1
        return entry

    def missed(self, key: bytes) -> Entry | None:
        """Return what a retrieval shows of what does not exist: nothing."""
        return None

    def peek(self, key: bytes) -> Entry | None:
        """Return the committed entry, read by nobody; for people."""
        return None if self._store.is_miss(key, self.clock.now) else self._store.peek(key)

    def get_and_touch(self, key: bytes, deadline: int) -> Result | Future:
        """Return what `get` does, and let the entry end at another time (protocol.txt, "gat")."""
        self.counters.cmd_touch += 1
        decide = operations.show_and_touch(deadline, self.clock.now)
        return modify(self.keyspace, key, decide, self.counters.counted("touch"))

    # --- plain writes

    def set(
        self,
        key: bytes,
        flags: int,
        deadline: int,
        value: bytes,
        request_id: RequestId | None = None,
        *,
        sent: int = 0,
        show: bool = False,
        quiet: bool = False,
        keep: bool = False,
    ) -> Result | Future:
        """Store a value whatever is there.

        Args:
            key: the key.
            flags: the client's bits.
            deadline: when it ends, own monotonic ms; NEVER for never.
            value: the data block.
            request_id: makes copies of this very write known (php/dedup.py).
            sent: the deadline as the client said it; that makes no difference here.
            show: whether to tell the entry as it was stored, and not just STORED.
            quiet: whether the client asked for no answer; that makes no difference here.
            keep: whether what is there stays where there is no memory, as with Redis; see `refuse`.
        """
        self.counters.cmd_set += 1
        store = self._store
        size = ENTRY_BYTES + len(key) + len(value)
        if store.used + size > store.limit and not self.memory_limit.make(size):
            self.counters.store_no_memory += 1
            return NO_MEMORY if keep else self.refuse(key, NO_MEMORY)
        self.counters.total_items += 1
        entry = Entry(ZERO, value, flags, deadline)
        outcome = entry if show else STORED
        if self._replicator.commit(key, entry):
            return outcome
        future = Future(outcome=outcome)
        self._replicator.propose(key, entry, None, future, request_id)
        return future

    # --- read-modify-writes

    def add(
        self, key: bytes, flags: int, deadline: int, value: bytes, *, show: bool = False
    ) -> Result | Future:
        """Store a value if there is none; `deadline` and `show` as in `set`."""
        decide = operations.add(Entry(ZERO, value, flags, deadline))
        return self.store_if(key, len(value), operations.showing(decide) if show else decide)

    def replace(self, key: bytes, flags: int, deadline: int, value: bytes) -> Result | Future:
        """Store a value if there is one."""
        return self.store_if(key, len(value), operations.replace(Entry(ZERO, value, flags, deadline)))

    def cas(self, key: bytes, flags: int, deadline: int, value: bytes, unique: int) -> Result | Future:
        """Store a value if the present one is still that of this cas unique."""
        decide = operations.compare_and_swap(Entry(ZERO, value, flags, deadline), unique)
        return self.store_if(key, len(value), decide, self.counters.count_cas)

    def append(self, key: bytes, value: bytes) -> Result | Future:
        """Put bytes behind the present value; flags and deadline stay."""
        return self._extend(key, b"", value)

    def prepend(self, key: bytes, value: bytes) -> Result | Future:
        """Put bytes before the present value; flags and deadline stay."""
        return self._extend(key, value, b"")

    def _extend(self, key: bytes, before: bytes, behind: bytes) -> Result | Future:
        fits = partial(self.item_limit.fits, key)
        return self.store_if(key, len(before) + len(behind), operations.extend(before, behind, fits))

    def incr(
        self, key: bytes, delta: int, initial: Entry | None = None, *, show: bool = False
    ) -> Result | Future:
        """Add to a decimal number, modulo 2^64; deadline and flags stay.

        Args:
            key: the key.
            delta: how much.
            initial: what to store where there is nothing, if anything.
            show: whether to tell the entry as it was stored, and not just the digits.
        """
        decide = operations.incr(delta)
        if initial is not None:
            decide = operations.otherwise(initial, decide)
        decide = operations.showing(decide) if show else decide
        return modify(self.keyspace, key, decide, self.counters.counted("incr"))

    def decr(self, key: bytes, delta: int) -> Result | Future:
        """Subtract from a decimal number, not below 0; deadline and flags stay."""
        return modify(self.keyspace, key, operations.decr(delta), self.counters.counted("decr"))

    def delete(
        self, key: bytes, request_id: RequestId | None = None, *, quiet: bool = False
    ) -> Result | Future:
        """Remove a value, leaving a tombstone; `request_id` and `quiet` as in `set`."""
        # Finding 4: as a plain write two of them would both find what only one can have deleted.
        decide = operations.remove(self.tombstone(), DELETED, NOT_FOUND)
        return modify(self.keyspace, key, decide, self.counters.counted("delete"), request_id)

    def touch(self, key: bytes, deadline: int, *, show: bool = False) -> Result | Future:
        """Let the entry end at another time; its value and cas unique stay; `deadline`, `show` as in `set`."""
        self.counters.cmd_touch += 1
        decide = operations.touch(deadline, self.clock.now)
        decide = operations.showing(decide) if show else decide
        return modify(self.keyspace, key, decide, self.counters.counted("touch"))

    def refuse(self, key: bytes, reason: Outcome) -> Result | Future:
        """Refuse a `set` that cannot be stored. As in memcached the old value goes; it is not the new one."""
        decide = operations.remove(self.tombstone(), reason, reason)
        return modify(self.keyspace, key, decide, uncounted)

    def modify(
        self, key: bytes, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        """Run any read-modify-write; `count` is told the outcome when it is known, before the client is."""
        return modify(self.keyspace, key, decide, count or uncounted)

    def store_if(
        self, key: bytes, length: int, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        """Run a read-modify-write that stores `length` bytes more, if memory allows it."""
        self.counters.cmd_set += 1
        if not self.has_memory(key, length):
            self.counters.store_no_memory += 1
            return NO_MEMORY
        return modify(self.keyspace, key, decide, count or self.counters.count_stored)

    def has_memory(self, key: bytes, length: int) -> bool:
        """Tell whether `length` bytes more may be stored; what was used last makes place for it."""
        size = ENTRY_BYTES + len(key) + length
        return self._store.used + size <= self._store.limit or self.memory_limit.make(size)

    def tombstone(self) -> Entry:
        """Make what a key becomes that is deleted now."""
        return self._store.tombstone(self.clock.now)

    # --- counting reads, when it is known what they find

    def _count_miss(self, key: bytes) -> None:
        counters = self.counters
        counters.get_misses += 1
        end = self._store.end_of(key, self.clock.now)
        if end:
            counters.get_expired += end == RAN_OUT
            counters.get_flushed += end == WAS_FLUSHED

    def count_get(self, key: bytes, result: Result) -> None:
        """Count what a read of this key has found."""
        if result is None:
            self._count_miss(key)
        else:
            self.counters.get_hits += 1
