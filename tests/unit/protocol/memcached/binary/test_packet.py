"""A packet tells its own lengths; its numbers are those of memcached, as a second notation of them has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.memcached.binary import packet
from memrep.protocol.memcached.binary.packet import HEADER, HEADER_BYTES, QUIET, STATUS, TEXTS, error, response
from memrep.protocol.memcached.binary.shapes import SHAPES
from tests.conformance.packet import OPCODES, STATUSES, reply

u8, u16, u32, u64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64))
some = st.binary(max_size=40)


@given(u8, u32, u16, some, some, some, u64)
def test_a_response_can_be_taken_apart_by_its_header(
    opcode: int, opaque: int, status: int, extras: bytes, key: bytes, value: bytes, cas: int
) -> None:
    made = response(opcode, opaque, status=status, extras=extras, key=key, value=value, cas=cas)
    magic, *told = HEADER.unpack(made[:HEADER_BYTES])
    body = made[HEADER_BYTES:]
    assert magic == 0x81
    assert told == [opcode, len(key), len(extras), 0, status, len(body), opaque, cas]
    assert body == extras + key + value


@given(u8, u32, st.sampled_from(sorted(TEXTS)))
def test_an_error_says_in_words_what_its_status_says(opcode: int, opaque: int, status: int) -> None:
    assert error(opcode, opaque, status) == response(opcode, opaque, status=status, value=TEXTS[status])


@pytest.mark.parametrize("name", [name for name, (_, text) in STATUSES.items() if text])
def test_every_error_is_spelled_as_by_memcached(name: str) -> None:
    assert (error(packet.GET, 7, STATUSES[name][0]),) == reply(f"get status={name} opaque=7")


def test_every_status_that_a_command_may_end_with_has_its_words() -> None:
    own = {packet.AUTH_ERROR, packet.UNKNOWN, packet.INVALID}
    assert {*STATUS.values(), *own} == TEXTS.keys()
    assert len({*STATUS.values(), *own}) == len(STATUS) + len(own)


@pytest.mark.parametrize("name", OPCODES)
def test_an_opcode_and_its_quiet_sibling_are_those_of_memcached(name: str) -> None:
    opcode = OPCODES[name]
    assert QUIET.get(opcode) == (OPCODES[name[:-1]] if name.endswith("q") else None)
    if opcode not in QUIET and name != "verbosity":
        assert getattr(packet, name.upper()) == opcode
        assert opcode in SHAPES


def test_who_is_quiet_has_one_loud_sibling_that_nobody_shares() -> None:
    assert len(set(QUIET.values())) == len(QUIET)
    assert not QUIET.keys() & QUIET.values()
