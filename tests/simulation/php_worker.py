"""PHP's memcache extension on one session, in virtual time: lock, read, count, write everywhere.

As the real one does it with `memcache.session_redundancy` = the number of nodes: it asks the nodes in an order
of its own ("take the lock" in one segment, "or add it, and read" in the next) until one answers all three,
spins on a held lock, then sends session and release to every node, each over its own connection and at its own
moment, and hangs up. A node that closes before it has said anything is passed over; but one that has granted
the lock and then does not show the session makes PHP begin an empty one, so that must not happen.

Whatever happens, no visit that was counted may be lost: nobody reads a count below one that was acknowledged
before, and the counter ends between the visits that were answered and those that may have been.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from memrep.node.node import Node
from memrep.protocol.connection import Connection

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

DATA = b"session"

#: The lock's timeout, s.
_TIMEOUT_S = 3

#: pecl gives up on a node after this, ms.
_PATIENCE_MS = 1_000.0

_SPIN_MS = (5.0, 10.0, 20.0, 40.0, 80.0)


class Worker(Protocol):
    """A PHP worker with one session handler or the other.

    Attributes:
        number: tells it from others, and is part of its address.
        counted: visits whose write was acknowledged by some node.
        uncertain: visits that may have been written.
        data: the session's key.
    """

    number: int
    world: World
    counted: int
    uncertain: int
    data: bytes

    @property
    def idle(self) -> bool:
        """Whether no request is under way that may yet wait for long."""
        ...

    def go(self) -> None:
        """Begin a request, and after each the next one."""

    def heard(self, talk: Talk) -> None:
        """A reply has come, or a part of one."""

    def lost(self, talk: Talk) -> None:
        """A node has hung up."""


class Talk:
    """One connection of a request, at this kind of port (protocol/negotiation.py)."""

    def __init__(self, visitor: Worker, host: Host, port: str = "") -> None:
        self.host = host
        self.reply = b""
        self.visitor = visitor
        assert host.node is not None
        self.connection = host.node.clients.connect(f"10.1.0.{visitor.number}", port)
        host.clients[self.connection] = self
        self._last = visitor.world.now

    def say(self, data: bytes, after: float = 0.0) -> None:
        """Send a segment; segments keep their order."""
        world, host = self.visitor.world, self.host

        def receive(node: Node) -> None:
            if self.connection in host.clients and not self.connection.closing:
                host.reply(self.connection, node.clients.receive(self.connection, data))

        self._last = max(self._last, world.now + after + world.delay())
        act = partial(host.turn, receive, self.connection)
        world.later(self._last - world.now, partial(world.ways.arrive, host.number, act))

    def answered(self, connection: Connection, data: bytes) -> None:
        """A reply has come."""
        self.reply += data
        self.visitor.heard(self)

    def closed(self, connection: Connection) -> None:
        """The node has hung up."""
        self.visitor.lost(self)

    def hang_up(self) -> None:
        """This end has done."""
        self.visitor.world.ways.arrive(self.host.number, self._hang_up)

    def _hang_up(self) -> None:
        if self.host.clients.pop(self.connection, None) is not None and self.host.node is not None:
            self.host.turn(lambda node: node.clients.disconnect(self.connection))


class Visitor:
    """One PHP worker: one request after another.

    See `Worker`.
    """

    data = DATA
    idle = True  # pecl is done within a second
    redundancy = 0  # all nodes

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.counted = 0
        self.uncertain = 0
        self._order: list[Host] = []
        self._asks: Talk | None = None
        self._owner: Talk | None = None
        self._writes: list[Talk] = []
        self._spins = 0
        self._request = 0
        self._stored = False
        self._seen = 0

    def go(self) -> None:
        """Begin a request."""
        world = self.world
        if world.quiet:
            return
        self._order = list(world.hosts.values())
        world.rng.shuffle(self._order)
        self._spins = 0
        self._seen = sum(visitor.counted for visitor in world.visitors)
        self._next()

    def _next(self) -> None:
        """Ask the next node that accepts connections."""
        world = self.world
        self._request += 1
        while self._order:
            host = self._order.pop(0)
            if host.node is not None and host.node.open and not (host.leaving or host.is_dark):
                self._asks = Talk(self, host)
                self._ask()
                return
        world.later(1 + world.rng.random() * 10, self.go)

    def _ask(self) -> None:
        talk, world = self._asks, self.world
        assert talk is not None
        talk.reply = b""
        talk.say(b"incr %b.lock 1\r\n" % self.data)
        talk.say(
            b"add %b.lock 768 %d 1\r\n1\r\nget %b\r\n" % (self.data, _TIMEOUT_S, self.data),
            world.rng.choice([0.0, 0.2]),
        )
        world.later(_PATIENCE_MS, partial(self._give_up, self._request))

    def _give_up(self, request: int) -> None:
        if request != self._request:
            return
        if self._asks is not None:
            self.lost(self._asks)
        elif self._owner is not None:
            self._finish()

    def heard(self, talk: Talk) -> None:
        """A reply has come, or a part of one."""
        if talk is self._asks:
            if talk.reply.endswith(b"END\r\n"):
                self._read(talk)
        elif talk in self._writes and talk.reply.count(b"STORED\r\n") == 2:
            self._stored = True
            self._acknowledged()
            self.world.note(f"visitor {self.number} has written to node {talk.host.number}")
            self._writes.remove(talk)
            if not self._writes:
                self._finish()

    def _acknowledged(self) -> None:
        """Some node has taken the write."""

    def lost(self, talk: Talk) -> None:
        """A node has hung up, or is given up."""
        talk.hang_up()
        if talk is self._asks:
            self._asks = None
            told = talk.reply.startswith(b"1\r\n") or b"\r\nSTORED" in talk.reply
            assert not told, "PHP was granted the lock and not shown the session"
            self._next()
        elif talk in self._writes:
            self._writes.remove(talk)
            if not self._writes:
                self._finish()

    def _read(self, talk: Talk) -> None:
        taken, added, *value = talk.reply.split(b"\r\n")
        if taken == b"1" or added == b"STORED":
            self._asks = None
            self._owner = talk
            assert value[0].startswith(b"VALUE"), "PHP was granted the lock and sent on to the next node"
            self.world.note(
                f"visitor {self.number} has the lock at node {talk.host.number}, reads {value[1]!r}"
            )
            self._write(self._next_value(value[1]))
            return
        self._request += 1
        wait = _SPIN_MS[min(self._spins, len(_SPIN_MS) - 1)]
        self._spins += 1
        self.world.later(wait, partial(self._ask_again, self._request))

    def _next_value(self, found: bytes) -> bytes:
        """What it makes of the session that it has found."""
        count = int(found or 0)
        assert count >= self._seen, f"the session shows {count} visits, {self._seen} were acknowledged before"
        return b"%d" % (count + 1)

    def _ask_again(self, request: int) -> None:
        if request != self._request:
            return
        if self.world.quiet and self._asks is not None:
            self._asks.hang_up()
            self._asks = None
        if self._asks is not None:
            self._ask()

    def _write(self, value: bytes) -> None:
        world, owner = self.world, self._owner
        assert owner is not None
        self._request += 1
        self.uncertain += 1
        self._stored = False
        hosts = [host for host in world.hosts.values() if host.node and host.node.open and not host.leaving]
        hosts = [host for host in hosts if host is owner.host or not host.is_dark]  # with that it is connected
        hosts.sort(key=lambda host: host is not owner.host)
        self._writes = [
            owner if host is owner.host else Talk(self, host) for host in hosts[: self.redundancy or None]
        ]
        for talk in list(self._writes):
            talk.reply = b""
            after = world.rng.random() * world.rng.choice([0.1, 1.0, 1.0, 30.0])
            talk.say(b"set %b 0 1440 %d\r\n%b\r\n" % (self.data, len(value), value), after)
            talk.say(b"set %b.lock 768 %d 1\r\n0\r\n" % (self.data, _TIMEOUT_S), after)
        world.later(_PATIENCE_MS, partial(self._give_up, self._request))
        if not self._writes:
            self._finish()

    def _finish(self) -> None:
        """The request is over; PHP closes all its connections."""
        self.world.note(f"visitor {self.number} is done, {'' if self._stored else 'not '}acknowledged")
        self._request += 1
        if self._stored:
            self.counted += 1
            self.uncertain -= 1
        if self._owner is not None:
            self._owner.hang_up()
        for talk in self._writes:
            talk.hang_up()
        self._owner = None
        self._writes = []
        self.world.later(self.world.rng.random() * 10, self.go)
