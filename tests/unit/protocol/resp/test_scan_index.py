"""The index of a scan gives each key once, page by page, from whatever place on, whoever has made it."""

from __future__ import annotations

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.resp.scan_index import Index
from tests.harness.lone_node import WALL

KEYS = st.sets(st.binary(max_size=6), max_size=60)


def _index(keys: set[bytes], began: int = WALL, size: int | None = None) -> Index:
    index = Index(began, len(keys) if size is None else size)
    for key in keys:
        index.add(key)
    return index


@given(KEYS, st.integers(1, 20))
def test_page_by_page_the_index_gives_each_key_once(keys: set[bytes], count: int) -> None:
    index = _index(keys)
    found: list[bytes] = []
    cursor = 0
    while True:
        following, page = index.page(cursor, count)
        found += page
        if not following:
            break
        assert following > cursor
        cursor = following
    assert sorted(found) == sorted(keys)


@given(KEYS, KEYS, KEYS, st.integers(1, 20), st.integers(0, 5_000_000))
def test_a_key_that_is_there_all_the_while_is_told_though_each_page_is_another_nodes(
    keys: set[bytes], one: set[bytes], other: set[bytes], count: int, size: int
) -> None:
    """Which may have made its index for another number of keys."""
    found: list[bytes] = []
    cursor, turn = 0, 0
    while cursor or not turn:
        sizes = (None, size)
        cursor, page = _index(keys | (one, other)[turn % 2], size=sizes[turn % 2]).page(cursor, count)
        found += page
        turn += 1
    assert keys <= set(found)


def test_keys_of_the_same_place_stand_on_the_same_page() -> None:
    """A cursor is a place: it could not say behind which of them to go on."""
    same = {b"plumless", b"buckeroo"}
    assert len({crc32(key) for key in same}) == 1
    assert set(_index(same).page(0, 1)[1]) == same


def test_a_page_has_about_as_many_keys_as_were_asked_for() -> None:
    cursor, page = _index({b"%d" % number for number in range(10_000)}).page(0, 10)
    assert cursor
    assert 10 <= len(page) <= 12


def test_an_index_that_may_be_older_than_a_scan_does_not_serve_it() -> None:
    cursor, _ = _index({b"%d" % number for number in range(100)}).page(0, 10)
    assert _index(set()).serves(cursor)
    assert not _index(set(), WALL - 1).serves(cursor)
    assert not _index(set(), WALL + 1_000).serves(cursor)
    assert _index(set(), WALL + 60_000).serves(cursor)


def test_a_cursor_is_a_positive_number_for_whoever_takes_it_for_signed() -> None:
    later = WALL + 10 * 365 * 86_400_000
    cursor, _ = _index({b"%d" % number for number in range(100)}, later).page(0, 10)
    assert 0 < cursor < 1 << 63
