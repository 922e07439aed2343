"""One figure over the last hour: a line, or bars of what has happened in each minute.

Now is on the right, an hour ago on the left, nought at the bottom; so all plots can be read at a glance, and
held against each other. Where nothing was sampled, for the process was stopped or not there, there is no
line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from memrep.page.html import Html, element, join, text
from memrep.status.last_hour import EACH_S, SPAN_S

#: The drawing: twenty units of its width are a sample, so that whole numbers will do, which are written faster.
_UNITS: Final = 20
_WIDTH: Final = SPAN_S // EACH_S * _UNITS
_HEIGHT: Final = 600
_EDGE: Final = 10

#: From so long on between two samples nothing is known of the time between them, seconds.
_GAP_S: Final = 3 * EACH_S

_BAR_S: Final = 60
_BARS: Final = SPAN_S // _BAR_S
_BAR: Final = _WIDTH // _BARS

_QUARTERS: Final = "".join(f"M{_WIDTH * quarter // 4} 0V{_HEIGHT}" for quarter in (1, 2, 3))


class Axis:
    """The times of samples, from the left to the right.

    Args:
        ages_s: how long ago each was taken, the oldest first.
    """

    def __init__(self, ages_s: Sequence[float]) -> None:
        self.ages_s = ages_s
        self._places = [f"{int(_WIDTH - age * _UNITS / EACH_S)} " for age in ages_s]
        begins = [i for i in range(1, len(ages_s)) if ages_s[i - 1] - ages_s[i] > _GAP_S]
        self._runs = list(zip([0, *begins], [*begins, len(ages_s)], strict=True)) if ages_s else []

    def line(self, values: Sequence[float], top: float) -> Html:
        """Draw a line, with what is below it.

        Args:
            values: one for each sample; none is negative.
            top: the value at the upper edge.
        """
        scale = (_HEIGHT - 2 * _EDGE) / top if top > 0 else 0.0
        points = [
            place + str(int(_HEIGHT - _EDGE - value * scale))
            for place, value in zip(self._places, values, strict=True)
        ]
        above, filled = "", ""
        for begin, end in self._runs:
            run = "L".join(points[begin:end])
            above += f"M{run}h1"
            filled += f"M{self._places[begin]}{_HEIGHT}L{run}L{self._places[end - 1]}{_HEIGHT}Z"
        return join(
            element("path", d=Html(filled), class_="area"), element("path", d=Html(above), class_="line")
        )

    def bars(self, counts: Sequence[int]) -> Html:
        """Draw how much there was in each minute; the highest bar reaches the upper edge."""
        if not any(counts):
            return text("")
        minutes = [0] * _BARS
        for age, count in zip(self.ages_s, counts, strict=True):
            minutes[-1 - min(int(age) // _BAR_S, _BARS - 1)] += count
        scale = (_HEIGHT - 2 * _EDGE) / max(minutes)
        boxes = [
            f"M{number * _BAR + 5} {_HEIGHT}v-{max(int(count * scale), 2 * _EDGE)}h{_BAR - 10}V{_HEIGHT}Z"
            for number, count in enumerate(minutes)
            if count
        ]
        return element("path", d=Html("".join(boxes)), class_="bars")


class Plot(NamedTuple):
    """What a plot tells.

    Attributes:
        title: what it is of.
        now: how it is now, in words, or how much there was in the whole hour.
        range: between what it was, in words.
        drawing: the lines of it.
        top: what is at the upper edge, if that is a limit; "" if it is not.
    """

    title: str
    now: str
    range: str
    drawing: Html
    top: str = ""

    def drawn(self) -> Html:
        """Draw it."""
        told = ", ".join(part for part in (self.now, self.range, self.top) if part)
        return element(
            "figure",
            element("figcaption", element("span", self.title), " ", element("b", self.now)),
            element(
                "svg",
                element("title", f"{self.title} in the last hour"),
                element("desc", told),
                element("path", d=_QUARTERS, class_="grid"),
                self.drawing,
                viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
                preserveAspectRatio="none",
                role="img",
            ),
            element("p", element("span", self.range), " ", element("span", self.top)),
            class_="plot",
        )
