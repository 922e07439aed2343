"""The node: a whole memrep without I/O. Bytes in, bytes out; time and chance are handed in.

A shell (the daemon, or the simulator in tests/) drives it in turns:

    node.turn(now, wall)                    the clocks, once, first thing; it tells if the process was stopped
    node.receive(connection, data)          what clients sent; returns what can be answered at once
    node.links.receive(link, data)          what peers sent, and link events
    node.tick()                             every 50 ms
    for peer, data in node.finish(): ...    what goes to peers
    for connection, data in node.replies(): what goes to clients whose answers had to wait
    if node.unfinished: finish and replies once more; what was kept back has been executed meanwhile
    if node.behind: another turn at once; this one had no time for everything

Everything that happens in one turn goes to a peer as one frame. A client's command that cannot be answered
before the peers have acknowledged leaves its reply open; it comes out of `replies` in a later turn.

When the node may not serve (a view change is under way, or its lease has run out) it does not look at what
clients send but keeps it, and goes on when it may. It keeps it for `hold` ms at most and then closes the
connection unread: PHP takes an error or a miss for an empty session, but a closed connection for what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from memrep.engine.counters import Counters
from memrep.engine.engine import Engine
from memrep.engine.eviction import MemoryLimit
from memrep.flow_control import FlowControl
from memrep.node.build import make_policy, make_store
from memrep.node.options import NodeOptions
from memrep.node.serving import Admission
from memrep.node.staleness import StalenessGuard
from memrep.node.stats import VERSION, ProcessInfo, StatsGroups
from memrep.protocol.connection import Connection, ServerContext
from memrep.protocol.intake import Intake
from memrep.protocol.negotiation import connect
from memrep.replication.handshake import Identity
from memrep.replication.links import Links
from memrep.replication.membership.state import ReplicaState
from memrep.replication.replica import Replica
from memrep.storage.pending import PendingWrites
from memrep.storage.version import Clock


class Node:
    """A whole memrep.

    Args:
        options: see there.
        inc: this start's incarnation: a random number of 62 bits or so.
        now: the monotonic clock, ms.
        wall: the wall clock, ms since 1970.
        random_bytes: gives that many random bytes, which nobody can foresee.
        log: takes one line for each change of state.
        facts: what only the shell knows, for `stats`.
        set_verbosity: carries out `verbosity`.
        shutdown: ends the program on a client's `shutdown`; None if that is not enabled.

    Attributes:
        counters: what `stats` shows.
        links: those with the other nodes.
        staleness: whether this node may have been left behind, and whom it may serve meanwhile.
        flow: how much is on its way; the shell tells it what clients have not taken.
    """

    def __init__(
        self,
        options: NodeOptions,
        *,
        inc: int,
        now: int,
        wall: int,
        random_bytes: Callable[[int], bytes],
        log: Callable[[str], None] = lambda line: None,
        facts: ProcessInfo | None = None,
        set_verbosity: Callable[[int], None] = lambda level: None,
        shutdown: Callable[[], None] | None = None,
    ) -> None:
        self.options = options
        facts = facts or ProcessInfo()
        self._spent = facts.spent
        self._memory = facts.memory
        self.counters = Counters()
        self._ready: dict[Connection, None] = {}  # in the order in which they became so
        self._clock = Clock(options.me, now, wall)
        self._log = log
        self.store, observer = make_store(options, self._clock)
        self.flow = FlowControl(options.memory)
        self._intake = Intake(options.memory, self._clock)
        self._writes = PendingWrites(self.flow)
        state = ReplicaState(options.me, inc, len(options.nodes), strict=options.strict)
        self.replica = Replica(
            options.nodes, state, self.store, self._writes, self._clock, observer, options.timing, log
        )
        identity = Identity(
            me=options.me, inc=inc, nodes=options.nodes, terms=options.terms, secret=options.secret
        )
        self.links = Links(identity, self.replica, self._clock, random_bytes, log, facts.spent)
        self._door = Admission(options.nodes, self.replica, options.timing, self._clock, log)
        self.staleness = StalenessGuard(self.replica, self.counters, self._clock, options.timing)
        rounds = self.replica.rounds
        room = MemoryLimit(self.store, self._writes, rounds, self._clock, self.counters, options.item_max, log)
        self._engine = Engine(self.store, self._writes, rounds, self._clock, self.counters, room)
        self._policy = make_policy(options, self._engine, observer, state, self._waits_since, log)
        self._context = self._surround(facts, set_verbosity, shutdown)
        self._connections: dict[Connection, None] = {}
        self._unheard: dict[Connection, bytes] = {}  # what came while this node might not serve
        self._cut: set[Connection] = set()  # those that hung up before they were answered
        self._waits: dict[Connection, int] = {}  # connections that wait, and since when
        self._cut_short = False  # this turn had no time for all who are ready
        self._crowd: dict[Connection, None] = {}  # whose next command waits until less is on its way

    def _surround(
        self, facts: ProcessInfo, set_verbosity: Callable[[int], None], shutdown: Callable[[], None] | None
    ) -> ServerContext:
        """What connections see of this node."""
        reports = StatsGroups(
            self.counters,
            self.store,
            self.replica,
            self._clock,
            self.options,
            facts,
            self.flow,
            self._intake,
            self._engine.room,
        )
        return ServerContext(
            version=VERSION.encode(),
            reports=reports.groups,
            ready=self._is_ready,
            reset=reports.reset,
            set_verbosity=set_verbosity,
            shutdown=shutdown,
            users=self.options.users,
            flush_all=self.options.flush_all,
            lists=self.options.lists,
            prefixes=reports.prefixes,
            spent=facts.spent,
            flow=self.flow,
            intake=self._intake,
        )

    # --- turns

    def turn(
        self,
        now: int,
        wall: int,
        unread: Callable[[Connection], bool] = lambda connection: True,
        *,
        worked: int = 0,
    ) -> bool:
        """Begin a turn at these times (ms).

        Args:
            now: the monotonic clock.
            wall: the wall clock.
            unread: whether something of this client lies in its socket, be it only that it has hung up.
            worked: for how long of the time since the turn before this process was on a CPU. Who works is not
                stopped, only slow; but after `silence` the others have gone on without it whatever it did.

        Returns:
            Whether the process was stopped since the turn before (SIGSTOP, swapping, a paused virtual machine).
            Then what lies in the clients' sockets may have been sent long ago, by clients that have given up
            and gone to another node since: it must not be executed. The connections of all who have sent
            something or wait for an answer are closed here; the shell must close those that wait to be
            accepted, too. Idle ones stay: closing them would make PHP give this node up for nothing.
        """
        self._cut_short = False
        stopped = now - self._clock.now
        self._clock.turn(now, wall)
        timing = self.options.timing
        if stopped - worked <= timing.fence and stopped <= max(timing.fence, timing.silence):
            return False
        old = [c for c in self._connections if c.waiting or c in self._unheard or unread(c)]
        self._log(f"was stopped for {stopped} ms: closes {len(old)} connections unread, asks for a new view")
        self.counters.fences += 1
        self.replica.was_stopped(stopped)
        self._door.was_stopped()
        for connection in old:
            self._close(connection)
        return True

    @property
    def serving(self) -> bool:
        """Whether clients' commands may be executed now. A peer's message in this very turn may end it."""
        return self._clock.now < self.replica.serves_until

    def tick(self) -> None:
        """What is due by the clock; every 50 ms or so."""
        self.replica.tick()
        self.store.sweep(self._clock.now)
        self._engine.room.look(self._memory())
        self._intake.tick()
        if self.serving:
            self._engine.tick()
            if self.store.used > self.store.limit:
                self._engine.room.evict()
        self._engine.room.tick()
        self._policy.tick(self.replica.detector.all_heard(self._clock.now))
        self.staleness.tick()
        if self.replica.state.met:
            self._turn_away()
        self._lose_patience()
        self._close_the_late()
        self._door.tick()

    def finish(self) -> Iterator[tuple[int, bytes]]:
        """End the turn: run what waited for keys that are clean now; return what goes to each peer."""
        self._door.look(len(self.store))
        if not self._door.open and self._connections:
            self._close_all()
            if self.replica.state.full:
                self.replica.lost_clients()
        if self._unheard and self.serving:
            self._hear()
        if self._policy.due and self.serving:
            self._policy.release()
        if self._writes.woken and self.serving:
            if self.replica.missed:
                self.staleness.go_on([c for c in self._waits if c.waiting], self._wake)
            else:
                self._wake()
        return self.replica.take()

    def _wake(self) -> None:
        """Go on with what has waited for keys that are clean now."""
        woken = self._writes.woken
        while woken and self.serving:
            self._run(woken.popleft())
            if self._spent():
                break

    def _run(self, waiter: Callable[[], object]) -> None:
        """Go on with a command that waited; a fault of our own must cost its client only."""
        try:
            waiter()
        except Exception as error:
            self._log(f"a command is left unanswered because of a fault in memrep: {error!r}")

    @property
    def unfinished(self) -> bool:
        """Whether `replies` has executed something that `finish` has to be called for once more."""
        return self.replica.unfinished or (self.serving and bool(self._writes.woken or self._policy.due))

    @property
    def behind(self) -> bool:
        """Whether the next turn has something to do, though nothing may have come."""
        ready = self._writes.woken or self._policy.due or (self._crowd and not self.flow.tight)
        ready = ready or (
            self._ready and not self.staleness.wary
        )  # else who is ready may have to wait all the same
        return self._cut_short or self.replica.unfinished or bool(ready and self.serving)

    @property
    def open(self) -> bool:
        """Whether the client port should be open: this node holds everything, and serves (serving.py)."""
        return self._door.open

    @property
    def replaceable(self) -> bool:
        """Whether nothing is lost with this node: it does not hold everything, or another member does."""
        replica = self.replica
        return replica.detector.held_elsewhere or not replica.state.full

    @property
    def hands_over(self) -> bool:
        """Whether this node alone holds everything, and another one is about to: it must not leave yet."""
        return not self.replaceable and bool(self.replica.detector.here(self._clock.now))

    # --- clients

    def connect(self, host: str = "") -> Connection:
        """A client has come, from this host; "" for a unix socket."""
        self.counters.total_connections += 1
        commands = self._policy.commands()
        connection = connect(self._engine, commands, self._context)
        self._policy.connected(commands, connection)
        self._connections[connection] = None
        self.staleness.came(connection, host)
        return connection

    def receive(self, connection: Connection, data: bytes) -> bytes:
        """Take what a client sent; return the replies that can be sent to it now."""
        counters = self.counters
        counters.bytes_read += len(data)
        kept = self._unheard and connection in self._unheard  # since this very turn, maybe: order must stay
        if kept or self._clock.now >= self.replica.serves_all_until:
            if connection not in self._connections:
                return b""
            if kept or not (self.serving and self.staleness.lets_in(connection)):
                self._unheard[connection] = self._unheard.get(connection, b"") + data
                self._waits.setdefault(connection, self._clock.now)
                return b""
            replies = self.staleness.execute(connection, lambda: connection.receive(data))
        else:
            replies = connection.receive(data)
        counters.bytes_written += len(replies)
        if connection.busy:
            if connection.crowded:
                self._crowd[connection] = None
            if connection.waiting or connection.crowded:
                self._waits.setdefault(connection, self._clock.now)
            elif not replies and connection.blocked and not connection.outside:
                self.counters.conn_yields += 1
                self.postpone(connection)  # it has done its share of this turn, and has nothing to say yet
        return replies

    def replies(self) -> Iterator[tuple[Connection, bytes]]:
        """What can be sent now to clients that had to wait; a connection that is `closing` comes out too."""
        for connection in list(self._ready):
            if not self._has_to_wait(connection):
                del self._ready[connection]
                yield connection, self.resume(connection)
                if self._spent():
                    self._cut_short = True
                    return
        while self._crowd and self.serving and not self.flow.tight:
            connection = next(iter(self._crowd))
            del self._crowd[connection]
            yield connection, self.resume(connection)
            if self._spent():
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
        sure = self.replica.serves_all_until or not self.replica.missed
        replies = connection.resume() if sure else self.staleness.execute(connection, connection.resume)
        self.counters.bytes_written += len(replies)
        if connection.crowded:
            self._crowd[connection] = None
        if connection.waiting or connection.crowded:
            if sure:  # else what counts is when it was heard last
                self._waits[connection] = self._clock.now
        else:
            self._waits.pop(connection, None)
            if not replies and connection.blocked and not (connection.closing or connection.outside):
                self.postpone(connection)
        return replies

    def _waits_since(self, connection: object) -> int:
        now = self._clock.now
        return self._waits.get(connection, now) if isinstance(connection, Connection) else now

    def unheard(self, connection: Connection) -> bool:
        """Whether input of this client is kept unexecuted because the node may not serve."""
        return connection in self._unheard

    def holds_back(self, connection: Connection) -> bool:
        """Whether the shell should leave the client's further input in the socket."""
        return connection.blocked or self.unheard(connection)

    def hung_up(self, connection: Connection) -> None:
        """The client sends no more; it may still listen."""
        if connection.waiting and not (connection.withholding() or connection.wondering):
            self._cut.add(connection)

    def disconnect(self, connection: Connection) -> None:
        """The client is gone. What it has started completes all the same."""
        self.hung_up(connection)
        cut = connection in self._cut
        self._cut.discard(connection)
        connection.abandon()
        self._connections.pop(connection, None)
        self._policy.left(connection, cut)
        self.staleness.left(connection)
        self._unheard.pop(connection, None)
        self._waits.pop(connection, None)
        self._ready.pop(connection, None)
        self._crowd.pop(connection, None)

    def _hear(self) -> None:
        """Execute what came while this node might not serve; the replies are fetched by `resume`."""
        unheard = {c: data for c, data in self._unheard.items() if self._may_answer(c)}
        for connection, data in unheard.items():
            del self._unheard[connection]
            connection.take_in(data)
            self._is_ready(connection)

    def _may_answer(self, connection: Connection) -> bool:
        """Whether what is known for this client may be said, and what was kept of it be executed."""
        return self.serving and self.staleness.answers(connection, self._waits.get(connection, self._clock.now))

    def _has_to_wait(self, connection: Connection) -> bool:
        """Whether nothing may be said to this client now; to one who is let go only if it might be old."""
        if connection not in self._connections or (connection.closing and not self.replica.missed):
            return False
        return not self._may_answer(connection)

    def _turn_away(self) -> None:
        """A missed node is heard, but may not hear this one yet. Who knocks is sent to it; others wait."""
        for connection in [c for c in self._waits if not self.staleness.serves(c)]:
            self._close(connection)

    def _lose_patience(self) -> None:
        """Execute commands as they are of those who say no more; people in telnet, for example."""
        if not self.serving:
            return
        for connection in self._waits:  # what it says may be here already, unheard
            if connection not in self._unheard and connection.lose_patience():
                self._is_ready(connection)

    def _close_the_late(self) -> None:
        late = self._clock.now - self.options.timing.hold - self.staleness.grace
        for connection in [c for c, since in self._waits.items() if since <= late]:
            self._close(connection)

    def _close_all(self) -> None:
        self._policy.forget()
        for connection in list(self._connections):
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        """Hang up on a client, which may live, and go on at another node with the locks that it was granted."""
        self._policy.deserted(connection)
        self.disconnect(connection)
        self._is_ready(connection)

    # --- the end

    def leave(self) -> bool:
        """Stop: the shell has closed its listener and reads no client any more.

        Returns:
            True when every write of this node's own is done and nobody is left who fetches what this node
            alone holds; the end of that turn tells the peers. Until then call it again in the next turn.
        """
        if len(self.replica.rounds) or self.hands_over:
            return False
        self.replica.leave()
        return True
