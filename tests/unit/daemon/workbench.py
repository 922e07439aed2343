"""A reactor, and handlers that note when they are called; with real descriptors, and no clients.

Time is up when a handler says so. A busy machine that stops this process is not noticed, unless the test is
about stops.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from memrep.daemon.reactor import READ, Reactor
from memrep.daemon.time_slice import Slice
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell, Start
from memrep.protocol.connection import Connection
from memrep.replication.membership.timing import Timing
from memrep.storage.entry import NEVER
from tests.harness.lone_node import WALL


class Bench:
    """A reactor, and handlers that note when they are called."""

    def __init__(self, fence: int) -> None:
        self.part = Slice(Timing().fence)
        self.fenced = 0
        self.ended = 0
        now = time.monotonic_ns() // 1_000_000
        nodes = ["127.0.0.1:11211", "127.0.0.1:11212"]  # for one without peers has another fence
        options = NodeOptions(nodes=nodes, timing=Timing(fence=fence))
        self.node = Node(options, Start(inc=1, now=now, wall=WALL), Shell(random_bytes=bytes))
        self.faults: list[Exception] = []
        self.reactor = Reactor(self.node, self, self.part)
        self.called: list[str] = []
        self._sockets: list[socket.socket] = []

    def end_turn(self) -> None:
        self.ended += 1
        list(self.node.end_turn())

    def unread(self, connection: Connection) -> bool:
        return False

    def fence(self) -> None:
        self.fenced += 1

    def distrust(self, error: Exception) -> None:
        self.faults.append(error)

    def handler(
        self, name: str, *, greedy: bool, urgent: bool = False, again: int = 0, quiet: bool = False
    ) -> Handler:
        ours, theirs = socket.socketpair()
        self._sockets += [ours, theirs]
        handler = Handler(self, name, ours, greedy, again, quiet)
        self.reactor.register(ours.fileno(), handler, READ, urgent=urgent)
        if not again:
            theirs.send(b"x")  # which nobody reads: it is ready for ever
        return handler

    def run(self, enough: Callable[[], bool]) -> None:
        """Serve until this is so."""
        while not enough():
            self.reactor.serve(10)
        assert self.faults == []

    def close(self) -> None:
        self.reactor.close()
        for sock in self._sockets:
            sock.close()


class Handler:
    """Somebody whose socket is always ready; who is greedy uses up the slice, for who is quiet no turn ends."""

    def __init__(
        self, bench: Bench, name: str, sock: socket.socket, greedy: bool, again: int, quiet: bool
    ) -> None:
        self.fd = sock.fileno()
        self.again = again
        self._bench = bench
        self._name = name
        self._greedy = greedy
        self._quiet = quiet

    def ready(self, events: int) -> bool:
        self._bench.called.append(self._name)
        if self._greedy:
            self._bench.part.over = True
        if self.again:
            self.again -= 1
            self._bench.reactor.again(self.fd)
        return self._quiet


@contextmanager
def bench(fence: int = NEVER) -> Iterator[Bench]:
    """A reactor, of a node that takes itself for stopped after so many ms."""
    one = Bench(fence)
    try:
        yield one
    finally:
        one.close()
