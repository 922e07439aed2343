"""The lock table: which client of this node holds which of PHP's locks, and what becomes of them when it goes.

Problem: PHP's handlers do not always release what they lock. pecl-memcache never does for a session that was
only read, and no handler does whose PHP process has died: the next request spins for 15 s. On the other hand
they release at every node, each at its own moment, and so free what the next request holds already.

Rule: a lock is its connection's (memrep/php). Its holder is noted here when the grant is committed. It is freed
by that connection, by its end, or by its timeout. Any other release is ignored while the holder's node is
there, and remembered where it may turn out to be the holder's. All of it is written as read-modify-writes that
name the grant by its cas unique, so that whoever comes late changes nothing of a lock that has been granted
anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from memrep.engine import operations
from memrep.engine.engine import Engine
from memrep.engine.operations import NOT_FOUND, STORED, Decision
from memrep.events import Tell
from memrep.php.learned_prefixes import LearnedPrefixes
from memrep.php.lock_holder import LockHolder
from memrep.php.lock_names import ORPHAN_MS, PATIENT_MS, PECL_FLAGS, is_endless, is_free
from memrep.php.lock_waiters import LockWaiters
from memrep.php.observer import PhpObserver
from memrep.php.options import PhpOptions
from memrep.php.session_state import SessionState
from memrep.protocol.reply_gate import ReplyGate
from memrep.replication.membership.state import ReplicaState
from memrep.storage.entry import Entry
from memrep.storage.owner import Owner
from memrep.storage.version import ZERO

#: Releases that are remembered at a time. Each is of use until its lock's timeout, 15 to 30 s.
_REMEMBERED_MAX: Final = 10_000

#: Locks of one client above which those that have ended are looked for. A request of PHP's holds one or two.
_LOCKS_MANY: Final = 64

#: What becomes of a lock's entry.
Change = Callable[[Entry], Entry]


class LockTable:
    """All that one node knows of its clients' locks, and of copies of PHP's writes.

    Args:
        php_options: what is provided for.
        engine: executes what is to be executed.
        observer: what it has heard of other nodes' clients.
        state: which node this is, and of how many.
        log: takes a line for the operator.

    Attributes:
        due: what `release` has to do.
        owners: who of this node's clients holds each lock, and the cas unique of the grant.
        waiters: who has been refused a lock.
        sessions: what the entries tell of sessions and their locks.
        learned: the prefixes of php-memcached's that were not declared.
    """

    def __init__(
        self,
        php_options: PhpOptions,
        engine: Engine,
        observer: PhpObserver,
        state: ReplicaState,
        log: Tell = lambda line: None,
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
        self._remembered: dict[bytes, int] = {}  # ignored, for the owner's node is there
        self._passed_over: dict[bytes, int] = {}  # ignored, for the owner is another client of this node
        self.due: list[tuple[bytes, int, Change]] = []
        self._grants = 0
        self.waiters = LockWaiters(observer.clock)
        self.sessions = SessionState(engine.keyspace, observer.index, php_options)
        self.learned = LearnedPrefixes(php_options.prefixes, log)

    def granted(self, holder: LockHolder, key: bytes, entry: Entry) -> None:
        """Note that a lock was granted to a client; one that is gone meanwhile releases it at once."""
        unique = entry.cas_unique
        self._grants += 1
        # pecl gives up on a node after a second and goes to the next one. What it has sent is executed all the
        # same, and without this the lock would be a phantom that stands in its own way.
        if holder.gone:
            self.due.append((key, unique, holder.undo.get(key, self.freed)))
        else:
            self._forget_ended(holder)
            # Both ways round: by the lock for a release that comes over another connection, by the client for
            # its end.
            self.owners[key] = holder, unique
            holder.locks[key] = unique
            # All or nothing: told of the lock without the session, pecl overwrites the session (memrep/php).
            if entry.flags == PECL_FLAGS:
                holder.gate.hold()

    def _forget_ended(self, holder: LockHolder) -> None:
        """Keep no record of a client's locks that have ended by themselves, if there are many."""
        # A worker with a persistent connection lives for days. pecl does not release what it has only read, so
        # that each such session leaves a record here, whose lock has ended by its timeout long ago.
        if len(holder.locks) < _LOCKS_MANY:
            return
        for key, unique in list(holder.locks.items()):
            entry = self.store.get(key, self.clock.now)
            if entry is None or entry.cas_unique != unique:
                del holder.locks[key]
                if self.owners.get(key, (None, 0))[0] is holder:
                    del self.owners[key]

    def left(self, holder: LockHolder, cut: bool = False) -> None:
        """Release the locks of a client that is gone.

        Those of one that was cut off while it waited for an answer live on for a moment: php-memcached comes
        back on another connection and writes once more.
        """
        # What it has asked for and is still on its way comes to `granted` later.
        holder.gone = True
        # php-memcached writes once more on another connection when its first one breaks: a free lock would let
        # the next request in between.
        change = self._ends_soon if cut else self.freed
        for key, unique in holder.locks.items():
            # The lock may have been granted to another client since, after its timeout.
            if self.owners.get(key) == (holder, unique):
                del self.owners[key]
            # Who hangs up before it is known whether it is PHP was told nothing: what was there comes back.
            self.due.append((key, unique, holder.undo.get(key, change)))
        holder.locks.clear()

    def deserted(self, holder: LockHolder) -> None:
        """Disown, from now on, the locks of a client whose connection this node closes; it may live."""
        # PHP goes on at another node when a connection breaks, with the lock that it was told of: it must keep
        # that, and the release that it sends there must count.
        for key, unique in holder.locks.items():
            self.owners.pop(key, None)
            entry = self.store.peek(key)
            endless = entry is not None and is_endless(key, entry)
            self.due.append((key, unique, self._disowned_for_a_while if endless else _disowned))
        holder.locks.clear()

    def share(self, holder: LockHolder) -> None:
        """Treat a client's locks as memcached's, no client's own: it speaks for several requests at once."""
        holder.shared = True
        # twemproxy takes a lock on one of its connections and releases it on another: were it the connection's
        # own that release would be ignored, and the site would wait for each timeout.
        for key in list(holder.locks):
            self.give_up(holder, key, plain)
        # What was withheld for the session behind the lock: behind a proxy another client may wait for it.
        holder.gate.release()

    def give_up(self, holder: LockHolder, key: bytes, change: Change) -> None:
        """Give up a client's lock as none of PHP's; now do a release of it that was taken for a copy."""
        unique = holder.locks.pop(key)
        holder.undo.pop(key, None)
        self.owners.pop(key, None)
        # Such a release was acknowledged when it came; it must not be lost now.
        released = unique in (self._remembered.get(key), self._passed_over.pop(key, None))
        self.engine.modify(key, _if_held(unique, self.freed if released else change))

    def forget(self) -> None:
        """Forget all holders: all clients' connections are closed; they may live, and the others know."""
        # The next view tells every node that this one has lost its clients: each takes the owner out of their
        # locks by itself, and nothing is to be written for that.
        for holder, _ in self.owners.values():
            holder.locks.clear()
        self.owners.clear()
        self.due.clear()
        # Their copies come to no connection of this node any more.
        self.duplicates.clear()

    def figures(self) -> dict[str, int]:
        """Return how many locks were granted here, are in doubt, have ended by that; and the copies."""
        return {
            "lock_grants": self._grants,
            "locks_in_doubt": len(self._uncertain.ends),
            "locks_ended": self._uncertain.ended,
            "copies": self.duplicates.copies,
        }

    def remember(self, key: bytes, unique: int) -> None:
        """Remember a release that was ignored and may turn out to be the owner's."""
        # pecl releases at all nodes at once. If the owner's node dies with its own release unread this one is
        # all that is left of it.
        _note(self._remembered, key, unique)

    def pass_over(self, key: bytes, unique: int) -> None:
        """Remember a loud release that was taken for a copy, for this node's own client holds the lock.

        It counts if that one turns out to speak for several requests: then it has memcached's plain meaning.
        """
        _note(self._passed_over, key, unique)

    def tick(self, all_heard: int) -> None:
        """See which remembered releases count now, for nobody owns their lock any more; every 50 ms.

        And end the locks that were in doubt for long enough. Each node tries; the first one ends it for all.

        Args:
            all_heard: when all members had been heard last, own monotonic ms.
        """
        # Finding 21: not by a deadline on each node, but by a write, which is decided once for all nodes
        # whoever is first.
        self.waiters.tick()
        if self.index.orphans:
            self._uncertain.inherit(self.index.orphans, self.clock.now)
        for key, unique in self._uncertain.over(all_heard):
            self.due.append((key, unique, self.freed))
        for key, unique in list(self._remembered.items()):
            entry = self.store.get(key, self.clock.now)
            # The lock was released, has ended or was granted anew meanwhile.
            if entry is None or entry.cas_unique != unique:
                del self._remembered[key]
            # Nobody owns it any more: the release may be its holder's, and the next request is waiting.
            elif entry.owner is None or not entry.owner.node:
                del self._remembered[key]
                self.due.append((key, unique, self.freed))

    def release(self) -> None:
        """Release what is due: the locks of clients that are gone, and what was remembered of gone nodes."""
        # Each release may make others due; those have their turn next time.
        due = self.due[:]
        self.due.clear()
        for key, unique, change in due:
            self.engine.modify(key, _if_held(unique, change))

    def freed(self, entry: Entry) -> Entry:
        """Return what is left of a lock that is released, or whose client is gone."""
        # It may be any client's lock, which its end does not free.
        if entry.owner is not None and entry.owner.maybe:
            return _disowned(entry)
        # php-memcached deletes its lock, for it takes one by `add`; pecl stores 0 in its own, which its next
        # `incr` takes.
        if entry.flags != PECL_FLAGS or entry.owner is None:
            return self.engine.tombstone()
        # It lives for the full timeout, as after pecl's own release.
        span = entry.owner.span
        return Entry(ZERO, b"0", PECL_FLAGS, self.clock.now + span, 0, Owner(0, span))

    def _ends_soon(self, entry: Entry) -> Entry:
        """Disown a lock whose holder may come back at once, or never."""
        orphan = _disowned(entry)
        if entry.owner is not None and entry.owner.maybe:
            return orphan
        # Its holder may be on its way to another node, for up to a second; the next one must not wait for long.
        orphan.expires = min(entry.expires, self.clock.now + ORPHAN_MS)
        return orphan

    def _disowned_for_a_while(self, entry: Entry) -> Entry:
        """Disown a lock without a timeout whose holder may come back at another node, or never."""
        orphan = _disowned(entry)
        orphan.expires = min(entry.expires, self.clock.now + PATIENT_MS)
        return orphan

    def is_left(self, key: bytes, entry: Entry) -> bool:
        """Tell whether this lock was a client's whose connection, or node, is gone."""
        hold = entry.owner
        if hold is None:
            return False
        if hold.node != self.me:
            return not hold.node
        _, unique = self.owners.get(key, (None, 0))
        return unique != entry.cas_unique

    def has_owner(self, key: bytes, entry: Entry, holder: LockHolder) -> bool:
        """Tell whether this lock is held by another client than this one that still may release it."""
        hold = entry.owner
        if hold is None or not hold.node:
            return False
        # Only its own node knows which connection that is, and whether it is still there.
        if hold.node != self.me:
            return True
        owner = self.owners.get(key)
        return owner is not None and owner[0] is not holder and owner[1] == entry.cas_unique

    def is_in_doubt(self, key: bytes, entry: Entry) -> bool:
        """Tell whether this grant of a lock is doubted: perhaps nobody knows of it."""
        return self._uncertain.ends.get(key, (0, 0))[0] == entry.cas_unique

    def came(self, gate: ReplyGate) -> int:
        """Tell when what a client says now has come, own monotonic ms."""
        # Finding 37: it may have been kept while this node might not serve, and be older than it looks.
        return self.clock.now if gate.asked is None else gate.asked


def _note(releases: dict[bytes, int], key: bytes, unique: int) -> None:
    """Remember a release, and not for ever."""
    # Who sends releases of locks that it does not hold makes old ones go, and costs no more memory.
    if len(releases) >= _REMEMBERED_MAX:
        del releases[next(iter(releases))]
    releases[key] = unique


def _disowned(entry: Entry) -> Entry:
    """Return the lock as held, but by a client that no node knows any more."""
    hold = entry.owner and replace(entry.owner, node=0)
    return Entry(ZERO, entry.value, entry.flags, entry.expires, entry.cas_unique, hold)


def plain(entry: Entry) -> Entry:
    """Return the same as any client's: no connection's own, under the same cas unique."""
    return Entry(ZERO, entry.value, entry.flags, entry.expires, entry.cas_unique)


def _if_held(unique: int, change: Change) -> operations.Operation:
    """Change a lock if it is still the one that was granted under this cas unique."""

    def decide(entry: Entry | None) -> Decision:
        # Of the grant, not of the key: another request may hold it by now.
        if entry is None or entry.cas_unique != unique or is_free(entry.value):
            return NOT_FOUND
        return change(entry), STORED

    return decide
