"""A rate is kept to in the long run, and nobody makes up for having been slow."""

from __future__ import annotations

from memrep.move.pace import Pace


class _Time:
    """Seconds that pass only by resting."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


def test_so_many_items_take_so_long() -> None:
    time = _Time()
    pace = Pace(64, time.clock, time.sleep)
    for _ in range(20):
        pace.spend(16)
    assert time.now == 105.0
    assert pace.now_s() == 105.0


def test_who_was_slow_does_not_hurry_afterwards() -> None:
    time = _Time()
    pace = Pace(10, time.clock, time.sleep)
    time.now += 60
    before = time.now
    pace.spend(10)
    pace.spend(10)
    assert time.now == before + 2


def test_without_a_rate_nobody_rests() -> None:
    time = _Time()
    Pace(0, time.clock, time.sleep).spend(1_000_000)
    assert time.now == 100.0
