"""The node: a whole memrep without I/O. Bytes in, bytes out; time and chance are handed in.

A shell (the daemon, or the simulator in tests/) drives it in turns:

    node.turn(now, wall)                    the clocks, once, first thing; it tells if the process was stopped
    node.clients.receive(connection, data)  what clients sent; returns what can be answered at once
    node.links.receive(link, data)          what peers sent, and link events
    node.tick()                             again after `node.pause` ms, or sooner (replication/heartbeat.py)
    for target, data in node.end_turn():    what goes to peers (a number each), and to clients (a Connection);
        send it                             before the next is asked for
    if node.behind: another turn at once; this one had no time for everything

If nothing came in a turn but clients' bytes, and of peers what is of writes alone (`links.receive` tells), and
the node is `quiet`, the end may be left to the next turn.

A turn ends in this order: what waited is executed, peers are told, clients are answered whose answers had to
wait. Behind an answer commands may have been kept back, which are executed now; if they have anything to say to
peers, or have woken others, all of it is done once more.

Everything that happens in one turn goes to a peer as one frame. A client's command that cannot be answered
before the peers have acknowledged leaves its reply open; it comes out of `end_turn` in a later turn.

While the node may not serve (a view change is under way, or its lease has run out) clients wait (clients.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from memrep.engine.counters import Counters
from memrep.engine.eviction import MemoryLimit
from memrep.engine.fallback import FallbackEngine
from memrep.engine.keyspace import Keyspace
from memrep.events import COMMAND_FAILED, WAS_STOPPED
from memrep.flow_control import FlowControl
from memrep.node import build
from memrep.node.clients import Clients
from memrep.node.feed import ChangeFeed
from memrep.node.options import NodeOptions
from memrep.node.redis_nodes import make_topology
from memrep.node.serving import Admission
from memrep.node.shell import Shell, Start
from memrep.node.staleness import StalenessGuard
from memrep.node.stats import StatsGroups
from memrep.node.status import StatusReport
from memrep.protocol.connection import Connection
from memrep.protocol.intake import Intake
from memrep.protocol.resp.server import CLUSTER, STANDALONE, Server
from memrep.replication.links import Links
from memrep.replication.membership.membership import Membership
from memrep.replication.replica import Replica
from memrep.storage.pending import PendingWrites
from memrep.storage.version import Clock

#: Between two ticks, while somebody waits for what the clock brings: an answer, a view, a lease.
_SOON_MS: Final = 50

#: Between two ticks, while nobody does, at most. Heartbeats go out with a tick, so their interval will do; and
#: it is far enough below the fence, for a tick that comes late must not be taken for a stop of this process.
_PAUSE_MS: Final = 100

#: The same for a node without peers, whose fence is so much farther away (options.py).
_PAUSE_ALONE_MS: Final = 200


class Node:
    """A whole memrep.

    Args:
        options: see there.
        start: its incarnation, and the clocks.
        shell: what drives it.

    Attributes:
        counters: what `stats` shows.
        links: those with the other nodes.
        clients: their connections.
        policy: what clients mean by what they say.
        staleness: whether this node may have been left behind, and whom it may serve meanwhile.
        report: what the operator is told of the cluster.
        feed: what changes, for whoever saves it.
        fallback: hears what was found in the old store; None if there was none at the start.
        flow: how much is on its way; the shell tells it what clients have not taken.
    """

    def __init__(self, options: NodeOptions, start: Start, shell: Shell) -> None:
        self.options = options
        self._fence = options.fence
        log = self._log = shell.log
        self._ticked = False  # in this turn
        self._spent = shell.process.spent
        self._memory = shell.process.memory
        self.counters = Counters()
        self._clock = Clock(options.me, start.now, start.wall)
        self.store, observer = build.make_store(options, self._clock)
        self.flow = FlowControl(options.memory)
        self._intake = Intake(options.memory, self._clock)
        self._writes = PendingWrites(self.flow)
        state = build.make_state(options, start)
        membership = Membership(options.nodes, state, options.timing, self._clock)
        self.replica = Replica(membership, self.store, self._writes, observer, log, start.snapshot)
        self.feed = ChangeFeed(self.store, self.replica, self._clock)
        identity = build.make_identity(options, start)
        self.links = Links(identity, self.replica, self._clock, shell.random_bytes, log, self._spent)
        self._admission = Admission(options.nodes, self.replica, options.timing, self._clock, log)
        self.staleness = StalenessGuard(self.replica, self.counters, self._clock, options.timing)
        keyspace = Keyspace(self.store, self._writes, self.replica.rounds, self._clock)
        limit = MemoryLimit(keyspace, self.counters, log)
        self._engine = build.make_engine(options, shell, keyspace, self.counters, limit)
        self.fallback = self._engine if isinstance(self._engine, FallbackEngine) else None
        self.policy = build.make_policy(options, self._engine, observer, state, log)
        self.report = StatusReport(options, self.replica, self._engine, self._admission, self.policy, shell)
        self.replica.heartbeats.about = self.report.about
        reports = StatsGroups(self._engine, self.replica, options, shell.process, self._intake)
        self._redis = self._make_redis(shell, reports)
        context = build.make_context(options, shell, reports, self.flow, self._intake, self._redis)
        self.clients = Clients(self.policy, context, self.replica, self.staleness, self._clock, options.slow_ms)

    def _make_redis(self, shell: Shell, reports: StatsGroups) -> Server:
        """Make what Redis clients see of this node."""
        options = self.options
        return Server(
            clock=self._clock,
            store=self.store,
            users=options.users,
            stats=reports.general,
            reset_stats=reports.reset,
            random_below=lambda limit: int.from_bytes(shell.random_bytes(8), "big") % limit,
            flush_all=options.flush_all,
            lists_keys=options.redis_lists,
            topology=make_topology(options, self.replica),
            claim=self.policy.claim,
            run_id=b"%040x" % self.replica.state.inc,
            port=options.redis_port,
            mode=CLUSTER if options.redis_cluster else STANDALONE,
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
        self.clients.begin_turn()
        stopped = now - self._clock.now
        self._clock.turn(now, wall)
        fence = self._fence
        if stopped - worked <= fence and stopped <= max(fence, self.options.timing.silence):
            return False
        old = [c for c in self.clients if c.waiting or self.clients.unheard(c) or unread(c)]
        self._log(WAS_STOPPED(ms=stopped, connections=len(old)))
        self.counters.fences += 1
        self.replica.was_stopped(stopped)
        self._admission.was_stopped()
        for connection in old:
            self.clients.close(connection)
        return True

    @property
    def serving(self) -> bool:
        """Tell whether clients' commands may be executed now. A peer's message in this very turn may end it."""
        return self.replica.may_serve

    def tick(self) -> None:
        """Do what is due by the clock; to be called again after `pause` ms at the latest."""
        if self.report.rests:
            return
        self.replica.tick()
        self._ticked = True
        self.store.sweep(self._clock.now)
        self._engine.memory_limit.look(self._memory())
        self._intake.tick()
        if self.fallback is not None:
            self.fallback.tick()
        if self.serving:
            self._engine.flush.tick()
            self._engine.memory_limit.go_on()
        self._engine.memory_limit.tick()
        self._redis.tick()
        self.policy.tick(self.replica.detector.all_heard(self._clock.now))
        self.staleness.tick()
        self.clients.tick()
        self._admission.tick()
        self.report.tick()

    def in_step(self) -> bool:
        """Tell at a turn's end whether to tick now: a peer's heartbeat has come, and this one's goes along."""
        return self.replica.heartbeats.join()

    @property
    def pause(self) -> int:
        """Return after how many ms the next tick is due: sooner while somebody waits for the clock."""
        if self.report.rests:
            return _PAUSE_ALONE_MS
        if self.clients.waits or not self.replica.at_rest:
            return _SOON_MS
        if self.options.alone:
            return _PAUSE_ALONE_MS
        return max(_SOON_MS, min(_PAUSE_MS, self.options.timing.beat))

    def end_turn(self) -> Iterator[tuple[int | Connection, bytes]]:
        """End the turn: run what has waited and need not any more, and say all that is to be said.

        Yields:
            To whom, and what: to a peer, by its number, or to a client, who may be `closing`, and then there
            may be nothing to say. It is to be sent before the next is asked for, for that may depend on it.
        """
        while True:
            yield from self._finish()
            yield from self.clients.replies()
            if not self._unfinished or self._spent():
                break
        self._go_on()  # behind the answers, which wait for nothing else then

    def _go_on(self) -> None:
        """Do a piece of what has to be done for very many keys: sweep them, evict them."""
        if self._ticked:
            self._ticked = False  # the tick has done one
            return
        if self.store.behind:
            self.store.sweep(self._clock.now)
        if self._engine.memory_limit.behind and self.serving:
            self._engine.memory_limit.go_on()

    def _finish(self) -> list[tuple[int, bytes]]:
        """Run what waited for keys that are clean now; return what goes to each peer."""
        self._admission.look(self.store)
        if not self._admission.open and len(self.clients):
            self.clients.close_all()
            if self.replica.state.full:
                self.replica.lost_clients()
        self.clients.hear()
        if self.policy.due and self.serving:
            self.policy.release()
        if self._writes.woken and self.serving:
            if self.replica.missed:
                self.staleness.go_on(self.clients.waiting(), self._wake)
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
            self._log(COMMAND_FAILED(error=repr(error)))

    @property
    def _unfinished(self) -> bool:
        """Tell whether what was executed behind the answers has anything to say to peers, or woke others."""
        return self.replica.stream.unsent or (bool(self._writes.woken or self.policy.due) and self.serving)

    @property
    def quiet(self) -> bool:
        """Tell whether nothing of what this turn has done is to be said to anybody: it need not be ended."""
        said = self._writes.woken or self.policy.due or self.clients.unfinished
        return self.replica.stream.silent and not (said or self._has_pieces)

    @property
    def _has_pieces(self) -> bool:
        """Tell whether there is more to do for very many keys."""
        return self.store.behind or (self._engine.memory_limit.behind and self.serving)

    @property
    def behind(self) -> bool:
        """Tell whether the next turn has something to do, though nothing may have come."""
        ready = self._writes.woken or self.policy.due or self.clients.can_go_on
        unfinished = self.clients.suspended or self.replica.stream.unsent or self._has_pieces
        return unfinished or bool(ready and self.serving)

    @property
    def open(self) -> bool:
        """Tell whether the client port should be open: this node holds everything, and serves (serving.py)."""
        return self._admission.open

    @property
    def replaceable(self) -> bool:
        """Tell whether nothing is lost with this node: it does not hold everything, or another member does."""
        replica = self.replica
        return replica.detector.held_elsewhere or not replica.state.full

    @property
    def hands_over(self) -> bool:
        """Tell whether this node alone holds everything, and another one is about to: it must not leave yet."""
        return not self.replaceable and bool(self.replica.detector.here(self._clock.now))

    # --- the end and other options

    def take(self, options: NodeOptions) -> None:
        """Take these options from now on; they differ in nothing that was settled at the start."""
        if options.memory != self.options.memory:  # a client may have changed it since
            for limit in (self._engine.memory_limit, self.flow, self._intake):
                limit.allow(options.memory)
        self._engine.item_limit.item_max = options.item_max
        if self.fallback is not None:
            self.fallback.elsewhere = build.elsewhere(options)
        self.links.take_secrets(options.secrets)
        self.clients.slow.limit_ms = options.slow_ms
        if self._redis.users is not None and options.users is not None:
            self._redis.users.passwords = options.users.passwords  # connections have the same
        self.options = options

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

    def rest(self) -> None:
        """Do nothing more: this node has left, and is only asked how it is."""
        self.replica.leave()
        self._admission.rest()
        self.report.rest()
