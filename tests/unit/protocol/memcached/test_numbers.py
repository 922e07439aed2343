"""Numbers as memcached reads them; each case was probed on memcached 1.6.18 (transcripts/numbers.txt)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.memcached.numbers import signed32, unsigned

U64 = 1 << 64
S64 = 1 << 63


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (b"0", 0),
        (b"007", 7),
        (b"+5", 5),
        (b"-0", 0),
        (b"1\tjunk", 1),
        (b"1\r", 1),
        (b"\t 12", 12),
        (b"4294967296", 1 << 32),
        (b"9999999999999999999", 9_999_999_999_999_999_999),
        (b"18446744073709551615", U64 - 1),
        (b"00000000000000000000018446744073709551615", U64 - 1),
    ],
)
def test_these_are_unsigned_numbers(word: bytes, number: int) -> None:
    assert unsigned(word) == number


@pytest.mark.parametrize(
    "word",
    [
        b"",
        b" ",
        b"+",
        b"-",
        b"-1",
        b"--1",
        b"+-1",
        b"abc",
        b"1a",
        b"0x10",
        b"1.5",
        b"1e3",
        b"1_000",
        b"18446744073709551616",
        b"9" * 100,
        b"9" * 10_000,
        "٣".encode(),
    ],
)
def test_these_are_no_unsigned_numbers(word: bytes) -> None:
    assert unsigned(word) is None


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (b"0", 0),
        (b"-1", -1),
        (b"+60", 60),
        (b"2592000", 2_592_000),
        (b"999999999", 999_999_999),
        (b"1000000000", 1_000_000_000),
        (b"2147483647", (1 << 31) - 1),
        (b"2147483648", -(1 << 31)),
        (b"4294967295", -1),
        (b"4294967296", 0),
        (b"4294967297", 1),
        (b"-4294967296", 0),
        (b"9223372036854775807", -1),
        (b"-9223372036854775808", 0),
        (b"3\tx", 3),
    ],
)
def test_these_are_numbers_cut_to_32_bits(word: bytes, number: int) -> None:
    assert signed32(word) == number


@pytest.mark.parametrize(
    "word",
    [
        b"",
        b"x",
        b"1x",
        b"1.5",
        b"9223372036854775808",
        b"-9223372036854775809",
        b"18446744073709551615",
        b"1" * 70,
    ],
)
def test_these_are_no_numbers_of_64_bits(word: bytes) -> None:
    assert signed32(word) is None


@given(st.integers(-2 * U64, 2 * U64))
def test_an_unsigned_number_is_read_if_and_only_if_it_fits(number: int) -> None:
    assert unsigned(b"%d" % number) == (number if 0 <= number < U64 else None)


@given(st.integers(-2 * S64, 2 * S64))
def test_a_signed_number_is_cut_as_two_s_complement(number: int) -> None:
    cut = int.from_bytes((number % (1 << 32)).to_bytes(4, "big"), "big", signed=True)
    assert signed32(b"%d" % number) == (cut if -S64 <= number < S64 else None)


@given(st.integers(0, U64 - 1), st.integers(0, 40))
def test_leading_zeros_and_a_plus_change_nothing(number: int, zeros: int) -> None:
    word = b"0" * zeros + b"%d" % number
    assert unsigned(word) == unsigned(b"+" + word) == number
    assert signed32(word) == signed32(b"+" + word)


@given(st.binary(max_size=80))
def test_no_word_is_too_odd(word: bytes) -> None:
    number = unsigned(word)
    assert number is None or 0 <= number < U64
    cut = signed32(word)
    assert cut is None or -(1 << 31) <= cut < 1 << 31
