"""A retrieval shows a value with its flags and cas unique, and with its key if that is asked for."""

from __future__ import annotations

import pytest

from memrep.engine.operations import NOT_FOUND
from memrep.protocol.memcached.binary import packet as opcodes
from memrep.protocol.memcached.binary.packet import STATUS, error, response
from memrep.protocol.memcached.limits import deadline
from tests.fuzz.grammar import packet
from tests.harness.engine_fixture import Rig, rig_later
from tests.unit.protocol.memcached.text.test_commands import connection_to

FLAGS = (7).to_bytes(4, "big")
MISS = error(opcodes.GET, 0, STATUS[NOT_FOUND])


@pytest.mark.parametrize(
    ("opcode", "extras", "key"),
    [
        (opcodes.GET, b"", b""),
        (opcodes.GETK, b"", b"a"),
        (opcodes.GAT, bytes(4), b""),
        (opcodes.GATK, bytes(4), b"a"),
    ],
)
def test_a_value_is_shown_with_its_flags_and_its_key_if_that_is_asked_for(
    opcode: int, extras: bytes, key: bytes
) -> None:
    rig = Rig().holding(b"x", flags=7)
    told = connection_to(rig.engine).receive(packet(opcode, b"a", b"", extras, opaque=3))
    assert told == response(opcode, 3, extras=FLAGS, key=key, value=b"x", cas=rig.unique(b"a"))


@pytest.mark.parametrize(("opcode", "answer"), [(opcodes.GET, MISS), (0x09, b"")])
def test_a_miss_is_told_by_a_loud_one_only(opcode: int, answer: bytes) -> None:
    assert connection_to(Rig().engine).receive(packet(opcode, b"a")) == answer


@pytest.mark.parametrize("opcode", [opcodes.GAT, opcodes.GATK])
def test_a_gat_lets_the_value_end_anew(opcode: int) -> None:
    rig = Rig().holding(b"x")
    connection_to(rig.engine).receive(packet(opcode, b"a", b"", (60).to_bytes(4, "big")))
    assert rig.entry(b"a").expires == deadline(rig.clock, 60)


def test_a_value_that_is_being_written_is_shown_when_that_is_done() -> None:
    rig = rig_later(a=b"old")
    writer, reader = connection_to(rig.engine), connection_to(rig.engine)
    writer.receive(b"set a 0 0 1\r\nx\r\n")
    assert reader.receive(packet(opcodes.GET, b"a")) == b""
    rig.later.succeed()
    assert reader.resume() == response(opcodes.GET, 0, extras=bytes(4), value=b"x", cas=rig.unique(b"a"))
