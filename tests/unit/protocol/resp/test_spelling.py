"""Whatever is told can be read back, and an error is one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.resp.spelling import SPELLINGS, array, bulk, bulks, error, integer, simple
from tests.unit.protocol.resp.test_dialect import one_told


@given(st.lists(st.binary(max_size=20)))
def test_strings_of_any_bytes_can_be_read_back(values: list[bytes]) -> None:
    assert one_told(bulks(values)) == values


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_numbers_can_be_read_back(number: int) -> None:
    assert one_told(array([integer(number), simple(b"OK"), bulk(b"")])) == [number, b"+OK", b""]


@given(st.binary(max_size=40))
def test_an_error_is_one_line_whatever_a_client_has_put_into_it(text: bytes) -> None:
    line = error(text)
    assert line.startswith(b"-") and line.endswith(b"\r\n")
    assert not set(line[1:-2]) & set(b"\r\n")


@pytest.mark.parametrize("version", [2, 3])
def test_a_spelling_knows_its_version_and_spells_a_value_like_any_other(version: int) -> None:
    say = SPELLINGS[version]
    assert say.version == version
    assert say.value(b"x") == bulk(b"x")
    assert say.value(None) == say.nil


def test_what_the_older_version_has_no_type_for_is_a_list_or_a_string_there() -> None:
    older, newer = SPELLINGS[2], SPELLINGS[3]
    pairs = [(b"a", integer(1)), (b"b", bulk(b"x"))]
    assert one_told(older.mapping(pairs)) == [b"a", 1, b"b", b"x"]
    assert newer.mapping(pairs) == b"%2\r\n" + older.mapping(pairs).removeprefix(b"*4\r\n")
    assert one_told(older.text(b"for people")) == b"for people"
    assert newer.text(b"for people") == b"=14\r\ntxt:for people\r\n"
    assert newer.push([bulk(b"x")]) == b">" + older.push([bulk(b"x")])[1:]
    assert one_told(older.nil) is one_told(older.nil_array) is None
