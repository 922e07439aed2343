"""A sweep: it goes through a table bit by bit, round after round, and ends what has had its time.

Problem: a value that has run out is never served, for reads look at the clock. But its memory has to come back,
and a million may run out at the same moment. Timers, or lists of keys by the time at which they are due, cost
memory and time with each write, for what most writes put off again; and whatever is done for a million keys in
one turn stops the node.

So nobody keeps a list. The parts of the table (table.py) are looked through one after the other, at a pace set
by the clock: a round of a small table takes a second, that of a large one up to ROUND_MS_MAX, so that the
looking takes about a hundredth of a CPU for a million keys. A turn does a bounded piece of that. What is due
and was not done makes the sweep `behind`, and it goes on in the next turn, at once. Work is counted, not timed:
a simulated node does the same as a real one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Final, Generic, TypeVar

from memrep.storage.entry import Entry
from memrep.storage.table import Table

T = TypeVar("T")

#: How long a round takes at least, for each part, and at most, ms.
ROUND_MS_MIN: Final = 1_000
_PART_MS: Final = 100
ROUND_MS_MAX: Final = 15_000

#: How many keys are ended in a turn: they take about 2 ms.
PIECE: Final = 250

#: To look at so many keys takes as long as to end one.
_LOOKS: Final = 32


class Sweep(Generic[T]):
    """Goes through one table.

    Args:
        table: the table.
        find: finds the keys in a part that are to be ended at this time (own monotonic ms).
        end: ends one of them, if it still is to be ended: it may have been written since it was found.
    """

    __slots__ = ("_due", "_end", "_find", "_found", "_next", "_since", "_table")

    def __init__(
        self,
        table: Table[T],
        find: Callable[[dict[bytes, T], int], tuple[bytes, ...]],
        end: Callable[[bytes, int], None],
    ) -> None:
        self._table = table
        self._find = find
        self._end = end
        self._found: tuple[bytes, ...] = ()  # the last of them comes first
        self._next = 0  # the part that comes next
        self._due = 0  # so many parts should have been looked through by now
        self._since = 0  # the time (ms) up to which the parts are counted that have become due

    @property
    def behind(self) -> bool:
        """Tell whether it has something to do at once, whatever the time."""
        return self._due > 0 or bool(self._found)

    def hurry(self) -> None:
        """Make the whole table due: very much is to be ended."""
        self._due = len(self._table.parts)

    def go_on(self, now: int, most: int = PIECE) -> int:
        """Do what is due at `now` (own monotonic ms), a bounded piece of it; return what is left of `most`."""
        parts = self._table.parts
        self._count_due(now, len(parts))
        while most > 0:
            if self._found:
                piece = self._found[-most:]
                self._found = self._found[:-most]
                for key in piece:
                    self._end(key, now)
                most -= len(piece)
            elif self._due:
                self._due -= 1
                part = parts[self._next % len(parts)]
                self._next = (self._next + 1) % len(parts)
                if part:
                    self._found = self._find(part, now)
                    most -= 1 + len(part) // _LOOKS
            else:
                break
        return most

    def _count_due(self, now: int, parts: int) -> None:
        round_ms = min(max(ROUND_MS_MIN, parts * _PART_MS), ROUND_MS_MAX)
        due = (now - self._since) * parts // round_ms
        if due > 0:
            self._due = min(parts, self._due + due)
            self._since = now if due >= parts else self._since + due * round_ms // parts


def purgeable(part: dict[bytes, Entry], now: int) -> tuple[bytes, ...]:
    """Find the tombstones in a part that have had their time: those that died first stand first."""
    return tuple([key for key, _ in takewhile(lambda item: item[1].expires <= now, part.items())])
