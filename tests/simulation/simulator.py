"""The simulator: whole nodes under a clock and a network that obey one seed.

The same `Node` that the daemon runs is driven here in virtual time. Everything that is left to chance (delays,
faults, what clients do, when a dialler tries again) is drawn from one seeded generator, so a seed replays to
the byte. Clients speak one protocol or another (tests/simulation/codecs.py), change nodes as PHP does when a
port refuses, and write down when they sent each command and what came back. Afterwards every key's history must
be linearizable, all stores equal, nothing in flight, and every node serving. PHP workers with either session
handler (php_worker.py, php_memcached_worker.py) count visits in one session, and none may be lost.

Five kinds of run. In `whole` ones processes crash, freeze and leave, links break, and single links are cut in
one direction or both, but always so that the cluster hangs together: every promise must hold. In `majority`
ones nodes are cut off, too, and run with `--partition majority`: every promise but availability must hold. In
`split` ones the same happens in the default mode: the sides go on by themselves, and what must hold is that in
the end all nodes have the same, and nothing that a majority accepted has given way to what a minority did.
In `isolated` ones a part of the nodes that is no majority is cut off, in the default mode, and from all clients
as well, who come back at once when the cut heals (ways.py): every promise must hold.

In `spiteful` ones, too, and faults come where they hurt most: in the very turn in which a node votes, or a view
begins, before anybody else has heard of it (spite.py).

Faults are limited to what a cluster can survive: one node is always spared that is awake, open and in the
newest view.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random

import attrs

from memrep.engine import engine
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.protocol.connection import Connection
from memrep.replication import state_transfer
from memrep.replication.links import Link
from memrep.replication.membership.view import View
from memrep.storage import store
from tests.harness.lone_node import WALL
from tests.simulation.codecs import STORING, TEXT, TONGUES, Tongue
from tests.simulation.linearizability import Keeps, Meaning, Operation, Undecided, explain, only
from tests.simulation.php_memcached_worker import MemcachedVisitor
from tests.simulation.php_worker import Talk, Visitor, Worker
from tests.simulation.plain_clients import Plain
from tests.simulation.sameness import differences
from tests.simulation.semantics import BEFORE, BEHIND, Sent, family, nth
from tests.simulation.spite import Spite
from tests.simulation.toggler import Switch, Toggler
from tests.simulation.trace import CLIENT, Watch
from tests.simulation.ways import Ways

#: How long faults and clients go on, and how long the cluster then has to heal at most, virtual ms.
BUSY_MS = 2_500.0
BUSY_ISOLATED_MS = 4_500.0
BUSY_SPITEFUL_MS = 9_000.0
HEAL_MS = 8_000.0

_TICK_MS = 50.0
_REDIAL_MS = 100.0
_CLIENT_TIMEOUT_MS = 1_000.0

#: The share of faults that break a link rather than a process.
_RESETS = 0.25

#: And of those that cut ways, and set clocks.
_CUTS = 0.15
_JUMPS = 0.05

#: And of those that stop all processes at once.
_PAUSES = 0.03

#: And of the rest in runs where the sides go on by themselves.
_CUTS_SPLIT = 0.4

#: The share of those who give a stopped node up whose FIN is lost, and when it is sent again, ms.
_FIN_LOST = 0.2
_FIN_AGAIN_MS = 200.0

#: How long a node may be open without serving: a second, a tick, and a turn.
_HANGS_MS = 1_100.0

#: When the others have gone on without who was cut off, about, and how long a node is busy then, ms.
_SILENT_MS = 600.0
_ABOUT_MS = 300.0
_BUSY_TURNS_MS = [80.0, 160.0, 240.0]

#: How long a connection lives that is cut, ms.
_USER_TIMEOUT_MS = 2_000.0

#: How much later at most a cut heals that must not heal now, ms.
_LATER_MS = 20.0

#: How long after a cut has healed the nodes that bridged it are still needed, ms.
_BRIDGED_MS = 1_500.0


#: The kinds of run, by how often.
KINDS = [
    "whole", "whole", "whole", "majority", "split", "split", "isolated", "isolated", "isolated", "spiteful"
]  # fmt: skip


class Broken(AssertionError):
    """A promise was broken; the text says which and how to see it again."""


@attrs.frozen(kw_only=True)
class Plan:
    """What a run draws from its seed before it begins.

    Attributes:
        nodes: how many there are.
        latency: one-way delay of most messages, ms.
        late: the share of messages that come up to 80 ms late.
        clients: how many there are.
        keys: how many keys they fight over.
        skews: how far each node's wall clock is off, ms.
        records: how many keys are stored before the faults begin, so that transfers take their time.
        visitors: how many PHP workers work on one session.
        patience: how long php-memcached waits for an answer, ms; 0 if the workers have pecl-memcache.
        own_first: whether each worker's list of nodes begins with another one, in php-memcached's case.
        turn: how long a node may be busy before it looks at its sockets again, ms; what has come by then
            makes one turn.
        kind: whole, majority, split, isolated or spiteful; see above.
        arp: how long after a cut the others do not hear those who were cut off, though these hear them, ms:
            kernels ask for forgotten hardware addresses only once a second.
        tombstone: how long tombstones are kept, ms.
        plain: how many clients there are that lock pages under the names of PHP's locks.
        togglers: how many more PHP workers work on a session with two states.
        own_prefix: whether php-memcached's keys begin in a way of which the nodes have not been told.
    """

    nodes: int
    latency: float
    late: float
    clients: int
    keys: int
    skews: list[int]
    records: int
    visitors: int
    patience: float
    own_first: bool
    turn: float
    kind: str
    tombstone: int
    arp: float
    plain: int
    togglers: int
    own_prefix: bool

    @classmethod
    def draw(cls, rng: Random, only: str = "") -> Plan:
        """A plan for one seed; of this kind, if one is named."""
        nodes = rng.choice([2, 3, 3, 3, 3, 4, 5])
        drawn = rng.choice(KINDS)
        kind = only or drawn
        if kind == "spiteful":
            nodes = rng.choice([2, 2, 2, 3, 4, 4])  # cut into halves as often as not
        skewed = [-30_000, 0, 30_000] if kind == "spiteful" else [0, 0]
        return cls(
            nodes=nodes,
            latency=rng.choice([0.3, 0.3, 2.0, 2.0, 20.0]),
            late=rng.choice([0.0, 0.01]),
            clients=rng.choice([2, 3, 4, 8, 12]),
            keys=rng.choice([1, 1, 2, 3]),
            skews=[
                rng.choice([*skewed, rng.randint(-500, 500), rng.randint(-30_000, 30_000)])
                for _ in range(nodes)
            ],
            records=rng.choice([0, 0, 20, 300]),
            visitors=rng.choice([0, 2, 3, 8]) if kind != "split" else 0,  # where visits may be lost
            patience=rng.choice([0.0, 0.0, 1_000.0, 5_000.0]),
            own_first=rng.random() < 0.5,
            turn=rng.choice([0.0, 0.1, 1.0, 10.0]),
            kind=kind,
            # A copy that a node has kept while it looked for others (N1) is known by its lock's tombstone.
            tombstone=rng.choice([2_000 if kind == "spiteful" else 500, 2_000, 3_600_000]),
            arp=rng.choice([0.0, 0.0, 300.0, 900.0]),
            plain=rng.choice([0, 2, 3]) if kind != "split" else 0,
            togglers=rng.choice([0, 0, 3]) if kind != "split" else 0,
            own_prefix=rng.random() < 0.15,
        )

    @property
    def isolates(self) -> bool:
        """Whether nodes are cut off from the others and from all clients."""
        return self.kind in ("isolated", "spiteful")

    @property
    def cuts_often(self) -> bool:
        """Whether sides that go on by themselves are what it is about."""
        return self.kind != "whole"

    @property
    def busy_ms(self) -> float:
        """How long faults and clients go on."""
        return {"isolated": BUSY_ISOLATED_MS, "spiteful": BUSY_SPITEFUL_MS}.get(self.kind, BUSY_MS)


@attrs.define(eq=False)
class Pipe:
    """One direction of a connection: bytes arrive in order, each after its own delay.

    While the way is cut they lie in the sender's kernel, and leave when it heals.

    Attributes:
        ends: from, to.
        deliver: takes what arrives.
        last: when the last of what is on its way arrives.
        open: whether anything arrives.
        kept: what lies in the sender's kernel.
        flying: what is on its way.
        turned_back: how often all of that was lost, and is to be sent again.
    """

    ends: tuple[int, int]
    deliver: Callable[[bytes], None]
    last: float = 0.0
    open: bool = True
    kept: list[bytes] = attrs.Factory(list)
    flying: deque[bytes] = attrs.Factory(deque)
    turned_back: int = 0


class Host:
    """One server: the node on it, if it runs, and its links to the others."""

    def __init__(self, world: World, number: int) -> None:
        self.number = number
        self.node: Node | None = None
        self.boot = 0
        self.leaving = False
        self.pipes: dict[int, Pipe] = {}
        self.links: dict[Link, tuple[Host, Pipe]] = {}  # who dialled it, and what they send into
        self.clients: dict[Connection, _Client | Talk] = {}
        self._world = world
        self.skew = world.plan.skews[number - 1]
        self.frozen = False
        self.stops = 0
        self._able = world.now  # when it last served, or refused, or was stopped
        self._acts: list[Callable[[Node], None]] = []
        self._unread: set[Connection] = set()

    def turn(self, act: Callable[[Node], None], sender: Connection | None = None) -> None:
        """Let this happen in the node's next turn, with all that comes until then; `sender` has sent bytes."""
        if self.node is not None:
            self._acts.append(act)
            if sender is not None:
                self._unread.add(sender)
            if len(self._acts) == 1 and not self.frozen:
                self._schedule()

    def _schedule(self) -> None:
        world = self._world
        world.later(world.rng.random() * world.plan.turn, partial(self._take_turn, self.boot))

    @property
    def is_dark(self) -> bool:
        """Whether no client reaches it."""
        return self.number in self._world.ways.dark

    def freeze(self) -> None:
        """The process stops where it is; its kernel goes on taking what comes."""
        self.frozen = True
        self.stops += 1
        self._world.turned(self.number)

    def thaw(self) -> None:
        """The process goes on, with all that has come meanwhile."""
        self.frozen = False
        self._able = self._world.now
        if self._acts:
            self._schedule()

    def forget(self) -> None:
        """The process is gone, and with it what it has not read."""
        self.node = None
        self.frozen = False
        self._world.turned(self.number)
        self._acts.clear()
        self._unread.clear()

    def _take_turn(self, boot: int) -> None:
        """Run one turn of the node, and send what it says."""
        node, world = self.node, self._world
        if node is None or self.boot != boot or self.frozen:
            return
        acts, self._acts = self._acts, []
        unread, self._unread = self._unread, set()
        before, promised = node.replica.state.view, node.replica.state.promised
        node.turn(1_000 + int(world.now), WALL + self.skew + int(world.now), unread.__contains__)
        for act in acts:
            act(node)
        state = node.replica.state
        if world.spite is not None and (state.view is not before or state.promised != promised):
            world.spite.strike(self.number)
            if self.node is None or self.frozen:
                return  # it says no more, or says it when it goes on
        self._finish_turn(node)
        self._look_at_links(node)
        if node.replica.state.view is not before:
            self._look_for_rivals(node, before)
        if node.serving and self.number not in world.behind:
            view = node.replica.state.view
            world.served = max(world.served, (view.gen, view.vid))
        if node.serving or not node.open:
            self._able = world.now
        elif world.now - self._able > _HANGS_MS + world.plan.turn:
            ms = world.now - self._able
            raise Broken(f"node {self.number} has neither served nor refused its clients for {ms:.0f} ms")
        world.turned(self.number)

    def _finish_turn(self, node: Node) -> None:
        """Send what it says."""
        while True:
            for peer, data in node.finish():
                pipe = self.pipes.get(peer)
                if pipe is not None:
                    self._world.send(pipe, data)
            for connection, replies in node.clients.replies():
                self.reply(connection, replies)
            if not node.unfinished:
                break

    def _look_at_links(self, node: Node) -> None:
        for link in [link for link in self.links if link.closing]:
            self._world.close(self, link)
        if node.staleness.wary:
            node.staleness.dials_afresh()  # each dials all the time
            self._world.ways.take_back(self)

    def _look_for_rivals(self, node: Node, before: View) -> None:
        """Who hears that a node goes on without it must not go on beside it; but a majority may."""
        state, detector = node.replica.state, node.replica.detector
        if state.view.quorate or not state.full or state.met:  # heard later in this turn: it is paused
            return
        for peer in detector.here(1_000 + int(self._world.now)):
            beat = peer.beat
            together = before.members.get(peer.node) == peer.inc and peer.node not in state.view.members
            deaf = beat is not None and beat.full and beat.vid >= before.vid and not peer.hears(state.me)
            if together and deaf:
                raise Broken(f"node {self.number} goes on beside node {peer.node}, which it hears")

    def reply(self, connection: Connection, replies: bytes) -> None:
        """Send a client what the node has answered."""
        if self._world.watch is not None and replies:
            self._world.watch.said(self.number, CLIENT, replies)
        client = self.clients.get(connection)
        if client is None:
            return
        ways = self._world.ways
        if replies and self.node is not None and self.node.staleness.wary and not self.is_dark:
            self.node.staleness.delivered(connection)
        if replies:
            ways.say(self, connection, partial(client.answered, connection, replies))
        if connection.closing and not connection.waiting:
            del self.clients[connection]
            ways.say(self, connection, partial(client.closed, connection), is_end=True)


class World:
    """Some hosts, their network, their clients, and one seed."""

    def __init__(self, seed: int, only: str = "") -> None:
        self.rng = Random(seed)
        self._nonces = Random(seed)  # of its own: the greeting decides nothing
        self.seed = seed
        self.plan = Plan.draw(self.rng, only)
        self.now = 0.0
        self.trace: list[str] = []
        self.watch: Watch | None = None
        self.history: dict[bytes, list[Operation]] = {}
        self.visitors = [self._visitor(n) for n in range(self.plan.visitors)]
        self.lock_node = self.rng.randrange(self.plan.nodes)  # where php-memcached hashes a lock to
        self.data_node = self.rng.randrange(self.plan.nodes)  # and its session
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
        self.spite = Spite(self) if self.plan.kind == "spiteful" else None
        self.served = (0, 0)  # the generation and name of the newest view in which anybody was served, but for
        self.behind: set[int] = set()  # nodes that were cut off, until a moment after the cut
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self.hosts = {n: Host(self, n) for n in range(1, self.plan.nodes + 1)}
        self._names = [f"10.0.0.{n}:11211" for n in self.hosts]

    def _visitor(self, number: int) -> Worker:
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
        """A node's process starts, with nothing but its configuration."""
        host = self.hosts[number]
        if host.node is not None:
            return
        host.boot += 1
        host.leaving = False
        host.node = Node(
            NodeOptions(nodes=self._names, me=number, strict=self.plan.kind == "majority"),
            inc=self.rng.getrandbits(62),
            now=1_000 + int(self.now),
            wall=WALL + int(self.now),
            random_bytes=self._nonces.randbytes,
            log=lambda line: self.note(f"node {number}: {line}"),
        )
        self.note(f"node {number} starts")
        for other in self.hosts:
            if other != number:
                self._dial(number, other, host.boot, established=False)
        self._tick(number, host.boot)

    def _tick(self, number: int, boot: int) -> None:
        host = self.hosts[number]
        if host.node is not None and host.boot == boot:
            host.turn(lambda node: node.tick())
            self.later(_TICK_MS, partial(self._tick, number, boot))

    def _dial(self, number: int, other: int, boot: int, established: bool) -> None:
        self.later(2 * self.delay(), partial(self._dialled, number, other, boot, established))

    def _dialled(self, number: int, other: int, boot: int, established: bool) -> None:
        host, peer = self.hosts[number], self.hosts[other]
        if host.node is None or host.boot != boot or other in host.pipes:
            return
        if (number, other) in self.cuts or (other, number) in self.cuts:
            if (number, other) not in self.cuts and peer.node is not None and self.plan.isolates:
                peer.turn(lambda node: node.links.called(number))  # the SYN has come
            self.later(_REDIAL_MS, partial(self._dial, number, other, boot, established))
            return
        if peer.node is None:
            if established:
                host.turn(lambda node: node.links.refused(other, "its process is gone"))
            else:
                host.turn(lambda node: node.links.unreachable(other, "its port refuses", True))
            self.later(_REDIAL_MS, partial(self._dial, number, other, boot, False))
            return
        link = peer.node.links.accept(self._names[number - 1])
        pipe = Pipe((number, other), lambda data: peer.turn(lambda node: node.links.receive(link, data)))
        peer.links[link] = (host, pipe)
        host.pipes[other] = pipe
        # The greeting's way to and fro is part of the delay of dialling; what the caller says goes first.
        host.turn(lambda node: self.send(pipe, node.links.dialled(other).receive(link.take())))
        if number not in peer.pipes:  # a node that hears another one dials it back at once
            self._dial(other, number, peer.boot, established=False)

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
        for connection, client in host.clients.items():
            self.later(self.delay(), partial(client.closed, connection))
        host.clients.clear()
        for link in list(host.links):
            self.close(host, link)
        for peer in self.hosts.values():
            for link in [link for link, (dialler, _) in peer.links.items() if dialler is host]:
                del peer.links[link]
                self.tell(number, peer.number, partial(self._link_closed, peer, link))

    def close(self, host: Host, link: Link) -> None:
        """The accepting end closes a link; the dialling end sees it a moment later."""
        dialler, pipe = host.links.pop(link)
        pipe.open = False
        self.tell(host.number, dialler.number, partial(self._hung_up, dialler, host.number, pipe))

    def _link_closed(self, host: Host, link: Link) -> None:
        host.turn(lambda node: node.links.closed(link))

    def _hung_up(self, host: Host, other: int, pipe: Pipe) -> None:
        """A node sees that its link to another one was closed at the other end, and dials again."""
        if host.pipes.get(other) is pipe:
            del host.pipes[other]
            self._dial(host.number, other, host.boot, established=True)

    # --- faults

    def spared(self) -> list[int]:
        """The nodes that hold all of the newest view that anybody has: one of them must stay."""
        views: dict[int, tuple[int, int]] = {}
        for n, host in self.hosts.items():
            if host.node is not None and host.node.replica.state.full:
                view = host.node.replica.state.view
                views[n] = (view.gen, view.vid)
        views = {n: view for n, view in views.items() if n not in self.behind}
        # A view in which nobody was served yet may be lost: all that was acknowledged is in the one before.
        newest = max(views.values(), default=(0, 0)) if self.spite is None else self.served
        return [n for n, view in views.items() if view >= newest and self.awake(n)]

    def awake(self, number: int) -> bool:
        host = self.hosts[number]
        return host.node is not None and host.node.open and not host.leaving and not host.frozen

    def strike(self) -> None:
        """One fault, then the next after a while."""
        if self.quiet or self.unharmed:
            return
        rng = self.rng
        up = [n for n, host in self.hosts.items() if host.node is not None]
        victim = rng.choice(list(self.hosts))
        kind = rng.random()
        if self.spite is not None and self.spite.unsettles(victim):
            pass
        elif kind < _RESETS:
            self._reset(rng.choice(list(self.hosts.values())))
        elif kind < _RESETS + _CUTS or (self.plan.cuts_often and rng.random() < _CUTS_SPLIT):
            self.cut()
        elif kind < _RESETS + _CUTS + _JUMPS:
            self._jump(self.hosts[victim])
        elif kind < _RESETS + _CUTS + _JUMPS + _PAUSES and self.may_freeze() and not self.any_frozen:
            self._pause_all()
        elif victim not in up:
            self.start(victim)
        elif self.survivable(victim):
            if rng.random() < 0.4 and self.may_freeze():
                self.freeze(victim, rng.choice([100.0, 300.0, 700.0, 1_500.0, 3_000.0]))
            else:
                self.stop_for_a_while(victim)
        self.later(rng.choice([10.0, 100.0, 600.0]) * rng.random() + 1, self.strike)

    @property
    def unharmed(self) -> bool:
        """Whether nothing befalls the nodes: a lock of an unknown prefix is no more than memcached's."""
        return self.plan.own_prefix and bool(self.plan.visitors and self.plan.patience)

    def strike_now(self, number: int) -> None:
        """A node dies or freezes in just this moment, if the others can do without it."""
        if not (self.quiet or self.unharmed) and self.awake(number) and self.survivable(number):
            if self.rng.random() < 0.5 and self.may_freeze():
                self.freeze(number, self.rng.choice([200.0, 1_800.0]))
            else:
                self.stop_for_a_while(number)

    def stop_for_a_while(self, victim: int) -> None:
        self.stop(victim, kill=self.rng.random() < 0.75)
        ms = self.rng.choice([5.0, 60.0, 300.0, 1500.0]) * self.rng.random()
        self.later(ms, partial(self.start, victim))

    def survivable(self, victim: int) -> bool:
        """Whether another node is left that has everything, and no cut that only this one bridges."""
        return victim not in self.bridges and bool([n for n in self.spared() if n != victim])

    def may_freeze(self) -> bool:
        """Whether a stop is no second cut: those that are cut off or stopped together could be a majority."""
        return not (self.plan.isolates and self.behind)

    @property
    def any_frozen(self) -> bool:
        """Whether any process is stopped."""
        return any(host.frozen for host in self.hosts.values())

    def _pause_all(self) -> None:
        """The one machine is paused on which all nodes are; its clients are not."""
        ms = self.rng.choice([200.0, 700.0, 1_200.0])
        for number, host in self.hosts.items():
            if host.node is not None:
                self.freeze(number, ms, self.rng.random() * 20)

    def freeze(self, number: int, ms: float, jitter: float | None = None) -> None:
        """A process is stopped (SIGSTOP, swapping, a paused virtual machine) and goes on after a while."""
        host = self.hosts[number]
        if host.frozen or host.node is None:
            return
        ms = ms * (0.5 + self.rng.random()) if jitter is None else ms + jitter
        self.note(f"node {number} is frozen for {ms:.0f} ms")
        host.freeze()

        def thaw(boot: int = host.boot) -> None:
            if host.boot == boot and host.frozen:
                self.note(f"node {number} thaws")
                host.thaw()

        self.later(ms, thaw)

    def _jump(self, host: Host) -> None:
        """A wall clock is set."""
        host.skew += self.rng.choice([1_000, -1_000, 60_000, -60_000, 3_600_000, -3_600_000, -86_400_000])
        self.note(f"the clock of node {host.number} is off by {host.skew} ms now")

    def cut(self) -> None:
        """Some ways are cut for a while: one link where the cluster must stay whole, else what chance takes."""
        rng, numbers = self.rng, list(self.hosts)
        if self.cuts or self.bridges or self.behind:
            return
        if self.plan.kind == "whole":
            up = [n for n in numbers if self.awake(n)]
            if len(up) < 3:
                return
            a, b, *bridges = rng.sample(up, len(up))
            cuts = rng.choice([{(a, b)}, {(a, b), (b, a)}])
            self.bridges = set(bridges)
        elif self.plan.isolates:
            cuts = self._isolate()
            if not cuts:
                return
        else:
            side = set(rng.sample(numbers, rng.randint(1, len(numbers) - 1)))
            cuts = {(a, b) for a in numbers for b in numbers if a != b and (a in side) != (b in side)}
            if rng.random() < 0.2:  # one direction only
                cuts = {(a, b) for a, b in cuts if a in side}
            elif rng.random() < 0.2:
                cuts = {rng.choice(sorted(cuts))}
            elif rng.random() < 0.2:  # what is left leads round no corner, or round one of them only
                cuts = {pair for pair in sorted(cuts) if rng.random() < 0.7}
        self.note("cut: " + " ".join(f"{a}-{b}" for a, b in sorted(cuts)))
        self.cuts = cuts
        alone = [n for n in numbers if 2 * sum((m, n) in cuts for m in numbers) >= len(numbers)]
        if self.plan.kind == "majority" and alone:
            busy = partial(self._is_busy, rng.choice(alone))
            self.later(_SILENT_MS + _ABOUT_MS * (rng.random() - 0.5), busy)
        ms = self._length_of_cut()
        for pair in cuts:
            self.later(min(ms, _USER_TIMEOUT_MS), partial(self._time_out, pair, frozenset(cuts)))
        self.later(ms, self._heal_in_time)

    def _is_busy(self, number: int) -> None:
        """A node has no time for its sockets, for not so long that it would take itself for stopped.

        Leases must bound what it answers from then: it looks whom it hears after it has executed what came.
        """
        if self.awake(number):
            self.freeze(number, self.rng.choice(_BUSY_TURNS_MS), 0.0)

    def _length_of_cut(self) -> float:
        rng = self.rng
        ms = rng.choice([100.0, 400.0, 1_000.0, 3_000.0]) * (0.5 + rng.random())
        if self.plan.kind == "split":
            return ms + 1_000  # both sides have time to form views and to accept writes
        if self.spite is not None:
            return self.spite.cut()
        if self.plan.isolates:
            return rng.choice([300.0, 800.0, 1_000.0, 1_500.0]) * (0.7 + 0.6 * rng.random())
        return ms

    def _isolate(self) -> set[tuple[int, int]]:
        """Some nodes, no majority, are cut off from the others and from all clients, who can do without."""
        rng, numbers = self.rng, list(self.hosts)
        side = set(rng.sample(numbers, rng.randint(1, len(numbers) // 2)))
        if not [n for n in self.spared() if n not in side] or self.any_frozen:
            return set()
        self.behind = side
        darken = partial(self.ways.dark.update, side)
        if rng.random() < 0.5:
            darken()
        else:
            self.later(rng.random() * 40, lambda: darken() if self.cuts else None)
        return {(a, b) for a in numbers for b in numbers if a != b and (a in side) != (b in side)}

    def _time_out(self, pair: tuple[int, int], cuts: frozenset[tuple[int, int]]) -> None:
        """The sender's kernel gives a connection up whose bytes nobody acknowledges (TCP_USER_TIMEOUT)."""
        if self.cuts == cuts:
            host = self.hosts[pair[0]]
            pipe = host.pipes.get(pair[1])
            if pipe is not None:
                pipe.open = False
                del host.pipes[pair[1]]
                self._dial(pair[0], pair[1], host.boot, established=True)

    def _heal_in_time(self) -> None:
        """The cut heals, but not just before a node answers, which could not know of it (guarantees.md)."""
        if self.ways.answer_is_due():
            self.later(_LATER_MS * self.rng.random(), self._heal_in_time)
        else:
            self.heal()

    def heal(self) -> None:
        """All ways are open again; what the kernels have kept leaves now."""
        if not self.cuts:
            return
        self.note("healed")
        self.ways.heal()
        unheard = {(a, b) for a, b in self.cuts if a in self.behind and not self.quiet and self.plan.arp}
        if unheard and unheard != self.cuts:
            self.cuts = unheard
            self.later(self.plan.arp, self.heal)
        else:
            self.cuts = set()
            if self.spite is None:
                self.later(_BRIDGED_MS, self.behind.clear)
            else:
                self.spite.healed()
        for host in self.hosts.values():
            for pipe in host.pipes.values():
                kept, pipe.kept = pipe.kept, []
                for data in kept:
                    self.send(pipe, data)
        self.later(_BRIDGED_MS, self.bridges.clear)

    def _reset(self, host: Host) -> None:
        """A link to this host breaks, with what is in it; both ends see it a moment later."""
        if host.node is not None and host.links:
            link = self.rng.choice(list(host.links))
            self.note(f"a link to node {host.number} is reset")
            self.close(host, link)
            self.later(self.delay(), partial(self._link_closed, host, link))


class _Client:
    """One client: a command at a time, at a node that it changes often."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._number = number
        self._host: Host | None = None
        self._connection: Connection | None = None
        self._command: _Command | None = None
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

    def _draw(self, rng: Random) -> _Command:
        world = self._world
        key = b"key%d" % rng.randrange(world.plan.keys)
        return _Command.draw(rng, key, world, self._uniques, self._tongue)

    def send(self, host: Host, command: _Command) -> None:
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
        world.later(_CLIENT_TIMEOUT_MS, partial(self._give_up, connection))

    def _arrive(self, host: Host, connection: Connection, command: _Command) -> None:
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

    def _accepted(self, host: Host, command: _Command, text: str) -> None:
        """Remember who stood behind an acknowledged write: a majority, or a minority since which one."""
        if host.node is None or host.boot != self._boot:
            return  # who answered is gone, and its view with it
        view, world = host.node.replica.state.view, self._world
        if not view.quorate:
            world.minority[family(command.value)] = view.gen
        elif view.gen > world.accepted.get(command.key, (0, ""))[0]:
            world.accepted[command.key] = view.gen, text


class _PlainClient(_Client):
    """One that locks pages under the names of PHP's locks; see plain_clients.py."""

    def _draw(self, rng: Random) -> _Command:
        plain = Plain.draw(rng, self._tongue)
        return _Command(plain.verb, plain.key, self._tongue, plain.line, plain.value)


#: What clients send, by how often. No `decr`: see tests/simulation/semantics.py.
_VERBS = [
    "set", "set", "get", "get", "gets", "add", "replace", "incr", "incr", "delete", "cas", "append", "prepend",
    "touch",
]  # fmt: skip


#: Those that may be done to a certain value only, by its cas unique; but in the text protocol only `cas` may.
_CONDITIONAL = frozenset(["delete", "append", "prepend", "incr"])


@attrs.define(eq=False)
class _Command:
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
    ) -> _Command:
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


@attrs.frozen
class Outcome:
    """What a run that broke no promise was like."""

    commands: int
    slowest: float
    undecided: int


def simulate(seed: int, only: str = "", watch: Callable[[World], Watch] | None = None) -> Outcome:
    """Run one seed from cold start to healed cluster, and check every promise.

    Args:
        seed: what everything is drawn from.
        only: the kind of run, instead of the one that would be drawn.
        watch: makes what is told of everything that happens.

    Raises:
        Broken: with the reason, what happened, and the command that replays it.
    """
    world = World(seed, only)
    world.watch = watch(world) if watch is not None else None
    former = store.TOMBSTONE_MS
    _keep_tombstones(world.plan.tombstone)
    try:
        return _simulate(world)
    except AssertionError as error:
        tail = "\n".join(world.trace[-400:])
        raise Broken(f"seed {seed} ({world.plan})\n{tail}\n{error}\n{replay(seed, only)}") from error
    finally:
        _keep_tombstones(former)


def replay(seed: int, only: str = "") -> str:
    """How to see such a run again."""
    return f"Replay: python -m tests.simulate --seed {seed}" + (f" --kind {only}" if only else "")


def _keep_tombstones(ms: int) -> None:
    """Let tombstones be purged after this time."""
    for module in (engine, store, state_transfer):
        setattr(module, "TOMBSTONE_MS", ms)  # noqa: B010 (a constant, for everybody else)


def _simulate(world: World) -> Outcome:
    for number in world.hosts:
        world.later(world.rng.random() * 30, partial(world.start, number))
    world.run(1_500)
    for number, host in world.hosts.items():
        assert host.node is not None and host.node.open, f"node {number} does not serve after a cold start"
    _fill(world)
    for number in range(world.plan.clients):
        world.later(world.rng.random() * 20, _Client(world, number).go)
    for number in range(world.plan.plain):
        world.later(world.rng.random() * 20, _PlainClient(world, world.plan.clients + number).go)
    for visitor in world.visitors:
        world.later(world.rng.random() * 20, visitor.go)
    switch, redundancy = Switch(), world.rng.randint(1, world.plan.nodes)
    for number in range(world.plan.togglers):
        toggler = Toggler(world, world.plan.visitors + number, switch, redundancy)
        world.later(world.rng.random() * 20, toggler.go)
    world.later(world.rng.random() * 300, world.strike)
    world.run(1_500 + world.plan.busy_ms)
    world.quiet = True
    while world.ways.answer_is_due():
        world.run(world.now + 1)
    world.heal()
    for number, host in world.hosts.items():
        if host.frozen:
            host.thaw()
        world.later(0, partial(world.start, number))
    _wait_until_healed(world)
    _check_healed(world)
    undecided = 0 if world.plan.kind == "split" else _check_histories(world)
    return Outcome(world.commands, world.slowest, undecided)


def _fill(world: World) -> None:
    """Store the plan's records through the first node."""
    host = world.hosts[1]
    lines = b"".join(b"set record%d 0 0 1 noreply\r\nx\r\n" % i for i in range(world.plan.records))
    if lines:
        node = host.node
        assert node is not None
        connection = node.clients.connect()
        host.turn(lambda node: host.reply(connection, node.clients.receive(connection, lines)))
        world.run(world.now + 500)
        node.clients.disconnect(connection)


def _wait_until_healed(world: World) -> None:
    """Give the cluster time to heal; go on a moment after every node serves and nothing is in flight."""
    end = world.now + HEAL_MS
    while world.now < end:
        world.run(world.now + 250)
        for number in world.hosts:  # one that was still leaving
            world.start(number)
        if all(_is_quiet(host.node) for host in world.hosts.values()) and all(
            visitor.idle for visitor in world.visitors
        ):
            break
    world.run(world.now + _CLIENT_TIMEOUT_MS + 250)


def _is_quiet(node: Node | None) -> bool:
    return node is not None and node.serving and not node.replica.rounds


def _check_healed(world: World) -> None:
    """Every node serves, nothing is in flight, and all hold the same."""
    nodes = {}
    for number, host in world.hosts.items():
        assert host.node is not None and host.node.open, f"node {number} does not serve after the faults"
        nodes[number] = host.node
    first = nodes[1]
    for number, node in nodes.items():
        assert not node.replica.rounds, f"node {number} still has writes in flight"
        purged = world.plan.tombstone < HEAL_MS
        different = differences(first.store, node.store, 1_000 + int(world.now), purged=purged)
        assert not different, f"nodes 1 and {number} differ: " + ", ".join(different[:3])
        assert purged or node.store.digest.sums == first.store.digest.sums, (
            f"the digest of node {number} is wrong"
        )
        for i in range(world.plan.records):
            assert b"record%d" % i in node.store.values, f"node {number} has lost record{i}"
    if world.plan.kind == "split":
        _check_majority_won(world, first)
        return
    _check_visits(world, first)
    for key in world.history:
        entry = first.store.values.get(key)
        value = entry.value if entry is not None else None
        text = f"finally every node holds {value!r}"
        world.history[key].append(Operation(world.now, world.now + 1, b"", partial(_holds, value), text))


def _check_majority_won(world: World, node: Node) -> None:
    """Nothing that a majority acknowledged has given way to what a minority did that had not heard of it."""
    for key, (gen, text) in world.accepted.items():
        entry = node.store.values.get(key)
        since = gen if entry is None else world.minority.get(family(entry.value or b""), gen)
        assert since >= gen, f"{key!r} is {entry} in the end, a minority's; but a majority acknowledged {text}"


def _check_visits(world: World, node: Node) -> None:
    """Every counted visit is in the session."""
    if not world.visitors:
        return
    entry = node.store.values.get(world.visitors[0].data)
    count = 0 if entry is None else int(entry.value or b"0")
    counted = sum(visitor.counted for visitor in world.visitors)
    most = counted + sum(visitor.uncertain for visitor in world.visitors)
    assert counted <= count <= most, (
        f"the session counts {count} visits, between {counted} and {most} were made"
    )


def _holds(value: bytes | None, reply: bytes | None) -> Meaning:
    return Keeps(only(value))


def _check_histories(world: World) -> int:
    """Every key's history is linearizable; returns how many were too large to decide."""
    undecided = 0
    for key, history in world.history.items():
        try:
            wrong = explain(history, family=family)
        except Undecided:
            undecided += 1
            continue
        if wrong is not None:
            lines = "\n".join(op.text for op in sorted(history, key=lambda op: op.begin))
            raise AssertionError(
                f"the history of {key!r} is not linearizable at\n{wrong}\nThe history:\n{lines}"
            )
    return undecided
