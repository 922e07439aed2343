"""History: the last hour of this node, in a few figures each twenty seconds.

Theory: whoever is called looks at what has just been, and nobody may have collected it. So each node keeps it
of itself, without asking anybody: 180 samples in seven arrays of numbers, 10 kB that neither grow nor are
looked at by the garbage collector. A sample is taken in a tick that comes anyway, and no command knows of it.

What is counted (commands, evictions) is kept as what came since the sample before: counters may be set back
(`stats reset`), and a rate wants the time that really went by.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from memrep.status.last_hour import EACH_S, SPAN_S, LastHour

_EACH_MS: Final = EACH_S * 1_000
_SAMPLES: Final = SPAN_S // EACH_S


class Reading(NamedTuple):
    """What is read for a sample.

    Attributes:
        items: how many there are,
        used: and their bytes.
        clients: those that are connected.
        commands: how many there have been,
        evictions: and how many of these, by counters.
    """

    items: int
    used: int
    clients: int
    commands: int
    evictions: int


class History:
    """The last hour.

    Args:
        now: own monotonic ms.
        read: reads what a sample is made of.
    """

    def __init__(self, now: int, read: Callable[[], Reading]) -> None:
        self._read = read
        self._taken = now
        self._due = now
        self._before = Reading(0, 0, 0, 0, 0)
        self._view = 0
        self._changes = 0
        self._at = array("Q")
        # By the names of LastHour, each beside that which it is of.
        self._samples: dict[str, array[Any]] = {
            name: array("d" if name == "rates" else "Q")
            for name in ("items", "used", "clients", "rates", "views", "evicted")
        }

    def tick(self, now: int, view: int) -> None:
        """Take a sample, if it is time for one.

        Args:
            now: own monotonic ms.
            view: the identifier of the view; that it is another one is noticed at each tick.
        """
        if view != self._view:
            self._view = view
            self._changes += 1
        if now >= self._due:
            self._due = now + _EACH_MS
            self._take(now)

    def _take(self, now: int) -> None:
        reading, before, elapsed = self._read(), self._before, now - self._taken
        values = (
            reading.items,
            reading.used,
            reading.clients,
            _since(before.commands, reading.commands) * 1_000 / elapsed if elapsed else 0.0,
            self._changes,
            _since(before.evictions, reading.evictions),
        )
        self._at.append(now)
        for samples, value in zip(self._samples.values(), values, strict=True):
            samples.append(value)
        self._before, self._taken, self._changes = reading, now, 0
        if len(self._at) > _SAMPLES:
            del self._at[0]
            for samples in self._samples.values():
                del samples[0]

    def told(self, now: int) -> LastHour:
        """Return what there is of the last hour, at this time (own monotonic ms)."""
        first = next((i for i, at in enumerate(self._at) if now - at <= SPAN_S * 1_000), len(self._at))
        lists = {name: samples[first:].tolist() for name, samples in self._samples.items()}
        return LastHour(ages_s=[(now - at) / 1_000 for at in self._at[first:]], **lists)


def _since(before: int, now: int) -> int:
    """Return how far a counter has gone; one that was set back has counted from nought since."""
    return now - before if now >= before else now
