"""How much has happened lately."""

from __future__ import annotations

from memrep.node.pace import Pace


def _ticked(pace: Pace, began: int, counts: list[int]) -> Pace:
    for second, count in enumerate(counts, start=1):
        pace.tick(began + second * 1_000, count)
    return pace


def test_before_a_second_has_passed_nothing_is_known() -> None:
    pace = Pace(7)
    pace.tick(900, 50)
    assert (pace.rate, pace.last_minute) == (0, 0)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    pace = _ticked(Pace(0), 0, [100] * 10 + [100 + 20 * second for second in range(1, 6)])
    assert (pace.rate, pace.last_minute) == (20, 200)


def test_after_a_minute_it_is_forgotten() -> None:
    pace = _ticked(Pace(0), 0, [500])
    assert pace.last_minute == 500
    _ticked(pace, 1_000, [500] * 60)
    assert pace.last_minute == 0


def test_a_counter_that_was_set_back_has_counted_from_nought_since() -> None:
    pace = _ticked(Pace(0), 0, [500, 600, 30])
    assert pace.last_minute == 630


def test_seconds_that_were_missed_count_with_their_time() -> None:
    pace = Pace(0)
    pace.tick(10_000, 1_000)
    assert pace.rate == 100
