"""Flap damping: the first false start is free, each further one costs twice as long, up to a bound (B1)."""

from __future__ import annotations

import pytest

from memrep.replication.membership.flap_damping import FlapDamping

NOW = 10_000


def _comes_and_goes(damping: FlapDamping, now: int, stays: int) -> int:
    """It becomes a member now and its process ends after so long; for how long it is kept out then."""
    damping.entered(now)
    damping.left(now + stays, ended=True)
    return max(0, damping.kept_out - now - stays)


def test_the_first_false_start_is_free_and_each_further_one_costs_twice_as_long_up_to_five_seconds() -> None:
    damping = FlapDamping()
    kept_out = []
    now = NOW
    for _ in range(9):
        kept_out.append(_comes_and_goes(damping, now, 249))
        now += 100_000
    assert kept_out == [0, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000]


def test_however_many_false_starts_there_were_the_wait_is_bounded() -> None:
    assert _comes_and_goes(FlapDamping(false_starts=1_000_000), NOW, 0) == 5_000


def test_a_steady_membership_makes_up_for_all_false_starts() -> None:
    damping = FlapDamping()
    for _ in range(3):
        _comes_and_goes(damping, NOW, 100)
    now = NOW + 100_000
    assert _comes_and_goes(damping, now, 2_000) == 0
    assert _comes_and_goes(damping, now + 50_000, 100) == 0
    assert _comes_and_goes(damping, now + 90_000, 100) == 1_000


@pytest.mark.parametrize(("ended", "steady_ms"), [(True, 250), (False, 5_000)])
def test_who_fell_silent_must_have_stayed_longer_than_whose_process_ended_to_be_steady(
    ended: bool, steady_ms: int
) -> None:
    """For the others have waited for the failure timeout."""
    for ms, starts in ((steady_ms - 1, 4), (steady_ms, 0)):
        damping = FlapDamping(false_starts=3)
        damping.entered(NOW)
        damping.left(NOW + ms, ended=ended)
        assert damping.false_starts == starts
