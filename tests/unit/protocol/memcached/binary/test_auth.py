"""With users a client of packets logs in by one packet or two; without any a login is an unknown command."""

from __future__ import annotations

import pytest

from memrep.protocol.memcached.binary import packet as opcodes
from memrep.protocol.memcached.binary.packet import (
    AUTH_CONTINUE,
    AUTH_ERROR,
    INVALID,
    UNKNOWN,
    error,
    response,
)
from memrep.protocol.users import Users
from tests.fuzz.grammar import packet
from tests.harness.lone_node import LoneConnection, lone_node

RIGHT = b"\0user\0secret"
IN = b"Authenticated"


def _client() -> LoneConnection:
    return lone_node(users=Users({b"user": b"secret"})).connect()


def test_a_message_may_come_with_the_mechanism_or_in_a_step_behind_it() -> None:
    assert _client().receive(packet(opcodes.SASL_AUTH, b"PLAIN", RIGHT)) == response(
        opcodes.SASL_AUTH, 0, value=IN
    )
    client = _client()
    assert client.receive(packet(opcodes.SASL_AUTH, b"PLAIN")) == response(
        opcodes.SASL_AUTH, 0, status=AUTH_CONTINUE
    )
    step = packet(opcodes.SASL_STEP, b"PLAIN", RIGHT)
    assert client.receive(step) == response(opcodes.SASL_STEP, 0, value=IN)
    assert client.receive(packet(opcodes.NOOP)) == response(opcodes.NOOP, 0)


def test_who_fails_is_told_so_and_may_do_nothing() -> None:
    client = _client()
    wrong = packet(opcodes.SASL_AUTH, b"PLAIN", b"\0user\0wrong")
    assert client.receive(wrong) == error(opcodes.SASL_AUTH, 0, AUTH_ERROR)
    assert client.receive(packet(opcodes.NOOP)) == error(opcodes.NOOP, 0, AUTH_ERROR)
    assert client.closing


def test_who_asks_for_the_mechanisms_begins_anew() -> None:
    client = _client()
    client.receive(packet(opcodes.SASL_AUTH, b"PLAIN", RIGHT))
    assert client.receive(packet(opcodes.SASL_LIST)) == response(opcodes.SASL_LIST, 0, value=b"PLAIN")
    assert client.receive(packet(opcodes.NOOP)) == error(opcodes.NOOP, 0, AUTH_ERROR)


def test_a_name_that_no_mechanism_can_have_is_invalid() -> None:
    said = packet(opcodes.SASL_AUTH, b"M" * 33, RIGHT)
    assert _client().receive(said) == error(opcodes.SASL_AUTH, 0, INVALID)


@pytest.mark.parametrize(
    "said",
    [
        packet(opcodes.SASL_LIST),
        packet(opcodes.SASL_AUTH, b"PLAIN", RIGHT),
        packet(opcodes.SASL_STEP, b"PLAIN", RIGHT),
    ],
)
def test_without_users_there_is_no_login(said: bytes) -> None:
    client = lone_node().connect()
    assert client.receive(said) == error(said[1], 0, UNKNOWN)
    assert client.receive(packet(opcodes.NOOP)) == response(opcodes.NOOP, 0)
