"""How far the wall clock is ahead does not change by itself."""

import time

from memrep.daemon.wall_clock import WallClock

AHEAD = 1_700_000_000_000


def test_it_is_this_machines() -> None:
    now = time.monotonic_ns() // 1_000_000
    assert abs(WallClock().at(now) - time.time_ns() // 1_000_000) < 1_000


def test_what_lies_between_the_clocks_is_the_same_however_they_are_cut() -> None:
    readings = [(AHEAD + ms) * 1_000_000 + ns for ms, ns in ((5, 999_999), (6, 0), (4, 999_999), (5, 1))]
    clock = WallClock(iter(readings).__next__)
    assert {clock.at(5) - 5 for _ in readings} == {AHEAD}


def test_a_clock_that_is_set_or_runs_away_is_followed() -> None:
    readings = [(AHEAD + ahead) * 1_000_000 for ahead in (0, 1, 2, 500, -500)]
    clock = WallClock(iter(readings).__next__)
    assert [clock.at(0) - AHEAD for _ in readings] == [0, 0, 2, 500, -500]
