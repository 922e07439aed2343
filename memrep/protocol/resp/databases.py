r"""The sixteen databases of one connection's choice, as namespaces of the one store (storage/namespaces.py).

Database 0 is where memcached's clients live, under the names that they use. A key `k` of database 3 is stored,
and sent between nodes, as `\n3 k`. A key of database 0 that would look like one of those, or like nothing,
which is the name of the last flush_all, is stored as `\n0 ...`. So each key has exactly one stored name, and
databases never meet. A memcached text client can name no `\n`; a binary one that does sees the other databases'
strings.
"""

from __future__ import annotations

from typing import Final

from memrep.storage.namespaces import HOME, MARK, NAMESPACES_MAX, prefix


class Database:
    """One of the databases.

    Attributes:
        number: 0 to 15.
    """

    __slots__ = ("_prefix", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self._prefix = prefix(number)

    def stored(self, key: bytes) -> bytes:
        """Return the name of this key in the store."""
        if self._prefix:
            return self._prefix + key
        return key if key and not key.startswith(MARK) else HOME + key

    def named(self, stored: bytes) -> bytes | None:
        """Return the key that has this name in the store; None if it is not one of this database."""
        if self._prefix:
            return stored[len(self._prefix) :] if stored.startswith(self._prefix) else None
        if stored.startswith(MARK) or not stored:
            return stored[len(HOME) :] if stored.startswith(HOME) else None
        return stored


#: All of them, by number.
ALL: Final = tuple(Database(number) for number in range(NAMESPACES_MAX))
