"""The engine: what each command means, told in outcomes that belong to no protocol.

It reads committed entries from the store and hands every change to a committer, whose one method carries it
round the cluster. It knows neither peers nor the spelling of any protocol. With the committer `Alone`, engine
and store are a complete memcached.

Two kinds of write:
- A plain one (`set`, `flush_all`) needs no look at what is there.
- A read-modify-write (all others, `delete` among them) is a pure function from the live entry to either a
  final outcome ("no, it exists") or a new entry. It runs only on a clean key; if another write wins, it is
  run again on what won, and the client never sees that.

Each method returns its outcome at once where it can, else a `Future` on which the outcome will appear. On a
single node no future ever waits, and the hot path makes no object but the entry itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from memrep.engine import operations
from memrep.engine.counters import Counters
from memrep.engine.eviction import MemoryLimit
from memrep.engine.future import Future, nothing, uncounted
from memrep.engine.operations import (
    DELETED,
    EXISTS,
    FLUSHED,
    NO_MEMORY,
    NOT_FOUND,
    STORED,
    TOUCHED,
    Operation,
    Outcome,
    Result,
)
from memrep.engine.replicator import Replicator
from memrep.storage.entry import NEVER, Entry, RequestId
from memrep.storage.pending import PendingWrites
from memrep.storage.store import ENTRY_BYTES, FLUSH_KEY, RAN_OUT, TOMBSTONE_MS, WAS_FLUSHED, Store, idle
from memrep.storage.version import ZERO, Clock

#: Longest key, bytes (protocol.txt, "Keys").
KEY_BYTES_MAX: Final = 250

#: An exptime above this many seconds is an absolute time (protocol.txt, "Expiration times").
RELATIVE_EXPTIME_MAX_S: Final = 60 * 60 * 24 * 30


class Engine:
    """Executes commands against the store.

    Args:
        store: the committed entries.
        writes: the pending ones.
        replicator: where changes go.
        clock: the time of the present turn.
        counters: where hits and misses are counted.
        room: the limits of what is stored.

    Attributes:
        room: those limits.
        flush_at: when a delayed `flush_all` is due, monotonic ms.
    """

    def __init__(
        self,
        store: Store,
        writes: PendingWrites,
        replicator: Replicator,
        clock: Clock,
        counters: Counters,
        room: MemoryLimit,
    ) -> None:
        self.room = room
        self.flush_at: int | None = None
        self._store = store
        self._writes = writes
        self._pending = writes.pending
        self._replicator = replicator
        self._clock = clock
        self.counters = counters

    # --- reads

    def get(self, key: bytes) -> Entry | Future | None:
        """The live entry, None for a miss, or a future while a write of the key is on its way."""
        if self._pending and self._obstacle(key) is not None:
            future = Future(partial(self._count_get, key))
            self._get_later(key, future)
            return future
        now = self._clock.now
        entry = self._store.get(key, now)
        if entry is None:
            self._count_miss(key)
        else:
            entry.seen = now
            self.counters.get_hits += 1
        return entry

    def missed(self, key: bytes) -> Entry | None:
        """What a retrieval shows of what does not exist."""
        return None

    def peek(self, key: bytes) -> Entry | None:
        """The committed entry, read by nobody; for people."""
        return None if self._store.is_miss(key, self._clock.now) else self._store.peek(key)

    def get_and_touch(self, key: bytes, exptime: int) -> Result | Future:
        """As `get`, and the entry's exptime starts anew (protocol.txt, "gat")."""
        self.counters.cmd_touch += 1
        return self._modify(
            key, operations.show_and_touch(self.expires(exptime), self._clock.now), self.counted("touch")
        )

    # --- plain writes

    def set(
        self,
        key: bytes,
        flags: int,
        exptime: int,
        value: bytes,
        copy: RequestId | None = None,
        *,
        show: bool = False,
        quiet: bool = False,
    ) -> Result | Future:
        """Store a value whatever is there.

        Args:
            key: the key.
            flags: the client's bits.
            exptime: as the client sent it, s.
            value: the data block.
            copy: makes copies of this very write known (dedup.py).
            show: whether to tell the entry as it was stored, and not just STORED.
            quiet: whether the client asked for no answer; that makes no difference here.
        """
        self.counters.cmd_set += 1
        store = self._store
        size = ENTRY_BYTES + len(key) + len(value)
        if store.used + size > store.limit and not self.room.make(size):
            self.counters.store_no_memory += 1
            return self.refuse(key, NO_MEMORY)
        self.counters.total_items += 1
        entry = Entry(ZERO, value, flags, NEVER if exptime == 0 else self.expires(exptime))
        outcome = entry if show else STORED
        if self._replicator.commit(key, entry):
            return outcome
        return self._send_round(key, entry, outcome, copy)

    def flush_all(self, delay: int) -> Outcome | Future:
        """Let everything expire that was written before now, or before `delay` seconds from now.

        A delayed flush is remembered by this node alone; it is carried out, and replicated, when it is due.
        """
        self.counters.cmd_flush += 1
        if delay > 0:
            self.flush_at = self.expires(delay)
            return FLUSHED
        self.flush_at = None
        entry = Entry(ZERO, b"flush", 0, NEVER)
        if self._replicator.commit(FLUSH_KEY, entry):
            return FLUSHED
        return self._send_round(FLUSH_KEY, entry, FLUSHED)

    def tick(self) -> None:
        """What is due by the clock: a delayed flush."""
        if self.flush_at is not None and self.flush_at <= self._clock.now:
            self.flush_all(0)

    # --- read-modify-writes

    def add(self, key: bytes, flags: int, exptime: int, value: bytes, *, show: bool = False) -> Result | Future:
        """Store a value if there is none; `show` as in `set`."""
        decide = operations.add(Entry(ZERO, value, flags, self.expires(exptime)))
        return self.store_if(key, len(value), operations.showing(decide) if show else decide)

    def replace(self, key: bytes, flags: int, exptime: int, value: bytes) -> Result | Future:
        """Store a value if there is one."""
        decide = operations.replace(Entry(ZERO, value, flags, self.expires(exptime)))
        return self.store_if(key, len(value), decide)

    def cas(self, key: bytes, flags: int, exptime: int, value: bytes, unique: int) -> Result | Future:
        """Store a value if the present one is still that of this cas unique."""
        entry = Entry(ZERO, value, flags, self.expires(exptime))
        return self.store_if(key, len(value), operations.compare_and_swap(entry, unique), self.count_cas)

    def append(self, key: bytes, value: bytes) -> Result | Future:
        """Put bytes behind the present value; flags and exptime stay."""
        return self.store_if(key, len(value), operations.extend(b"", value, partial(self.room.fits, key)))

    def prepend(self, key: bytes, value: bytes) -> Result | Future:
        """Put bytes before the present value; flags and exptime stay."""
        return self.store_if(key, len(value), operations.extend(value, b"", partial(self.room.fits, key)))

    def incr(
        self, key: bytes, delta: int, initial: Entry | None = None, *, show: bool = False
    ) -> Result | Future:
        """Add to a decimal number, modulo 2^64; exptime and flags stay.

        Args:
            key: the key.
            delta: how much.
            initial: what to store where there is nothing, if anything.
            show: whether to tell the entry as it was stored, and not just the digits.
        """
        decide = operations.incr(delta)
        if initial is not None:
            decide = operations.otherwise(initial, decide)
        return self._modify(key, operations.showing(decide) if show else decide, self.counted("incr"))

    def decr(self, key: bytes, delta: int) -> Result | Future:
        """Subtract from a decimal number, not below 0; exptime and flags stay."""
        return self._modify(key, operations.decr(delta), self.counted("decr"))

    def delete(self, key: bytes, copy: RequestId | None = None, *, quiet: bool = False) -> Result | Future:
        """Remove a value, leaving a tombstone; `copy` and `quiet` as in `set`."""
        decide = operations.remove(self.tombstone(), DELETED, NOT_FOUND)
        return self._modify(key, decide, self.counted("delete"), copy=copy)

    def modify(
        self, key: bytes, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        """Any read-modify-write; `count` is told the outcome when it is known, before the client is."""
        return self._modify(key, decide, count or uncounted)

    def on_its_way(self, key: bytes) -> Entry | None:
        """The newest write of this key that is not known to be held everywhere, if there is one."""
        pending = self._pending.get(key)
        return None if pending is None else pending.entry

    def when_clean(self, key: bytes, result: Result) -> Result | Future:
        """This result, as soon as no write of the key is on its way."""
        if key not in self._pending:
            return result
        future = Future()
        self._writes.wait(key, partial(self._settle_later, key, result, future))
        return future

    def _settle_later(self, key: bytes, result: Result, future: Future) -> None:
        if key in self._pending:
            self._writes.wait(key, partial(self._settle_later, key, result, future))
        else:
            future.resolve(result)

    def refuse(self, key: bytes, reason: Outcome) -> Result | Future:
        """Refuse a `set` that cannot be stored. As in memcached the old value goes; it is not the new one."""
        return self._modify(key, operations.remove(self.tombstone(), reason, reason), uncounted)

    def touch(self, key: bytes, exptime: int, *, show: bool = False) -> Result | Future:
        """Let the entry's exptime start anew; its value and cas unique stay; `show` as in `set`."""
        self.counters.cmd_touch += 1
        decide = operations.touch(self.expires(exptime), self._clock.now)
        return self._modify(key, operations.showing(decide) if show else decide, self.counted("touch"))

    # --- shared

    def expires(self, exptime: int) -> int:
        """The monotonic ms at which an exptime as the client sent it (seconds) ends (protocol.txt).

        0 never ends, a negative one has ended, above 30 days it is an absolute wall-clock time.
        """
        if exptime == 0:
            return NEVER
        now = self._clock.now
        if exptime < 0:
            return now
        if exptime <= RELATIVE_EXPTIME_MAX_S:
            return now + exptime * 1000
        return min(max(now, now + exptime * 1000 - self._clock.wall), NEVER - 1)

    def left(self, expires: int) -> int:
        """How many seconds are left until this monotonic ms, begun ones counted; -1 for NEVER."""
        return -1 if expires >= NEVER else max(0, expires - self._clock.now + 999) // 1000

    def idle(self, entry: Entry) -> int:
        """For how many seconds nobody has read or written this entry, as far as this node knows."""
        return idle(entry, self._clock)

    @property
    def now(self) -> int:
        """This turn's monotonic time, ms."""
        return self._clock.now

    def _obstacle(self, key: bytes) -> bytes | None:
        """The key that a read of this one has to wait for: itself, or a flush_all that is on its way."""
        if key in self._pending:
            return key
        return FLUSH_KEY if FLUSH_KEY in self._pending else None

    def _get_later(self, key: bytes, future: Future) -> None:
        """Resolve the future with what is there, as soon as nothing of it is on its way."""
        if future.abandoned:
            return
        obstacle = self._obstacle(key)
        if obstacle is not None:
            self._writes.wait(obstacle, partial(self._get_later, key, future))
        else:
            entry = self._store.get(key, self._clock.now)
            if entry is not None:
                entry.seen = self._clock.now
            future.resolve(entry)

    def _send_round(
        self, key: bytes, entry: Entry, outcome: Outcome | Entry, copy: RequestId | None = None
    ) -> Future:
        future = Future()
        future.attempt(outcome, nothing)
        self._replicator.propose(key, entry, None, future, copy)
        return future

    def store_if(
        self, key: bytes, length: int, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        """A read-modify-write that stores `length` bytes more, if there is room for them."""
        self.counters.cmd_set += 1
        size = ENTRY_BYTES + len(key) + length
        if self._store.used + size > self._store.limit and not self.room.make(size):
            self.counters.store_no_memory += 1
            return NO_MEMORY
        return self._modify(key, decide, count or self.count_stored)

    def _modify(
        self, key: bytes, decide: Operation, count: Callable[[Result], None], copy: RequestId | None = None
    ) -> Result | Future:
        """Run a read-modify-write; one that has to wait, for a clean key or for peers, is a `_Modification`."""
        obstacle = self._obstacle(key) if self._pending else None
        if obstacle is None:
            decision = decide(self._store.get(key, self._clock.now))
            if not isinstance(decision, tuple):
                count(decision)
                return decision
            entry, result = decision
            if self._replicator.commit(key, entry):
                count(result)
                return result
        modification = _Modification(self, key, decide, Future(count), copy)
        if obstacle is None:
            self._propose(modification, entry, result)
        else:
            self._writes.wait(obstacle, modification.run)
        return modification.future

    def _try(self, modification: _Modification) -> None:
        """Run a read-modify-write that has waited, on what is there now."""
        key, future = modification.key, modification.future
        obstacle = self._obstacle(key)
        if obstacle is not None:
            self._writes.wait(obstacle, modification.run)
            return
        decision = modification.decide(self._store.get(key, self._clock.now))
        if not isinstance(decision, tuple):
            future.resolve(decision)
            return
        entry, result = decision
        if self._replicator.commit(key, entry):
            future.resolve(result)
        else:
            self._propose(modification, entry, result)

    def _propose(self, modification: _Modification, entry: Entry, result: Result) -> None:
        """Send round what a read-modify-write makes of its key; another write may win (rule I4)."""
        key, future = modification.key, modification.future
        future.attempt(result, modification.run_when_clean)
        self._replicator.propose(key, entry, self._store.version(key), future, modification.request)

    def tombstone(self) -> Entry:
        """What a key becomes that is deleted now."""
        return Entry(ZERO, None, 0, self._clock.now + TOMBSTONE_MS)

    # --- counting, once a command, when its outcome is known

    def _count_miss(self, key: bytes) -> None:
        self.counters.get_misses += 1
        end = self._store.end_of(key, self._clock.now)
        if end:
            self.counters.get_expired += end == RAN_OUT
            self.counters.get_flushed += end == WAS_FLUSHED

    def _count_get(self, key: bytes, result: Result) -> None:
        if result is None:
            self._count_miss(key)
        else:
            self.counters.get_hits += 1

    def count_stored(self, result: Result) -> None:
        """Count what a command stored."""
        self.counters.total_items += result is STORED or type(result) is Entry

    def count_cas(self, result: Result) -> None:
        counters = self.counters
        self.count_stored(result)
        counters.cas_hits += result is STORED or type(result) is Entry
        counters.cas_badval += result is EXISTS
        counters.cas_misses += result is NOT_FOUND

    def counted(self, verb: str) -> Callable[[Result], None]:
        """Counts a hit or a miss of this verb, by whether something was found."""
        return partial(self._count, f"{verb}_hits", f"{verb}_misses")

    def _count(self, hits: str, misses: str, result: Result) -> None:
        if result is None or result is NOT_FOUND:
            name = misses
        elif isinstance(result, Outcome) and result not in (DELETED, TOUCHED):
            return
        else:
            name = hits
        setattr(self.counters, name, getattr(self.counters, name) + 1)


class _Modification:
    """A read-modify-write that has no outcome yet: it is decided anew each time, on what is there then."""

    __slots__ = ("_engine", "decide", "future", "key", "request")

    def __init__(
        self, engine: Engine, key: bytes, decide: Operation, future: Future, request: RequestId | None
    ) -> None:
        self._engine = engine
        self.key = key
        self.decide = decide
        self.future = future
        self.request = request

    def run(self) -> None:
        """The key is clean."""
        if not (self.future.abandoned or self.future.settled):
            self._engine._try(self)

    def run_when_clean(self) -> None:
        """Another write has won."""
        self._engine._writes.wait(self.key, self.run)
