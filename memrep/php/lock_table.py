"""What one node knows of all PHP locks: who owns them, which releases are due, and which may count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from memrep.engine import operations
from memrep.engine.engine import Engine
from memrep.engine.operations import NOT_FOUND, STORED, Decision
from memrep.php.lock_holder import LockHolder
from memrep.php.lock_names import MEMCACHED_WORD, ORPHAN_MS, PECL_FLAGS, is_free
from memrep.php.observer import PhpObserver
from memrep.php.options import PhpOptions
from memrep.protocol.reply_gate import ReplyGate
from memrep.replication.membership.state import ReplicaState
from memrep.storage.entry import Entry
from memrep.storage.owner import Owner
from memrep.storage.version import ZERO

#: Releases that are remembered at a time.
_REMEMBERED_MAX: Final = 10_000

#: Locks of one client above which those that have ended are looked for.
_LOCKS_MANY: Final = 64

#: The names that PHP gives to sessions are not shorter, unless the site names them.
_SID_BYTES: Final = 22

#: So many prefixes of php-memcached's are learned at most.
_LEARNED_MAX: Final = 64

#: What becomes of a lock's entry.
Change = Callable[[Entry], Entry]


class LockTable:
    """All that one node knows of PHP's locks, and of copies of PHP's writes.

    Args:
        php_options: what is provided for.
        engine: executes what is to be executed.
        observer: what it has heard of other nodes' clients.
        state: which node this is, and of how many.
        log: takes a line for the operator.

    Attributes:
        due: what `release` has to do.
    """

    def __init__(
        self,
        php_options: PhpOptions,
        engine: Engine,
        observer: PhpObserver,
        state: ReplicaState,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.php_options = php_options
        self.engine = engine
        self.store = observer.store
        self.index = observer.index
        self.duplicates = observer.duplicates
        self.clock = observer.clock
        self._uncertain = observer.uncertain
        self.me = state.me
        self.replicated = state.configured > 1
        self.owners: dict[bytes, tuple[LockHolder, int]] = {}
        self._remembered: dict[bytes, int] = {}
        self._passed_over: dict[bytes, int] = {}
        self.due: list[tuple[bytes, int, Change]] = []
        self._learned: set[bytes] = set()
        self._log = log

    def granted(self, caller: LockHolder, key: bytes, entry: Entry) -> None:
        """A lock was granted to a client; who is gone meanwhile releases it at once."""
        unique = entry.cas_unique
        # The client hung up while the lock was on its way: nobody will ever release it.
        if caller.gone:
            self.due.append((key, unique, caller.undo.get(key, self.freed)))
        else:
            self._forget_ended(caller)
            self.owners[key] = caller, unique
            caller.locks[key] = unique
            # All or nothing: told of the lock without the session, pecl overwrites the session (memrep/php).
            if entry.flags == PECL_FLAGS:
                caller.gate.hold()

    def _forget_ended(self, caller: LockHolder) -> None:
        """Keep no record of a client's locks that have ended by themselves, if there are many."""
        # A worker that lives for days may lock any number of sessions, each of which ends by its timeout.
        if len(caller.locks) < _LOCKS_MANY:
            return
        for key, unique in list(caller.locks.items()):
            entry = self.store.get(key, self.clock.now)
            if entry is None or entry.cas_unique != unique:
                del caller.locks[key]
                if self.owners.get(key, (None, 0))[0] is caller:
                    del self.owners[key]

    def left(self, caller: LockHolder, cut: bool = False) -> None:
        """A client is gone: its locks are released.

        Those of one that was cut off while it waited for an answer live on for a moment: php-memcached comes
        back on another connection and writes once more.
        """
        caller.gone = True
        # php-memcached writes once more on another connection when its first one breaks.
        change = self._ends_soon if cut else self.freed
        for key, unique in caller.locks.items():
            # Not if the lock was granted to somebody else since, after its timeout.
            if self.owners.get(key) == (caller, unique):
                del self.owners[key]
            self.due.append((key, unique, caller.undo.get(key, change)))
        caller.locks.clear()

    def deserted(self, caller: LockHolder) -> None:
        """This node closes a client's connection; it may live, and its locks are nobody's from now on."""
        # Its client may be alive and go on at another node with the lock that it was told of.
        for key, unique in caller.locks.items():
            self.owners.pop(key, None)
            self.due.append((key, unique, _disowned))
        caller.locks.clear()

    def share(self, caller: LockHolder) -> None:
        """This client speaks for several requests at once: its locks are as memcached's, and nobody's own."""
        caller.shared = True
        # twemproxy: a lock taken on one of its connections is released on another.
        for key in list(caller.locks):
            self.give_up(caller, key, plain)
        caller.gate.release()

    def give_up(self, caller: LockHolder, key: bytes, change: Change) -> None:
        """A client's lock is none of PHP's; a release of it that was taken for a copy is done now."""
        unique = caller.locks.pop(key)
        caller.undo.pop(key, None)
        self.owners.pop(key, None)
        # Such a release was acknowledged when it came; it must not be lost now.
        released = unique in (self._remembered.get(key), self._passed_over.pop(key, None))
        self.engine.modify(key, _if_held(unique, self.freed if released else change))

    def forget(self) -> None:
        """This node has closed all its clients' connections; they may live, and the others know."""
        # The view tells everybody that this node has lost its clients; its locks are disowned there.
        for caller, _ in self.owners.values():
            caller.locks.clear()
        self.owners.clear()
        self.due.clear()
        self.duplicates.clear()

    def remember(self, key: bytes, unique: int) -> None:
        """A release was ignored that may turn out to be the owner's."""
        _note(self._remembered, key, unique)

    def pass_over(self, key: bytes, unique: int) -> None:
        """A loud release was taken for a copy, for this node's own client holds the lock.

        It counts if that one turns out to speak for several requests: then it has memcached's plain meaning.
        """
        _note(self._passed_over, key, unique)

    def tick(self, all_heard: int) -> None:
        """See which remembered releases count now, for nobody owns their lock any more; every 50 ms.

        And end the locks that were in doubt for long enough. Each node tries; the first one ends it for all.

        Args:
            all_heard: when all members had been heard last, own monotonic ms.
        """
        # Finding 21: by a write, which is decided once for all nodes whoever is first.
        for key, unique in self._uncertain.over(all_heard):
            self.due.append((key, unique, self.freed))
        for key, unique in list(self._remembered.items()):
            entry = self.store.get(key, self.clock.now)
            # Released, ended or granted anew meanwhile.
            if entry is None or entry.cas_unique != unique:
                del self._remembered[key]
            # Nobody owns it any more: the release may be its holder's, and the next request is waiting.
            elif entry.owner is None or not entry.owner.node:
                del self._remembered[key]
                self.due.append((key, unique, self.freed))

    def release(self) -> None:
        """Release what is due: the locks of clients that are gone, and what was remembered of gone nodes."""
        # Each release may make others due.
        due = self.due[:]
        self.due.clear()
        for key, unique, change in due:
            self.engine.modify(key, _if_held(unique, change))

    def freed(self, entry: Entry) -> Entry:
        """What is left of a lock that is released, or whose client is gone."""
        # It may be any client's lock, which its end does not free.
        if entry.owner is not None and entry.owner.maybe:
            return _disowned(entry)
        # php-memcached deletes its lock, pecl stores 0 in its own.
        if entry.flags != PECL_FLAGS or entry.owner is None:
            return self.engine.tombstone()
        span = entry.owner.span
        return Entry(ZERO, b"0", PECL_FLAGS, self.clock.now + span, 0, Owner(0, span))

    def _ends_soon(self, entry: Entry) -> Entry:
        """A lock whose holder may come back at once, or never."""
        orphan = _disowned(entry)
        if entry.owner is not None and entry.owner.maybe:
            return orphan
        # Not at once: its holder may be on its way to another node.
        orphan.expires = min(entry.expires, self.clock.now + ORPHAN_MS)
        return orphan

    def has_owner(self, key: bytes, entry: Entry, caller: LockHolder) -> bool:
        """Whether this lock is held by another client than this one that still may release it."""
        hold = entry.owner
        if hold is None or not hold.node:
            return False
        # Only its own node knows which connection that is.
        if hold.node != self.me:
            return True
        owner = self.owners.get(key)
        return owner is not None and owner[0] is not caller and owner[1] == entry.cas_unique

    def lock_of(self, session: bytes) -> bytes:
        """The key of the lock for this session."""
        guarded = self.index.guarded
        return (guarded and guarded.get(session)) or self.php_options.lock_of(session)

    def may_be_session(self, lock: bytes) -> bool:
        """Whether PHP has taken this lock, or may be taking it; what is left of one is there for long."""
        # A tombstone counts, too: the session is written after its lock has been released, by whose connection
        # broke.
        entry = self.engine.keyspace.on_its_way(lock) or self.store.peek(lock)
        return entry is not None and (entry.value is None or entry.owner is not None)

    def tenure(self, lock: bytes) -> tuple[int, Owner | None]:
        """In whose tenure its session is written now: the cas unique of the grant, 0 if nobody holds the lock.

        What is on its way to it may be a grant of which the holder has been told.
        """
        # A grant of which the holder has been told may be committed here a moment later.
        for entry in (self.engine.keyspace.on_its_way(lock), self.store.get(lock, self.clock.now)):
            if entry is not None and entry.owner is not None and not is_free(entry.value):
                return entry.cas_unique, entry.owner
        return 0, None

    def came(self, gate: ReplyGate) -> int:
        """When what a client says now has come, own monotonic ms: it may have been kept (node/clients.py)."""
        return self.clock.now if gate.waits_since is None else gate.waits_since

    def shows(self, session: bytes, flags: int, value: bytes | None) -> bool:
        """Whether this is what the session is, and nothing else is on its way; None stands for no session."""
        if self.engine.keyspace.on_its_way(session) is not None:
            return False
        entry = self.store.peek(session)
        if entry is None or self.store.is_miss(session, self.clock.now):
            return value is None
        return entry.value == value and entry.flags == flags

    def last_change(self, lock: bytes) -> int:
        """The cas unique of a lock's last release; php-memcached may still write if its connection broke."""
        entry = self.store.peek(lock)
        return 0 if entry is None else entry.cas_unique

    def may_grant(self, key: bytes, initial: Entry | None) -> bool:
        """Whether pecl's `incr` of this key, by which it may make it, may find a lock to take."""
        if self.engine.keyspace.on_its_way(key) is not None:
            return True
        entry = self.store.get(key, self.clock.now)
        if entry is None:
            return initial is not None and initial.value == b"1"
        return entry.flags == PECL_FLAGS and is_free(entry.value)

    def learn(self, lock: bytes) -> None:
        """A client writes quietly and releases this lock: so does php-memcached, to its replicas."""
        prefix, word, name = lock.rpartition(MEMCACHED_WORD)
        prefix += word
        if len(name) < _SID_BYTES or prefix in self._learned or prefix.startswith(self.php_options.prefixes):
            return
        if len(self._learned) < _LEARNED_MAX:
            self._learned.add(prefix)
            self._log(
                f"php-memcached locks sessions under {prefix.decode(errors='replace')!r}: its copies are known "
                "by what it does; name that with --lock-prefix, so that a worker that dies holds nobody up, too"
            )

    def is_learned(self, lock: bytes) -> bool:
        """Whether php-memcached has been seen to lock sessions under such a name."""
        if not self._learned:
            return False
        prefix, word, name = lock.rpartition(MEMCACHED_WORD)
        return prefix + word in self._learned and len(name) >= _SID_BYTES


def _note(releases: dict[bytes, int], key: bytes, unique: int) -> None:
    """Remember a release, and not for ever."""
    if len(releases) >= _REMEMBERED_MAX:
        del releases[next(iter(releases))]
    releases[key] = unique


def _disowned(entry: Entry) -> Entry:
    """A lock that is held, but nobody knows any more by whom."""
    hold = entry.owner and replace(entry.owner, node=0)
    return Entry(ZERO, entry.value, entry.flags, entry.expires, entry.cas_unique, hold)


def plain(entry: Entry) -> Entry:
    """The same as any client's: nobody's own, under the same cas unique."""
    return Entry(ZERO, entry.value, entry.flags, entry.expires, entry.cas_unique)


def _if_held(unique: int, change: Change) -> operations.Operation:
    """Change a lock if it is still the one that was granted under this cas unique."""

    def decide(entry: Entry | None) -> Decision:
        if entry is None or entry.cas_unique != unique or is_free(entry.value):
            return NOT_FOUND
        return change(entry), STORED

    return decide
