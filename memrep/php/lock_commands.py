"""One client, and how it takes a lock if it is PHP; and what any client may do to a lock that is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import attrs

from memrep.engine import operations
from memrep.engine.future import Future
from memrep.engine.operations import NOT_STORED, STORED, Decision, Operation, Outcome, Result
from memrep.php import proof
from memrep.php.lock_holder import LockHolder
from memrep.php.lock_names import (
    PECL_FLAGS,
    is_free,
    is_held,
    is_pecl_lock,
    is_redis_lock,
    may_name,
    names_pecl_lock,
)
from memrep.php.lock_table import LockTable, plain
from memrep.php.redis_locks import taking
from memrep.protocol.command import Said
from memrep.protocol.reply_gate import ReplyGate
from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner
from memrep.storage.version import ZERO

#: So many ticks of 50 ms are waited for what tells whether a lock is PHP's. Between its `incr` and its `add` it
#: gives the processor away, between `add` and `get` it does not.
_TAKE_TICKS: Final = 4
_ADD_TICKS: Final = 2

#: What an `add` may be: any, the lock of a session, perhaps one of php-memcached's; or it is not known yet.
_PLAIN: Final = "plain"
_LOCK: Final = "lock"
_MAYBE: Final = "maybe"
_UNKNOWN: Final = "unknown"


@attrs.define(eq=False)
class _Trial:
    """A lock was taken by who may be pecl-memcache: what is said next will tell.

    Attributes:
        key: the lock.
        nothing: makes what stands for nothing.
        verdict: whether it is; None as long as nobody knows.
        before: what was there before.
    """

    key: bytes
    nothing: Callable[[], Entry]
    verdict: bool | None = None
    before: Entry | None = None

    @property
    def failed(self) -> bool:
        """Tell whether it was any client's command."""
        return self.verdict is False

    def plain(self, entry: Entry) -> Entry:
        """Return what any client's command would have made."""
        expires = entry.expires if self.before is None else self.before.expires
        return Entry(ZERO, entry.value, entry.flags, expires, entry.cas_unique)

    def undo(self, entry: Entry) -> Entry:
        """Return what was there before: its client has not been told that it was done."""
        before = self.before
        if before is None:
            return self.nothing()
        return Entry(ZERO, before.value, before.flags, before.expires, 0, before.owner)


class LockCommands(LockHolder):
    """One client's connection, as far as it takes locks.

    Args:
        table: what its node knows of everybody's locks.
        gate: that of its connection.
    """

    __slots__ = ("_asked", "_table", "_trial")

    def __init__(self, table: LockTable, gate: ReplyGate) -> None:
        super().__init__(gate)
        self._table = table
        self._asked = b""  # the lock for which it has just asked by a number
        self._trial: _Trial | None = None

    # --- taking locks

    def add(
        self, key: bytes, flags: int, deadline: int, value: bytes, *, show: bool = False
    ) -> Result | Future:
        """Take a lock, or add anything else."""
        table = self._table
        engine = table.engine
        kind = self._kind_of_add(key, flags, value)
        asked, self._asked = self._asked, b""
        if kind is _PLAIN:
            return engine.add(key, flags, deadline, value, show=show)
        trial = None
        if kind is _UNKNOWN:
            if asked != key or self._trial is not None:  # of its own `incr` it will be known soon
                return engine.add(key, flags, deadline, value, show=show)
            trial = self._try(key, proof.reads, _ADD_TICKS)
        span = deadline - table.clock.now
        hold = Owner(table.me, span, kind is _MAYBE)

        def grant(entry: Entry | None) -> Entry | None:
            if entry is not None:
                return None
            held = None if trial is not None and trial.failed else hold
            # The timeout starts in full when the lock is taken, for however long the command has waited.
            return Entry(ZERO, value, flags, min(table.clock.now + span, NEVER), 0, held)

        decide, done = self._taking(
            key, grant, lambda entry: NOT_STORED, STORED, engine.counters.count_stored, show, trial
        )
        return engine.store_if(key, len(value), decide, done)

    def _kind_of_add(self, key: bytes, flags: int, value: bytes) -> str:
        """Tell whether an `add` takes a session's lock."""
        table = self._table
        if value != b"1":
            return _PLAIN
        if is_pecl_lock(key, flags):
            if self._asked != key:
                self._asks()
            if self.shared:
                return _PLAIN
            reads = proof.reads(self.gate.lookahead(), key, table.php_options.session_of(key))
            return _UNKNOWN if reads is None else _LOCK if reads else _PLAIN
        if flags:
            return _PLAIN
        if key.startswith(table.php_options.prefixes):
            self._asks()
            return _PLAIN if self.shared else _LOCK
        return _MAYBE if table.replicated and may_name(key) else _PLAIN

    def incr(
        self, key: bytes, delta: int, initial: Entry | None = None, *, show: bool = False
    ) -> Result | Future:
        """Take a lock that is free, as pecl does, or count any number.

        By the binary protocol pecl lets it make the lock, too, where there is none.
        """
        table = self._table
        engine = table.engine
        if not names_pecl_lock(key):
            if table.php_options.names_lock(key):
                return self._count(key, operations.incr(delta), "incr", initial, show)
            return engine.incr(key, delta, initial, show=show)
        takes: bool | None = False
        if delta == 1:
            self._asked = key
            self._asks()
            if not self.shared and table.sessions.may_grant(key, initial):
                takes = proof.takes(self.gate.lookahead(), key, table.php_options.session_of(key))
            else:
                table.waiters.refused(key, self)
        if takes is False:
            return self._count(key, operations.incr(delta), "incr", initial, show)
        trial = self._try(key, proof.takes, _TAKE_TICKS) if takes is None else None

        def grant(entry: Entry | None) -> Entry | None:
            if trial is not None:
                if trial.failed:
                    return None
                trial.before = entry
            if entry is None and initial is not None:
                hold = Owner(table.me, initial.expires - table.clock.now)
                return Entry(ZERO, initial.value, PECL_FLAGS, initial.expires, 0, hold)
            if entry is None or entry.flags != PECL_FLAGS or not is_free(entry.value):
                return None
            span = entry.owner.span if entry.owner is not None else entry.expires - table.clock.now
            hold = Owner(table.me, span)
            return Entry(ZERO, b"1", entry.flags, table.clock.now + span, 0, hold)

        refuse = self._counting(key, operations.incr(delta), initial, show)
        decide, done = self._taking(key, grant, refuse, b"1", engine.counters.counted("incr"), show, trial)
        return engine.modify(key, decide, done)

    def claiming(
        self, key: bytes, value: bytes, decide: Operation
    ) -> tuple[Operation, Callable[[Result], None] | None]:
        """Take a lock as phpredis does, or do anything else."""
        if not is_redis_lock(key, value):
            return decide, None
        entry = self._table.store.get(key, self._table.clock.now)
        # Its own worker may have left it so; any other one is another request on the same connection.
        self._asks(but=key if entry is not None and entry.value == value else b"")
        return taking(self._table, self, key, value, decide)

    def missed(self, key: bytes) -> Entry | None:
        """Show pecl a session that does not exist as empty: pecl begins it; from a miss it would walk on."""
        begins = self.gate.holding and key + b".lock" in self.locks
        return Entry(ZERO, b"", 0, NEVER) if begins else None

    def _taking(
        self,
        key: bytes,
        grant: Callable[[Entry | None], Entry | None],
        refuse: Callable[[Entry | None], Decision],
        granted: Outcome | bytes,
        count: Callable[[Result], None],
        show: bool,
        trial: _Trial | None,
    ) -> tuple[Operation, Callable[[Result], None]]:
        """Take a lock if `grant` makes an entry of it; the connection owns it when it is committed."""
        table = self._table
        taken: list[Entry] = []

        def decide(entry: Entry | None) -> Decision:
            new = grant(entry)
            taken[:] = [] if new is None or new.owner is None else [new]
            if new is None:
                table.waiters.refused(key, self)
                return refuse(entry)
            return new, new if show else granted

        def done(result: Result) -> None:
            count(result)
            if taken:
                if trial is not None and trial.verdict is None:
                    self.undo[key] = trial.undo
                table.granted(self, key, taken[0])
                if (self.shared or (trial is not None and trial.failed)) and key in self.locks:
                    self._give_up(key, trial)
            elif trial is not None and self._trial is trial:
                self._trial = None
                self.gate.unwatch()

        return decide, done

    def _try(self, key: bytes, reading: Callable[..., bool | None], ticks: int) -> _Trial:
        """Begin a trial: what the client says next will show whether it is a session handler."""
        trial = self._trial = _Trial(key, self._table.engine.tombstone)
        session = self._table.php_options.session_of(key)

        def judge(said: Iterator[Said | None]) -> bool | None:
            trial.verdict = reading(said, key, session)
            if trial.verdict is not None:
                self._trial = None
                self.undo.pop(key, None)
            if trial.failed and key in self.locks:
                self._give_up(key, trial)
            if self.gate.timed_out:  # it may be a proxy, which reads elsewhere; it is not waited for again
                self._table.share(self)
            return trial.verdict

        self.gate.watch(judge, ticks)
        return trial

    def _give_up(self, key: bytes, trial: _Trial | None) -> None:
        """Make a lock that was taken any client's number."""
        self._table.give_up(self, key, plain if trial is None else trial.plain)
        self.gate.release()

    def _asks(self, but: bytes = b"") -> None:
        """Note that it asks for a lock: if it holds one, `but` this, it speaks for several requests at once."""
        if self.locks and not self.shared:
            table = self._table
            for lock, unique in self.locks.items():
                entry = table.store.get(lock, table.clock.now)
                if entry is None or entry.cas_unique != unique or lock == but:
                    continue
                if is_held(entry.value, entry.owner):
                    table.share(self)
                    return

    # --- all that may be done to a lock

    def decr(self, key: bytes, delta: int) -> Result | Future:
        """Subtract from a number."""
        if self._table.php_options.names_lock(key):
            return self._count(key, operations.decr(delta), "decr", None, False)
        return self._table.engine.decr(key, delta)

    def modify(
        self, key: bytes, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        """Run any read-modify-write that has no name of its own here."""
        if self._table.php_options.names_lock(key):
            decide = self._minding(key, decide)
        return self._table.engine.modify(key, decide, count)

    def store_if(
        self, key: bytes, length: int, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        """Do the same, if it stores something."""
        if self._table.php_options.names_lock(key):
            decide = self._minding(key, decide)
        return self._table.engine.store_if(key, length, decide, count)

    def _count(
        self, key: bytes, decide: Operation, verb: str, initial: Entry | None, show: bool
    ) -> Result | Future:
        engine = self._table.engine
        return engine.modify(key, self._counting(key, decide, initial, show), engine.counters.counted(verb))

    def _counting(self, key: bytes, decide: Operation, initial: Entry | None, show: bool) -> Operation:
        if initial is not None:
            decide = operations.otherwise(initial, decide)
        return self._minding(key, operations.showing(decide) if show else decide)

    def _minding(self, key: bytes, decide: Operation) -> Operation:
        """Do the same, but answer without doing what would free or count a lock that another client holds."""

        def minding(entry: Entry | None) -> Decision:
            decision = decide(entry)
            if entry is None or not isinstance(decision, tuple) or not is_held(entry.value, entry.owner):
                return decision
            new, result = decision
            if _frees(new):
                if self.shared or not self._table.has_owner(key, entry, self):
                    return decision
            elif not _counts(entry, new):
                return decision
            new.cas = entry.cas_unique  # of which the answer may tell
            return result

        return minding


def _frees(new: Entry) -> bool:
    """Tell whether a lock that becomes this is free."""
    return not new.value or is_free(new.value)


def _counts(entry: Entry, new: Entry) -> bool:
    """Tell whether this makes another number of a lock."""
    before, after = entry.value or b"", (new.value or b"").rstrip(b" ")
    return before != after and before.isdigit() and after.isdigit()
