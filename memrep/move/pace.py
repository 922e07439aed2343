"""How fast it may go, and what time it is: the only module of this room with a clock."""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_s() -> float:
    """Return the time of day, seconds since 1970."""
    return time.time()


class Pace:
    """Keeps to so many items a second.

    Args:
        rate: items a second; 0 for as many as can be.
        clock: tells seconds that only ever grow.
        sleep: lets so many seconds pass.
    """

    def __init__(
        self,
        rate: float = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate = rate
        self.rest = sleep
        self._clock = clock
        self._free_at = clock()

    def now_s(self) -> float:
        """Return seconds that only ever grow."""
        return self._clock()

    def spend(self, items: int) -> None:
        """Wait until so many more items are within the rate."""
        if not self.rate:
            return
        now = self._clock()
        # Who has been slow does not make up for it in a burst.
        self._free_at = max(self._free_at, now) + items / self.rate
        self.rest(self._free_at - now)
