"""Staleness: whether this node may have been left behind, and which clients it may serve meanwhile.

host_gate.py has the rule for hosts, as of one view; here it is held against connections and the replica's
state. Only a command on a key shows that its host has visitors: one that asks for statistics every few seconds,
from this very machine perhaps, would keep its host known all through a cut.

Likewise a write shows that this side has clients only if its client is there to hear of it. Who asked before
the others fell silent may be cut off as well; its write counts when the answer has arrived (finding 38 in
docs/replication.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from memrep.addresses import is_local
from memrep.engine.counters import Counters
from memrep.node.host_gate import HostGate
from memrep.protocol.connection import Connection
from memrep.replication.membership.history import ANSWERED, TOLD_HERE, WRITTEN
from memrep.replication.membership.timing import Timing
from memrep.replication.replica import Replica
from memrep.storage.version import Clock


class StalenessGuard:
    """What one node knows of those that it misses, and of whom it may serve without them.

    Args:
        replica: knows whom this node misses, and whether one of them is back.
        counters: tell what a client's commands have touched.
        clock: the time.
        timing: the constants.
    """

    def __init__(self, replica: Replica, counters: Counters, clock: Clock, timing: Timing) -> None:
        self._replica = replica
        self._counters = counters
        self._clock = clock
        self._timing = timing
        self._hosts: dict[Connection, str] = {}
        self._gate: HostGate | None = None
        self._unsure: set[Connection] = set()  # have written, and may be cut off as well

    # --- for the shell

    @property
    def wary(self) -> bool:
        """Tell whether each client's host is looked at before it is served."""
        return self._gate is not None

    @property
    def wary_for(self) -> int:
        """Tell for how long that has been so, ms."""
        return self._gate.age if self._gate is not None else 0

    @property
    def waiting(self) -> bool:
        """Tell whether a client waits for this node to know whether the others can be reached again."""
        return self._replica.state.met or (self._gate is not None and self._gate.waiting)

    def dials_afresh(self) -> list[int]:
        """Return the peers that the shell has to dial now, whatever it is at: a host waits."""
        return self._replica.missed if self._gate is not None and self._gate.take_dial() else []

    def delivered(self, connection: Connection) -> None:
        """Note that an answer of this time of doubt is at its client's machine; to be told while `wary`."""
        if not self._replica.missed:
            return
        activity = TOLD_HERE if is_local(self._hosts.get(connection)) else ANSWERED
        if connection in self._unsure:
            self._unsure.discard(connection)
            activity = WRITTEN
        self._replica.state.happened(activity)

    def undelivered(self, connection: Connection) -> None:
        """Note that an answer of this time of doubt is not acknowledged: its client is no more on this side."""
        # Finding 47: it asked before the cut, and its host proves nothing of which side it is on.
        if self._gate is not None:
            self._gate.forget(self._hosts.get(connection, ""))

    # --- for the node

    def came(self, connection: Connection, host: str) -> None:
        """Note that a client has come from this host; "" for a unix socket."""
        self._hosts[connection] = host

    def left(self, connection: Connection) -> None:
        """Forget a client that is gone."""
        self._hosts.pop(connection, None)
        self._unsure.discard(connection)

    @property
    def grace(self) -> int:
        """Tell how much longer than elsewhere a client may wait, ms."""
        return self._gate.grace if self._gate is not None else 0

    @property
    def patience(self) -> int:
        """Tell how long a client may wait before it is hung up on, ms."""
        return self._timing.hold + self.grace

    def lets_in(self, connection: Connection) -> bool:
        """Tell whether what this client has just sent may be executed, as far as that is asked here."""
        return not self._replica.missed or self._doubt.lets_in(self._hosts[connection])

    def answers(self, connection: Connection, since: int) -> bool:
        """Tell whether a client that has been waiting since then may be answered, or heard."""
        return not self._replica.missed or self._doubt.answers(self._hosts[connection], since)

    def serves(self, connection: Connection) -> bool:
        """Tell whether this client's host is known to be on this side."""
        return self._gate is not None and self._gate.serves(self._hosts[connection])

    def execute(self, connection: Connection, act: Callable[[], bytes]) -> bytes:
        """Execute a client's commands in a time of doubt; if they write this side may be one with clients."""
        stamped, touched = self._clock.logical, self._counters.on_keys
        replies = act()
        if self._clock.logical != stamped:
            self._wrote(connection)
        if self._counters.on_keys != touched:
            self._doubt.heard(self._hosts.get(connection, ""))
        return replies

    def go_on(self, waiting: Iterable[Connection], act: Callable[[], None]) -> None:
        """Go on, in a time of doubt, with commands that have waited for others' writes.

        If they write it is for one of those that wait; for which does not matter: the others may be shown it.
        """
        stamped = self._clock.logical
        act()
        if self._clock.logical != stamped:
            for connection in waiting:
                self._wrote(connection)

    def _wrote(self, connection: Connection) -> None:
        """Note that a client has written: now if it is known to be on this side, else when it is told so."""
        host = self._hosts.get(connection)
        if is_local(host) or self._doubt.serves(host or ""):
            self._replica.state.happened(WRITTEN)
        else:
            self._unsure.add(connection)

    def tick(self) -> None:
        """Do what is due by the clock."""
        if self._replica.state.met:
            return
        if not self._replica.missed:
            self._gate = None
            self._unsure.clear()
        elif self._gate is not None:
            self._gate.tick()

    @property
    def _doubt(self) -> HostGate:
        """Return the gate of the present view: a host that was served in an earlier one is looked at again."""
        vid = self._replica.state.view.vid
        if self._gate is None or self._gate.vid != vid:
            peers = self._replica.detector.peers
            silence = max((peers[node].contact.heard for node in self._replica.missed), default=self._clock.now)
            self._gate = HostGate(self._clock, self._timing, vid, silence)
        return self._gate
