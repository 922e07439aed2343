"""Which figures of the last hour are drawn: those by which a person sees what has changed, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from memrep.page.html import Html, element
from memrep.page.plot import Axis, Plot
from memrep.status.facts import About
from memrep.status.last_hour import LastHour
from memrep.status.steps import Steps, each
from memrep.status.words import bytes_in_words, count, part

#: What is above the highest point of a line that has no limit.
_AIR: Final = 1.15

_Number = TypeVar("_Number", int, float)

_NOTHING: Final = "no figure yet"

#: From here on decimals of a rate say nothing.
_DECIMALS_UNTIL: Final = 10


def plots(hour: LastHour, about: About) -> Steps[Html]:
    """Draw all of them, one in a step.

    Args:
        hour: the last one.
        about: what the node says of itself now.
    """
    axis = Axis(hour.ages_s)
    yield
    drawn = yield from each((plot.drawn() for plot in _all(axis, hour, about)), 1)
    return element("div", *drawn, class_="plots")


def _all(axis: Axis, hour: LastHour, about: About) -> Iterator[Plot]:
    yield _level("Sessions and other items", count(about.items), axis, hour.items, count)
    yield _memory(axis, hour, about)
    yield _level("Commands a second", rate(about.ops), axis, hour.rates, rate)
    yield _level("Clients", part_of_count(about.clients, about.clients_max), axis, hour.clients, count)
    yield _events("Changes of the view", axis, hour.views)
    yield _events("Sessions ended for want of room", axis, hour.evicted)


def rate(a_second: float) -> str:
    """Write how often something happens: "3,120", "0.4"."""
    if 0 < a_second < _DECIMALS_UNTIL and a_second != int(a_second):
        return f"{max(a_second, 0.1):.1f}"
    return count(round(a_second))


def part_of_count(number: int, most: int) -> str:
    """Write how many there are of how many: "212 of 1,024"."""
    return f"{count(number)} of {count(most)}" if most > 0 else count(number)


def _level(
    title: str, now: str, axis: Axis, values: Sequence[_Number], spell: Callable[[_Number], str]
) -> Plot:
    top = max(values, default=0) * _AIR
    return Plot(title, now, _range(values, spell), axis.line(values, top))


def _memory(axis: Axis, hour: LastHour, about: About) -> Plot:
    top = max(about.limit, *hour.used, 1)
    return Plot(
        "Memory",
        part(about.used, about.limit),
        _range(hour.used, bytes_in_words),
        axis.line(hour.used, top),
        f"top: {bytes_in_words(about.limit)}" if about.limit else "",
    )


def _range(values: Sequence[_Number], spell: Callable[[_Number], str]) -> str:
    if not values:
        return _NOTHING
    least, most = spell(min(values)), spell(max(values))
    return f"always {most}" if least == most else f"{least} to {most}"


def _events(title: str, axis: Axis, counts: Sequence[int]) -> Plot:
    total = sum(counts)
    when = "" if total else "not once in this hour"
    if total:
        last = next(age for age, number in zip(reversed(axis.ages_s), reversed(counts), strict=True) if number)
        when = f"the last one {ago(last)}"
    return Plot(title, count(total) if total else "none", when, axis.bars(counts))


def ago(age_s: float) -> str:
    """Write how long ago something was, as far as samples tell: "4 min ago"."""
    minutes = int(age_s // 60)
    return f"{minutes} min ago" if minutes else "less than a minute ago"
