"""Nodes with links on loopback, in this process, for the tests of what keeps the links."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import trio

from memrep.addresses import Address
from memrep.daemon.listener import Listener
from memrep.daemon.peers import Peers
from memrep.daemon.reactor import Reactor
from memrep.daemon.time_slice import Slice
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell, Start
from memrep.protocol.connection import Connection
from memrep.replication.membership.timing import Timing
from memrep.storage.entry import NEVER
from tests.harness.hosted import serve
from tests.harness.lone_node import WALL
from tests.real.processes import HOST, NODE_LINK_OFFSET, PortLease

#: Nobody lives there (RFC 5737).
ELSEWHERE = [Address("192.0.2.1", 11211), Address("192.0.2.2", 11211)]


class House:
    """One node without clients, and its links; its port is its own, whatever the list of nodes says."""

    def __init__(self, nodes: list[Address], me: int, port: int, *, strict: bool = False, secret: bytes = b""):
        self.said: list[str] = []
        self.enough: Callable[[], bool] = lambda: False
        self.over = trio.Event()
        options = NodeOptions(
            nodes=[str(node) for node in nodes],
            me=me,
            timing=Timing(fence=NEVER, silence=60_000),  # this machine may be busy
            strict=strict,
            secrets=(secret,) if secret else (),
        )
        now = time.monotonic_ns() // 1_000_000
        start = Start(inc=me, now=now, wall=WALL)
        self.node = Node(options, start, Shell(random_bytes=bytes, log=self._note))
        self._listener = Listener(socket.AF_INET, (HOST, port))
        self._listener.listen()
        self.reactor = Reactor(self.node, self, Slice(3_600_000))
        self.peers = Peers(self.node, self.reactor, nodes, [self._listener], [], self._note)

    def unread(self, connection: Connection) -> bool:
        return False

    def fence(self) -> None: ...

    def distrust(self, error: Exception) -> None:
        raise error

    def _note(self, line: str) -> None:
        self.said.append(line)

    def end_turn(self) -> None:
        for target, data in self.node.end_turn():
            if isinstance(target, int):
                self.peers.send(target, data)
        self.peers.close_superseded()
        if self.enough():
            self.over.set()

    @property
    def members(self) -> list[int]:
        return sorted(self.node.replica.state.view.members)

    async def live(self) -> None:
        """All that a daemon does for its links."""
        self.peers.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, self.reactor)
            for dialler in self.peers.diallers.values():
                nursery.start_soon(dialler.where.keep)
                nursery.start_soon(dialler.keep)
            while True:
                self.reactor.turn(self.node.tick)
                self.peers.tick(time.monotonic())
                await trio.sleep(0.05)

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait for a turn after which this is so."""
        self.enough, self.over = enough, trio.Event()
        with trio.fail_after(30):
            await self.over.wait()

    def close(self) -> None:
        self.peers.give_up()
        self._listener.close()
        self.reactor.close()


class Street:
    """Free ports for nodes, and the houses that have been built there."""

    def __init__(self) -> None:
        self._lease = PortLease(2, offsets=(0, NODE_LINK_OFFSET))
        self.nodes = [Address(HOST, port) for port in sorted(self._lease.ports)]
        self._houses: list[House] = []

    def build(
        self, me: int, nodes: list[Address] | None = None, *, strict: bool = False, secret: bytes = b""
    ) -> House:
        port = self.nodes[me - 1].link_port
        self._houses.append(House(nodes or self.nodes, me, port, strict=strict, secret=secret))
        return self._houses[-1]

    async def knock(self) -> trio.SocketStream:
        """A stranger comes to the first house."""
        return await trio.open_tcp_stream(HOST, self.nodes[0].link_port)

    def close(self) -> None:
        for house in self._houses:
            house.close()
        self._lease.close()
