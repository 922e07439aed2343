"""Pace: how much has happened lately, out of counters that only say how much has happened at all.

A sample a second, for a minute: that is what somebody at a terminal wants to know, and it costs nothing. A
counter that has been set back (`stats reset`) has counted from nought since.
"""

from __future__ import annotations

from collections import deque
from typing import Final

#: Between two samples, ms; and how many are kept.
_SAMPLE_MS: Final = 1_000
_SAMPLES: Final = 60

#: A rate is told of the last seconds: of one alone it would flicker, of a minute it would lie.
_RATE_SAMPLES: Final = 5


class Pace:
    """How far one counter has gone lately.

    Args:
        now: own monotonic ms.
    """

    def __init__(self, now: int) -> None:
        self._count = 0
        self._sum = 0
        self._samples: deque[tuple[int, int]] = deque([(now, 0)], _SAMPLES + 1)  # when, the sum then

    def tick(self, now: int, count: int) -> None:
        """Take the counter as it is now, if a second has passed since it was last taken."""
        if now - self._samples[-1][0] >= _SAMPLE_MS:
            self._sum += count - self._count if count >= self._count else count
            self._count = count
            self._samples.append((now, self._sum))

    @property
    def rate(self) -> int:
        """Return how much there is a second."""
        began, then = self._samples[max(0, len(self._samples) - 1 - _RATE_SAMPLES)]
        now, total = self._samples[-1]
        return round((total - then) * 1000 / (now - began)) if now > began else 0

    @property
    def last_minute(self) -> int:
        """Return how much there was in the last minute."""
        return self._samples[-1][1] - self._samples[0][1]
