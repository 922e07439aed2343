"""How much work lies between two steps, by a count: calls of functions, which are the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType

from memrep.status.steps import Steps


def calls_of_each(steps: Steps[object]) -> list[int]:
    """How many functions each step calls, those that are written in C as well."""
    return list(_calls(steps))


def _calls(steps: Steps[object]) -> Iterator[int]:
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    former, ended = sys.getprofile(), False
    while not ended:
        calls = 0
        sys.setprofile(count)
        try:
            next(steps)
        except StopIteration:
            ended = True
        finally:
            sys.setprofile(former)
        yield calls
