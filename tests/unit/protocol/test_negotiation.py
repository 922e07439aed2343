"""A client's first byte tells for good which protocol it speaks, in whatever pieces it comes."""

from __future__ import annotations

import pytest

from memrep.engine.engine import Engine
from memrep.protocol.client_policy import ClientCommands, ClientPolicy
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext
from memrep.protocol.memcached.binary.packet import (
    AUTH_ERROR,
    GET,
    NOOP,
    RESPONSE,
    SASL_AUTH,
    SET,
    VERSION,
    error,
    response,
)
from memrep.protocol.negotiation import connect
from memrep.protocol.users import Users
from tests.fuzz.grammar import packet
from tests.harness.engine_fixture import Rig


class Given(ClientPolicy):
    """Gives each client the commands of another engine."""

    def __init__(self, engine: Engine, given: Engine) -> None:
        super().__init__(engine)
        self._given = given

    def commands(self, connection: Connection) -> ClientCommands:
        return self._given


def _client(users: Users | None = None, rig: Rig | None = None, commands: Rig | None = None) -> Connection:
    """A client of this engine that is given the commands of that one."""
    rig = rig or Rig()
    context = ServerContext(
        version=b"1",
        reports={},
        reset=lambda: None,
        set_verbosity=lambda level: None,
        shutdown=None,
        users=users,
    )
    return connect(Given(rig.engine, (commands or rig).engine), context, lambda connection: None)


TEXT = (b"version\r\n", b"VERSION 1\r\n")
BINARY = (packet(VERSION, opaque=7), response(VERSION, 7, value=b"1"))


def test_of_all_first_bytes_one_begins_a_packet_and_all_others_a_line() -> None:
    rest = packet(NOOP)[1:]  # the opcode of noop is LF, which ends a line
    for first in range(256):
        answer = _client().receive(bytes([first]) + rest)
        assert answer.startswith(response(NOOP, 0) if first == 0x80 else b"ERROR\r\n")


@pytest.mark.parametrize(("said", "answer"), [TEXT, BINARY])
def test_the_first_byte_may_come_alone_and_so_may_all_others(said: bytes, answer: bytes) -> None:
    client = _client()
    assert b"".join(client.receive(said[place : place + 1]) for place in range(len(said))) == answer


@pytest.mark.parametrize(("said", "answer"), [TEXT, BINARY])
def test_who_has_said_nothing_has_not_chosen(said: bytes, answer: bytes) -> None:
    client = _client()
    assert client.receive(b"") == b""
    assert client.resume() == b""
    assert client.receive(said) == answer


@pytest.mark.parametrize(("said", "answer"), [TEXT, BINARY])
def test_what_comes_in_one_piece_with_the_first_command_is_executed_too(said: bytes, answer: bytes) -> None:
    assert _client().receive(said * 3) == answer * 3


def test_who_has_begun_with_a_line_is_answered_in_lines() -> None:
    client = _client()
    client.receive(TEXT[0])
    assert client.receive(packet(NOOP)) == b"ERROR\r\n"
    assert not client.closing


def test_who_has_begun_with_a_packet_has_said_its_last_with_a_line() -> None:
    client = _client()
    client.receive(BINARY[0])
    assert client.receive(b"get a key that is longer than a header\r\n") == b""
    assert client.closing


@pytest.mark.parametrize("said", [b"set a 0 0 1\r\nx\r\n", packet(SET, b"a", b"x", bytes(8))])
def test_both_protocols_call_the_commands_that_the_client_was_given(said: bytes) -> None:
    rig, commands = Rig(), Rig()
    _client(rig=rig, commands=commands).receive(said)
    assert (rig.value(b"a"), commands.value(b"a")) == (None, b"x")


def test_with_users_a_client_of_lines_says_its_password_before_anything_else() -> None:
    client = _client(Users({b"user": b"secret"}))
    assert client.receive(b"version\r\n") == b"CLIENT_ERROR unauthenticated\r\n"
    assert client.receive(b"set x 0 0 11\r\nuser secret\r\nversion\r\n") == b"STORED\r\nVERSION 1\r\n"


def test_with_users_a_client_of_packets_says_its_password_in_one() -> None:
    users = Users({b"user": b"secret"})
    refused = _client(users)
    assert refused.receive(packet(GET, b"a")) == error(GET, 0, AUTH_ERROR)
    assert refused.closing
    client = _client(users)
    assert client.receive(packet(SASL_AUTH, b"PLAIN", b"\0user\0secret"))[0] == RESPONSE
    assert client.receive(packet(NOOP)) == response(NOOP, 0)
