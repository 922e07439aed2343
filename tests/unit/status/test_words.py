"""Words: as people write them, and never more than there is room for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.status.words import (
    bytes_in_words,
    clock,
    count,
    duration,
    listed,
    part,
    percent,
    plain,
    shortened,
    shortened_names,
    wrapped,
)

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (12, "12 s"),
        (59.9, "59 s"),
        (MINUTE, "1 min"),
        (3 * MINUTE + 20, "3 min"),
        (HOUR - 1, "59 min"),
        (HOUR, "1h"),
        (5 * HOUR + 12 * MINUTE, "5h 12m"),
        (12 * HOUR + 12 * MINUTE, "12h"),
        (DAY, "1d"),
        (4 * DAY + 2 * HOUR, "4d 2h"),
        (40 * DAY + 2 * HOUR, "40d"),
        (1e15, "9999d"),
        (None, "-"),
        (-1, "-"),
        (float("nan"), "-"),
        (float("inf"), "-"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units_if_the_second_matters(
    seconds: float | None, words: str
) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "0 bytes"),
        (1_023, "1023 bytes"),
        (512 << 10, "512 KB"),
        (1 << 20, "1 MB"),
        (3 << 19, "1.5 MB"),
        (64 << 20, "64 MB"),
        (9_999 << 20, "9999 MB"),
        (10_000 << 20, "9.7 GB"),
        (16 << 30, "16 GB"),
    ],
)
def test_an_amount_of_memory_is_told_as_operators_write_it(amount: int, words: str) -> None:
    assert bytes_in_words(amount) == words


def test_a_part_is_told_in_the_unit_of_the_whole() -> None:
    assert part(61 << 20, 64 << 20) == "61 of 64 MB"
    assert part(100 << 10, 64 << 20, "/") == "0/64 MB"
    assert part(300 << 20, 16 << 30) == "0.2 of 16 GB"
    assert part(5, 0) == "-"


def test_a_share_is_told_in_percent() -> None:
    assert (percent(61, 64), percent(64, 64), percent(1, 0)) == ("95%", "100%", "-")
    assert (percent(-5, 64), percent(1 << 80, 64)) == ("0%", "999%")


@pytest.mark.parametrize(
    ("number", "width", "words"),
    [
        (0, 5, "0"),
        (3_120, 5, "3,120"),
        (100_212, 7, "100,212"),
        (12_345, 5, "12.3k"),
        (123_456, 5, "123k"),
        (1_234_567, 7, "1.2M"),
        (1_204, 4, "1.2k"),
        (1_234_567_890, 32, "1,234,567,890"),
        (10**30, 7, ">1Z"),
        (-1, 5, "-"),
    ],
)
def test_a_number_has_commas_or_is_rounded_down_where_those_are_too_wide(
    number: int, width: int, words: str
) -> None:
    assert count(number, width) == words


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (None, "-"),
        (0, "+0ms"),
        (-99, "-99ms"),
        (120, "+0.1s"),
        (-1_300, "-1.3s"),
        (12_345, "+12s"),
        (7_200_000, "+2h"),
        (-(1 << 70), "-999h"),
    ],
)
def test_a_clock_is_told_by_how_far_it_is_ahead(ms: int | None, words: str) -> None:
    assert clock(ms) == words


@given(st.one_of(st.integers(), st.floats()), st.integers())
def test_no_figure_is_wider_than_its_column(seconds: float, number: int) -> None:
    assert len(duration(seconds)) <= 6
    assert len(clock(number)) <= 5
    assert len(percent(number, 1 + abs(number) // 3)) <= 4
    assert len(count(number, 5)) <= 5


def test_names_are_listed_as_in_a_sentence() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d"], most=3) == "a, b and 2 others"


def test_a_text_is_made_one_line_without_what_a_terminal_obeys() -> None:
    assert plain("a\r\n\t b\x1b[2Jc") == "a b?[2Jc"


def test_a_text_that_is_too_long_loses_its_end() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcd.."
    assert shortened("abcdefg", 1) == "."


def test_names_are_cut_so_that_they_still_differ() -> None:
    assert shortened_names(["10.1.1.1:11211", "b"], 14) == ["10.1.1.1:11211", "b"]
    assert shortened_names(["2001:db8::1:7", "2001:db8::1:8"], 8) == ["200..1:7", "200..1:8"]
    assert shortened_names(["store-1.example:1", "store-2.example:1"], 9) == ["store-1..", "store-2.."]
    assert shortened_names(["aaaaaaaaa1bb", "aaaaaaaaa2bb"], 6) == ["..a1bb", "..a2bb"]
    assert shortened_names(["aaaaaaaa1aaaaaaaa", "aaaaaaaa2aaaaaaaa"], 6) == ["aa..aa"] * 2


@given(st.lists(st.text(max_size=40), max_size=4), st.integers(0, 30))
def test_no_name_is_longer_than_it_may_be(names: list[str], width: int) -> None:
    assert all(len(name) <= width for name in shortened_names(names, width))


def test_a_wrapped_text_stands_under_its_mark() -> None:
    assert wrapped("one two three", 9, "! ", "  ") == ["! one two", "  three"]
    assert wrapped("", 9, "! ", "  ") == []
    assert wrapped("abcdefghijk", 6, "! ", "  ") == ["! abcd", "  efgh", "  ijk"]
