"""The wall clock, as far ahead of the monotonic one as it was before, unless it has been set.

A node counts by the monotonic clock, and turns absolute times into it and back by what lies between the two.
Both are read in whole ms, each cut at another moment, so that this would come out 1 ms more or less each time:
a client that asks for a key's end (PEXPIRETIME) would not be told what it has said (PEXPIREAT).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: So far it may move by the cut alone, ms.
_CUT: Final = 1


class WallClock:
    """The wall clock of this machine.

    Args:
        read: tells it, ns since 1970.
    """

    __slots__ = ("_ahead", "_read")

    def __init__(self, read: Callable[[], int] = time.time_ns) -> None:
        self._read = read
        self._ahead = 0

    def at(self, now: int) -> int:
        """Return ms since 1970 at this moment, which is `now` by the monotonic clock, ms."""
        ahead = self._read() // 1_000_000 - now
        if abs(ahead - self._ahead) > _CUT:
            self._ahead = ahead
        return now + self._ahead
