"""Slow commands: the last of those that waited for long, and for what.

Problem: a page took a second, and afterwards nobody knows why. To time each command would cost the many that
are answered at once, to find the few that are not.

So only waiting is looked at. A connection that waits is noted as such anyway (clients.py), with why and with
its first bytes; when its wait is over one subtraction tells whether it was long. What a command waits for may
change, so while any has waited for long it is looked at with each tick who holds it up: no view, or nodes that
have not acknowledged.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from memrep.protocol.connection import Connection
from memrep.protocol.first_command import first_command
from memrep.replication.replica import Replica
from memrep.storage.version import Clock

#: Who has waited for so long is slow, unless told otherwise, ms: a page's visitor notices.
SLOW_MS: Final = 100

#: Commands that are remembered.
REMEMBERED: Final = 128

#: What is waited for: other nodes' acknowledgements; that less is on its way; that this node may serve; that it
#: shows what a client means by taking a lock.
PEERS: Final = "peers"
ROOM: Final = "room"
VIEW: Final = "view"
LOCK: Final = "lock"

#: Why a wait has begun, and the first bytes of what came then.
Begun = tuple[str, bytes]


@attrs.frozen(kw_only=True)
class SlowCommand:
    """A command that waited for long.

    Attributes:
        at: when its wait was over, wall clock, ms.
        host: its client's; "" on a unix socket.
        name: what it does; "" if that is not known.
        key: of what; empty if that is not known.
        waited_ms: for how long it waited.
        waited_for: for what.
        nodes: the numbers of the nodes that had not acknowledged.
        answered: whether its client was still there.
    """

    at: int
    host: str
    name: str
    key: bytes
    waited_ms: int
    waited_for: str
    nodes: tuple[int, ...]
    answered: bool


class SlowCommands:
    """The last slow commands of one node.

    Args:
        replica: knows who has not acknowledged.
        clock: the time of the present turn.
        limit_ms: who has waited for so long is slow.

    Attributes:
        last: they themselves, the latest last.
    """

    def __init__(self, replica: Replica, clock: Clock, limit_ms: int) -> None:
        self.last: deque[SlowCommand] = deque(maxlen=REMEMBERED)
        self.limit_ms = limit_ms
        self._replica = replica
        self._clock = clock
        self._looked_at = -1
        self._viewless_at = -1
        self._behind: tuple[int, ...] = ()

    def look(self, since: int) -> None:
        """See what holds up who has waited since then, own monotonic ms; to be called with each tick."""
        now = self._clock.now
        if now - since < self.limit_ms:
            return
        if not self._replica.may_serve:
            self._viewless_at = now
            return
        self._looked_at = now
        others = self._replica.state.view.members
        self._behind = tuple(node for node in others if self._replica.rounds.lag(node))

    def ended(self, connection: Connection, begun: Begun) -> None:
        """Take a wait that is over."""
        since, now = connection.waits_since, self._clock.now
        if since is None or now - since < self.limit_ms:
            return
        why, head = begun
        name, key = first_command(head)
        if why == PEERS and self._viewless_at >= since:
            why = VIEW
        seen = why == PEERS and self._looked_at >= since
        self.last.append(
            SlowCommand(
                at=self._clock.wall,
                host=connection.host,
                name=name,
                key=key,
                waited_ms=now - since,
                waited_for=why,
                nodes=self._behind if seen else (),
                answered=not connection.closing,
            )
        )
