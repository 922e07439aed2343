"""A reply repeats its request's opcode and opaque; a quiet request is told only what it does not expect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.engine.operations import (
    DELETED,
    EXISTS,
    NO_MEMORY,
    NOT_A_NUMBER,
    NOT_FOUND,
    NOT_STORED,
    STORED,
    TOO_LARGE,
    Outcome,
    Result,
)
from memrep.protocol.memcached.binary import packet
from memrep.protocol.memcached.binary.packet import HEADER, HEADER_BYTES
from memrep.protocol.memcached.binary.request import Request
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import make
from tests.conformance.packet import OPCODES, reply


def _request(name: str, key: bytes = b"a") -> Request:
    opcode = OPCODES[name]
    base = packet.QUIET.get(opcode, opcode)
    return Request(opcode, base, opcode != base, 7, 0, key)


def _entry(value: bytes, flags: int = 0) -> Entry:
    return Entry(make(1, 99), value, flags, NEVER)


SUCCESSES: list[tuple[str, Callable[[Request, Result], bytes], Result, str]] = [
    ("set", Request.stored, _entry(b"x"), "set cas=99"),
    ("append", Request.stored, STORED, "append cas=0"),
    ("incr", Request.counted, _entry(b"5"), "incr value=5 cas=99"),
    ("decr", Request.counted, _entry(b"9  "), "decr value=9 cas=99"),
    ("incr", Request.counted, b"18446744073709551615", "incr value=18446744073709551615 cas=0"),
    ("delete", Request.removed, DELETED, "delete"),
]


@pytest.mark.parametrize(("name", "spell", "result", "expected"), SUCCESSES)
def test_a_success_is_told_unless_it_is_expected(
    name: str, spell: Callable[[Request, Result], bytes], result: Result, expected: str
) -> None:
    assert (spell(_request(name), result),) == reply(f"{expected} opaque=7")
    assert spell(_request(f"{name}q"), result) == b""


SHOWN = [
    ("get", "flags=3 value=x"),
    ("getq", "flags=3 value=x"),
    ("getk", "flags=3 key=a value=x"),
    ("getkq", "flags=3 key=a value=x"),
    ("gat", "flags=3 value=x"),
    ("gatkq", "flags=3 key=a value=x"),
]


@pytest.mark.parametrize(("name", "expected"), SHOWN)
def test_a_value_is_shown_to_quiet_ones_too_and_its_key_to_who_asks(name: str, expected: str) -> None:
    found = _entry(b"x", flags=3)
    assert (_request(name).shown(found),) == reply(f"{name} {expected} cas=99 opaque=7")


def test_an_empty_value_is_a_hit() -> None:
    assert (_request("getq").shown(_entry(b"")),) == reply("getq cas=99 opaque=7")


def test_a_miss_is_told_in_words_or_by_the_key_or_to_a_quiet_one_by_silence() -> None:
    for name in ("get", "gat"):
        assert (_request(name).shown(None),) == reply(f"{name} status=not_found opaque=7")
    for name in ("getk", "gatk"):
        assert (_request(name).shown(None),) == reply(f"{name} status=not_found key=a value= opaque=7")
    for name in ("getq", "getkq", "gatq", "gatkq"):
        assert _request(name).shown(None) == b""


def test_a_touch_shows_the_flags_and_nothing_else() -> None:
    assert (_request("touch").touched(_entry(b"x", flags=3)),) == reply("touch flags=3 cas=99 opaque=7")
    assert (_request("touch").touched(NOT_FOUND),) == reply("touch status=not_found opaque=7")


@pytest.mark.parametrize("quiet", ["", "q"])
@pytest.mark.parametrize(
    ("name", "spell", "outcome", "status"),
    [
        ("set", Request.stored, TOO_LARGE, "too_large"),
        ("set", Request.stored, NO_MEMORY, "out_of_memory"),
        ("set", Request.stored, EXISTS, "exists"),
        ("set", Request.stored, NOT_FOUND, "not_found"),
        ("add", Request.stored, NOT_STORED, "exists"),
        ("replace", Request.stored, NOT_STORED, "not_found"),
        ("append", Request.stored, NOT_STORED, "not_stored"),
        ("prepend", Request.stored, NOT_STORED, "not_stored"),
        ("incr", Request.counted, NOT_A_NUMBER, "non_numeric"),
        ("decr", Request.counted, NOT_FOUND, "not_found"),
        ("delete", Request.removed, NOT_FOUND, "not_found"),
        ("delete", Request.removed, EXISTS, "exists"),
    ],
)
def test_a_failure_is_told_with_its_reason_however_quiet_the_request(
    quiet: str, name: str, spell: Callable[[Request, Result], bytes], outcome: Outcome, status: str
) -> None:
    expected = reply(f"{name}{quiet} status={status} opaque=7")
    assert (spell(_request(name + quiet), outcome),) == expected


@given(st.sampled_from(sorted(OPCODES)), st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1))
def test_whatever_is_replied_bears_the_opcode_and_the_opaque_that_were_sent(
    name: str, opaque: int, cas: int
) -> None:
    opcode = OPCODES[name]
    request = Request(opcode, packet.QUIET.get(opcode, opcode), opcode in packet.QUIET, opaque, cas, b"a")
    for told in (
        request.done(),
        request.fails(packet.INVALID),
        request.stored(NOT_STORED),
        request.shown(None),
        request.shown(_entry(b"x")),
    ):
        if told:
            _, repeated, _, _, _, _, length, back, _ = HEADER.unpack_from(told)
            assert (repeated, back, length) == (opcode, opaque, len(told) - HEADER_BYTES)
