"""The ceiling: how much the store may hold while what the kernel grants this process is nearly used up.

Problem: -m counts entries. What a process takes is more: buffers of clients, gaps between values of different
sizes; and others take some in the same cgroup. Who goes beyond the cgroup's limit is killed, and as all nodes
hold the same, all of them are. On the other hand memory that entries give back is rarely given back to the
kernel: it lies free in the process. Evicting until the cgroup is emptier would evict everything.

So 90 % of the cgroup's limit counts as full, or all of it but 12 MB if that is less: what a crowd of clients
takes between two looks, and finds no room for that entries have left, does not shrink with the limit. (Whether
-m fits at all is another question: there each client counts as it is, see daemon/cgroup.py.) There are three
rules, applied at each look:

- Below that the store may grow by what is left.
- Above it, and when more is taken than before, the store may hold what it holds now, less twice what has been
  added. What was free in the process is used up then, or no more would be taken; and what is to be taken next
  seldom fits exactly where an entry was.
- Above it, and when no more is taken, the ceiling stays, also while entries run out: what is free in the
  process can be filled again.

It never gets below a quarter of the lesser limit, the operator's or the cgroup's: then other things than the
store fill the memory.
"""

from __future__ import annotations

from typing import Final

#: Of the limit, beyond which the store does not grow,
_FULL: Final = 0.9
_SPARE: Final = 12 << 20

#: and how much it gives way beyond that, for each byte that is added.
_GIVES_WAY: Final = 2

#: What is taken goes up and down by this share of the limit without a meaning.
_WAVERS: Final = 0.01

#: Below this share the memory is not nearly full any more.
_EASY: Final = 0.8

#: The share of the lesser limit that the store may always have.
_LEAST: Final = 1 / 4


def full_at(limit: int) -> int:
    """Return how much (bytes) of a limit may be taken."""
    return int(limit * _FULL)


class Ceiling:
    """What the kernel leaves to one node's store.

    Attributes:
        taken: bytes that are taken of what this process may have, and
        limit: how much that is; 0 if there is no limit.
        bytes: how much the store may hold; None if it is not limited.
        full: whether the memory has been full, and has not been far from it since.
    """

    def __init__(self) -> None:
        self.taken = 0
        self.limit = 0
        self.bytes: int | None = None
        self.full = False
        self._most = 0  # what was taken at most since it was full, bytes; 0 before the first look

    def look(self, found: tuple[int, int] | None, used: int, allowed: int) -> None:
        """See how much is taken.

        Args:
            found: that, and the limit, bytes; None if it could not be found out.
            used: what the store holds, bytes.
            allowed: what it may hold as far as the operator is concerned, bytes.
        """
        if found is None:
            return
        self.taken, self.limit = found
        if not self.limit:
            self.full, self.bytes, self._most = False, None, 0
            return
        full = max(0, min(full_at(self.limit), self.limit - _SPARE))
        left = full - self.taken
        if left <= 0:
            self._is_full(used, allowed)
            return
        if left > self.limit * _WAVERS or not self._most:
            self._most = full
        if self.taken < self.limit * _EASY:
            self.full = False
        grown = used + left
        self.bytes = max(grown, self.bytes) if self.full and self.bytes is not None else grown

    def _is_full(self, used: int, allowed: int) -> None:
        self.full = True
        if self.bytes is None:
            self.bytes = used
        if self.taken > self._most:
            added = self.taken - self._most if self._most else 0
            self._most = self.taken
            least = int(min(allowed, self.limit) * _LEAST)
            self.bytes = max(min(self.bytes, used) - _GIVES_WAY * added, least)
