"""The simulated world: time, a network, hosts whose processes start and end, and one seed for all of it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from random import Random

from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell, Start
from memrep.replication.links import Link
from tests.harness.lone_node import WALL
from tests.simulation.disks import Disks, wall_of
from tests.simulation.faults import Faults
from tests.simulation.host import Host, Pipe
from tests.simulation.linearizability import Operation
from tests.simulation.php_memcached_worker import MemcachedVisitor
from tests.simulation.php_worker import Visitor, Worker
from tests.simulation.phpredis_worker import PhpredisVisitor, RedisRequests
from tests.simulation.plan import Plan
from tests.simulation.spite import Spite
from tests.simulation.trace import Watch
from tests.simulation.ways import Ways

_REDIAL_MS = 100.0


class World:
    """Some hosts, their network, their clients, and one seed."""

    def __init__(self, seed: int, only: str = "", *, redis: bool = True) -> None:
        self.rng = Random(seed)
        self._nonces = Random(seed)  # of its own: the greeting decides nothing
        self.seed = seed
        self.plan = Plan.draw(self.rng, Random(f"redis {seed}") if redis else None, only)
        self.now = 0.0
        self.trace: list[str] = []
        self.watch: Watch | None = None
        self.history: dict[bytes, list[Operation]] = {}
        self.visitors = [self._visitor(n) for n in range(self.plan.visitors)]
        self.lock_node = self.rng.randrange(self.plan.nodes)  # where php-memcached hashes a lock to
        self.data_node = self.rng.randrange(self.plan.nodes)  # and its session
        self.lockers: list[RedisRequests] = []
        self.slowest = 0.0
        self.commands = 0
        self.values = 0
        self.quiet = False
        self.accepted: dict[
            bytes, tuple[int, str]
        ] = {}  # the latest view of a majority that acknowledged a set
        self.minority: dict[
            bytes, int
        ] = {}  # values that a minority acknowledged, and since which majority view
        self.cuts: set[tuple[int, int]] = set()  # from, to
        self.bridges: set[int] = set()  # nodes that hold the cluster together
        self.ways = Ways(self)
        self.faults = Faults(self)
        self.spite = Spite(self) if self.plan.kind == "spiteful" else None
        self.served = 0  # the name of the newest view in which anybody was served, but for those in `behind`
        self.behind: set[int] = set()  # nodes that were cut off, until a moment after the cut
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self.disks: Disks | None = None
        self.hosts = {n: Host(self, n) for n in range(1, self.plan.nodes + 1)}
        self._names = [f"10.0.0.{n}:11211" for n in self.hosts]

    def _visitor(self, number: int) -> Worker:
        if self.plan.php == "phpredis":
            return PhpredisVisitor(self, number)
        patience = self.plan.patience
        return MemcachedVisitor(self, number, patience) if patience else Visitor(self, number)

    # --- time and network

    def later(self, ms: float, act: Callable[[], None]) -> None:
        """Do something this many ms from now."""
        self._sequence += 1
        heapq.heappush(self._heap, (self.now + ms, self._sequence, act))

    def run(self, until: float) -> None:
        """Let time pass up to this moment."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, act = heapq.heappop(heap)
            act()
        self.now = until

    def delay(self) -> float:
        """How long the next message takes, ms."""
        rng, plan = self.rng, self.plan
        ms = plan.latency * (0.5 + rng.random())
        if plan.late and rng.random() < plan.late:
            ms += rng.random() * 80
        return ms

    def send(self, pipe: Pipe, data: bytes) -> None:
        """Put bytes into a pipe; they arrive after those that are in it."""
        if self.watch is not None:
            self.watch.said(*pipe.ends, data)
        if pipe.ends in self.cuts:
            pipe.kept.append(data)
            return
        pipe.last = max(pipe.last, self.now + self.delay())
        pipe.flying.append(data)
        self.later(pipe.last - self.now, partial(self._arrive, pipe, pipe.turned_back))

    def _arrive(self, pipe: Pipe, turned_back: int) -> None:
        if pipe.turned_back == turned_back:
            data = pipe.flying.popleft()
            if pipe.open:
                if self.watch is not None:
                    self.watch.came(pipe, data)
                pipe.deliver(data)

    def turn_back(self) -> None:
        """What is on its way where it is cut now is lost; the kernels send it again when the cut heals."""
        for host in self.hosts.values():
            for pipe in host.pipes.values():
                if pipe.ends in self.cuts and pipe.flying:
                    pipe.turned_back += 1
                    pipe.kept = [*pipe.flying, *pipe.kept]
                    pipe.flying.clear()

    def tell(self, source: int, target: int, act: Callable[[], None]) -> None:
        """Let the end of a connection be seen at its other end, when the way there is open."""
        if (source, target) in self.cuts:
            self.later(50, partial(self.tell, source, target, act))
        else:
            self.later(self.delay(), act)

    def note(self, text: str) -> None:
        """Write down what happened, for the report of a failure."""
        self.trace.append(f"{self.now:9.1f}  {text}")
        if self.watch is not None:
            self.watch.noted(text)

    def turned(self, number: int) -> None:
        """A node's state may be another one."""
        if self.watch is not None:
            self.watch.turned(number)

    # --- processes

    def start(self, number: int) -> None:
        """A node's process starts, with nothing but its configuration, and its disk if it has one."""
        host = self.hosts[number]
        if host.node is not None or (self.disks is not None and not self.disks.powered):
            return
        host.boot += 1
        host.leaving = False
        now, wall, disks = 1_000 + int(self.now), WALL + int(self.now), self.disks
        snapshot = None if disks is None else disks.snapshot(number, now, wall_of(self, number))
        host.node = Node(
            NodeOptions(
                nodes=self._names,
                me=number,
                strict=self.plan.kind == "majority",
                tombstone_ms=self.plan.tombstone,
            ),
            Start(inc=self.rng.getrandbits(62), now=now, wall=wall, snapshot=snapshot),
            Shell(
                random_bytes=self._nonces.randbytes,
                log=lambda line: self.note(f"node {number}: {line}"),
            ),
        )
        if disks is not None:
            disks.attach(number, host.node, now, wall_of(self, number))
        self.note(f"node {number} starts")
        for other in self.hosts:
            if other != number:
                self.dial(number, other, host.boot, established=False)
        self._tick(number, host.boot)

    def _tick(self, number: int, boot: int) -> None:
        host = self.hosts[number]
        if host.node is not None and host.boot == boot:
            host.turn(lambda node: node.tick())
            self.later(host.node.pause, partial(self._tick, number, boot))

    def dial(self, number: int, other: int, boot: int, established: bool) -> None:
        self.later(2 * self.delay(), partial(self._dialled, number, other, boot, established))

    def _dialled(self, number: int, other: int, boot: int, established: bool) -> None:
        host, peer = self.hosts[number], self.hosts[other]
        if host.node is None or host.boot != boot or other in host.pipes:
            return
        if (number, other) in self.cuts or (other, number) in self.cuts:
            if (number, other) not in self.cuts and peer.node is not None and self.plan.isolates:
                peer.turn(lambda node: node.links.called(number))  # the SYN has come
            self.later(_REDIAL_MS, partial(self.dial, number, other, boot, established))
            return
        if peer.node is None:
            if established:
                host.turn(lambda node: node.links.refused(other, "its process is gone"))
            else:
                host.turn(lambda node: node.links.unreachable(other, "its port refuses", True))
            self.later(_REDIAL_MS, partial(self.dial, number, other, boot, False))
            return
        link = peer.node.links.accept(self._names[number - 1])
        pipe = Pipe((number, other), lambda data: peer.turn(lambda node: node.links.receive(link, data)))
        peer.links[link] = (host, pipe)
        host.pipes[other] = pipe
        # The greeting's way to and fro is part of the delay of dialling; what the caller says goes first.
        host.turn(lambda node: self.send(pipe, node.links.dialled(other).receive(link.take())))
        if number not in peer.pipes:  # a node that hears another one dials it back at once
            self.dial(other, number, peer.boot, established=False)

    def stop(self, number: int, *, kill: bool) -> None:
        """A node's process ends: killed, or told to leave."""
        host = self.hosts[number]
        node = host.node
        if node is None:
            return
        self.note(f"node {number} is {'killed' if kill else 'told to leave'}")
        if kill:
            self._end(number)
        else:
            host.leaving = True
            self._leave(number, host.boot, self.now + 750)

    def _leave(self, number: int, boot: int, deadline: float) -> None:
        host = self.hosts[number]
        if host.node is None or host.boot != boot:
            return

        def leave(node: Node) -> None:
            if node.leave() or (self.now > deadline and not node.hands_over):
                self.later(0, partial(self._end, number))
            else:
                self.later(1.0, partial(self._leave, number, boot, deadline))

        host.turn(leave)

    def _end(self, number: int) -> None:
        """The process is gone: what it sent may still arrive or not, what was sent to it does not."""
        host = self.hosts[number]
        host.forget()
        self.ways.ended(host)
        for pipe in host.pipes.values():
            if self.rng.random() < 0.5:
                pipe.open = False
        host.pipes.clear()
        for connection, client in [*host.clients.items(), *host.parting.items()]:
            self.later(self.delay(), partial(client.closed, connection))
        host.clients.clear()
        host.parting.clear()
        for link in list(host.links):
            self.close(host, link)
        for peer in self.hosts.values():
            for link in [link for link, (dialler, _) in peer.links.items() if dialler is host]:
                del peer.links[link]
                self.tell(number, peer.number, partial(self.link_closed, peer, link))

    def close(self, host: Host, link: Link) -> None:
        """The accepting end closes a link; the dialling end sees it a moment later."""
        dialler, pipe = host.links.pop(link)
        pipe.open = False
        self.tell(host.number, dialler.number, partial(self._hung_up, dialler, host.number, pipe))

    def link_closed(self, host: Host, link: Link) -> None:
        host.turn(lambda node: node.links.closed(link))

    def _hung_up(self, host: Host, other: int, pipe: Pipe) -> None:
        """A node sees that its link to another one was closed at the other end, and dials again."""
        if host.pipes.get(other) is pipe:
            del host.pipes[other]
            self.dial(host.number, other, host.boot, established=True)
