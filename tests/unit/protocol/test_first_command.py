"""The first command of a piece of input is known by its first bytes; what is none is not shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.first_command import HEAD_BYTES, first_command
from memrep.protocol.memcached.binary.packet import HEADER, INCR, REQUEST, SET


@pytest.mark.parametrize(
    ("data", "name", "key"),
    [
        (b"get a\r\n", "get", b"a"),
        (b"gets a b\r\n", "gets", b"a"),
        (b"set a 0 0 5\r\nvalue\r\nget b\r\n", "set", b"a"),
        (b"incr sid.lock 1\r\nadd sid.lock 768 15 1\r\n1\r\n", "incr", b"sid.lock"),
        (b"gat 10 a\r\n", "gat", b"a"),
        (b"gats 10 a b\r\n", "gats", b"a"),
        (b"ms a 5 T0\r\nvalue\r\n", "ms", b"a"),
        (b"flush_all\r\n", "flush_all", b""),
        (b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "get", b"a"),
        (b"*5\r\n$3\r\nset\r\n$6\r\nsid_LK\r\n$1\r\n1\r\n", "set", b"sid_LK"),
        (b"*1\r\n$4\r\nPING\r\n", "ping", b""),
    ],
)
def test_a_command_is_known_in_each_protocol(data: bytes, name: str, key: bytes) -> None:
    assert first_command(data) == (name, key)
    assert first_command(data[:HEAD_BYTES]) == (name, key)


def _packet(opcode: int, extras: bytes, key: bytes, value: bytes) -> bytes:
    body = extras + key + value
    return HEADER.pack(REQUEST, opcode, len(key), len(extras), 0, 0, len(body), 0, 0) + body


@pytest.mark.parametrize(
    ("packet", "name"),
    [
        (_packet(SET, bytes(8), b"a" * 250, b"v" * 5_000), "set"),
        (_packet(0x11, bytes(8), b"a" * 250, b"v"), "set"),  # SETQ
        (_packet(INCR, bytes(20), b"a" * 250, b""), "incr"),
    ],
)
def test_a_packet_of_the_binary_protocol_is_known_by_its_beginning(packet: bytes, name: str) -> None:
    assert first_command(packet[:HEAD_BYTES]) == (name, b"a" * 250)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"user|i:42;get", b"getting on", b"secret set a", b"*2\r\n$9999\r\n", b"\x80",
        bytes([0x80, 0x99] * 12),
    ],
)  # fmt: skip
def test_what_is_no_command_is_not_shown(data: bytes) -> None:
    assert first_command(data) == ("", b"")


@given(st.binary(max_size=HEAD_BYTES))
def test_any_input_has_an_answer(data: bytes) -> None:
    name, key = first_command(data)
    assert name or not key
