"""A value is stored as its opcode says; with a cas unique in its header only over what its client has seen."""

from __future__ import annotations

import pytest

from memrep.engine.operations import EXISTS, NOT_FOUND, NOT_STORED
from memrep.protocol.memcached.binary import packet as opcodes
from memrep.protocol.memcached.binary.packet import HEADER, STATUS
from memrep.protocol.memcached.limits import deadline
from tests.fuzz.grammar import packet
from tests.harness.engine_fixture import Rig
from tests.unit.protocol.memcached.text.test_commands import connection_to

#: Flags 7, no exptime.
FLAGS = (7).to_bytes(4, "big") + bytes(4)

STORES = [opcodes.SET, opcodes.ADD, opcodes.REPLACE]
EXTENDS = [opcodes.APPEND, opcodes.PREPEND]


def _said(opcode: int, key: bytes, cas: int = 0) -> bytes:
    return packet(opcode, key, b"new", FLAGS if opcode in STORES else b"", cas=cas)


def _status(reply: bytes) -> int:
    return int(HEADER.unpack_from(reply)[5])


@pytest.mark.parametrize(
    ("opcode", "on_a_value", "on_none"),
    [
        (opcodes.SET, b"new", b"new"),
        (opcodes.ADD, EXISTS, b"new"),
        (opcodes.REPLACE, b"new", NOT_FOUND),
        (opcodes.APPEND, b"oldnew", NOT_STORED),
        (opcodes.PREPEND, b"newold", NOT_STORED),
    ],
)
def test_an_opcode_makes_of_what_is_there_what_its_name_says(
    opcode: int, on_a_value: object, on_none: object
) -> None:
    rig = Rig().holding(b"old")
    client = connection_to(rig.engine)
    for key, before, outcome in ((b"a", b"old", on_a_value), (b"b", None, on_none)):
        status = _status(client.receive(_said(opcode, key)))
        if isinstance(outcome, bytes):
            assert (status, rig.value(key)) == (0, outcome)
        else:
            assert (status, rig.value(key)) == (STATUS[outcome], before)  # type: ignore[index]


@pytest.mark.parametrize("opcode", STORES + EXTENDS)
def test_with_a_cas_unique_a_value_is_stored_only_over_what_its_client_has_seen(opcode: int) -> None:
    rig = Rig().holding(b"old")
    client = connection_to(rig.engine)
    unique = rig.unique(b"a")
    assert _status(client.receive(_said(opcode, b"a", unique + 1))) == STATUS[EXISTS]
    assert rig.value(b"a") == b"old"
    reply = client.receive(_said(opcode, b"a", unique))
    assert _status(reply) == 0
    assert rig.value(b"a") != b"old"
    assert HEADER.unpack_from(reply)[8] == rig.unique(b"a") > unique


@pytest.mark.parametrize("opcode", STORES)
def test_a_value_is_stored_with_the_flags_and_the_end_in_the_extras(opcode: int) -> None:
    rig = Rig()
    if opcode != opcodes.ADD:
        rig.holding(b"old")
    connection_to(rig.engine).receive(packet(opcode, b"a", b"new", FLAGS[:4] + (60).to_bytes(4, "big")))
    assert (rig.entry(b"a").flags, rig.entry(b"a").expires) == (7, deadline(rig.clock, 60))


@pytest.mark.parametrize("opcode", EXTENDS)
def test_what_grows_beyond_the_limit_is_not_stored(opcode: int) -> None:
    rig = Rig(item_max=2_000).holding(b"x" * 1_500)
    told = connection_to(rig.engine).receive(packet(opcode, b"a", b"y" * 1_500))
    assert _status(told) != 0
    assert rig.value(b"a") == b"x" * 1_500
