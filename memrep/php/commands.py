"""One client, and what it means by its commands if it is PHP: locks that it owns, and copies of its writes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from memrep.engine.future import Future
from memrep.engine.operations import DELETED, LATER, NOT_FOUND, STORED, Decision, Outcome, Result
from memrep.php import proof
from memrep.php.dedup import DELETE_MARK, fingerprint_of
from memrep.php.lock_commands import LockCommands
from memrep.php.lock_names import PECL_FLAGS, is_free, is_held, is_pecl_lock, may_name, names_pecl_lock
from memrep.php.lock_table import LockTable
from memrep.protocol.reply_gate import ReplyGate
from memrep.storage.entry import NEVER, Entry, RequestId
from memrep.storage.owner import Owner
from memrep.storage.version import ZERO, latest_unique

#: Copies of what lives shorter than this (s) are not looked for: there a few seconds matter.
_LONG_S: Final = 60

#: A copy of a release follows it within a few ms.
_COPY_MS: Final = 100

#: So many ticks of 50 ms a release is waited for behind a write that may be a copy: PHP says them one by one.
_WRITE_TICKS: Final = 6

#: And so many for what the node of the lock's holder has to say of it: until it is given up, if it is silent.
_HOLDER_TICKS: Final = 14


@attrs.frozen
class _Write:
    """A session that was written, or touched, on a connection.

    Attributes:
        key: the session's.
        fingerprint: what was written; see dedup.py.
        tenure: the lock's grant under which that was.
        quiet: whether no answer was asked for.
    """

    key: bytes = b""
    fingerprint: int = 0
    tenure: int = 0
    quiet: bool = False


@attrs.frozen
class _Release:
    """A release that has come. It may be judged later, when its client has gone on to another session.

    Attributes:
        last: the session that was written before it on its connection.
        came: when, ms.
        quiet: whether no answer was asked for.
    """

    last: _Write
    came: int
    quiet: bool


@attrs.frozen
class _Arrival:
    """A session's write has come: whether it is a copy, and else what to send round with it."""

    known: bool
    request_id: RequestId | None = None


class PhpCommands(LockCommands):
    """One client's connection, as far as PHP's habits go; see `ClientCommands`.

    Args:
        table: what its node knows of everybody's locks.
        gate: that of its connection.
    """

    __slots__ = ("_last", "_since")

    def __init__(self, table: LockTable, gate: ReplyGate) -> None:
        super().__init__(table, gate)
        self._since = latest_unique(table.clock)
        self._last = _Write()

    # --- writes

    def set(
        self,
        key: bytes,
        flags: int,
        deadline: int,
        value: bytes,
        *,
        sent: int = 0,
        show: bool = False,
        quiet: bool = False,
    ) -> Result | Future:
        """Store a session, release a lock, or store anything else."""
        table = self._table
        if value == b"0" and is_pecl_lock(key, flags):
            return self._release(key, self._freed_as_sent(key, deadline), STORED, size=1)
        if table.replicated and (sent >= _LONG_S or sent == 0):
            lock = table.sessions.lock_of(key)
            if table.sessions.may_be_session(lock):
                same = quiet or table.sessions.shows(key, flags, value)
                arrival = self._arrived(key, lock, fingerprint_of(flags, sent, value), quiet, same)
                if arrival is None:
                    return LATER
                if arrival.known:
                    return table.engine.keyspace.when_clean(key, STORED)
                return table.engine.set(key, flags, deadline, value, arrival.request_id, show=show)
        return table.engine.set(key, flags, deadline, value, show=show)

    def touch(self, key: bytes, deadline: int, *, show: bool = False) -> Result | Future:
        """Touch a session that its request has not changed, or anything else."""
        table = self._table
        lock = table.sessions.lock_of(key)
        if table.sessions.may_be_session(lock):
            tenure, _ = table.sessions.tenure(lock)
            self._last = _Write(key, 0, tenure)
            self._is_not_the_holders(lock, tenure)
        return table.engine.touch(key, deadline, show=show)

    def delete(self, key: bytes, *, quiet: bool = False) -> Result | Future:
        """End a session, release a lock, or delete anything else."""
        table = self._table
        engine = table.engine
        self._asked = b""
        if table.php_options.names_lock(key) or self._may_be_a_lock(key):
            return self._release(key, lambda entry: engine.tombstone(), DELETED, quiet=quiet)
        lock = table.sessions.lock_of(key)
        if not (table.replicated and table.sessions.may_be_session(lock)):
            return engine.delete(key)
        same = quiet or table.sessions.shows(key, 0, None)
        arrival = self._arrived(key, lock, DELETE_MARK, quiet, same)
        if arrival is None:
            return LATER
        if arrival.known:
            dead = table.store.is_miss(key, table.clock.now)
            return engine.keyspace.when_clean(key, NOT_FOUND if dead else DELETED)
        return engine.delete(key, arrival.request_id)

    def _may_be_a_lock(self, key: bytes) -> bool:
        """Tell whether this may be a lock of php-memcached's under a prefix that nobody has declared."""
        index = self._table.index
        return bool(index.guarded or index.coming) and bool(may_name(key))

    # --- copies

    def _arrived(self, key: bytes, lock: bytes, fingerprint: int, quiet: bool, same: bool) -> _Arrival | None:
        """Judge a session's write that has come; return None if it will be known later what it is.

        Args:
            key: the session's key.
            lock: its lock's.
            fingerprint: what is written; see dedup.py.
            quiet: whether no answer is asked for.
            same: whether it would change nothing.
        """
        table = self._table
        duplicates = table.duplicates
        tenure, hold = table.sessions.tenure(lock)
        loud = not (quiet or names_pecl_lock(lock))
        if loud:
            self._is_not_the_holders(lock, tenure)
            tenure = tenure or table.sessions.last_change(lock)
        last, self._last = self._last, _Write(key, fingerprint, tenure, quiet)
        if tenure and (loud or self.locks.get(lock) == tenure):
            return _Arrival(False, duplicates.accepted(key, fingerprint, tenure, original=True))
        if loud:
            return _Arrival(False)
        again = quiet and (last.key, last.fingerprint) == (key, fingerprint)
        # Where the holder's own node is gone, who has come after the grant must be the holder.
        only = tenure if hold is not None and not hold.node and self._since > tenure else 0
        former = last.tenure if again else duplicates.tenure_of(key, fingerprint, only)
        if former or again:
            declared = lock.startswith(table.php_options.prefixes)
            proved = declared or proof.releases(self.gate.lookahead(), key, lock)
            if proved is None:
                self._last = last
                self.gate.defer(_WRITE_TICKS)
                return None
            if proved and former != tenure and self._may_be_the_holders(key, same, tenure, hold):
                self._last = last
                self.gate.defer(_HOLDER_TICKS)
                return None
            self._last = _Write(key, fingerprint, former, quiet)
            if not proved:
                return _Arrival(False)
            if not again:
                duplicates.came(key, fingerprint, former)
            return _Arrival(True)
        counts = tenure and fingerprint != DELETE_MARK
        return _Arrival(False, duplicates.accepted(key, fingerprint, tenure) if counts else None)

    def _may_be_the_holders(self, key: bytes, same: bool, tenure: int, hold: Owner | None) -> bool:
        """Tell whether what looks like a former request's copy may be what the lock's holder writes now.

        Its node will tell: it has the same write from the holder, who writes there, too. If that node dies who
        has come after the grant must be the holder. Until then the client may not be told that it is stored.
        """
        if same or hold is None or not hold.node or self.gate.timed_out:
            return False
        return not self._table.duplicates.is_written(key, tenure)

    def _is_not_the_holders(self, lock: bytes, tenure: int) -> None:
        """Note that a session of php-memcached's is written aloud here.

        It has one connection to each node. If that with the lock is another one of this node's, the request
        speaks over several, and no connection is any request's own.
        """
        table = self._table
        holder, unique = table.owners.get(lock, (self, 0))
        if holder is not self and unique == tenure and lock.startswith(table.php_options.prefixes):
            table.share(holder)
            table.share(self)

    # --- releases

    def _release(
        self,
        key: bytes,
        freed: Callable[[Entry | None], Entry],
        result: Outcome,
        *,
        quiet: bool = False,
        size: int = 0,
    ) -> Result | Future:
        """Release a lock, unless it is another client's; or do what is to be done with any other key.

        The release of a lock of PHP's is answered before all nodes have it: as soon as it is on its way, or, if
        it is a copy of one that is, or something else is on its way, as soon as it waits for that. PHP is told
        the same whatever comes of it, and that promises no more than the end of a connection does, with which a
        lock ends as well.
        """
        table = self._table
        engine = table.engine
        release = _Release(self._last, table.came(self.gate), quiet)
        unique = self.locks.pop(key, None)
        early = self._is_phps(key) and not (unique is not None and key in engine.keyspace.writes.pending)
        if table.owners.get(key, (None, 0))[0] is self:
            del table.owners[key]
        if result is DELETED and self._last.quiet and self._last.key == may_name(key):
            table.learned.learn(key)

        def decide(entry: Entry | None) -> Decision:
            if entry is None:
                return NOT_FOUND if result is DELETED else (freed(entry), result)
            if entry.owner is not None and entry.owner.maybe:
                if quiet and self._is_no_release(key, entry, release):
                    return result
            elif is_held(entry.value, entry.owner) and entry.cas_unique != unique and not self.shared:
                if self._is_anothers(key, entry, release):
                    return result
            elif entry.owner is not None and is_free(entry.value) and result is STORED:
                return result
            return freed(entry), result

        if result is STORED:
            outcome = engine.store_if(key, size, decide)
        else:
            outcome = engine.modify(key, decide, engine.counters.counted("delete"))
        if not (early and isinstance(outcome, Future)):
            return outcome
        told = Future()
        engine.keyspace.writes.woken.append(partial(told.resolve, result))
        return told

    def _is_phps(self, key: bytes) -> bool:
        """Tell whether there is a lock here that was proved to be PHP's."""
        entry = self._table.store.peek(key)
        return (
            entry is not None
            and entry.owner is not None
            and not (entry.owner.maybe or self.shared)
            and not self._table.store.is_miss(key, self._table.clock.now)
        )

    def _is_anothers(self, key: bytes, entry: Entry, release: _Release) -> bool:
        """Tell whether this release of a lock is not its holder's; remember it if it may turn out to be."""
        table = self._table
        current = self._is_current(key, entry, release) and self._is_no_copy(key, entry, release)
        owned = table.has_owner(key, entry, self)
        if current and owned:
            table.remember(key, entry.cas_unique)
        elif owned and not release.quiet:
            table.pass_over(key, entry.cas_unique)
        return owned or not current

    def _is_no_release(self, key: bytes, entry: Entry, release: _Release) -> bool:
        """Tell whether a quiet release of what may be php-memcached's lock is a copy.

        Its request's own is loud, and comes over the connection that took the lock, if that is still there.
        """
        paired = release.last.key == may_name(key)
        if paired and release.last.tenure not in (0, entry.cas_unique):
            return True
        known = paired or self._table.learned.covers(key)
        return known and self._table.has_owner(key, entry, self)

    def _is_current(self, key: bytes, entry: Entry, release: _Release) -> bool:
        """Tell whether a release on this connection can be that of the request that holds the lock now.

        What was written before it tells, as pecl and php-memcached always do where they have changed anything.
        """
        last = release.last
        return last.key != self._table.php_options.session_of(key) or last.tenure == entry.cas_unique

    def _is_no_copy(self, key: bytes, entry: Entry, release: _Release) -> bool:
        """Tell whether a release cannot be a late copy of the one that let the present holder in.

        What was written, or touched, on the same connection tells (see `_is_current`), as it always is by pecl.
        Where nothing was, time does: for how long this node knew of the grant, for whose the lock is may have
        been written since. What counts is when the release came. It may have been kept here while this node
        looked for others, or had no view, and the lock was granted elsewhere meanwhile.
        """
        table = self._table
        php_options = table.php_options
        session = php_options.session_of(key)
        if release.last.key == session or not php_options.is_memcacheds(session):
            return True
        return entry.cas_unique <= latest_unique(table.clock, release.came - _COPY_MS)

    def _freed_as_sent(self, key: bytes, deadline: int) -> Callable[[Entry | None], Entry]:
        """Make a release as pecl does; it is pecl's if it has written the session before, or the lock is."""
        table = self._table
        written = self._last.key == table.php_options.session_of(key)
        span = deadline - table.clock.now

        def freed(entry: Entry | None) -> Entry:
            expires = min(table.clock.now + span, NEVER)
            pecls = written if entry is None else entry.owner is not None and not self.shared
            hold = Owner(0, expires - table.clock.now) if pecls else None
            return Entry(ZERO, b"0", PECL_FLAGS, expires, 0, hold)

        return freed
