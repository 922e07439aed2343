"""What one node knows of all PHP locks: who owns them, which releases are due, and which may count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from memrep import decisions
from memrep.copies import Copies
from memrep.decisions import NOT_FOUND, STORED, Decision
from memrep.engine import Engine
from memrep.entry import Entry
from memrep.habits import Habits
from memrep.locks import ORPHAN_MS, PECL_FLAGS, Hold, is_free, names_pecl_lock
from memrep.php.holder import Holder
from memrep.replication.view import Standing
from memrep.stats import Counters
from memrep.store import Store
from memrep.version import ZERO, Clock

#: Releases that are remembered at a time.
_REMEMBERED_MAX: Final = 10_000

#: Locks of one client above which those that have ended are looked for.
_LOCKS_MANY: Final = 64

#: What becomes of a lock's entry.
Change = Callable[[Entry], Entry]


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
    ) -> None:
        self.habits = habits
        self.engine = engine
        self.store = store
        self.copies = copies
        self.clock = clock
        self.counters = counters
        self.me = standing.me
        self.replicated = len(nodes) > 1
        self.owners: dict[bytes, tuple[Holder, int]] = {}
        self._remembered: dict[bytes, int] = {}
        self._due: list[tuple[bytes, int, Change]] = []

    def granted(self, caller: Holder, key: bytes, unique: int) -> None:
        """A lock was granted to a client; who is gone meanwhile releases it at once."""
        if caller.gone:
            self._due.append((key, unique, self.freed))
        else:
            self._forget_ended(caller)
            self.owners[key] = caller, unique
            caller.locks[key] = unique
            if names_pecl_lock(key):
                caller.on_grant()

    def _forget_ended(self, caller: Holder) -> None:
        """Keep no record of a client's locks that have ended by themselves, if there are many."""
        if len(caller.locks) < _LOCKS_MANY:
            return
        for key, unique in list(caller.locks.items()):
            entry = self.store.live(key, self.clock.now)
            if entry is None or entry.cas_unique != unique:
                del caller.locks[key]
                if self.owners.get(key, (None, 0))[0] is caller:
                    del self.owners[key]

    def left(self, caller: Holder, cut: bool = False) -> None:
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

    def deserted(self, caller: Holder) -> None:
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

    def tick(self, all_heard: int) -> None:
        """See which remembered releases count now, for nobody owns their lock any more; every 50 ms.

        And end the locks that were in doubt for long enough. Each node tries; the first one ends it for all.

        Args:
            all_heard: when all members had been heard last, own monotonic ms. A lock's holder may be waiting
                for one that has stopped before the doubt was over.
        """
        doubtful = self.store.doubtful
        for key, (unique, end) in list(doubtful.items()):
            if end <= all_heard:
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

    def has_owner(self, key: bytes, entry: Entry, caller: Holder) -> bool:
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
