"""A number has one spelling, and a time to live ends when it says, whichever way it is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.resp.arguments import INT_MAX, INT_MIN, CommandError, deadline, integer, is_integer
from memrep.storage.entry import NEVER
from memrep.storage.version import Clock
from tests.harness.lone_node import WALL

NOW = 1_000_000


def _clock() -> Clock:
    return Clock(1, NOW, WALL)


@given(st.integers(-(1 << 65), 1 << 65))
def test_a_number_is_one_if_it_has_64_bits(number: int) -> None:
    assert is_integer(b"%d" % number) == (INT_MIN <= number <= INT_MAX)


@pytest.mark.parametrize("number", [INT_MIN, INT_MAX])
def test_the_least_and_the_greatest_are_numbers(number: int) -> None:
    assert integer(b"%d" % number) == number


@given(st.text("0123456789+-_ .e\n٣", max_size=6).map(str.encode))
def test_a_number_has_no_other_spelling_than_its_own(word: bytes) -> None:
    try:
        spelled = b"%d" % int(word)
    except ValueError:
        spelled = b""
    assert is_integer(word) == (bool(word) and word == spelled)


@given(st.integers(1, 10**10), st.sampled_from([1, 1000]))
def test_a_time_from_now_on_and_the_same_since_1970_end_alike(number: int, unit: int) -> None:
    ends = deadline(b"%d" % number, unit, _clock(), b"set", relative=True)
    assert ends == NOW + number * unit < NEVER
    assert deadline(b"%d" % (WALL + number), 1, _clock(), b"set", relative=False) == NOW + number


@given(st.integers(INT_MIN, INT_MAX), st.sampled_from([1, 1000]), st.booleans())
def test_a_time_is_refused_or_ends_before_what_never_does(number: int, unit: int, relative: bool) -> None:
    try:
        ends = deadline(b"%d" % number, unit, _clock(), b"psetex", relative=relative)
    except CommandError as refusal:
        assert number <= 0 or number * unit + WALL > INT_MAX
        assert refusal.text == b"ERR invalid expire time in 'psetex' command"
    else:
        assert number > 0
        assert ends < NEVER


def test_a_time_that_has_passed_is_no_error() -> None:
    assert deadline(b"1", 1000, _clock(), b"set", relative=False) < NOW
