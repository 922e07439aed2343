"""PHP's own habits, all in this one room: what its session handlers do that a plain memcached gets wrong.

PHP's memcache extension (pecl) reads a session from one node and goes to the next only as deep as
`memcache.session_redundancy`, so its users set that to the number of nodes; then PHP itself sends every write,
and every release of a lock, to every node, each at its own moment. php-memcached does so with
`sess_number_of_replicas`. On one node after another that is harmless, on nodes that replicate it loses updates
and frees other requests' locks. And neither handler tells when it is done: pecl never unlocks a session that
was only read, or whose PHP process died, and the next request spins until the lock runs out. Three rules cure
it:

Copies. A write of a session that the cluster has already accepted through another node is answered and not
executed again (copies.py). Which keys are sessions shows by their lock: PHP takes that first. What comes over
the very connection that holds the lock is never a copy.

php-memcached copies by quiet commands, which it keeps back until its connection's next one: a copy may come
after the lock has been released, and several times if the first node did not answer. So there a quiet write is
a copy of a loud one, or the write itself where no loud one got through; a loud one never is a copy; and the
same quiet write again on the same connection is one with the first.

A lock belongs to the connection that took it. It is released by that connection, by its closing, or by its
timeout, which starts in full when the lock is taken. A release that comes over any other connection, while the
owner's node is there, is acknowledged and ignored: it is a copy, maybe of a request long past. When that node
is gone nobody owns the lock, and such a release counts, if it is not that of an earlier request: what was
written before it on the same connection tells, for the cluster has accepted that after the lock was granted, or
before. Releases that will count when the owner's node is gone are remembered; it may be dying. Increments of a
held lock, by those who wait for it, are answered and change nothing.

The walk. pecl-memcache 8.2 goes to the next node when it finds no session, asks for the lock again, and meets
its own. So a lock that another node has just granted to a client of the same host, for a session that does not
exist, is answered as granted, once at each node, to who reads the session in the same breath. Clients of the
same host begin at the same node, so a rival would have met the lock there. Where the addresses of the nodes
cannot tell hosts apart (several on one address) the rule is off, unless told otherwise (`--pecl-walk`).

All or nothing. pecl sends "take the lock", "read the session" in one go. If it has been told of the lock, and
the connection breaks before it has the session, it takes the session for empty and overwrites it everywhere; if
it has been told nothing it goes to the next node. So a grant is withheld until the reading behind it is
answered.

The switch for all of it is `--php`. Keys that are no locks of PHP's, and whatever other clients lock with
`add`, keep memcached's plain meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final
from zlib import crc32

from msgspec.structs import replace

from memrep import decisions
from memrep.copies import DELETE_MARK, Arrival, Copies, mark_of
from memrep.decisions import DELETED, NOT_FOUND, NOT_STORED, STORED, Decision, Outcome, Result
from memrep.engine import Engine, Ticket
from memrep.entry import Entry
from memrep.habits import Habits
from memrep.locks import ORPHAN_MS, PECL_FLAGS, Hold, is_free, is_pecl_lock
from memrep.nodes import host_of
from memrep.replication.view import Standing
from memrep.stats import Counters
from memrep.store import Store
from memrep.version import ZERO, Clock, latest_unique, milliseconds

#: Copies of what lives shorter than this (s) are not looked for: there a few seconds matter.
_LONG_S: Final = 60

#: A copy of a release follows it within a few ms.
_COPY_MS: Final = 100

#: pecl 8.2 walks on at once.
_WALK_MS: Final = 1_000

#: Releases, and walks, that are remembered at a time.
_REMEMBERED_MAX: Final = 10_000


#: What becomes of a lock's entry.
Change = Callable[[Entry], Entry]

#: Locks of one client above which those that have ended are looked for.
_LOCKS_MANY: Final = 64


class Sessions:
    """All that one node knows of PHP's locks, and of copies of PHP's writes.

    Args:
        habits: what is provided for.
        engine: executes what is to be executed.
        store: the committed entries.
        copies: the writes of the last minute.
        standing: which node this is.
        clock: the time.
        counters: the statistics.
        nodes: the addresses of all nodes.
        own_host: this node's address as other nodes see it, if `nodes` has names.
    """

    def __init__(
        self,
        habits: Habits,
        engine: Engine,
        store: Store,
        copies: Copies,
        standing: Standing,
        clock: Clock,
        counters: Counters,
        nodes: list[str],
        own_host: str = "",
    ) -> None:
        self.habits = habits
        self.engine = engine
        self.store = store
        self.copies = copies
        self.clock = clock
        self.counters = counters
        self.me = standing.me
        self._standing = standing
        self.replicated = len(nodes) > 1
        self.owners: dict[bytes, tuple[Caller, int]] = {}
        self._hosts = [host_of(node) for node in nodes]
        self._own_host = own_host or self._hosts[self.me - 1]
        self._remembered: dict[bytes, int] = {}
        self._walked: dict[bytes, int] = {}
        self._due: list[tuple[bytes, int, Change]] = []

    def caller(self, host: str) -> Caller:
        """A new client, who comes from this host ("" for a unix socket)."""
        return Caller(self, self._origin(host))

    def _origin(self, host: str) -> int:
        """A number for a client's host, the same on every node; 0 where hosts cannot be told apart."""
        if len(set(self._hosts)) < len(self._hosts):
            return 0
        host = host.removeprefix("::ffff:")
        return crc32((self._own_host if not host or _is_loopback(host) else host).encode()) | 1

    def granted(self, caller: Caller, key: bytes, unique: int) -> None:
        """A lock was granted to a client; who is gone meanwhile releases it at once."""
        if caller.gone:
            self._due.append((key, unique, self.freed))
        else:
            caller.forget_ended()
            self.owners[key] = caller, unique
            caller.locks[key] = unique
            if key.endswith(b".lock"):
                caller.on_grant(b"")

    def left(self, caller: Caller, cut: bool = False) -> None:
        """A client is gone: its locks are released.

        Those of one that was cut off while it waited for an answer live on for a moment: php-memcached comes
        back on another connection and writes once more.
        """
        caller.gone = True
        change = self._ends_soon if cut else self.freed
        for key, unique in caller.locks.items():
            if self.owners.get(key) == (caller, unique):
                del self.owners[key]
            self._due.append((key, unique, change))
        caller.locks.clear()

    def deserted(self, caller: Caller) -> None:
        """This node closes a client's connection; it may live, and its locks are nobody's from now on."""
        for key, unique in caller.locks.items():
            self.owners.pop(key, None)
            self._due.append((key, unique, _disowned))
        caller.locks.clear()

    def forget(self) -> None:
        """This node has closed all its clients' connections; they may live, and the others know."""
        for caller, _ in self.owners.values():
            caller.locks.clear()
        self.owners.clear()
        self._due.clear()
        self.copies.clear()

    def remember(self, key: bytes, unique: int) -> None:
        """A release was ignored that may turn out to be the owner's."""
        if len(self._remembered) >= _REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[key] = unique

    def tick(self) -> None:
        """See which remembered releases count now, for nobody owns their lock any more; every 50 ms.

        And end the locks that were in doubt for long enough. Each node tries; the first one ends it for all.
        """
        doubtful = self.store.doubtful
        for key, (unique, end) in list(doubtful.items()):
            if end <= self.clock.now:
                del doubtful[key]
                self._due.append((key, unique, self.freed))
        for key, unique in list(self._remembered.items()):
            entry = self.store.live(key, self.clock.now)
            if entry is None or entry.cas_unique != unique:
                del self._remembered[key]
            elif entry.hold is not None and not entry.hold.node:
                del self._remembered[key]
                self._due.append((key, unique, self.freed))

    @property
    def due(self) -> bool:
        """Whether `release` has something to do."""
        return bool(self._due)

    def release(self) -> None:
        """Release what is due: the locks of clients that are gone, and what was remembered of gone nodes."""
        due, self._due = self._due, []
        for key, unique, change in due:
            self.engine.modify(key, _if_held(unique, change))

    def freed(self, entry: Entry) -> Entry:
        """What is left of a lock that is released."""
        if entry.flags != PECL_FLAGS or entry.hold is None:
            return self.engine.tombstone()
        span = entry.hold.span
        return Entry(ZERO, b"0", PECL_FLAGS, self.clock.now + span, 0, Hold(0, span))

    def _ends_soon(self, entry: Entry) -> Entry:
        """A lock whose holder may come back at once, or never."""
        orphan = _disowned(entry)
        orphan.expires = min(entry.expires, self.clock.now + ORPHAN_MS)
        return orphan

    def has_owner(self, key: bytes, entry: Entry, caller: Caller) -> bool:
        """Whether this lock is held by another client than this one that still may release it."""
        hold = entry.hold
        if hold is None or not hold.node:
            return False
        if hold.node != self.me:
            return True
        owner = self.owners.get(key)
        return owner is not None and owner[0] is not caller and owner[1] == entry.cas_unique

    def is_session(self, key: bytes) -> bool:
        """Whether PHP has taken a lock for this key; what is left of a lock is there for long."""
        return self.store.get(self.habits.lock_of(key)) is not None

    def is_locked(self, key: bytes) -> bool:
        """Whether somebody holds the lock of this session, or may: what is on its way to it may be a grant."""
        lock = self.habits.lock_of(key)
        entry = self.store.live(lock, self.clock.now)
        return self.engine.is_pending(lock) or (entry is not None and not is_free(entry.value))

    def walks(self, key: bytes, entry: Entry, caller: Caller) -> bool:
        """Whether who asks for this held lock must be its holder on its walk; it comes by once, and soon."""
        walk, hold = self.habits.walk, entry.hold
        if walk == "off" or hold is None or hold.node in (0, self.me):
            return False
        granted = milliseconds(entry.version)
        late = self.clock.hybrid - granted > _WALK_MS
        # Since the grant no node may have failed its clients: who comes then has been sent on without a lock.
        late = late or granted <= self._standing.since or entry.cas != 0
        if late or not self.store.dead(self.habits.session_of(key), self.clock.now):
            return False
        if self._walked.get(key) == entry.cas_unique or not (walk == "on" or hold.origin == caller.origin != 0):
            return False
        if len(self._walked) >= _REMEMBERED_MAX:
            del self._walked[next(iter(self._walked))]
        self._walked[key] = entry.cas_unique
        return True


class Caller:
    """One client's connection, as far as PHP's habits go; see `protocol.Commands`.

    Attributes:
        origin: a number for its host.
        locks: those it holds: key and the cas unique of the grant.
        gone: its connection is closed.
        on_grant: called when pecl has been granted a lock, before it is told; with what to tell instead if it
            does not read the session, "" if that makes no difference.
    """

    __slots__ = ("_last", "_sessions", "gone", "locks", "on_grant", "origin")

    def __init__(self, sessions: Sessions, origin: int) -> None:
        self.origin = origin
        self.locks: dict[bytes, int] = {}
        self.gone = False
        self.on_grant: Callable[[bytes], None] = _nobody
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
        if not (is_pecl_lock(key, flags) or key.startswith(sessions.habits.prefixes)):
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
        if not key.endswith(b".lock"):
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
            held = counted[1]
            assert isinstance(held, bytes)
            if sessions.walks(key, entry, self):
                self.on_grant(held)
                return b"1"
            return held

        return self._take(key, grant, refuse, b"1", sessions.engine.counted("incr"), show=show)

    # --- shared

    def forget_ended(self) -> None:
        """Keep no record of locks that have ended by themselves, if there are many."""
        if len(self.locks) < _LOCKS_MANY:
            return
        sessions = self._sessions
        for key, unique in list(self.locks.items()):
            entry = sessions.store.live(key, sessions.clock.now)
            if entry is None or entry.cas_unique != unique:
                del self.locks[key]
                if sessions.owners.get(key, (None, 0))[0] is self:
                    del sessions.owners[key]

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
        Where nothing was, time does.
        """
        habits = self._sessions.habits
        session = habits.session_of(key)
        if self._last[0] == session or not habits.is_memcacheds(session):
            return True
        return self._sessions.clock.hybrid - milliseconds(entry.version) >= _COPY_MS

    def _hold(self, span: int) -> Hold:
        return Hold(self._sessions.me, span, self.origin)

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


def _disowned(entry: Entry) -> Entry:
    """A lock that is held, but nobody knows any more by whom."""
    hold = entry.hold and replace(entry.hold, node=0)
    return Entry(ZERO, entry.value, entry.flags, entry.expires, entry.cas_unique, hold)


def _if_held(unique: int, change: Change) -> decisions.Decide:
    """Change a lock if it is still the one that was granted under this cas unique."""

    def decide(entry: Entry | None) -> Decision:
        if entry is None or entry.cas_unique != unique or is_free(entry.value):
            return NOT_FOUND
        return change(entry), STORED

    return decide


def _nobody(instead: bytes) -> None:
    """Nobody wants to know of a grant."""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
