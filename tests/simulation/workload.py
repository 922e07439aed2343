"""What simulated clients do: a command at a time, in some protocol, at some node; and what they write down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Protocol

import attrs

from memrep.node.node import Node
from memrep.protocol.connection import Connection
from memrep.protocol.negotiation import REDIS
from tests.simulation.codecs import STORING, TEXT, TONGUES, Tongue
from tests.simulation.host import Host
from tests.simulation.linearizability import Operation
from tests.simulation.plain_clients import Plain
from tests.simulation.plan import Broken
from tests.simulation.semantics import BEFORE, BEHIND, Sent, family, nth
from tests.simulation.world import World

CLIENT_TIMEOUT_MS = 1_000.0

#: The share of those who give a stopped node up whose FIN is lost, and when it is sent again, ms.
_FIN_LOST = 0.2
_FIN_AGAIN_MS = 200.0


class Part(Protocol):
    """What one exchange does to one key.

    Attributes:
        verb: what it does.
        key: to what.
        value: what it brings.
        end: when it was answered; infinity if it was not.
    """

    verb: str
    key: bytes
    value: bytes
    end: float

    def operation(self, who: str) -> Operation:
        """What the checker has to know."""
        ...


class Exchange(Protocol):
    """What a client says on one connection, and what it is told.

    Attributes:
        line: what is to be said now.
        begin: when that was said.
        unread: which stop of its node it came in; 0 if in none.
    """

    line: bytes
    begin: float
    unread: int

    def hear(self, data: bytes, now: float) -> None:
        """Take what a node says."""

    @property
    def over(self) -> bool:
        """Whether everything is answered."""
        ...

    def goes_on(self) -> bool:
        """Whether there is something to say to what was answered; `line` is that, then."""
        ...

    def parts(self) -> Sequence[Part]:
        """All that was done, key by key."""
        ...


class Client:
    """One client: one exchange at a time, at a node that it changes often."""

    #: At what kind of port it comes in (protocol/negotiation.py).
    port = ""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._number = number
        self._host: Host | None = None
        self._connection: Connection | None = None
        self._exchange: Exchange | None = None
        self._boot = 0  # of the node that was asked
        self._dead: set[Connection] = set()  # given up while what was sent lay unread at a stopped node

    def go(self) -> None:
        """Send the next command, at some node that accepts connections."""
        world = self._world
        if world.quiet:
            return
        rng = world.rng
        host = world.hosts[rng.choice(list(world.hosts))]
        if host.node is None or not host.node.open or host.leaving or host.is_dark:
            world.later(1 + rng.random(), self.go)
            return
        self.send(host, self._draw(rng))

    def _draw(self, rng: Random) -> Exchange:
        raise NotImplementedError

    def send(self, host: Host, exchange: Exchange) -> None:
        """Begin an exchange on a connection of its own (PHP opens one for each request)."""
        node = host.node
        assert node is not None
        connection = node.clients.connect(f"10.1.1.{self._number % 3}", self.port)
        host.clients[connection] = self
        self._host, self._connection, self._exchange = host, connection, exchange
        self._boot = host.boot
        self._say(host, connection, exchange)

    def _say(self, host: Host, connection: Connection, exchange: Exchange) -> None:
        world = self._world
        exchange.begin = world.now
        world.later(world.delay(), partial(self._arrive, host, connection, exchange, exchange.line))
        world.later(CLIENT_TIMEOUT_MS, partial(self._give_up, connection, exchange.begin))

    def _arrive(self, host: Host, connection: Connection, exchange: Exchange, line: bytes) -> None:
        def receive(node: Node) -> None:
            if connection in host.clients and not connection.closing:
                host.reply(connection, node.clients.receive(connection, line))

        def arrive() -> None:
            exchange.unread = host.stops if host.frozen else 0
            host.turn(receive, connection)

        self._world.ways.arrive(host.number, arrive)

    def answered(self, connection: Connection, data: bytes) -> None:
        """A reply has come."""
        exchange, host = self._exchange, self._host
        if connection in self._dead and data:
            raise Broken(f"a node that was stopped has executed what its client had given up: {data!r}")
        if connection is not self._connection or exchange is None or host is None:
            return
        exchange.hear(data, self._world.now)
        if exchange.over:
            self._finish(self._world.now)
        elif exchange.goes_on():
            self._say(host, connection, exchange)

    def closed(self, connection: Connection) -> None:
        """The connection was closed before the reply was complete."""
        if connection is self._connection:
            self._finish(math.inf)

    def _give_up(self, connection: Connection, begin: float) -> None:
        host, exchange = self._host, self._exchange
        if connection is self._connection and host is not None and exchange is not None:
            if exchange.begin != begin:
                return  # that was answered
            if host.frozen and host.boot == self._boot and exchange.unread == host.stops:
                self._dead.add(connection)
            self._finish(math.inf)

    def _hang_up(self, host: Host, connection: Connection) -> None:
        """Its FIN goes behind what it has sent; if that is lost it is sent once more."""

        def disconnect(node: Node) -> None:
            if host.clients.pop(connection, None) is not None:
                node.clients.disconnect(connection)

        world = self._world
        lost = _FIN_AGAIN_MS if host.frozen and world.rng.random() < _FIN_LOST else 0.0
        arrive = partial(world.ways.arrive, host.number, partial(host.turn, disconnect))
        world.later(lost + world.delay(), arrive)

    def _finish(self, end: float) -> None:
        world, exchange, host, connection = self._world, self._exchange, self._host, self._connection
        assert exchange is not None and host is not None and connection is not None
        self._exchange = self._connection = self._host = None
        self._hang_up(host, connection)
        world.commands += 1
        if end != math.inf:
            world.slowest = max(world.slowest, end - exchange.begin)
        for part in exchange.parts():
            operation = part.operation(f"client {self._number} at node {host.number}")
            if connection not in self._dead:  # whose client does the same elsewhere: it must never be executed
                world.history.setdefault(part.key, []).append(operation)
            if part.end != math.inf and part.verb == "set":
                self._accepted(host, part, operation.text)
        world.later(world.rng.random() * 20, self.go)

    def _accepted(self, host: Host, part: Part, text: str) -> None:
        """Remember who stood behind an acknowledged write: a majority, or a minority since which one."""
        if host.node is None or host.boot != self._boot:
            return  # who answered is gone, and its view with it
        view, world = host.node.replica.state.view, self._world
        if not view.quorate:
            world.minority[family(part.value)] = view.gen
        elif view.gen > world.accepted.get(part.key, (0, ""))[0]:
            world.accepted[part.key] = view.gen, text


class MemcachedClient(Client):
    """One that speaks one of memcached's protocols, a command at a time."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self._tongue = world.rng.choice(TONGUES)
        self._uniques: dict[bytes, tuple[int, bytes]] = {}

    def _draw(self, rng: Random) -> Exchange:
        world = self._world
        key = b"key%d" % rng.randrange(world.plan.keys)
        return Command.draw(rng, key, world, self._uniques, self._tongue)


class PlainClient(MemcachedClient):
    """One that locks pages under the names of PHP's locks; see plain_clients.py."""

    def __init__(self, world: World, number: int, tongue: Tongue | None = None) -> None:
        super().__init__(world, number)
        if tongue is not None:
            self._tongue = tongue
            self.port = REDIS

    def _draw(self, rng: Random) -> Exchange:
        plain = Plain.draw(rng, self._tongue)
        return Command(plain.verb, plain.key, self._tongue, plain.line, plain.value)


#: What clients send, by how often. No `decr`: see tests/simulation/semantics.py.
_VERBS = [
    "set", "set", "get", "get", "gets", "add", "replace", "incr", "incr", "delete", "cas", "append", "prepend",
    "touch",
]  # fmt: skip


#: Those that may be done to a certain value only, by its cas unique; but in the text protocol only `cas` may.
_CONDITIONAL = frozenset(["delete", "append", "prepend", "incr"])


@attrs.define(eq=False)
class Command:
    """A command, its reply, and what the two mean for the key: an exchange with one part, which it is itself.

    See `Exchange` and `Part`.
    """

    verb: str
    key: bytes
    tongue: Tongue
    line: bytes
    value: bytes = b""
    expected: bytes = b""
    reply: bytes = b""
    begin: float = 0.0
    unread: int = 0
    end: float = math.inf
    uniques: dict[bytes, tuple[int, bytes]] = attrs.Factory(dict)

    @classmethod
    def draw(
        cls, rng: Random, key: bytes, world: World, uniques: dict[bytes, tuple[int, bytes]], tongue: Tongue
    ) -> Command:
        """Some command on this key."""
        verb = rng.choice(_VERBS)
        world.values += 1
        value = nth(world.values)
        unique, expected = 0, b""
        conditional = verb in _CONDITIONAL and tongue is not TEXT and rng.random() < 0.3
        if verb == "cas" or conditional:
            if key in uniques:
                unique, expected = uniques[key]
            elif verb == "cas":
                verb = "gets"
        value = {"append": BEHIND, "prepend": BEFORE}.get(verb, value) if verb in STORING else b""
        line = tongue.spell(verb, key, value, unique, tongue is not TEXT and rng.random() < 0.3)
        return cls(verb, key, tongue, line, value, expected, uniques=uniques)

    @property
    def told(self) -> bytes | None:
        """The reply in the words of the text protocol, once it is complete."""
        return self.tongue.told(self.verb, self.reply)

    def hear(self, data: bytes, now: float) -> None:
        """See `Exchange`."""
        self.reply += data
        told = self.told
        if told is not None:
            self.end = now
            if self.verb == "gets" and told.startswith(b"VALUE"):  # a cas unique, for a later cas
                header, value = told.split(b"\r\n")[:2]
                self.uniques[self.key] = (int(header.split(b" ")[4]), value)

    @property
    def over(self) -> bool:
        """See `Exchange`."""
        return self.end != math.inf

    def goes_on(self) -> bool:
        """See `Exchange`: it does not."""
        return False

    def parts(self) -> Sequence[Part]:
        """See `Exchange`."""
        return [self]

    def operation(self, who: str) -> Operation:
        """See `Part`."""
        reply = self.told if self.over else None
        shown = (reply or b"(no answer)")[:60]
        text = f"{self.begin:.1f}-{self.end:.1f} {who}: {self.line!r} -> {shown!r}"
        return Operation(self.begin, self.end, reply, Sent(self.verb, self.value, self.expected).meaning, text)
