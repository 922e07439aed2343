"""memcached's limits: what an exptime means (protocol.txt, "Expiration times")."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.memcached.limits import KEY_BYTES_MAX, deadline, seconds_left
from memrep.storage.entry import NEVER
from memrep.storage.version import Clock
from tests.harness.lone_node import WALL, lone_node

NOW = 1_000_000
DAY_S = 86_400
WALL_S = WALL // 1000


def _clock() -> Clock:
    return Clock(1, NOW, WALL)


@pytest.mark.parametrize(
    ("exptime", "left_ms"),
    [
        (1, 1_000),
        (60, 60_000),
        (30 * DAY_S, 30 * DAY_S * 1000),
        (-1, 0),
        (-(1 << 31), 0),
        (30 * DAY_S + 1, 0),  # the 31st of January 1970
        (WALL_S - 10, 0),
        (WALL_S, 0),
        (WALL_S + 100, 100_000),
        (WALL_S + 400 * DAY_S, 400 * DAY_S * 1000),
    ],
)
def test_an_exptime_ends_where_protocol_txt_says(exptime: int, left_ms: int) -> None:
    assert deadline(_clock(), exptime) == NOW + left_ms


def test_an_exptime_of_nought_never_ends() -> None:
    assert deadline(_clock(), 0) == NEVER


@given(st.integers(-(1 << 31), (1 << 31) - 1))
def test_no_exptime_ends_in_the_past_or_after_never(exptime: int) -> None:
    assert NOW <= deadline(_clock(), exptime) <= NEVER


def test_an_absolute_exptime_follows_a_wall_clock_that_is_set_and_a_relative_one_does_not() -> None:
    clock = _clock()
    clock.turn(NOW, WALL + 50_000)
    assert deadline(clock, 100) == NOW + 100_000
    assert deadline(clock, WALL_S + 100) == NOW + 50_000


@pytest.mark.parametrize(
    ("ends", "seconds"),
    [(NEVER, -1), (NOW - 1, 0), (NOW, 0), (NOW + 1, 1), (NOW + 1_000, 1), (NOW + 1_001, 2)],
)
def test_begun_seconds_are_left_and_never_is_shown_as_minus_one(ends: int, seconds: int) -> None:
    assert seconds_left(_clock(), ends) == seconds


@given(st.integers(1, 30 * DAY_S))
def test_of_what_was_just_stored_all_its_seconds_are_left(exptime: int) -> None:
    clock = _clock()
    assert seconds_left(clock, deadline(clock, exptime)) == exptime


def test_a_key_may_be_so_long_and_not_longer() -> None:
    client = lone_node().connect()
    longest = b"k" * KEY_BYTES_MAX
    assert client.receive(b"set %b 0 0 1\r\nx\r\n" % longest) == b"STORED\r\n"
    assert client.receive(b"get %bk\r\n" % longest) == b"CLIENT_ERROR bad command line format\r\n"
