"""Which figures of the last hour are drawn, and in which words."""

from __future__ import annotations

import pytest

from memrep.page.plots import ago, part_of_count, plots, rate
from memrep.status.last_hour import LastHour
from tests.harness.steps import at_once
from tests.unit.page.hours import busy_hour
from tests.unit.page.reading import Reading
from tests.unit.status.clusters import ABOUT, changed_about


def test_each_figure_is_told_with_what_it_was() -> None:
    assert Reading(str(at_once(plots(busy_hour(), ABOUT)))).lines[::3] == [
        "Sessions and other items 100,212",
        "Memory 61 of 64 MB",
        "Commands a second 3,120",
        "Clients 212 of 1,024",
        "Changes of the view 2",
        "Sessions ended for want of room none",
    ]


def test_a_node_that_has_just_begun_has_no_hour() -> None:
    lines = Reading(str(at_once(plots(LastHour(), changed_about(limit=0, clients_max=0))))).lines
    assert "no figure yet" in lines
    assert "Clients 212" in lines


def test_what_does_not_change_is_always_the_same() -> None:
    hour = LastHour([20.0, 0.0], [7, 7], [1 << 20] * 2, [1, 2], [0.0, 0.4], [1, 0], [0, 30])
    lines = Reading(str(at_once(plots(hour, ABOUT)))).lines
    for told in (
        "always 7",
        "always 1 MB top: 64 MB",
        "1 to 2",
        "0 to 0.4",
        "the last one less than a minute ago",
    ):
        assert told in lines
    assert "Sessions ended for want of room 30" in lines


@pytest.mark.parametrize(
    ("a_second", "words"),
    [(0, "0"), (0.01, "0.1"), (0.44, "0.4"), (3, "3"), (9.96, "10.0"), (3_119.6, "3,120")],
)
def test_a_rate_has_decimals_only_if_it_is_small(a_second: float, words: str) -> None:
    assert rate(a_second) == words


def test_when_something_was_is_told_in_minutes() -> None:
    assert (ago(0), ago(59.9), ago(60), ago(3_599)) == (
        "less than a minute ago", "less than a minute ago", "1 min ago", "59 min ago",
    )  # fmt: skip


def test_of_how_many_is_left_out_if_nobody_knows() -> None:
    assert (part_of_count(1_200, 0), part_of_count(3, 4_000)) == ("1,200", "3 of 4,000")
