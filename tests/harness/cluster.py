"""A few nodes joined in one process without a network: bytes are handed over and time is moved by hand.

What a node says to another one lies in a queue, turn by turn, until it is delivered; a direction that is held
keeps what it has. Everything that was said is also written down, decoded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell, Start
from memrep.protocol.connection import Connection
from memrep.replication.handshake import NONCE_BYTES, Identity, Incoming
from memrep.replication.links import Link
from memrep.replication.message import PeerMessage
from memrep.storage.pending import Pending
from memrep.storage.snapshot import Snapshot
from tests.harness.lone_node import WALL

#: From node, to node.
Pair = tuple[int, int]

#: What a node has said to another one in one turn: its bytes, and the same decoded.
_Turn = tuple[bytes, list[PeerMessage]]

TICK_MS = 50


class Client:
    """One client of one node, who comes from this host ("" for a unix socket) by this kind of port.

    Attributes:
        node: the process that it is connected to.
    """

    def __init__(self, cluster: Cluster, number: int, host: str = "", port: str = "") -> None:
        self.replies = b""
        self.closed = False
        self.node = cluster.nodes[number]
        self.connection: Connection = self.node.clients.connect(host, port)
        self._cluster = cluster
        self._number = number

    def receive(self, node: Node, data: bytes) -> None:
        """Hand bytes to the node within a turn of its."""
        self.replies += node.clients.receive(self.connection, data)

    def go_on(self, node: Node) -> None:
        """Let the node go on, within a turn of its, with what it has put off to one."""
        self.replies += node.clients.resume(self.connection)

    def send(self, data: bytes) -> bytes:
        """Send bytes, let all arrive that is not held; return the replies that have come by then."""
        self._cluster.turn(self._number, lambda node: self.receive(node, data))
        self._cluster.deliver()
        return self.take()

    def insist(self, data: bytes) -> bytes:
        """Send bytes to a node that may have been left behind, and wait until it has looked for the others."""
        return self.send(data) + self.wait(750)

    def wait(self, ms: int) -> bytes:
        """Let time pass; return the replies that have come by then."""
        self._cluster.advance(ms)
        return self.take()

    def post(self, data: bytes) -> None:
        """Send bytes; what the node says to its peers stays in the queues."""
        self._cluster.turn(self._number, lambda node: self.receive(node, data))

    def take(self) -> bytes:
        """The replies that have come since the last time."""
        replies, self.replies = self.replies, b""
        return replies

    def hang_up(self) -> None:
        """Close the connection; let all arrive that is not held."""
        self._cluster.turn(self._number, lambda node: node.clients.disconnect(self.connection))
        self._cluster.deliver()


class Cluster:
    """Nodes 1 to `count`, all of them started and linked.

    Args:
        count: how many there are.
        start: those that are started; all of them if it is not given.
        names: their addresses; each has a host of its own if it is not given.
        options: as in NodeOptions, for each of them.

    Attributes:
        now: virtual ms.
        nodes: those that run, by number.
        links: the newest link of each direction, as the receiving node has it.
        held: directions whose bytes stay in the queue.
        frozen: nodes whose processes are stopped: they have no turns.
        ahead: how far a node's wall clock is ahead, ms.
        said: all messages so far: from, to, what.
        logs: what each node has logged.
        after_turn: called with a node's number at the end of each turn of its.
        arrives: called with what arrives on which link, before the turn of it; handshakes say nothing.
    """

    def __init__(
        self,
        count: int = 3,
        *,
        start: Iterable[int] | None = None,
        names: list[str] | None = None,
        **options: Any,
    ) -> None:
        self.now = 0
        self.names = names or [f"10.0.0.{n}:11211" for n in range(1, count + 1)]
        self.nodes: dict[int, Node] = {}
        self.links: dict[Pair, Link] = {}
        self.held: set[Pair] = set()
        self.frozen: set[int] = set()
        self.ahead: dict[int, int] = {}
        self.said: list[tuple[int, int, PeerMessage]] = []
        self.logs: dict[int, list[str]] = {n: [] for n in range(1, count + 1)}
        self.after_turn: Callable[[int], None] = lambda number: None
        self.arrives: Callable[[Pair, Link, list[PeerMessage]], None] = lambda pair, link, messages: None
        self._options = options
        self._queues: dict[Pair, deque[_Turn]] = {}
        self._missed: dict[int, list[Callable[[Node], object]]] = {}  # what happened to frozen nodes
        self._late: dict[Pair, tuple[Link, deque[_Turn]]] = {}
        self._taps: dict[Pair, Incoming] = {}
        self._clients: dict[Connection, Client] = {}
        self._starts = 0
        for number in start or self.logs:
            self.start(number)

    # --- turns

    def turn(self, number: int, *acts: Callable[[Node], object]) -> None:
        """One turn of a node in which these things happen."""
        node = self.nodes[number]
        node.turn(self.now, WALL + self.now + self.ahead.get(number, 0))
        for act in acts:
            act(node)
        for target, data in node.end_turn():
            if isinstance(target, int):
                self._put((number, target), data)
            else:
                client = self._clients[target]
                client.replies += data
                client.closed = target.closing
        self.after_turn(number)

    def _put(self, pair: Pair, data: bytes) -> None:
        if pair in self._queues:
            messages = self._taps[pair].receive(data)
            self._queues[pair].append((data, messages))
            self.said += [(*pair, message) for message in messages]

    def advance(self, ms: int) -> None:
        """Let time pass in steps of a tick; what is not held arrives at once."""
        end = self.now + ms
        while self.now < end:
            self.now = min(end, self.now + TICK_MS)
            for number in [number for number in self.nodes if number not in self.frozen]:
                self.turn(number, lambda node: node.tick())
            self.deliver()

    # --- messages

    def hold(self, *pairs: Pair) -> None:
        """Keep these directions' bytes in the queue."""
        self.held.update(pairs)

    def hold_all(self) -> None:
        """Keep everything in the queues."""
        self.held.update((a, b) for a in self.nodes for b in self.nodes if a != b)

    def release(self, *pairs: Pair) -> None:
        """Let these directions' bytes arrive (all, if none is named), and whatever follows from them."""
        self.held.difference_update(pairs or list(self.held))
        self.deliver()

    def on_way(self, pair: Pair) -> list[PeerMessage]:
        """What is in this queue."""
        return [message for _, messages in self._queues[pair] for message in messages]

    def on_former_way(self, pair: Pair) -> list[PeerMessage]:
        """What lay on the former link of this direction, and is late."""
        _, queue = self._late.get(pair, (None, ()))
        return [message for _, messages in queue for message in messages]

    def lose(self, pair: Pair) -> None:
        """What is in this queue never arrives."""
        self._queues[pair].clear()

    def queued(self, pair: Pair) -> bytes:
        """Take all that is in a queue out of it."""
        data = b"".join(data for data, _ in self._queues[pair])
        self._queues[pair].clear()
        return data

    def deliver(self) -> None:
        """Let everything arrive that is not held, turn by turn, until nothing moves any more."""
        rounds = 0
        while ready := self._ready():
            rounds += 1
            assert rounds < 2_000, "the nodes never stop talking"
            for pair in ready:
                self._deliver_one(pair)

    def step(self, *pairs: Pair) -> None:
        """Let these queues arrive, one after the other, held or not, and nothing that follows from it."""
        for pair in pairs:
            for _ in range(len(self._queues[pair])):
                self._deliver_one(pair)

    def shuffle(self, rng: Random, steps: int = 1_000_000) -> None:
        """Let what is in the queues arrive in a random order (each queue keeps its own), held or not."""
        self.held.clear()
        while steps and (ready := self._ready()):
            self._deliver_one(rng.choice(ready))
            steps -= 1

    def _ready(self) -> list[Pair]:
        return [
            pair
            for pair, queue in self._queues.items()
            if queue and pair not in self.held and pair[1] not in self.frozen
        ]

    def _deliver_one(self, pair: Pair) -> None:
        queue = self._queues.get(pair)
        if queue:
            self._arrive(pair, self.links[pair], *queue.popleft())

    def _arrive(self, pair: Pair, link: Link, data: bytes, messages: list[PeerMessage]) -> None:
        self.arrives(pair, link, messages)
        self.turn(pair[1], lambda node: node.links.receive(link, data))
        link.take()

    def late(self, pair: Pair) -> None:
        """What lay on the former link of this direction when it was dialled anew arrives at last."""
        link, queue = self._late.pop(pair)
        while queue:
            self._arrive(pair, link, *queue.popleft())

    # --- processes

    def start(self, number: int, snapshot: Snapshot | None = None) -> None:
        """A node's process starts, with what is on its disk, and links itself with those that run."""
        self._starts += 1
        self.nodes[number] = Node(
            NodeOptions(nodes=self.names, me=number, **self._options),
            Start(inc=self._starts, now=self.now, wall=WALL + self.now, snapshot=snapshot),
            Shell(random_bytes=bytes, log=self.logs[number].append),
        )
        for other in self.nodes:
            if other != number:
                self.dial(number, other)
                self.dial(other, number)

    def freeze(self, number: int) -> None:
        """A node's process is stopped (SIGSTOP); what is sent to it waits in its sockets."""
        self.frozen.add(number)

    def thaw(self, number: int, *acts: Callable[[Node], object]) -> None:
        """It goes on, with a turn in which these things follow what it has missed; nothing is delivered."""
        self.frozen.remove(number)
        self.turn(number, *self._missed.pop(number, ()), *acts)

    def _when_it_runs(self, number: int, *acts: Callable[[Node], object]) -> None:
        """A turn of a node in which these things happen, or what a frozen one finds when it goes on."""
        if number in self.frozen:
            self._missed.setdefault(number, []).extend(acts)
        else:
            self.turn(number, *acts)

    def dial(self, number: int, other: int) -> None:
        """A node opens its link to another one; what lies on the former one is `late`."""
        pair = (number, other)
        if self._queues.get(pair):
            self._late[pair] = self.links[pair], self._queues[pair]
        self.links[pair] = self.nodes[other].links.accept(self.names[number - 1])
        self._queues[pair] = deque()
        terms = self.nodes[other].options.terms
        tapped = Identity(me=other, inc=0, nodes=self.names, terms=terms)
        self._taps[pair] = Incoming(tapped, bytes(NONCE_BYTES))
        challenge = self.links[pair].take()
        self._when_it_runs(number, lambda node: self._put(pair, node.links.dialled(other).receive(challenge)))

    def kill(self, number: int) -> None:
        """A node's process is gone; the others see its links closed, its port refuse. Nothing is delivered."""
        del self.nodes[number]
        self.frozen.discard(number)
        self._missed.pop(number, None)
        for pair in [pair for pair in self._queues if number in pair]:
            del self._queues[pair]
            self.held.discard(pair)
        for other in self.nodes:
            link = self.links.pop((number, other))
            self._when_it_runs(
                other,
                lambda node, link=link: node.links.closed(link),  # type: ignore[misc]
                lambda node: node.links.refused(number, "its process is gone"),
            )

    def client(self, number: int, host: str = "", port: str = "") -> Client:
        """A new client of a node, who comes from this host by this kind of port (protocol/negotiation.py)."""
        client = Client(self, number, host, port)
        self._clients[client.connection] = client
        return client

    # --- what everybody has

    def members(self, number: int) -> list[int]:
        """The members of a node's view."""
        return sorted(self.nodes[number].replica.state.view.members)

    def value(self, number: int, key: bytes) -> bytes | None:
        """What a node has committed under a key."""
        entry = self.nodes[number].store.values.get(key)
        return None if entry is None else entry.value

    def pending(self, number: int) -> dict[bytes, Pending]:
        """What is on its way at a node, its own writes and others', by key."""
        return self.nodes[number]._writes.pending

    def serving(self) -> list[int]:
        """The nodes that serve now."""
        return [number for number, node in self.nodes.items() if node.open and node.serving]


def serving_cluster(count: int = 3, **options: Any) -> Cluster:
    """A cluster that has started and serves on all its nodes."""
    cluster = Cluster(count, **options)
    cluster.advance(500)
    assert len(cluster.serving()) == count
    return cluster
