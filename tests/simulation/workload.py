"""What simulated clients do: a command at a time, in some protocol, at some node; and what they write down."""

from __future__ import annotations

import math
from functools import partial
from random import Random

import attrs

from memrep.node.node import Node
from memrep.protocol.connection import Connection
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


class Client:
    """One client: a command at a time, at a node that it changes often."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._number = number
        self._host: Host | None = None
        self._connection: Connection | None = None
        self._command: Command | None = None
        self._boot = 0  # of the node that was asked
        self._dead: set[Connection] = set()  # given up while what was sent lay unread at a stopped node
        self._tongue = world.rng.choice(TONGUES)
        self._uniques: dict[bytes, tuple[int, bytes]] = {}

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

    def _draw(self, rng: Random) -> Command:
        world = self._world
        key = b"key%d" % rng.randrange(world.plan.keys)
        return Command.draw(rng, key, world, self._uniques, self._tongue)

    def send(self, host: Host, command: Command) -> None:
        """Send a command on a connection of its own (PHP opens one for each request)."""
        world = self._world
        node = host.node
        assert node is not None
        connection = node.clients.connect(f"10.1.1.{self._number % 3}")
        host.clients[connection] = self
        self._host, self._connection, self._command = host, connection, command
        self._boot = host.boot
        command.begin = world.now
        world.later(world.delay(), partial(self._arrive, host, connection, command))
        world.later(CLIENT_TIMEOUT_MS, partial(self._give_up, connection))

    def _arrive(self, host: Host, connection: Connection, command: Command) -> None:
        def receive(node: Node) -> None:
            if connection in host.clients and not connection.closing:
                host.reply(connection, node.clients.receive(connection, command.line))

        def arrive() -> None:
            command.unread = host.stops if host.frozen else 0
            host.turn(receive, connection)

        self._world.ways.arrive(host.number, arrive)

    def answered(self, connection: Connection, data: bytes) -> None:
        """A reply has come."""
        command = self._command
        if connection in self._dead and data:
            raise Broken(f"a node that was stopped has executed what its client had given up: {data!r}")
        if connection is not self._connection or command is None:
            return
        command.reply += data
        if command.told is not None:
            self._finish(self._world.now)

    def closed(self, connection: Connection) -> None:
        """The connection was closed before the reply was complete."""
        if connection is self._connection:
            self._finish(math.inf)

    def _give_up(self, connection: Connection) -> None:
        host, command = self._host, self._command
        if connection is self._connection and host is not None and command is not None:
            if host.frozen and host.boot == self._boot and command.unread == host.stops:
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
        world, command, host, connection = self._world, self._command, self._host, self._connection
        assert command is not None and host is not None and connection is not None
        self._command = self._connection = self._host = None
        self._hang_up(host, connection)
        world.commands += 1
        if end != math.inf:
            world.slowest = max(world.slowest, end - command.begin)
            command.learn(self._uniques)
        operation = command.operation(end, f"client {self._number} at node {host.number}")
        if connection not in self._dead:  # whose client does the same elsewhere: it must never be executed
            world.history.setdefault(command.key, []).append(operation)
        if end != math.inf and command.verb == "set":
            self._accepted(host, command, operation.text)
        world.later(world.rng.random() * 20, self.go)

    def _accepted(self, host: Host, command: Command, text: str) -> None:
        """Remember who stood behind an acknowledged write: a majority, or a minority since which one."""
        if host.node is None or host.boot != self._boot:
            return  # who answered is gone, and its view with it
        view, world = host.node.replica.state.view, self._world
        if not view.quorate:
            world.minority[family(command.value)] = view.gen
        elif view.gen > world.accepted.get(command.key, (0, ""))[0]:
            world.accepted[command.key] = view.gen, text


class PlainClient(Client):
    """One that locks pages under the names of PHP's locks; see plain_clients.py."""

    def _draw(self, rng: Random) -> Command:
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
    """A command, its reply, and what the two mean for the key.

    Attributes:
        unread: which stop of its node it came in; 0 if in none.
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
        return cls(verb, key, tongue, line, value, expected)

    @property
    def told(self) -> bytes | None:
        """The reply in the words of the text protocol, once it is complete."""
        return self.tongue.told(self.verb, self.reply)

    def learn(self, uniques: dict[bytes, tuple[int, bytes]]) -> None:
        """Remember a cas unique, for a later cas."""
        told = self.told or b""
        if self.verb == "gets" and told.startswith(b"VALUE"):
            header, value = told.split(b"\r\n")[:2]
            uniques[self.key] = (int(header.split(b" ")[4]), value)

    def operation(self, end: float, who: str) -> Operation:
        """What the checker has to know."""
        reply = self.told if end != math.inf else None
        shown = (reply or b"(no answer)")[:60]
        text = f"{self.begin:.1f}-{end:.1f} {who}: {self.line!r} -> {shown!r}"
        return Operation(self.begin, end, reply, Sent(self.verb, self.value, self.expected).meaning, text)
