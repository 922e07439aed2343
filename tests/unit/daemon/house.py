"""A node with clients on loopback, in this process, for the tests of what serves them."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from memrep.daemon.client_ports import ClientPorts
from memrep.daemon.clients import Clients
from memrep.daemon.listener import Listener
from memrep.daemon.reactor import Reactor
from memrep.daemon.time_slice import Slice
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell, Start
from memrep.protocol.connection import Connection
from memrep.protocol.negotiation import REDIS
from memrep.replication.membership.timing import Timing
from memrep.storage.entry import NEVER
from tests.harness.hosted import serve
from tests.harness.lone_node import WALL
from tests.real.processes import HOST, PortLease

#: What a Redis Cluster's client is told instead of an answer.
DOWN: Final = b"-CLUSTERDOWN The cluster is down\r\n"


class House:
    """A node without peers, its clients and their ports, and the reactor that serves them.

    Attributes:
        port: the port of memcached's clients.
        redis_port: that of a Redis Cluster's.
    """

    def __init__(self, port: int, redis_port: int, limit: int) -> None:
        self.port = port
        self.redis_port = redis_port
        self.said: list[str] = []
        timing = Timing(fence=NEVER)  # this machine may be busy
        now = time.monotonic_ns() // 1_000_000
        start = Start(inc=1, now=now, wall=WALL)
        options = NodeOptions(timing=timing, redis_port=redis_port, redis_cluster=True)
        self.node = Node(options, start, Shell(random_bytes=bytes))
        self._listener = Listener(socket.AF_INET, (HOST, port))
        self._redis = Listener(socket.AF_INET, (HOST, redis_port))
        self._guests: list[Guest] = []
        self.distrusted: list[Exception] = []
        self.reactor = Reactor(self.node, self, Slice(3_600_000))
        self.clients = Clients(self.node, self.reactor, limit, self.said.append)
        listeners = {"": [self._listener], REDIS: [self._redis]}
        self.ports = ClientPorts(self.node, self.reactor, self.clients, listeners, None, self.said.append)

    def end_turn(self) -> None:
        for target, data in self.node.end_turn():
            assert isinstance(target, Connection)
            self.clients.answer(target, data)
        self.ports.follow()

    def unread(self, connection: Connection) -> bool:
        return self.clients.unread(connection)

    def fence(self) -> None:
        self.ports.fence()

    def distrust(self, error: Exception) -> None:
        self.distrusted.append(error)

    def open(self) -> None:
        self.reactor.turn(self.node.tick)
        assert self.ports.listening

    def takes_little_at_once(self) -> None:
        """The sockets of all who come from now on have small buffers."""
        for listener in (self._listener, self._redis):
            assert listener.sock is not None
            listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)

    async def connect(self, port: int | None = None) -> Guest:
        guest = Guest(await trio.open_tcp_stream(HOST, port or self.port))
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
        self.ports.close()
        self.clients.give_up()
        self._listener.close()
        self._redis.close()
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


async def hears(house: House, stream: trio.SocketStream) -> bytes:
    """All that a client is told before the end, while the house looks at the clock."""
    replies = b""
    while True:
        with trio.move_on_after(0.005):
            part = await stream.receive_some()
            if not part:
                return replies
            replies += part
        house.clients.tick()


def comes(port: int) -> trio.SocketStream:
    """A client that has come to this port; nobody has noticed it yet."""
    sock = socket.create_connection((HOST, port), timeout=5)
    sock.setblocking(False)
    return trio.SocketStream(trio.socket.from_stdlib_socket(sock))


@asynccontextmanager
async def open_house(limit: int = 10) -> AsyncIterator[House]:
    """A house that is served; its port is shut yet. A fault that no test has asked for fails it."""
    lease = PortLease(2)
    port, redis_port = lease.ports
    house = House(port, redis_port, limit)
    try:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve, house.reactor)
                yield house
                nursery.cancel_scope.cancel()
    finally:
        house.close()
        lease.close()
    assert house.distrusted == []
