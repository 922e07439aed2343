"""Each key is in one namespace, which its name tells, and no namespace's flush is a key of any."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memrep.storage.namespaces import (
    FLUSH_KEY,
    FLUSH_KEYS,
    FLUSHES,
    HOME,
    MARK,
    NAMESPACES_MAX,
    flush_key,
    flush_key_of,
    number_of,
    prefix,
)

NUMBERS = range(NAMESPACES_MAX)


@given(st.integers(1, NAMESPACES_MAX - 1), st.binary(max_size=10))
def test_a_key_belongs_to_the_namespace_of_its_prefix_whatever_follows(number: int, rest: bytes) -> None:
    assert number_of(prefix(number) + rest) == number
    assert flush_key_of(prefix(number) + rest) == flush_key(number)


@given(st.binary(max_size=10))
def test_all_other_keys_belong_to_the_first(rest: bytes) -> None:
    for key in (rest.removeprefix(MARK), HOME + rest, MARK + b"16 " + rest, MARK + b"01 " + rest):
        if not key.startswith(MARK) or key[1:3] in (b"0 ", b"16", b"01"):
            assert number_of(key) == 0
            assert flush_key_of(key) == flush_key(0)


def test_each_namespace_has_a_prefix_and_a_flush_of_its_own() -> None:
    assert len({prefix(number) for number in NUMBERS}) == NAMESPACES_MAX
    assert {flush_key(number): number for number in NUMBERS} == FLUSH_KEYS
    assert {*FLUSH_KEYS, FLUSH_KEY} == FLUSHES
    assert len(FLUSHES) == NAMESPACES_MAX + 1


def test_no_flush_is_like_a_key_of_a_namespace_nor_like_one_that_memcached_can_name() -> None:
    for flush in FLUSH_KEYS:
        assert len(flush) > 250
        assert not any(flush.startswith(prefix(number)) for number in NUMBERS if number)
        assert not flush.startswith(HOME)
