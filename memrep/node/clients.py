"""The clients of a node: who is answered now, who has to wait, and who is hung up on.

While the node may not serve (a view change is under way, or its lease has run out) it does not look at what
clients send but keeps it, and goes on when it may. It keeps it for a while and then closes the connection
unread: PHP takes an error or a miss for an empty session, but a closed connection for what it is.

A connection has its own state (protocol/connection.py). What is kept here is in which order they have their
turn, each order a dict: who has become ready, who waits until less is on its way, who waits at all.
"""

from __future__ import annotations

from collections.abc import Iterator

from memrep.node.slow_commands import LOCK, PEERS, ROOM, SLOW_MS, VIEW, Begun, SlowCommands
from memrep.node.staleness import StalenessGuard
from memrep.protocol.client_policy import ClientPolicy
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext
from memrep.protocol.farewell import Farewell
from memrep.protocol.first_command import HEAD_BYTES
from memrep.protocol.negotiation import connect, farewell
from memrep.replication.replica import Replica
from memrep.storage.version import Clock


class Clients:
    """All client connections of one node.

    Args:
        policy: what they mean by their commands, and which engine executes them.
        context: what connections see of the node.
        replica: knows until when they may be served.
        staleness: knows whom, while the node may have been left behind.
        clock: the time of the present turn.

        slow_ms: who has waited for so long is slow.

    Attributes:
        suspended: whether this turn had no time for all who are ready.
        slow: the last slow commands.
    """

    def __init__(
        self,
        policy: ClientPolicy,
        context: ServerContext,
        replica: Replica,
        staleness: StalenessGuard,
        clock: Clock,
        slow_ms: int = SLOW_MS,
    ) -> None:
        self.suspended = False
        self.slow = SlowCommands(replica, clock, slow_ms)
        self._counters = policy.engine.counters
        self._policy = policy
        self._context = context
        self._replica = replica
        self._leases = replica.leases
        self._staleness = staleness
        self._clock = clock
        self._connections: dict[Connection, None] = {}
        self._ready: dict[Connection, None] = {}  # in the order in which they became so
        self._unheard: dict[Connection, bytes] = {}  # what came while this node might not serve
        self._cut: set[Connection] = set()  # those that hung up before they were answered
        self._waits: dict[Connection, Begun] = {}  # those that wait; see Connection.waits_since
        self._crowd: dict[Connection, None] = {}  # whose next command waits until less is on its way

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._connections)

    # --- turns

    def begin_turn(self) -> None:
        """Begin a turn."""
        self.suspended = False

    def tick(self) -> None:
        """Do what is due by the clock."""
        if self._replica.state.met:
            self._turn_away()
        self._lose_patience()
        self._close_the_late()

    @property
    def unfinished(self) -> bool:
        """Tell whether a client has something to do at the end of this turn, or has to wait for a later one."""
        return bool(self._ready or self._unheard or self._crowd)

    @property
    def waits(self) -> bool:
        """Tell whether any client waits, be it for an answer or to be heard."""
        return bool(self._waits)

    @property
    def can_go_on(self) -> bool:
        """Tell whether a client has something to do in the next turn, though nothing may come."""
        if self._crowd and not self._context.flow.tight:
            return True
        return bool(self._ready) and not self._staleness.wary  # else they may have to wait all the same

    # --- one client

    def connect(self, host: str = "", port: str = "") -> Connection:
        """Take in a client that has come.

        Args:
            host: from where; "" for a unix socket.
            port: by what kind of port (negotiation.py).
        """
        self._counters.total_connections += 1
        connection = connect(self._policy, self._context, self._is_ready, port, host)
        self._connections[connection] = None
        self._staleness.came(connection, host)
        return connection

    def receive(self, connection: Connection, data: bytes) -> bytes:
        """Take what a client sent; return the replies that can be sent to it now."""
        counters = self._counters
        counters.bytes_read += len(data)
        connection.heard = self._clock.now
        # Findings 6 and 12: since this very turn, maybe, and what comes now stands behind it.
        kept = self._unheard and connection in self._unheard
        if kept or self._clock.now >= self._leases.serves_all_until:
            if connection not in self._connections:
                return connection.receive(data)  # which executes nothing any more
            if kept or not (self._replica.may_serve and self._staleness.lets_in(connection)):
                self._unheard[connection] = self._unheard.get(connection, b"") + data
                self._begin_wait(connection, VIEW, data)
                return b""
            replies = self._staleness.execute(connection, lambda: connection.receive(data))
        else:
            replies = connection.receive(data)
        counters.bytes_written += len(replies)
        if connection.busy:
            if connection.crowded:
                self._crowd[connection] = None
            if connection.waiting or connection.crowded:
                self._begin_wait(connection, _why(connection), data)
            elif not replies and connection.blocked and not connection.outside:
                self._counters.conn_yields += 1
                self.postpone(connection)  # it has done its share of this turn, and has nothing to say yet
        return replies

    def replies(self) -> Iterator[tuple[Connection, bytes]]:
        """Yield what can be sent now to clients that had to wait; a `closing` connection comes out too."""
        for connection in list(self._ready):
            if not self._has_to_wait(connection):
                del self._ready[connection]
                yield connection, self._go_on(connection)
                if self._context.spent():
                    self.suspended = True
                    return
        while self._crowd and self._replica.may_serve and not self._context.flow.tight:
            connection = next(iter(self._crowd))
            del self._crowd[connection]
            yield connection, self.resume(connection)
            if self._context.spent():
                return

    def _is_ready(self, connection: Connection) -> None:
        self._ready[connection] = None

    def postpone(self, connection: Connection) -> None:
        """Go on with a blocked connection in another turn, when the others have had theirs."""
        self._ready[connection] = None

    def resume(self, connection: Connection) -> bytes:
        """Go on with a connection that was blocked, once its output has been sent.

        While the node may not serve nothing is executed; the connection comes out of `replies` when it may.
        """
        if self._has_to_wait(connection):
            self._is_ready(connection)
            return b""
        return self._go_on(connection)

    def _go_on(self, connection: Connection) -> bytes:
        """Go on with a connection that has not to wait."""
        sure = self._leases.serves_all_until or not self._replica.missed
        replies = connection.resume() if sure else self._staleness.execute(connection, connection.resume)
        self._counters.bytes_written += len(replies)
        if connection.crowded:
            self._crowd[connection] = None
        if connection.waiting or connection.crowded:
            if sure:  # else what counts is when it was heard last
                self._wait_anew(connection)
        else:
            self._end_wait(connection)
            if not replies and connection.blocked and not (connection.closing or connection.outside):
                self.postpone(connection)
        return replies

    def unheard(self, connection: Connection) -> bool:
        """Tell whether input of this client is kept unexecuted because the node may not serve."""
        return connection in self._unheard

    def holds_back(self, connection: Connection) -> bool:
        """Tell whether the shell should leave the client's further input in the socket."""
        return connection.blocked or self.unheard(connection)

    def hung_up(self, connection: Connection) -> None:
        """Note that the client sends no more; it may still listen."""
        gate = connection.gate
        if connection.waiting and not (gate is not None and gate.waiting):
            self._cut.add(connection)

    def farewell(self, port: str) -> Farewell:
        """Return how a client is hung up on that has come by this kind of port and is not taken in."""
        return farewell(port, self._context)

    def disconnect(self, connection: Connection, *, unheard: bool = False, lives: bool = False) -> None:
        """Forget a client that is gone. What it has started completes all the same.

        Args:
            connection: its own.
            unheard: whether the shell has read something of it that is not executed.
            lives: whether it is this node that hangs up. The client may go on at another one then, with the
                locks that it was granted.
        """
        if lives:
            self._policy.deserted(connection)
        self.hung_up(connection)
        cut = connection in self._cut
        self._cut.discard(connection)
        connection.abandon(unheard or self.unheard(connection))
        self._connections.pop(connection, None)
        self._policy.left(connection, cut)
        self._staleness.left(connection)
        self._unheard.pop(connection, None)
        self._end_wait(connection)
        self._ready.pop(connection, None)
        self._crowd.pop(connection, None)

    def _begin_wait(self, connection: Connection, why: str, data: bytes) -> None:
        if connection not in self._waits:
            self._waits[connection] = why, data[:HEAD_BYTES]
            connection.waits_since = self._clock.now

    def _wait_anew(self, connection: Connection) -> None:
        """Note that one thing has been waited for and another one is; its place among those that wait stays."""
        begun = self._waits.get(connection)
        if begun is not None:
            self.slow.ended(connection, begun)
        self._waits[connection] = _why(connection), b""
        connection.waits_since = self._clock.now

    def _end_wait(self, connection: Connection) -> None:
        begun = self._waits.pop(connection, None)
        if begun is not None:
            self.slow.ended(connection, begun)
            connection.waits_since = None

    def waiting(self) -> list[Connection]:
        """Return the clients of which something waits for an outcome."""
        return [connection for connection in self._waits if connection.waiting]

    def hear(self) -> None:
        """Execute what came while this node might not serve; the replies are fetched by `resume`."""
        if not self._unheard:
            return
        unheard = {c: data for c, data in self._unheard.items() if self._may_answer(c)}
        for connection, data in unheard.items():
            del self._unheard[connection]
            connection.take_in(data)
            self._is_ready(connection)

    def _may_answer(self, connection: Connection) -> bool:
        """Tell whether what is known for this client may be said, and what was kept of it be executed."""
        # N2, finding 38: who asked before the others fell silent shows nothing, however late it began to wait.
        asked = connection.asked
        since = self._clock.now if asked is None else asked
        return self._replica.may_serve and self._staleness.answers(connection, since)

    def _has_to_wait(self, connection: Connection) -> bool:
        """Tell whether nothing may be said to this client now; to one being let go only if it might be old."""
        if connection not in self._connections or (connection.closing and not self._replica.missed):
            return False
        return not self._may_answer(connection)

    def _turn_away(self) -> None:
        """Send clients not served here to a missed node, which is heard but may not hear this one yet."""
        for connection in [c for c in self._waits if not self._staleness.serves(c)]:
            self.close(connection)

    def _lose_patience(self) -> None:
        """Execute commands as they are of those who say no more; people in telnet, for example."""
        if not self._replica.may_serve:
            return
        for connection in self._waits:
            gate = connection.gate
            # What it says may be here already, unheard.
            if gate is not None and connection not in self._unheard and gate.tick():
                self._is_ready(connection)

    def _close_the_late(self) -> None:
        if self._waits:
            self.slow.look(min(c.waits_since or 0 for c in self._waits))
        late = self._clock.now - self._staleness.patience
        for connection in [c for c in self._waits if c.waits_since is not None and c.waits_since <= late]:
            self.close(connection)

    def close_all(self) -> None:
        """Hang up on everybody: nobody is let in."""
        self._policy.forget()
        for connection in list(self._connections):
            self.close(connection)

    def close(self, connection: Connection) -> None:
        """Hang up on a client."""
        self.disconnect(connection, lives=True)
        self._is_ready(connection)


def _why(connection: Connection) -> str:
    """Return what a connection waits for that has just been served."""
    if connection.crowded:
        return ROOM
    gate = connection.gate
    return LOCK if gate is not None and gate.waiting else PEERS
