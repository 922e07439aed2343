"""The ways between clients and nodes, in virtual time: a cut one keeps what is sent, as kernels do.

A node that is cut off from its clients is *dark*. What they have sent when the cut began, and what the node
answers, lies in kernels; when the cut heals it is sent again, within the time that TCP waits between two tries.
Whether its sender has given up meanwhile makes no difference to that.

A shell that is told by its node that it may have been left behind takes answers back which nobody acknowledges
(daemon/delivery.py); so does this one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from memrep.protocol.connection import Connection

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

#: TCP tries again after 200 ms, and then after twice as long each time; a cut is as long as several tries.
_AGAIN_MS: Final = 200.0

#: How long an answer may stay unacknowledged before it is taken back, ms: that, and a tick.
_DEAF_MS: Final = 75.0

#: How long a node looks for the others before it answers who has waited since before a cut, ms; and how long
#: before that it looks for the last time.
_LOOKS_MS: Final = 200.0
_LAST_LOOK_MS: Final = 50.0


@attrs.define(eq=False)
class _Answer:
    """What a node has said to a client that it does not reach.

    Attributes:
        host: the node's.
        connection: the client's.
        at: when it was said.
        deliver: lets it arrive.
        is_end: whether it is the connection's end, which is the kernel's to say, whatever befalls the node.
    """

    host: Host
    connection: Connection
    at: float
    deliver: Callable[[], None]
    is_end: bool


class Ways:
    """The ways between all clients and all nodes.

    Attributes:
        dark: the nodes that no client reaches.
    """

    def __init__(self, world: World) -> None:
        self.dark: set[int] = set()
        self._world = world
        self._sent: list[tuple[int, Callable[[], None]]] = []
        self._said: list[_Answer] = []
        self._last: dict[Connection, float] = {}  # when what was said last arrives; order is kept

    def arrive(self, number: int, act: Callable[[], None]) -> None:
        """Something of a client's is at this node's door: let it in, unless the way is cut."""
        if number in self.dark:
            self._sent.append((number, act))
        else:
            act()

    def say(self, host: Host, connection: Connection, act: Callable[[], None], *, is_end: bool = False) -> None:
        """A node says something to a client; it arrives after a while, unless the way is cut."""
        world = self._world
        if host.number in self.dark:
            self._said.append(_Answer(host, connection, world.now, act, is_end))
        else:
            self._last[connection] = max(self._last.get(connection, 0.0), world.now + world.delay())
            world.later(self._last[connection] - world.now, act)

    def answer_is_due(self) -> bool:
        """Whether a dark node is about to answer who has been waiting since before the cut.

        It has looked for the others for long enough then (rule N2); that a cut heals after its last look it
        cannot see. Its clients are told nothing before that, and all of them once it is over.
        """
        return any(map(self._is_about_to_answer, self.dark))

    def _is_about_to_answer(self, number: int) -> bool:
        host = self._world.hosts[number]
        node = host.node
        if node is None or not node.staleness.wary or node.staleness.wary_for < _LOOKS_MS - _LAST_LOOK_MS:
            return False
        return any(connection.waiting or node.clients.unheard(connection) for connection in host.clients)

    def take_back(self, host: Host) -> None:
        """This node may have been left behind: what it has said to those who are not there is taken back."""
        latest = self._world.now - _DEAF_MS
        for answer in [a for a in self._said if a.host is host and a.at <= latest and not a.is_end]:
            self._said.remove(answer)
            if host.node is not None:
                host.node.staleness.undelivered(answer.connection)
            if host.clients.pop(answer.connection, None) is not None and host.node is not None:
                host.node.clients.disconnect(answer.connection)

    def ended(self, host: Host) -> None:
        """This node's process is gone, and with it what its kernel has not sent."""
        self._said = [a for a in self._said if a.host is not host or a.is_end]

    def heal(self) -> None:
        """All ways are open; what the kernels have kept is sent again, and can be taken back until it is."""
        self.dark.clear()
        world = self._world
        sent, self._sent = self._sent, []
        again = {number: world.rng.random() * _AGAIN_MS for number in sorted({number for number, _ in sent})}
        for place, (number, act) in enumerate(sent):
            world.later(again[number] + place / 1_000, act)
        for answer in self._said:
            begin = max(self._last.get(answer.connection, 0.0), self._next_try(answer.at))
            self._last[answer.connection] = begin + world.delay()
            world.later(self._last[answer.connection] - world.now, partial(self._deliver, answer))

    def _next_try(self, at: float) -> float:
        """When the kernel next sends what was said then, and not acknowledged."""
        wait = _AGAIN_MS
        while (at := at + wait) < self._world.now:
            wait *= 2
        return at

    def _deliver(self, answer: _Answer) -> None:
        if answer in self._said and answer.host.number not in self.dark:
            self._said.remove(answer)
            answer.deliver()
