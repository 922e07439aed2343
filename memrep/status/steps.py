"""What takes long to tell is told in small steps, and what runs in between is nobody's business here.

Problem: a page, or all metrics, are one or two thousandths of a second of work. Clients who come meanwhile
would wait for all of it, and by that the slowest of a hundred requests are known. Nobody who looks at
a page notices whether it was made in one go.

So who makes such a thing is a generator: it yields where something else may be done, and returns what it has
made. How much lies between two yields is bounded by a count, of rows or of series, and not by a clock.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeVar

Made = TypeVar("Made")

Steps = Generator[None, None, Made]


def each(parts: Iterable[Made], a_step: int) -> Steps[list[Made]]:
    """Make these parts.

    Args:
        parts: each is made when it is asked for.
        a_step: how many in one step.
    """
    made: list[Made] = []
    for part in parts:
        made.append(part)
        if len(made) % a_step == 0:
            yield
    return made
