"""A header whose lengths do not fit its command ends the connection before its body has come; no other does."""

from __future__ import annotations

from itertools import product

import pytest

from memrep.protocol.memcached.binary import packet
from memrep.protocol.memcached.binary.packet import HEADER, UNKNOWN, error
from memrep.protocol.memcached.binary.shapes import BODY_MAX, SHAPES, Shape
from memrep.protocol.users import Users
from tests.harness.lone_node import lone_node

#: protocol-binary.txt, "Commands": the lengths of the extras, whether there must be a key, and may be a value.
DEMANDS = {
    "GET GETK DELETE": ((0,), True, False),
    "SET ADD REPLACE": ((8,), True, True),
    "APPEND PREPEND": ((0,), True, True),
    "INCR DECR": ((20,), True, False),
    "TOUCH GAT GATK": ((4,), True, True),
    "QUIT NOOP VERSION SASL_LIST": ((0,), False, False),
    "FLUSH": ((0, 4), False, False),
    "STAT": ((0,), None, True),
    "SASL_AUTH SASL_STEP": ((0,), True, True),
}


def _closes(opcode: int, extras: int, key: int, value: int) -> bool:
    """Whether a header with these lengths ends the connection, of whose body nothing comes."""
    users = Users({b"u": b"p"}) if opcode in (packet.SASL_LIST, packet.SASL_AUTH, packet.SASL_STEP) else None
    client = lone_node(users=users).connect()
    body = extras + key + value
    client.receive(HEADER.pack(packet.REQUEST, opcode, key, extras, 0, 0, body, 0, 0))
    return client.closing


@pytest.mark.parametrize("names", DEMANDS)
def test_what_a_command_demands_is_what_the_protocol_says(names: str) -> None:
    extras, key, value = DEMANDS[names]
    for name in names.split():
        shape = SHAPES[getattr(packet, name)]
        for sizes in product(range(30), (0, 1, 250), (0, 1, 1 << 20)):
            right = sizes[0] in extras and (bool(sizes[1]) == key or key is None)
            assert shape.fits(*sizes) == (right and (value or not sizes[2])), sizes


def test_every_command_is_told_of() -> None:
    assert {getattr(packet, name) for names in DEMANDS for name in names.split()} == SHAPES.keys()


@pytest.mark.parametrize("opcode", sorted(SHAPES.keys() - {packet.QUIT}))
def test_a_connection_ends_by_a_header_if_and_only_if_its_lengths_do_not_fit(opcode: int) -> None:
    for sizes in product((0, 4, 5, 8, 20), (0, 1, 250), (0, 1)):
        assert _closes(opcode, *sizes) != SHAPES[opcode].fits(*sizes), sizes


def test_a_body_that_is_no_value_has_its_bound() -> None:
    assert not _closes(packet.STAT, 0, 0, BODY_MAX)
    assert _closes(packet.STAT, 0, 0, BODY_MAX + 1)
    assert not _closes(packet.SET, 8, 1, BODY_MAX + 1)


UNSHAPED = [opcode for opcode in range(256) if packet.QUIET.get(opcode, opcode) not in SHAPES]


@pytest.mark.parametrize("opcode", UNSHAPED)
def test_an_opcode_without_a_shape_is_unknown_and_its_body_is_passed_over(opcode: int) -> None:
    client = lone_node().connect()
    unknown = HEADER.pack(packet.REQUEST, opcode, 1, 0, 0, 0, 30, 7, 0) + bytes(30)
    assert client.receive(unknown * 2) == error(opcode, 7, UNKNOWN) * 2


def test_a_shape_that_says_nothing_is_a_key_and_no_more() -> None:
    assert [sizes for sizes in product((0, 4), (0, 1), (0, 1)) if Shape().fits(*sizes)] == [(0, 1, 0)]
