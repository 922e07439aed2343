"""A slice of time is short against the fence, and once it was found to be over it is so until the next."""

from __future__ import annotations

import time

import pytest

from memrep.daemon.time_slice import Slice
from memrep.replication.membership.timing import Timing


@pytest.mark.parametrize("failure_timeout_ms", [200, 600, 60_000])
def test_many_slices_end_before_the_process_would_seem_to_have_been_stopped(failure_timeout_ms: int) -> None:
    fence = Timing.scaled(failure_timeout_ms, 10_000).fence
    assert 0 < Slice(fence).length <= fence / 1000 / 20


def test_a_slice_that_has_just_begun_is_not_spent_and_one_that_has_had_its_length_is() -> None:
    part = Slice(3_600_000)
    now = time.monotonic()
    part.begin(now)
    assert not part.spent()
    part.begin(now - part.length - 0.001)
    assert part.spent()


def test_what_has_not_begun_yet_has_no_time() -> None:
    assert Slice(250).spent()


def test_an_end_that_was_noticed_stays_until_another_slice_begins() -> None:
    part = Slice(3_600_000)
    part.begin(time.monotonic() - 2 * part.length)
    assert part.spent()
    part.end += 3 * part.length
    assert part.spent()
    part.begin(time.monotonic())
    assert not part.spent()


def test_who_has_enough_may_end_a_slice_before_its_time() -> None:
    part = Slice(3_600_000)
    part.begin(time.monotonic())
    part.over = True
    assert part.spent()
