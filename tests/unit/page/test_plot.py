"""A figure over the last hour: now on the right, nought at the bottom, and nothing where nothing is known."""

from __future__ import annotations

import re

from memrep.page.html import text
from memrep.page.plot import Axis, Plot


def _points(drawing: str, kind: str) -> list[list[tuple[int, int]]]:
    """The pieces of a line, each as its points."""
    (path,) = re.findall(rf'<path d="([^"]*)" class="{kind}">', drawing)
    pieces = (re.findall(r"(-?\d+) (-?\d+)", piece) for piece in path.split("M")[1:])
    return [[(int(x), int(y)) for x, y in piece] for piece in pieces]


def test_a_line_goes_from_an_hour_ago_to_now() -> None:
    ages = [20.0 * number for number in reversed(range(181))]
    drawing = Axis(ages).line([float(number) for number in range(181)], 180.0)
    (piece,) = _points(drawing, "line")
    assert piece[0] == (0, 590)
    assert piece[-1] == (3600, 10)
    assert len(piece) == 181


def test_a_line_of_a_node_that_has_just_begun_is_on_the_right() -> None:
    (piece,) = _points(Axis([40.0, 20.0, 0.0]).line([1.0, 1.0, 1.0], 2.0), "line")
    assert piece == [(3560, 300), (3580, 300), (3600, 300)]


def test_a_line_is_broken_where_nothing_was_sampled() -> None:
    first, second = _points(Axis([200.0, 180.0, 20.0, 0.0]).line([1, 2, 3, 4], 4), "line")
    assert [x for x, _ in first] == [3400, 3420]
    assert [x for x, _ in second] == [3580, 3600]


def test_what_is_always_nought_lies_at_the_bottom_and_no_sample_is_no_line() -> None:
    (piece,) = _points(Axis([20.0, 0.0]).line([0, 0], 0), "line")
    assert {y for _, y in piece} == {590}
    assert _points(Axis([]).line([], 0), "line") == []


def test_bars_are_of_minutes_and_the_highest_reaches_the_top() -> None:
    drawing = Axis([3_590.0, 3_580.0, 70.0, 59.0, 0.0]).bars([1, 1, 1, 0, 4])
    boxes = re.findall(r"M(\d+) 600v-(\d+)", drawing)
    assert boxes == [("5", "290"), ("3485", "145"), ("3545", "580")]


def test_nothing_that_has_happened_is_no_bar() -> None:
    assert Axis([20.0, 0.0]).bars([0, 0]) == ""


def test_a_plot_says_in_words_what_it_shows() -> None:
    drawn = Plot("Clients", "7 of 9", "1 to 8", text(""), "top: 9").drawn()
    assert "<title>Clients in the last hour</title><desc>7 of 9, 1 to 8, top: 9</desc>" in drawn
    assert 'role="img"' in drawn
