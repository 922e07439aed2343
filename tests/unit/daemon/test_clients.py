"""Clients on loopback: who is let in, whose replies arrive whole, and that what befalls one costs no other."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from memrep.daemon.clients import Clients, spell
from memrep.daemon.listener import Listener
from memrep.daemon.reactor import Reactor
from memrep.daemon.time_slice import Slice
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell, Start
from memrep.protocol.connection import Connection
from memrep.replication.membership.timing import Timing
from memrep.storage.entry import NEVER
from tests.harness.lone_node import WALL
from tests.real.processes import HOST, PortLease


class House:
    """A node without peers, its clients' port, and the reactor that serves them."""

    def __init__(self, port: int, limit: int) -> None:
        self.port = port
        self.said: list[str] = []
        timing = Timing(fence=NEVER)  # this machine may be busy
        now = time.monotonic_ns() // 1_000_000
        start = Start(inc=1, now=now, wall=WALL)
        self.node = Node(NodeOptions(timing=timing), start, Shell(random_bytes=bytes))
        self._listener = Listener(socket.AF_INET, (HOST, port))
        self._guests: list[Guest] = []
        self.clients = Clients(self.node, [self._listener], limit, self.said.append, lambda: True)
        part = Slice(3_600_000)
        self.reactor = Reactor(self.node, self._end_turn, self.clients, pytest.fail, part)  # type: ignore[arg-type]
        self.clients.reactor = self.reactor

    def _end_turn(self) -> None:
        for target, data in self.node.end_turn():
            assert isinstance(target, Connection)
            self.clients.reply(target, data)
        self.clients.follow()

    def open(self) -> None:
        self.reactor.turn(self.node.tick)
        assert self.clients.listening

    def takes_little_at_once(self) -> None:
        """The sockets of all who come from now on have small buffers."""
        assert self._listener.sock is not None
        self._listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)

    async def connect(self) -> Guest:
        guest = Guest(await trio.open_tcp_stream(HOST, self.port))
        self._guests.append(guest)
        return guest

    async def refuses(self) -> bool:
        try:
            await self.connect()
        except OSError:
            return True
        return False

    def close(self) -> None:
        for guest in self._guests:
            guest.stream.socket.close()
        self.clients.give_up()
        self._listener.close()
        self.reactor.close()


class Guest:
    """A client."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream

    async def ask(self, data: bytes, end: bytes = b"\r\n") -> bytes:
        """Send this; what comes back, up to this end of it."""
        await self.stream.send_all(data)
        return await self.hear(end)

    async def hear(self, end: bytes) -> bytes:
        replies = b""
        while not replies.endswith(end):
            part = await self.stream.receive_some()
            assert part, replies
            replies += part
        return replies

    async def hears_the_end(self) -> bool:
        return await self.stream.receive_some() == b""


@asynccontextmanager
async def _house(limit: int = 10) -> AsyncIterator[House]:
    """A house whose port is shut yet."""
    lease = PortLease(1)
    house = House(lease.ports[0], limit)
    try:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(house.reactor.run)
                yield house
                nursery.cancel_scope.cancel()
    finally:
        house.close()
        lease.close()


async def test_the_port_refuses_until_the_node_serves_and_again_from_when_it_is_shut() -> None:
    async with _house() as house:
        assert await house.refuses()
        house.open()
        guest = await house.connect()
        assert await guest.ask(b"set a 0 0 1\r\n1\r\n") == b"STORED\r\n"
        house.reactor.turn(house.clients.shut)
        assert await house.refuses()
        assert await guest.ask(b"get a\r\n", b"END\r\n") == b"VALUE a 0 1\r\n1\r\nEND\r\n"


async def test_who_is_one_too_many_is_hung_up_on_without_a_word_until_another_goes() -> None:
    async with _house(limit=1) as house:
        house.open()
        first, second = await house.connect(), await house.connect()
        assert await first.ask(b"mn\r\n") == b"MN\r\n"
        assert await second.hears_the_end()
        assert len(house.clients) == house.node.counters.rejected_connections == 1
        await first.ask(b"mn\r\n")
        await first.stream.send_all(b"quit\r\n")
        assert await first.hears_the_end()
        third = await house.connect()
        assert await third.ask(b"mn\r\n") == b"MN\r\n"


async def test_replies_that_no_socket_takes_at_once_arrive_whole_and_in_order() -> None:
    values = {b"%d" % number: b"%d" % number * 300_000 for number in range(8)}
    async with _house() as house:
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
    async with _house() as house:
        house.open()
        guest = await house.connect()
        await guest.stream.send_all(b"set a 0 0 1\r\n1\r\nget a\r\n")
        await guest.stream.send_eof()
        assert await guest.hear(b"END\r\n") == b"STORED\r\nVALUE a 0 1\r\n1\r\nEND\r\n"
        assert await guest.hears_the_end()
        assert len(house.clients) == 0


async def test_a_mistake_of_our_own_costs_the_client_that_has_met_it_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receive = Connection.receive

    def stumble(connection: Connection, data: bytes) -> bytes:
        if data.startswith(b"stumble"):
            raise ZeroDivisionError
        return receive(connection, data)

    monkeypatch.setattr(Connection, "receive", stumble)
    async with _house() as house:
        house.open()
        one, other = await house.connect(), await house.connect()
        await one.stream.send_all(b"stumble\r\n")
        assert await one.hears_the_end()
        assert await other.ask(b"mn\r\n") == b"MN\r\n"
        assert any("a fault in memrep: ZeroDivisionError()" in line for line in house.said)


async def test_after_a_stop_who_waits_at_the_door_is_sent_away_and_who_is_in_stays() -> None:
    async with _house() as house:
        house.open()
        guest = await house.connect()
        await guest.ask(b"mn\r\n")
        house.clients.fence()
        assert await house.refuses()
        assert await guest.ask(b"mn\r\n") == b"MN\r\n"  # a turn in which this node serves
        assert not await house.refuses()


async def test_when_it_refuses_everybody_they_hear_an_end_and_may_come_again_when_it_serves() -> None:
    async with _house() as house:
        house.open()
        guests = [await house.connect() for _ in range(3)]
        for guest in guests:
            await guest.ask(b"mn\r\n")
        house.clients.refuse()
        assert len(house.clients) == 0
        for guest in guests:
            assert await guest.hears_the_end()
        house.open()
        assert not await house.refuses()


async def test_each_socket_is_described_as_memcached_does() -> None:
    async with _house() as house:
        house.open()
        guest = await house.connect()
        await guest.ask(b"mn\r\n")
        told = dict(house.clients.describe())
        assert f"tcp:{HOST}:{house.port}" in told.values()
        host, port = guest.stream.socket.getsockname()
        (number,) = {name.partition(":")[0] for name, value in told.items() if value == f"tcp:{host}:{port}"}
        assert told[f"{number}:listen_addr"] == f"tcp:{HOST}:{house.port}"
        assert {value for name, value in told.items() if name.endswith(":state")} == {
            "conn_listening",
            "conn_parse_cmd",
        }


@pytest.mark.parametrize(
    ("address", "spelled"),
    [
        (("10.0.0.1", 11211), "tcp:10.0.0.1:11211"),
        (("::1", 11211, 0, 0), "tcp6:[::1]:11211"),
        ("/run/memrep.sock", "unix:/run/memrep.sock"),
    ],
)
def test_addresses_are_spelled_as_memcached_spells_them(address: object, spelled: str) -> None:
    assert spell(address) == spelled
