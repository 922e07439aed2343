"""Patterns fit what Redis' own matcher says, and none of them takes time without bounds."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memrep.protocol.resp.glob import key_matcher, matcher

PATTERN = st.lists(
    st.sampled_from([b"*", b"?", b"[", b"]", b"^", b"-", b"\\", b"a", b"b", b"c", b"\n"]), max_size=9
)
NAME = st.lists(st.sampled_from([b"a", b"b", b"c", b"]", b"-", b"^", b"\\", b"*", b"\n"]), max_size=6)


def _fits(pattern: bytes, name: bytes) -> bool:
    """What Redis 7.0's util.c says, in few words and much time."""
    return (bool(name) or not pattern) and _fits_on(pattern, name)


def _fits_on(pattern: bytes, name: bytes) -> bool:
    if not pattern:
        return not name
    head, rest = pattern[:1], pattern[1:]
    if head == b"*":
        return any(_fits_on(rest, name[at:]) for at in range(len(name) + 1))
    if not name:
        return False
    if head == b"?":
        return _fits_on(rest, name[1:])
    if head == b"[":
        fits, rest = _class(rest, name[0])
        return fits and _fits_on(rest, name[1:])
    if head == b"\\" and rest:
        head, rest = rest[:1], rest[1:]
    return head == name[:1] and _fits_on(rest, name[1:])


def _class(pattern: bytes, byte: int) -> tuple[bool, bytes]:
    inverted = pattern[:1] == b"^"
    pattern = pattern[inverted:]
    found = False
    while pattern and pattern[:1] != b"]":
        if pattern[:1] == b"\\" and len(pattern) > 1:
            found |= pattern[1] == byte
            pattern = pattern[2:]
        elif len(pattern) > 2 and pattern[1:2] == b"-":
            low, high = sorted((pattern[0], pattern[2]))
            found |= low <= byte <= high
            pattern = pattern[3:]
        else:
            found |= pattern[0] == byte
            pattern = pattern[1:]
    return found != inverted, pattern[1:]


@settings(max_examples=1_000)
@given(PATTERN.map(b"".join), NAME.map(b"".join))
@example(b"[a-]", b"b")
@example(b"[^]a", b"ba")
@example(b"*a*b", b"aab")
@example(b"a\\", b"a\\")
def test_a_name_fits_as_redis_own_matcher_says(pattern: bytes, name: bytes) -> None:
    assert bool(matcher(pattern)(name)) == _fits(pattern, name)


def test_a_lone_star_is_all_keys_the_empty_one_too() -> None:
    assert key_matcher(b"*")(b"")
    assert not key_matcher(b"**")(b"")
    assert not matcher(b"*")(b"")


@given(st.binary(max_size=10), st.binary(min_size=1, max_size=10), st.binary(max_size=10))
def test_what_stands_behind_backslashes_stands_for_itself(before: bytes, name: bytes, behind: bytes) -> None:
    quoted = b"".join(b"\\" + name[at : at + 1] for at in range(len(name)))
    assert matcher(quoted)(name)
    assert matcher(b"*" + quoted + b"*")(before + name + behind)
    assert not matcher(quoted)(name + b"x")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (b"*a" * 200 + b"b", b"a" * 2_000),
        (b"*a*" * 100 + b"[^a]", b"a" * 2_000),
        (b"*?" * 200 + b"b", b"a" * 2_000),
        (b"*[ab]" * 200 + b"c", b"ab" * 1_000),
        (b"*" * 1_000 + b"b", b"a" * 2_000),
        (b"*" + b"ab" * 50 + b"c*d", b"ab" * 1_000),
    ],
)
def test_no_pattern_takes_time_without_bounds(pattern: bytes, name: bytes) -> None:
    """Tried naively each of them takes longer than anybody lives."""
    fits = matcher(pattern)
    start = process_time()
    for _ in range(10):
        assert not fits(name)
    assert process_time() - start < 1
