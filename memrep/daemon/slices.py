"""Slices: what takes longer than a turn may last is done a little at a time, and clients come in between.

An operator's question may look at every item that a node holds. His patience is seconds, a client's request is
done in less than one thousandth of that. So nothing of his is done for longer than 2 ms at a time, and between
two slices the node has as much time for its own.

What comes every second, as a scrape does, is to be noticed by no client at all. It is made in steps of a tenth
of that (status/steps.py), one in a turn of the loop. Many who ask at once do not make the turns longer: what
they ask for is made one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Final

import trio

from memrep.status.steps import Made, Steps

#: How long a slice is, and the pause behind it, s.
SLICE_S: Final = 0.002

#: Held by who makes something in turns; of one run of trio's, for one that failed would leave it held for ever.
_making: Final[trio.lowlevel.RunVar[trio.Lock]] = trio.lowlevel.RunVar("memrep_making")


async def in_slices(steps: Iterable[object]) -> None:
    """Take all these steps, each of which is short; between two of them anything may happen."""
    end = monotonic() + SLICE_S
    for _ in steps:
        if monotonic() >= end:
            await trio.sleep(SLICE_S)
            end = monotonic() + SLICE_S


async def in_turns(steps: Steps[Made]) -> Made:
    """Take these steps, one in a turn of the loop, and return what has been made."""
    try:
        lock = _making.get()
    except LookupError:
        lock = trio.Lock()
        _making.set(lock)
    async with lock:
        while True:
            try:
                next(steps)
            except StopIteration as end:
                made: Made = end.value
                return made
            await trio.lowlevel.checkpoint()
