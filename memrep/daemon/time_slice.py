"""A slice of time: how long one part of a turn may last (reactor.py)."""

from __future__ import annotations

import time
from typing import Final

#: A slice is this share of the fence: 2.5 ms. A turn has three, and what each of them has begun is ended behind
#: it; all of that together is to be less than 10 ms, which is what others may have to wait.
_SLICES_IN_FENCE: Final = 100


class Slice:
    """The slice that is going on now.

    Args:
        fence: how long the process may be stopped, ms; see `Timing`.

    Attributes:
        length: of each slice, s.
        end: of the present one, on the monotonic clock.
        over: whether its end has been noticed.
    """

    __slots__ = ("end", "length", "over")

    def __init__(self, fence: int) -> None:
        self.length = fence / 1000 / _SLICES_IN_FENCE
        self.end = 0.0
        self.over = False

    def begin(self, now: float) -> None:
        """Begin another one."""
        self.end = now + self.length
        self.over = False

    def spent(self) -> bool:
        """Tell whether it is over: what has not begun yet is left to the next turn."""
        if not self.over:
            self.over = time.monotonic() > self.end
        return self.over
