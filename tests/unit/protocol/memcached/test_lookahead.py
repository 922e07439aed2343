"""What is read ahead is what will be executed: the same in both protocols, whole commands only, known ones."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.command import OTHER, Said
from memrep.protocol.memcached.binary import packet as opcodes
from memrep.protocol.memcached.lookahead import lines, packets
from tests.fuzz.grammar import HEADER, packet

OPCODES = {
    b"get": opcodes.GET,
    b"set": opcodes.SET,
    b"add": opcodes.ADD,
    b"incr": opcodes.INCR,
    b"delete": opcodes.DELETE,
}
QUIETLY = {loud: quiet for quiet, loud in opcodes.QUIET.items()}

keys = st.binary(min_size=1, max_size=8).filter(lambda key: not set(key) & set(b" \r\n"))
stored = st.builds(
    Said,
    st.sampled_from([b"set", b"add"]),
    keys,
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=1),
    st.booleans(),
)
counted = st.builds(
    lambda key, delta, quiet: Said(b"incr", key, value=b"%d" % delta, quiet=quiet),
    keys,
    st.integers(0, (1 << 64) - 1),
    st.booleans(),
)
named = st.builds(
    lambda verb, key, quiet: Said(verb, key, quiet=quiet),
    st.sampled_from([b"get", b"delete"]),
    keys,
    st.booleans(),
)
talk = st.lists(st.one_of(stored, counted, named), max_size=8)


def _line(said: Said) -> bytes:
    if said.verb in (b"set", b"add"):
        head = (said.verb, said.key, said.flags, len(said.value), said.value)
        return b"%b %b %d 15 %d\r\n%b\r\n" % head
    return b" ".join(filter(None, (said.verb, said.key, said.value))) + b"\r\n"


def _packet(said: Said) -> bytes:
    opcode = OPCODES[said.verb]
    if said.quiet:
        opcode = QUIETLY[opcode]
    if said.verb in (b"set", b"add"):
        return packet(opcode, said.key, said.value, said.flags.to_bytes(4, "big") + bytes(4))
    if said.verb == b"incr":
        return packet(opcode, said.key, b"", int(said.value).to_bytes(8, "big") + bytes(12))
    return packet(opcode, said.key)


def _whole(parts: list[bytes], size: int) -> int:
    """How many of these have come whole when so many bytes have."""
    ends = [sum(map(len, parts[: number + 1])) for number in range(len(parts))]
    return sum(end <= size for end in ends)


@given(talk, st.integers(0, 500), st.binary(max_size=5))
def test_of_lines_those_that_have_come_whole_are_read(said: list[Said], size: int, before: bytes) -> None:
    loud = [Said(one.verb, one.key, one.flags, one.value) for one in said]  # no line of PHP's is quiet
    parts = [_line(one) for one in loud]
    data = before + b"".join(parts)[:size]
    assert list(lines(data, len(before))) == loud[: _whole(parts, size)]


@given(talk, st.integers(0, 500), st.binary(max_size=5))
def test_of_packets_those_that_have_come_whole_are_read(said: list[Said], size: int, before: bytes) -> None:
    parts = [_packet(one) for one in said]
    data = before + b"".join(parts)[:size]
    assert list(packets(data, len(before))) == said[: _whole(parts, size)]


@pytest.mark.parametrize(
    "line",
    [
        b"version",
        b"",
        b"gets a",
        b"get a b",
        b"get",
        b"delete a 0",
        b"delete a noreply",
        b"incr a",
        b"incr a 1 noreply",
        b"set a 0 0 1 noreply",
        b"set a 0 0 x",
        b"set a 0 0 -1",
        b"set a 0 0 2",
        b"add a x 0 1",
        b"replace a 0 0 1",
        b" get a",
        b"get  a b",
    ],
)
def test_a_line_that_is_none_of_phps_is_some_other_command_and_the_last_that_is_read(line: bytes) -> None:
    """Nor is its data block waited for."""
    assert list(lines(b"get a\r\n" + line + b"\r\n", 0)) == [Said(b"get", b"a"), OTHER]
    assert list(lines(line + b"\r\nget a\r\n", 0)) == [OTHER]


@pytest.mark.parametrize(
    "said",
    [
        packet(opcodes.NOOP),
        packet(opcodes.GAT, b"a", b"", bytes(4)),
        packet(opcodes.DECR, b"a", b"", bytes(20)),
        packet(opcodes.SET, b"a", b"1", bytes(8), cas=1),
        packet(opcodes.DELETE, b"a", cas=1),
        packet(0x50, b"a"),
        HEADER.pack(0x81, opcodes.GET, 1, 0, 0, 0, 1, 0, 0) + b"a",
        HEADER.pack(0x80, opcodes.GET, 4, 0, 0, 0, 1, 0, 0) + b"a",
        HEADER.pack(0x80, opcodes.SET, 1, 8, 0, 0, (1 << 20) + 1, 0, 0),
    ],
)
def test_a_packet_that_is_none_of_phps_is_some_other_command_and_the_last_that_is_read(said: bytes) -> None:
    get = packet(opcodes.GETK, b"a")
    assert list(packets(get + said, 0)) == [Said(b"get", b"a"), OTHER]
    assert list(packets(said + get, 0)) == [OTHER]


def test_a_session_in_a_packet_is_read_when_it_has_come_and_waited_for_until_then() -> None:
    data = packet(QUIETLY[opcodes.SET], b"a", bytes(100_000), bytes(8))
    assert list(packets(data[:-1], 0)) == []
    assert list(packets(data, 0)) == [Said(b"set", b"a", 0, bytes(100_000), quiet=True)]


@given(st.lists(st.one_of(st.binary(max_size=40), st.one_of(stored, named).map(_line)), max_size=6))
def test_no_lines_are_too_odd_and_nothing_is_read_behind_some_other_command(parts: list[bytes]) -> None:
    read = list(lines(b"".join(parts), 0))
    assert all(before is not OTHER for before, _ in pairwise(read))


@given(st.lists(st.one_of(st.binary(max_size=40), st.one_of(stored, counted).map(_packet)), max_size=6))
def test_no_packets_are_too_odd_either(parts: list[bytes]) -> None:
    read = list(packets(b"".join(parts), 0))
    assert all(before is not OTHER for before, _ in pairwise(read))
