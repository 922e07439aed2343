"""Where a data block ends is told as soon as it is known, and more bytes never make it untrue."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memrep.protocol.memcached.text.data_block import end_of_block

blocks = st.lists(st.sampled_from([b"\r", b"\n", b"x", b"\0"]), max_size=8).map(b"".join)


@pytest.mark.parametrize(
    ("data", "after"),
    [
        (b"abc\r\n", 5),
        (b"abc\r\nget a", 5),
        (b"abc\n", 4),
        (b"abc\nget a", 4),
        (b"abcd\r\n", 0),
        (b"abcde", 0),
        (b"abc\rx", 0),
        (b"abcx\n", 0),
        (b"abc\r\r\n", 0),
        (b"abc\r", -1),
        (b"abcd", -1),
        (b"abc", -1),
        (b"ab", -2),
        (b"", -4),
    ],
)
def test_a_block_of_three_bytes_ends_with_crlf_or_lf(data: bytes, after: int) -> None:
    assert end_of_block(data, 3) == after


@given(blocks, st.integers(0, 10), st.binary(max_size=4))
def test_what_is_known_stays_true_whatever_comes(data: bytes, end: int, more: bytes) -> None:
    after = end_of_block(data, end)
    if after >= 0:
        assert end_of_block(data + more, end) == after


@given(blocks, st.integers(0, 10), st.binary(min_size=12, max_size=12))
def test_with_fewer_bytes_than_are_missing_nothing_is_known_and_with_one_more_it_is(
    data: bytes, end: int, more: bytes
) -> None:
    missing = -end_of_block(data, end)
    assume(missing > 0)
    for count in range(missing):
        assert end_of_block(data + more[:count], end) == count - missing
    assert end_of_block(data + more[: missing + 1], end) >= 0


@given(st.binary(max_size=10), st.sampled_from([b"\r\n", b"\n"]), st.binary(max_size=5))
def test_a_block_may_hold_what_ends_it(block: bytes, ending: bytes, behind: bytes) -> None:
    assert end_of_block(block + ending + behind, len(block)) == len(block) + len(ending)
