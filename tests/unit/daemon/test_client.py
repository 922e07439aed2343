"""One client on loopback: its replies arrive whole and in order, and what befalls it costs no other."""

from __future__ import annotations

import socket

import pytest

from memrep.protocol.connection import Connection
from tests.unit.daemon.house import open_house


async def test_replies_that_no_socket_takes_at_once_arrive_whole_and_in_order() -> None:
    values = {b"%d" % number: b"%d" % number * 300_000 for number in range(8)}
    async with open_house() as house:
        house.open()
        house.takes_little_at_once()
        guest = await house.connect()
        guest.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        for key, value in values.items():
            assert await guest.ask(b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value)) == b"STORED\r\n"
        asked = b"".join(b"get %b\r\n" % key for key in values) + b"mn\r\n"
        whole = b"".join(b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (k, len(v), v) for k, v in values.items())
        assert await guest.ask(asked, b"MN\r\n") == whole + b"MN\r\n"
        assert b"".join([await guest.ask(b"get %b\r\n" % key, b"END\r\n") for key in values]) == whole


async def test_who_says_all_at_once_and_sends_no_more_is_answered_before_the_end() -> None:
    async with open_house() as house:
        house.open()
        guest = await house.connect()
        await guest.stream.send_all(b"set a 0 0 1\r\n1\r\nget a\r\n")
        await guest.stream.send_eof()
        assert await guest.hear(b"END\r\n") == b"STORED\r\nVALUE a 0 1\r\n1\r\nEND\r\n"
        assert await guest.hears_the_end()
        assert len(house.clients) == 0


def _stumbles(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let a command fail that is named so."""
    receive = Connection.receive

    def stumble(connection: Connection, data: bytes) -> bytes:
        if data.startswith(b"stumble"):
            raise error
        return receive(connection, data)

    monkeypatch.setattr(Connection, "receive", stumble)


async def test_a_mistake_of_our_own_costs_the_client_that_has_met_it_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _stumbles(monkeypatch, ZeroDivisionError())
    async with open_house() as house:
        house.open()
        one, other = await house.connect(), await house.connect()
        await one.stream.send_all(b"stumble\r\n")
        assert await one.hears_the_end()
        assert await other.ask(b"mn\r\n") == b"MN\r\n"
        assert any("a fault in memrep: ZeroDivisionError()" in line for line in house.said)


async def test_memory_that_runs_out_within_a_command_costs_that_client_and_makes_the_node_doubtful(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _stumbles(monkeypatch, MemoryError())
    async with open_house() as house:
        house.open()
        one, other = await house.connect(), await house.connect()
        await one.stream.send_all(b"stumble\r\n")
        assert await one.hears_the_end()
        assert await other.ask(b"mn\r\n") == b"MN\r\n"
        assert [type(error) for error in house.distrusted] == [MemoryError]
        house.distrusted.clear()


async def test_a_client_that_does_not_read_its_replies_is_read_no_further_until_it_does() -> None:
    async with open_house() as house:
        house.open()
        house.takes_little_at_once()
        guest = await house.connect()
        guest.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        assert await guest.ask(b"set a 0 0 1000000\r\n%b\r\n" % bytes(1_000_000)) == b"STORED\r\n"
        await guest.stream.send_all(b"get a\r\n")
        other = await house.connect()
        while "conn_mwrite" not in dict(house.clients.describe()).values():
            await other.ask(b"mn\r\n")
        await guest.stream.send_all(b"set b 0 0 1\r\n1\r\n")
        for _ in range(20):
            assert await other.ask(b"get b\r\n", b"END\r\n") == b"END\r\n"
        assert (await guest.hear(b"STORED\r\n")).endswith(b"END\r\nSTORED\r\n")
        assert (await other.ask(b"get b\r\n", b"END\r\n")).startswith(b"VALUE b")
