"""How many values there are in each namespace, and how many of them end; known at any time, counted at none."""

from __future__ import annotations

from memrep.storage.entry import NEVER
from memrep.storage.namespaces import FLUSHES, MARK, number_of


class Census:
    """The values of one store.

    Attributes:
        flushes: how many of them are the marks of flushes.
    """

    __slots__ = ("_elsewhere", "_ending", "_total", "flushes")

    def __init__(self) -> None:
        self.flushes = 0
        self._total = 0
        self._ending = 0
        # How many, and how many of them end, in all namespaces but the first.
        self._elsewhere: dict[int, list[int]] = {}

    def change(self, key: bytes, expires: int, by: int) -> None:
        """Count a value that has come (1) or gone (-1) under this key, and ends then (own monotonic ms)."""
        ends = by if expires < NEVER else 0
        self._total += by
        self._ending += ends
        if key[:1] == MARK or not key:
            if key in FLUSHES:
                self.flushes += by
            elif number := number_of(key):
                counts = self._elsewhere.setdefault(number, [0, 0])
                counts[0] += by
                counts[1] += ends

    def of(self, number: int) -> tuple[int, int]:
        """Tell how many values the namespace of this number has, and how many of them end."""
        if number:
            count, ending = self._elsewhere.get(number, (0, 0))
            return count, ending
        others = self._elsewhere.values()
        return (
            self._total - self.flushes - sum(count for count, _ in others),
            self._ending - sum(ending for _, ending in others),
        )
