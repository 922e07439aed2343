"""The times of writes add up, and a slow one counts as such."""

from __future__ import annotations

from memrep.replication.round_times import SLOW_MS, RoundTimes


def test_times_add_up_and_slow_ones_are_counted() -> None:
    times = RoundTimes()
    for ms in (0, 1, SLOW_MS - 1, SLOW_MS, 800):
        times.note(ms)
    assert (times.count, times.total_ms, times.slow) == (5, 2 * SLOW_MS + 800, 2)
