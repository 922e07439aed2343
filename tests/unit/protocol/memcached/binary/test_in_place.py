"""What brings no value changes what is there, under the condition that the header names, if it names one."""

from __future__ import annotations

import pytest

from memrep.engine.operations import NOT_FOUND
from memrep.protocol.memcached.binary import packet as opcodes
from memrep.protocol.memcached.binary.packet import AUTH_ERROR, HEADER_BYTES, STATUS, error, response
from memrep.protocol.memcached.limits import deadline
from memrep.storage.entry import NEVER
from tests.fuzz.grammar import packet
from tests.harness.engine_fixture import Rig
from tests.harness.lone_node import lone_node
from tests.unit.protocol.memcached.text.test_commands import connection_to

COUNT = (5).to_bytes(8, "big") + bytes(12)


@pytest.mark.parametrize(("opcode", "left"), [(opcodes.INCR, b"75"), (opcodes.DECR, b"65")])
def test_a_number_is_changed_by_what_the_extras_say_or_made(opcode: int, left: bytes) -> None:
    rig = Rig().holding(b"70")
    client = connection_to(rig.engine)
    numbers = (5).to_bytes(8, "big") + (9).to_bytes(8, "big")
    client.receive(packet(opcode, b"a", b"", numbers + bytes(4)))
    client.receive(packet(opcode, b"b", b"", numbers + bytes(4)))
    client.receive(packet(opcode, b"c", b"", numbers + b"\xff" * 4))
    assert [rig.value(key) for key in (b"a", b"b", b"c")] == [left, b"9", None]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (packet(opcodes.DELETE, b"a", cas=1), None),
        (packet(opcodes.INCR, b"a", b"", COUNT, cas=1), b"75"),
        (packet(opcodes.DECR, b"a", b"", COUNT, cas=1), b"65"),
    ],
)
def test_with_a_cas_unique_a_command_changes_only_what_its_client_has_seen(
    said: bytes, left: bytes | None
) -> None:
    rig = Rig().holding(b"70")
    client = connection_to(rig.engine)
    refused = client.receive(said)
    assert (refused[7], rig.value(b"a")) == (0x02, b"70")
    unique = rig.unique(b"a").to_bytes(8, "big")
    assert client.receive(said[: HEADER_BYTES - 8] + unique + said[HEADER_BYTES:])[7] == 0
    assert rig.value(b"a") == left


def test_a_touch_moves_the_end_and_shows_the_flags() -> None:
    rig = Rig().holding(b"x", flags=7)
    client = connection_to(rig.engine)
    told = client.receive(packet(opcodes.TOUCH, b"a", b"", (60).to_bytes(4, "big")))
    assert told == response(opcodes.TOUCH, 0, extras=(7).to_bytes(4, "big"), cas=rig.unique(b"a"))
    assert rig.entry(b"a").expires == deadline(rig.clock, 60) != NEVER
    none = client.receive(packet(opcodes.TOUCH, b"b", b"", bytes(4)))
    assert none == error(opcodes.TOUCH, 0, STATUS[NOT_FOUND])


def test_a_flush_that_is_not_allowed_is_counted_refused_and_not_done() -> None:
    lone = lone_node(flush_all=False)
    client = lone.connect()
    client.receive(packet(opcodes.SET, b"a", b"x", bytes(8)))
    assert client.receive(packet(opcodes.FLUSH)) == error(opcodes.FLUSH, 0, AUTH_ERROR)
    assert client.receive(packet(opcodes.GET, b"a")).endswith(b"x")
    assert lone.node.counters.cmd_flush == 1


def test_a_flush_ends_all_and_one_with_a_delay_not_yet() -> None:
    rig = Rig().holding(b"x")
    client = connection_to(rig.engine)
    client.receive(packet(opcodes.FLUSH, b"", b"", (10).to_bytes(4, "big")))
    assert rig.value(b"a") == b"x"
    assert client.receive(packet(opcodes.FLUSH)) == response(opcodes.FLUSH, 0)
    assert rig.value(b"a") is None
