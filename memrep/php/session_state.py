"""The state of a session and its lock, as this node's entries show it now: who holds it, and what is stored.

Problem: whether a write is a copy depends on what the cluster has at this moment, and part of that is still on
its way. A grant of which its holder was told a moment ago may be committed here a moment later.

Rule: what is on its way counts where it can only make a write more PHP's, and where a session has to be known
for certain it may not be on its way. Nothing is changed here; each is a question, and its answer holds for this
turn.
"""

from __future__ import annotations

from memrep.engine.keyspace import Keyspace
from memrep.php.lock_index import LockIndex
from memrep.php.lock_names import PECL_FLAGS, is_free
from memrep.php.options import PhpOptions
from memrep.storage.entry import Entry
from memrep.storage.owner import Owner


class SessionState:
    """What one node's entries tell of sessions.

    Args:
        keyspace: the entries, and what is on its way.
        index: the locks among them.
        php_options: how locks are named.
    """

    def __init__(self, keyspace: Keyspace, index: LockIndex, php_options: PhpOptions) -> None:
        self._keyspace = keyspace
        self._store = keyspace.store
        self._clock = keyspace.clock
        self._index = index
        self._php_options = php_options

    def lock_of(self, session: bytes) -> bytes:
        """Return the key of the lock for this session."""
        # Under a prefix that nobody has declared only the lock that was taken tells of its session.
        index = self._index
        known = index.lock_of(session) if index.guarded or index.coming else None
        return known or self._php_options.lock_of(session)

    def may_be_session(self, lock: bytes) -> bool:
        """Tell whether PHP has taken this lock, or may be taking it; what is left of one is there for long."""
        # A tombstone counts, too: when php-memcached's connection breaks its lock is released, and it writes
        # the session once more over another one.
        entry = self._keyspace.on_its_way(lock) or self._store.peek(lock)
        return entry is not None and (entry.value is None or entry.owner is not None)

    def tenure(self, lock: bytes) -> tuple[int, Owner | None]:
        """Tell in whose tenure its session is written now.

        Returns:
            The cas unique of the grant, and to whom the lock belongs; 0 and None if nobody holds it.
        """
        # A grant of which the holder has been told may be committed here a moment later: php-memcached hashes
        # lock and session apart, and writes to a node that has only heard of the lock.
        for entry in (self._keyspace.on_its_way(lock), self._store.get(lock, self._clock.now)):
            if entry is not None and entry.owner is not None and not is_free(entry.value):
                return entry.cas_unique, entry.owner
        return 0, None

    def last_change(self, lock: bytes) -> int:
        """Return the cas unique of a lock's last release; 0 if nothing is left of it."""
        # php-memcached may still write in that tenure, if its connection broke.
        entry = self._store.peek(lock)
        return 0 if entry is None else entry.cas_unique

    def shows(self, session: bytes, flags: int, value: bytes | None) -> bool:
        """Tell whether this is what the session is, and nothing else is on its way; None is no session."""
        if self._keyspace.on_its_way(session) is not None:
            return False
        entry = self._store.peek(session)
        if entry is None or self._store.is_miss(session, self._clock.now):
            return value is None
        return entry.value == value and entry.flags == flags

    def may_grant(self, lock: bytes, initial: Entry | None) -> bool:
        """Tell whether pecl's `incr` of this lock, by which it may make it, may find it to be taken."""
        # What is on its way may free it: it is decided when that is here, and by then pecl has to be known.
        if self._keyspace.on_its_way(lock) is not None:
            return True
        entry = self._store.get(lock, self._clock.now)
        if entry is None:
            # By the binary protocol pecl's INCR makes the lock, at 1; by the text protocol its `add` does.
            return initial is not None and initial.value == b"1"
        return entry.flags == PECL_FLAGS and is_free(entry.value)
