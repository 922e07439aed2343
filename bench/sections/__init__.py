"""What `python -m bench` measures: a file for each question, in the order in which they are asked.

A section has a TITLE, a NOTE that says what is honest about its figures, EXPECTED_S, what it takes on two idle
cores in a short run (True) and in a full one, and `measure`, which takes a scale and returns rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from bench.rounds import Scale, Shapes
from bench.sections import connections, entries, idle, joining, paced, php, saturated, stalls


@attrs.frozen
class Section:
    """One question, and how it is answered."""

    title: str
    note: str
    expected_s: Mapping[bool, float]
    measure: Callable[[Scale], Shapes]


SECTIONS: Final = {
    module.__name__.rpartition(".")[2]: Section(module.TITLE, module.NOTE, module.EXPECTED_S, module.measure)
    for module in (idle, paced, saturated, php, entries, stalls, joining, connections)
}
