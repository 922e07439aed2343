"""How figures become comparable on a machine whose speed drifts: rounds, in each of which all take their turn.

A round measures every competitor once, the next one in the opposite order, so that neither warm caches nor a
busy neighbour favour the same one each time. Ratios are taken within a round and only then summed up, by
their median and by the smallest and the largest of them, which is the noise.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

import attrs
import click

#: What one competitor did in one round: figures with their units in their names. The first one is compared.
Figures = dict[str, float]
#: The rounds of each competitor, in the order in which they are shown.
Shape = dict[str, list[Figures]]
#: Each thing that was measured, by what it was.
Shapes = dict[str, Shape]

OURS: Final = "memrep"

#: The figure of how much of a pace was kept. Below this much nothing is compared: it was another load.
KEPT: Final = "kept %"
_KEPT_LEAST: Final = 98.0

Competitor = TypeVar("Competitor")


@attrs.frozen
class Scale:
    """How much is measured.

    Attributes:
        rounds: how often each competitor has its turn.
        seconds: how long one figure is watched.
        quick: whether what stands for itself is done smaller.
    """

    rounds: int
    seconds: float
    quick: bool


QUICK: Final = Scale(2, 0.7, True)
FULL: Final = Scale(5, 3.0, False)


@attrs.frozen
class Spread:
    """The median of some figures, and the smallest and the largest of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """That of these."""
        values = sorted(figures)
        return cls(statistics.median(values), values[0], values[-1])


def measured(
    competitors: Mapping[str, Competitor], rounds: int, measure: Callable[[Competitor], Mapping[str, Figures]]
) -> Shapes:
    """What each competitor did in each round, by shape; `measure` is one turn of one of them."""
    shapes: Shapes = {}
    names = list(competitors)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            click.echo(f"  round {number + 1} of {rounds}: {name}", err=True)
            for shape, figures in measure(competitors[name]).items():
                rows = shapes.setdefault(shape, {each: [] for each in names})
                rows[name].append(figures)
    return shapes


def ratios(shape: Shape, name: str) -> Spread | None:
    """How many times as much memrep took as this one: the last memrep that stands before it in the table."""
    names = list(shape)
    ours = [each for each in names[: names.index(name)] if each.startswith(OURS)]
    if name.startswith(OURS) or not ours:
        return None
    if any(run.get(KEPT, 100.0) < _KEPT_LEAST for run in (*shape[ours[-1]], *shape[name])):
        return None
    pairs = zip(shape[ours[-1]], shape[name], strict=True)
    return _quotients([(_first(mine), _first(others)) for mine, others in pairs])


def _first(figures: Figures) -> float:
    return next(iter(figures.values()))


def _quotients(pairs: Sequence[tuple[float, float]]) -> Spread | None:
    """None where there is nothing to divide by."""
    return Spread.of(mine / other for mine, other in pairs) if all(other > 0 for _, other in pairs) else None
