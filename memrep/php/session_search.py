"""Sessions as an operator looks for them: by PHP's name for them, by how keys begin, by what values hold.

Problem: "end all sessions of this user" is asked of every store, and no store knows users. But a session holds
who it is for, in bytes that whoever writes the site knows. So all values are looked through, one a step, and
what holds those bytes is ended as a client would end it: by a read-modify-write, which all nodes hold before it
is told, and which finds the bytes still there when it is decided. Who has written something else meanwhile
keeps it.

A session's lock is freed with it. A request that is at work writes its session once more at its end: that is no
affair of the store's, and whoever asks is told that there was a lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from memrep.engine.future import Future
from memrep.engine.operations import DELETED, NOT_FOUND, Decision, Result
from memrep.php.lock_names import MEMCACHED_WORD, REDIS_SUFFIX, is_free
from memrep.php.lock_table import LockTable
from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSHES
from memrep.storage.version import milliseconds

#: How phpredis' keys begin, unless its save_path says otherwise.
REDIS_PREFIX: Final = b"PHPREDIS_SESSION:"


@attrs.frozen(kw_only=True)
class FoundSession:
    """A session, or any other item.

    Attributes:
        key: its key.
        entry: what is there.
        age_ms: how long ago it was written.
        unread_ms: how long ago a client read it here; None if none did.
        left_ms: how long it lives; None if for ever.
        locked: whether it is locked.
    """

    key: bytes
    entry: Entry
    age_ms: int
    unread_ms: int | None
    left_ms: int | None
    locked: bool


class SessionSearch:
    """Looks for sessions in what one node holds, and ends them.

    Args:
        table: what that node knows of locks; it has the store and the engine.
    """

    def __init__(self, table: LockTable) -> None:
        self._table = table
        self._store = table.store
        self._clock = table.clock

    def keys_of(self, name: bytes) -> list[bytes]:
        """Return the keys that are there of this session, be it PHP's name for it or a whole key."""
        candidates = [name, *(prefix + name for prefix in self._prefixes())]
        return [key for key in candidates if self._is_there(key)]

    def beginning_with(self, prefix: bytes) -> Iterator[bytes | None]:
        """Yield each key that begins so, or of which PHP's name does; None for each that does not."""
        begin = tuple(before + prefix for before in (b"", *self._prefixes()))
        for key in self._keys():
            yield key if key.startswith(begin) and self._is_there(key) else None

    def holding(self, needle: bytes, prefix: bytes = b"") -> Iterator[bytes | None]:
        """Yield each key whose value holds these bytes, and which begins so; None for each other one."""
        for key in self._keys():
            entry = self._store.values.get(key) if key.startswith(prefix) else None
            found = entry is not None and entry.value is not None and needle in entry.value
            yield key if found and self._is_there(key) else None

    def look(self, key: bytes) -> FoundSession | None:
        """Return what there is to say of a key, without reading it as a client; None if it is not there."""
        entry = self._store.values.get(key)
        if entry is None or not self._is_there(key):
            return None
        now = self._clock.now
        return FoundSession(
            key=key,
            entry=entry,
            age_ms=max(0, self._clock.hybrid - milliseconds(entry.version)),
            unread_ms=now - entry.seen if entry.seen > 0 else None,
            left_ms=None if entry.expires >= NEVER else entry.expires - now,
            locked=any(True for _ in self._locks(key)),
        )

    def size_of(self, key: bytes) -> int:
        """Return how large the value of this key is, bytes; 0 if it is not there any more."""
        entry = self._store.values.get(key)
        return 0 if entry is None or entry.value is None else len(entry.value)

    def end(self, key: bytes, needle: bytes = b"") -> tuple[Result | Future, bool]:
        """End a session whose value holds these bytes, and free its lock.

        Returns:
            What comes of it, DELETED or NOT_FOUND; and whether it was locked.
        """
        table = self._table

        def decide(entry: Entry | None) -> Decision:
            if entry is None or entry.value is None or needle not in entry.value:
                return NOT_FOUND
            return table.engine.tombstone(), DELETED

        locks = list(self._locks(key))
        for lock, unique in locks:
            table.due.append((lock, unique, table.freed))
        return table.engine.modify(key, decide), bool(locks)

    def _prefixes(self) -> list[bytes]:
        """Return what handlers put before PHP's names."""
        declared = [prefix.removesuffix(MEMCACHED_WORD) for prefix in self._table.php_options.prefixes]
        return [*declared, REDIS_PREFIX]

    def _keys(self) -> Iterator[bytes]:
        for keys in self._store.values.walk():
            yield from keys

    def _is_there(self, key: bytes) -> bool:
        """Tell whether this is an item that lives, and no lock."""
        if key in FLUSHES or key in self._store.owned.keys:
            return False
        return not self._store.is_miss(key, self._clock.now)

    def _locks(self, session: bytes) -> Iterator[tuple[bytes, int]]:
        """Yield the locks of a session that are held, each with the cas unique of its grant."""
        for lock in (self._table.sessions.lock_of(session), session + REDIS_SUFFIX):
            entry = self._store.values.get(lock)
            if entry is None or entry.owner is None or is_free(entry.value):
                continue
            if not self._store.is_miss(lock, self._clock.now):
                yield lock, entry.cas_unique
