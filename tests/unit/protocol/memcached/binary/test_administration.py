"""What a program asks of a server it is answered, at once and to the end."""

from __future__ import annotations

import pytest

from memrep.engine.operations import NOT_FOUND
from memrep.protocol.memcached.binary import packet as opcodes
from memrep.protocol.memcached.binary.packet import HEADER, HEADER_BYTES, STATUS, error, response
from memrep.protocol.memcached.kinds import SLOWNESS
from memrep.protocol.replies import OUTPUT_MAX
from tests.fuzz.grammar import packet
from tests.harness.engine_fixture import Rig
from tests.harness.lone_node import lone_node
from tests.unit.protocol.memcached.text.test_commands import connection_to


def _lines(told: bytes) -> list[tuple[bytes, bytes]]:
    """Name and value of each packet."""
    found = []
    while told:
        _, _, keys, _, _, status, length, _, _ = HEADER.unpack_from(told)
        assert status == 0
        body = told[HEADER_BYTES : HEADER_BYTES + length]
        found.append((body[:keys], body[keys:]))
        told = told[HEADER_BYTES + length :]
    return found


def test_a_noop_and_a_version_are_answered_and_a_quit_ends_the_connection() -> None:
    client = connection_to(Rig().engine)
    assert client.receive(packet(opcodes.NOOP, opaque=3)) == response(opcodes.NOOP, 3)
    assert client.receive(packet(opcodes.VERSION)) == response(opcodes.VERSION, 0, value=b"1")
    assert client.receive(packet(opcodes.QUIT) + packet(opcodes.NOOP)) == response(opcodes.QUIT, 0)
    assert client.closing


def test_a_quiet_quit_says_nothing() -> None:
    client = connection_to(Rig().engine)
    assert client.receive(packet(0x17)) == b""
    assert client.closing


def test_statistics_are_a_packet_each_and_an_empty_one_behind_them() -> None:
    lines = _lines(lone_node().connect().receive(packet(opcodes.STAT)))
    assert dict(lines)[b"curr_items"] == b"0"
    assert lines.index((b"", b"")) == len(lines) - 1 > 20


def test_a_reset_begins_them_anew() -> None:
    client = lone_node().connect()
    client.receive(packet(opcodes.GET, b"a"))
    assert dict(_lines(client.receive(packet(opcodes.STAT))))[b"cmd_get"] == b"1"
    assert client.receive(packet(opcodes.STAT, b"reset")) == response(opcodes.STAT, 0)
    assert dict(_lines(client.receive(packet(opcodes.STAT))))[b"cmd_get"] == b"0"


@pytest.mark.parametrize("group", [b"nonsense", b"detail", b"detail nonsense"])
def test_a_group_that_there_is_not_is_not_found(group: bytes) -> None:
    told = lone_node().connect().receive(packet(opcodes.STAT, group))
    assert told == error(opcodes.STAT, 0, STATUS[NOT_FOUND])


def test_prefixes_are_counted_from_on_to_off_and_dumped_in_one_packet() -> None:
    client = lone_node().connect()
    for said in (b"detail on", b"detail off"):
        assert client.receive(packet(opcodes.STAT, said)) == response(opcodes.STAT, 0)
        client.receive(packet(opcodes.SET, b"p:a", b"x", bytes(8)))
    (name, dump), end = _lines(client.receive(packet(opcodes.STAT, b"detail dump")))
    assert (name, end) == (b"detailed", (b"", b""))
    assert dump.startswith(b"PREFIX p get 0 hit 0 set 1 del 0")


def test_statistics_asked_for_without_end_are_made_bit_by_bit() -> None:
    lone = lone_node()
    connection = lone.node.clients.connect()
    one = len(lone.connect().receive(packet(opcodes.STAT)))
    told = lone.node.clients.receive(connection, packet(opcodes.STAT) * 5_000)
    assert connection.blocked
    assert len(told) * SLOWNESS < OUTPUT_MAX + 2 * SLOWNESS * one
