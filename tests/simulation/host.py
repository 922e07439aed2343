"""One server of the simulated world: a node in turns, what lies unread in its kernel, and its links."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import attrs

from memrep.node.node import Node
from memrep.protocol.connection import Connection
from memrep.replication.links import Link
from memrep.replication.membership.view import View
from tests.harness.lone_node import WALL
from tests.simulation.php_worker import Talk
from tests.simulation.plan import Broken
from tests.simulation.trace import CLIENT

if TYPE_CHECKING:
    from tests.simulation.workload import Client
    from tests.simulation.world import World

#: How long a node may be open without serving: a second, a tick, and a turn.
_HANGS_MS = 1_100.0

#: How often it is looked, ms, whether nothing comes any more from who is to be told that it is over.
_LOOK_MS = 1.0


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
        self.clients: dict[Connection, Client | Talk] = {}
        self.parting: dict[Connection, Client | Talk] = {}  # nothing is said to them any more
        self._world = world
        self.skew = world.plan.skews[number - 1]
        self.frozen = False
        self.stops = 0
        self._able = world.now  # when it last served, or refused, or was stopped
        self._acts: list[tuple[Callable[[Node], object], bool]] = []  # each with whether it is a client's
        self._unread: set[Connection] = set()
        self._came: dict[Connection, float] = {}  # when something last came from who is parting

    def turn(self, act: Callable[[Node], object], sender: Connection | None = None) -> None:
        """Let this happen in the node's next turn, with all that comes until then.

        Args:
            act: what happens; it returns True if the turn need not be ended for it.
            sender: which client has sent bytes; a turn need not be ended for these either.
        """
        if self.node is not None:
            self._acts.append((act, sender is not None))
            if sender is not None:
                self._unread.add(sender)
                if sender in self.parting:
                    self._came[sender] = self._world.now
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
        self._came.clear()

    def _take_turn(self, boot: int) -> None:
        """Run one turn of the node, and send what it says."""
        node, world = self.node, self._world
        if node is None or self.boot != boot or self.frozen:
            return
        acts, self._acts = self._acts, []
        unread, self._unread = self._unread, set()
        before, promised = node.replica.state.view, node.replica.state.promised
        node.turn(1_000 + int(world.now), WALL + self.skew + int(world.now), unread.__contains__)
        may_be_quiet = True
        for act, is_clients in acts:
            may_be_quiet &= act(node) is True or is_clients
        state = node.replica.state
        if world.spite is not None and (state.view is not before or state.promised != promised):
            world.spite.strike(self.number)
            if self.node is None or self.frozen:
                return  # it says no more, or says it when it goes on
        if not (may_be_quiet and node.quiet):
            self._finish_turn(node)
        self._look_at_links(node)
        if node.replica.state.view is not before:
            self._look_for_rivals(node, before)
        if node.serving and self.number not in world.behind:
            world.served = max(world.served, node.replica.state.view.vid)
        if node.serving or not node.open:
            self._able = world.now
        elif world.now - self._able > _HANGS_MS + world.plan.turn:
            ms = world.now - self._able
            raise Broken(f"node {self.number} has neither served nor refused its clients for {ms:.0f} ms")
        world.turned(self.number)

    def _finish_turn(self, node: Node) -> None:
        """Send what it says."""
        for target, data in node.end_turn():
            if isinstance(target, Connection):
                self.reply(target, data)
            elif (pipe := self.pipes.get(target)) is not None:
                self._world.send(pipe, data)

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
            together = before.members.get(peer.node) == peer.process.inc and peer.node not in state.view.members
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
            farewell = connection.farewell
            if farewell is None or not farewell.hold_s:
                ways.say(self, connection, partial(client.closed, connection), is_end=True)
                return
            self.parting[connection] = client
            self._part(connection, farewell.hold_s, self._world.now)

    def _part(self, connection: Connection, hold_s: float, quiet_since: float) -> None:
        """Say goodbye to a client of which nothing has come for long enough (daemon/lingering_close.py)."""
        quiet_since = max(quiet_since, self._came.pop(connection, 0.0))
        left = quiet_since + 1_000 * hold_s - self._world.now
        if connection not in self.parting:
            return
        if left > 0 or self.frozen:
            self._world.later(max(left, _LOOK_MS), partial(self._part, connection, hold_s, quiet_since))
        else:
            client = self.parting.pop(connection)
            self._world.ways.say(self, connection, partial(client.closed, connection), is_end=True)
