"""How much of a run is left: what sections took before, times how slow this machine is beside that one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import attrs


@attrs.define(eq=False)
class Progress:
    """A run through sections.

    Args:
        expected_s: what each of them is expected to take, in their order.
        clock: tells the time, s.
    """

    _expected_s: Mapping[str, float]
    _clock: Callable[[], float] = time.monotonic
    _done_s: float = 0.0
    _began: float = attrs.field(init=False)
    _number: int = 0

    def __attrs_post_init__(self) -> None:
        self._began = self._clock()

    def begin(self, name: str) -> str:
        """A section begins: which one it is, and what is left with it."""
        self._number += 1
        left_s = (sum(self._expected_s.values()) - self._done_s) * self._slowness()
        self._done_s += self._expected_s[name]
        minutes = f"{left_s / 60:.0f} min" if left_s >= 90 else f"{left_s:.0f} s"
        return f"[{self._number}/{len(self._expected_s)}] {name}; about {minutes} left"

    def _slowness(self) -> float:
        return (self._clock() - self._began) / self._done_s if self._done_s else 1.0
