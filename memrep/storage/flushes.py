"""What has been flushed, and when: everything, or one namespace (namespaces.py).

A flush is an entry like all others, so that nodes agree on it and it outlives restarts; what it ends is told by
versions. `newest` is above all of them: an entry that is newer has not been flushed, whatever its key. That is
one comparison, and on most stores the only one.
"""

from __future__ import annotations

from memrep.storage.namespaces import FLUSH_KEY, FLUSH_KEYS, number_of
from memrep.storage.version import ZERO, Version


class Flushes:
    """The last flushes of one store.

    Attributes:
        newest: the highest version of any.
        of_all: that of the last flush of everything.
    """

    __slots__ = ("_of", "newest", "of_all")

    def __init__(self) -> None:
        self.newest: Version = ZERO
        self.of_all: Version = ZERO
        self._of: dict[int, Version] = {}

    def took_place(self, key: bytes, version: Version) -> None:
        """Remember the flush whose entry stands under this key, FLUSH_KEY or one of FLUSH_KEYS."""
        if key == FLUSH_KEY:
            self.of_all = version
        else:
            self._of[FLUSH_KEYS[key]] = version
        self.newest = max(self.newest, version)

    def end(self, key: bytes, version: Version) -> bool:
        """Tell whether what had this version under this key has been flushed."""
        if version > self.newest:
            return False
        return version <= self.of_all or version <= self._of.get(number_of(key), ZERO)
