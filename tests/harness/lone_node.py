"""What many tests need: a lone node without I/O, and time that moves when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import ProcessInfo, Shell, Start
from memrep.protocol.connection import Connection
from memrep.replication.membership.timing import Timing
from memrep.storage.entry import NEVER

#: Some moment in 2026, wall-clock ms.
WALL = 1_790_000_000_000


class LoneConnection:
    """One client of a lone node."""

    def __init__(self, lone: LoneNode, port: str = "") -> None:
        self._lone = lone
        self._connection: Connection = lone.node.clients.connect(port=port)

    @property
    def closing(self) -> bool:
        """Whether the node wants to close it."""
        return self._connection.closing

    @property
    def connection(self) -> Connection:
        """The node's own end."""
        return self._connection

    def receive(self, data: bytes) -> bytes:
        """Send bytes; return everything the node answers to them."""
        node = self._lone.node
        self._lone.begin()
        replies = node.clients.receive(self._connection, data)
        connection = self._connection
        while connection.blocked and not (connection.closing or connection.waiting or connection.outside):
            replies += node.clients.resume(connection)
        self._lone.end()
        return replies + b"".join(data for _, data in self._lone.take())


class LoneNode:
    """A node without peers whose clock stands until it is moved.

    Attributes:
        wanted: the keys that it wants to be looked for in the old store.
    """

    def __init__(
        self, process: ProcessInfo | None = None, log: Callable[[str], None] = lambda line: None, **options: Any
    ) -> None:
        self.wanted: list[bytes] = []
        self._now = 1_000_000
        options.setdefault("timing", Timing(fence=NEVER))  # time may leap here
        self.node = Node(
            NodeOptions(**options),
            Start(inc=1, now=self._now, wall=WALL),
            Shell(random_bytes=bytes, log=log, process=process or ProcessInfo(), look_up=self.wanted.append),
        )
        self._late: list[tuple[Connection, bytes]] = []

    def connect(self, port: str = "") -> LoneConnection:
        """A new client, at this kind of port (protocol/negotiation.py)."""
        return LoneConnection(self, port)

    def begin(self) -> None:
        """Begin a turn at the present time."""
        self.node.turn(self._now, WALL + self._now - 1_000_000)

    def end(self) -> None:
        """End the turn; what clients are told late is kept until `take`."""
        for target, data in self.node.end_turn():
            assert isinstance(target, Connection), "there are no peers"
            self._late.append((target, data))

    def take(self) -> list[tuple[Connection, bytes]]:
        """What clients have been told late, since the last time."""
        late, self._late = self._late, []
        return late

    @property
    def wall(self) -> float:
        """The wall clock, seconds since 1970."""
        return (WALL + self._now - 1_000_000) / 1000

    def advance(self, seconds: float) -> None:
        """Let time pass, with a tick at the end."""
        self._now += round(seconds * 1000)
        self.begin()
        self.node.tick()
        self.end()


def lone_node(**options: Any) -> LoneNode:
    """A node without peers; `options` as in NodeOptions."""
    return LoneNode(**options)
