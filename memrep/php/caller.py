"""One client, and what it means by its commands if it is PHP: locks that it owns, and copies of its writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memrep import decisions
from memrep.copies import DELETE_MARK, Arrival, mark_of
from memrep.decisions import DELETED, NOT_FOUND, NOT_STORED, STORED, Decision, Outcome, Result
from memrep.entry import NEVER, Entry
from memrep.locks import PECL_FLAGS, Hold, is_free, is_pecl_lock, names_pecl_lock
from memrep.php.holder import Holder
from memrep.php.sessions import Sessions
from memrep.ticket import Ticket
from memrep.version import ZERO, latest_unique, stamped_at

#: Copies of what lives shorter than this (s) are not looked for: there a few seconds matter.
_LONG_S: Final = 60

#: A copy of a release follows it within a few ms.
_COPY_MS: Final = 100


class Caller(Holder):
    """One client's connection, as far as PHP's habits go; see `protocol.Commands`.

    Args:
        sessions: what its node knows of everybody's locks.
    """

    __slots__ = ("_last", "_sessions")

    def __init__(self, sessions: Sessions) -> None:
        super().__init__()
        self._sessions = sessions
        # The last session that was written, what was, and when the cluster accepted that.
        self._last: tuple[bytes, int, int] = b"", 0, 0

    def set(
        self, key: bytes, flags: int, exptime: int, value: bytes, *, show: bool = False, quiet: bool = False
    ) -> Result | Ticket:
        """A session, a lock's release, or anything else."""
        sessions = self._sessions
        if is_pecl_lock(key, flags) and value == b"0":
            sessions.counters.cmd_set += 1
            return self._release(key, self._freed_as_sent(exptime), STORED)
        if sessions.replicated and (exptime >= _LONG_S or exptime == 0) and sessions.is_session(key):
            arrival = self._arrived(key, mark_of(flags, exptime, value), quiet)
            if arrival.known:
                return sessions.engine.when_clean(key, STORED)
            return sessions.engine.set(key, flags, exptime, value, arrival.copy, show=show)
        return sessions.engine.set(key, flags, exptime, value, show=show)

    def touch(self, key: bytes, exptime: int, *, show: bool = False) -> Result | Ticket:
        """A session that its request has not changed, or anything else."""
        sessions = self._sessions
        if sessions.habits.is_memcacheds(key):
            self._last = key, 0, latest_unique(sessions.clock)
        return sessions.engine.touch(key, exptime, show=show)

    def delete(self, key: bytes, *, quiet: bool = False) -> Result | Ticket:
        """The end of a session, a lock's release, or anything else."""
        sessions = self._sessions
        if sessions.habits.names_lock(key):
            return self._release(key, lambda entry: sessions.engine.tombstone(), DELETED)
        if sessions.replicated and sessions.is_session(key):
            arrival = self._arrived(key, DELETE_MARK, quiet)
            if arrival.known:
                dead = sessions.store.dead(key, sessions.clock.now)
                return sessions.engine.when_clean(key, NOT_FOUND if dead else DELETED)
            return sessions.engine.delete(key, arrival.copy)
        return sessions.engine.delete(key)

    def add(self, key: bytes, flags: int, exptime: int, value: bytes, *, show: bool = False) -> Result | Ticket:
        """A lock, or anything else."""
        sessions = self._sessions
        if not ((is_pecl_lock(key, flags) and value == b"1") or key.startswith(sessions.habits.prefixes)):
            return sessions.engine.add(key, flags, exptime, value, show=show)
        sessions.counters.cmd_set += 1
        engine = sessions.engine
        hold = self._hold(engine.expires(exptime) - sessions.clock.now)

        def grant(entry: Entry | None) -> Entry | None:
            if entry is not None:
                return None
            return Entry(ZERO, value, flags, engine.expires(exptime), 0, hold)

        return self._take(key, grant, lambda entry: NOT_STORED, STORED, engine.count_stored, show=show)

    def incr(
        self, key: bytes, delta: int, initial: Entry | None = None, *, show: bool = False
    ) -> Result | Ticket:
        """pecl's way to take a lock that is free, or any number.

        By the binary protocol pecl lets it make the lock, too, where there is none.
        """
        sessions = self._sessions
        if not names_pecl_lock(key):
            return sessions.engine.incr(key, delta, initial, show=show)

        def grant(entry: Entry | None) -> Entry | None:
            if entry is None and initial is not None:
                span = initial.expires - sessions.clock.now
                return Entry(ZERO, initial.value, PECL_FLAGS, initial.expires, 0, self._hold(span))
            if entry is None or entry.hold is None or entry.flags != PECL_FLAGS or not is_free(entry.value):
                return None
            hold = self._hold(entry.hold.span)
            return Entry(ZERO, b"1", entry.flags, sessions.clock.now + hold.span, 0, hold)

        def refuse(entry: Entry | None) -> Decision:
            if entry is None or entry.hold is None or entry.flags != PECL_FLAGS:
                decide = decisions.incr(delta)
                return (decisions.showing(decide) if show else decide)(entry)
            counted = decisions.incr(delta)(entry)
            if not isinstance(counted, tuple):
                return counted  # whatever it is, it is no lock that pecl has taken
            return counted[1]

        return self._take(key, grant, refuse, b"1", sessions.engine.counted("incr"), show=show)

    def missed(self, key: bytes) -> Entry | None:
        """A session that does not exist is empty to pecl, which begins it; from a miss it would walk on."""
        begins = self.untold() and self._sessions.habits.lock_of(key) in self.locks
        return Entry(ZERO, b"", 0, NEVER) if begins else None

    # --- shared

    def _arrived(self, key: bytes, mark: int, quiet: bool) -> Arrival:
        """This write of a session has come; remember it for the release behind it."""
        sessions = self._sessions
        if sessions.habits.is_memcacheds(key):
            session, last, stamp = self._last
            if quiet and (session, last) == (key, mark):
                return Arrival(True, None, stamp)
            original = not quiet
        else:
            original = sessions.habits.lock_of(key) in self.locks
        counts = original or (mark != DELETE_MARK and sessions.is_locked(key))
        arrival = sessions.copies.arrived(key, mark, original, counts)
        self._last = key, mark, arrival.stamp
        return arrival

    def _is_current(self, key: bytes, entry: Entry) -> bool:
        """Whether a release on this connection can be that of the request that holds the lock now."""
        session, _, stamp = self._last
        return session != self._sessions.habits.session_of(key) or stamp > entry.cas_unique

    def _is_no_copy(self, key: bytes, entry: Entry) -> bool:
        """Whether a release cannot be a late copy of the one that let the present holder in.

        What was written, or touched, on the same connection tells (see `_is_current`), as it always is by pecl.
        Where nothing was, time does: that since the grant, for whose the lock is may have been written since.
        """
        habits = self._sessions.habits
        session = habits.session_of(key)
        if self._last[0] == session or not habits.is_memcacheds(session):
            return True
        return self._sessions.clock.hybrid - stamped_at(entry.cas_unique) >= _COPY_MS

    def _hold(self, span: int) -> Hold:
        return Hold(self._sessions.me, span)

    def _freed_as_sent(self, exptime: int) -> Callable[[Entry | None], Entry]:
        engine, clock = self._sessions.engine, self._sessions.clock

        def freed(entry: Entry | None) -> Entry:
            expires = engine.expires(exptime)
            return Entry(ZERO, b"0", PECL_FLAGS, expires, 0, Hold(0, expires - clock.now))

        return freed

    def _take(
        self,
        key: bytes,
        grant: Callable[[Entry | None], Entry | None],
        refuse: Callable[[Entry | None], Decision],
        granted: Outcome | bytes,
        count: Callable[[Result], None],
        *,
        show: bool,
    ) -> Result | Ticket:
        """Take a lock if `grant` makes an entry of it; the connection owns it when it is committed."""
        sessions = self._sessions
        taken: list[Entry] = []

        def decide(entry: Entry | None) -> Decision:
            new = grant(entry)
            taken[:] = [] if new is None else [new]
            return refuse(entry) if new is None else (new, new if show else granted)

        def done(result: Result) -> None:
            count(result)
            if taken:
                sessions.granted(self, key, taken[0].cas_unique)

        return sessions.engine.modify(key, decide, done)

    def _release(self, key: bytes, freed: Callable[[Entry | None], Entry], result: Outcome) -> Result | Ticket:
        """Release a lock, unless it is somebody else's."""
        sessions = self._sessions
        unique = self.locks.pop(key, None)
        if sessions.owners.get(key, (None, 0))[0] is self:
            del sessions.owners[key]
        count = sessions.engine.count_stored if result is STORED else sessions.engine.counted("delete")

        def decide(entry: Entry | None) -> Decision:
            if entry is not None and entry.cas_unique != unique and not is_free(entry.value):
                current = self._is_current(key, entry) and self._is_no_copy(key, entry)
                owned = sessions.has_owner(key, entry, self)
                if current and owned:
                    sessions.remember(key, entry.cas_unique)
                if owned or not current:
                    return result
            if entry is None and result is DELETED:
                return NOT_FOUND
            if entry is not None and entry.hold is not None and is_free(entry.value) and result is STORED:
                return result
            return freed(entry), result

        return sessions.engine.modify(key, decide, count)
