"""Status: a cluster as this node sees it, in whatever state it is; nothing here waits for anybody.

What another node says of itself comes with its heartbeats (replication/heartbeat.py); whether it lives, how far
it has fallen behind and by which way it is reached this node knows itself. Where both speak of the same, the
other node's own word counts as long as it is heard, for it alone knows why it does not serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
import msgspec

from memrep import __version__
from memrep.engine.engine import Engine
from memrep.node.history import History, Reading
from memrep.node.options import NodeOptions
from memrep.node.pace import Pace
from memrep.node.problem_log import ProblemLog
from memrep.node.sameness import DigestExchange
from memrep.node.serving import Admission
from memrep.node.shell import Shell
from memrep.protocol.client_policy import ClientPolicy
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.peer_process import TURNED_AWAY
from memrep.replication.membership.view_id import number_of
from memrep.replication.replica import Replica
from memrep.status.facts import (
    DIRECT,
    DOWN,
    JOINING,
    LEAVING,
    SERVING,
    SILENT,
    STARTING,
    WAITING,
    About,
    Figures,
    NodeStatus,
    Status,
    read_about,
)
from memrep.status.last_hour import LastHour
from memrep.status.problems import find_problems

#: Between two looks at what is wrong, for the log, ms.
_LOOK_MS: Final = 5_000

#: How much of a reason is told with each heartbeat, letters; the log has all of it.
_REASON_MAX: Final = 300

#: Why a node rests.
_DRAINED: Final = "it was drained: `memrep resume` lets it in again"


def state_of(replica: Replica) -> str:
    """Return the state of this node itself, in one of the words of facts.py."""
    if replica.leaving:
        return LEAVING
    if replica.open:
        return SERVING if replica.may_serve else WAITING
    if replica.state.full:
        return WAITING
    return JOINING if replica.state.view.vid else STARTING


class StatusReport:
    """What one node tells of the cluster.

    Args:
        options: what this node was told.
        replica: knows the others.
        engine: counts commands; has the store and its limits.
        admission: knows why clients are not let in.
        policy: what clients mean by what they say; it counts, too.
        shell: what only the process knows, and the log.

    Attributes:
        rests: whether this node has left and its process lives on: then it hears of nobody.
    """

    def __init__(
        self,
        options: NodeOptions,
        replica: Replica,
        engine: Engine,
        admission: Admission,
        policy: ClientPolicy,
        shell: Shell,
    ) -> None:
        self._options = options
        self._replica = replica
        self._engine = engine
        self._admission = admission
        self._policy = policy
        self._process = shell.process
        self._clock = engine.clock
        self._store = engine.keyspace.store
        self._ops = Pace(engine.clock.now)
        self._evicted = Pace(engine.clock.now)
        self._history = History(engine.clock.now, self._read)
        self._started = engine.clock.wall / 1000
        self._digests = DigestExchange(self._store)
        self.rests = False
        self._state = STARTING
        self._since = engine.clock.now
        self._problems = ProblemLog(shell.log)
        self._looks = engine.clock.now + _LOOK_MS

    def tick(self) -> None:
        """Note what has changed, and how much has happened; to be called with each tick."""
        now = self._clock.now
        self._ops.tick(now, self._engine.counters.on_keys)
        self._evicted.tick(now, self._engine.counters.evictions)
        self._history.tick(now, self._replica.state.view.vid)
        self._look()
        self._compare()
        if now >= self._looks:
            self._looks = now + _LOOK_MS
            self._problems.look(now, self.status().problems)

    def rest(self) -> None:
        """Note that this node has left, and hears of nobody any more."""
        self.rests = True
        self._look()

    def _look(self) -> None:
        state = state_of(self._replica)
        # Who lets clients in serves them: that they wait for a moment, in a change of view, is no state.
        if state == WAITING and self._admission.open:
            state = SERVING
        if state != self._state:
            self._state, self._since = state, self._clock.now

    def about(self) -> bytes:
        """Return what this node says of itself to the others."""
        told = self._about()
        digests = self._digests.tell() if self._replica.state.full and self._state == SERVING else b""
        fields = msgspec.structs.astuple(msgspec.structs.replace(told, digests=digests))
        # What comes last is there only where it is news: usually a node says what it always said.
        news = 2 if told.old_store_silent else 1 if told.disk else 0
        return msgspec.msgpack.encode(fields[: len(fields) - 2 + news])

    def _compare(self) -> None:
        peers = self._replica.detector.peers.values() if self._state == SERVING else ()
        self._digests.look(self._replica.state.view, peers, self._clock.now)

    def _about(self) -> About:
        self._look()
        limit = self._engine.memory_limit
        return About(
            version=__version__,
            state=self._state,
            since_ms=self._clock.now - self._since,
            why="" if self._state == SERVING else self._why(),
            items=len(self._store),
            used=self._store.used,
            limit=limit.memory,
            evicted=self._evicted.last_minute,
            clients=self._process.clients(),
            clients_max=self._process.clients_max(),
            ops=self._ops.rate,
            item_max=self._engine.item_limit.item_max,
            log_lost=self._process.log_lost(),
            group_used=limit.ceiling.taken,
            group_limit=limit.ceiling.limit,
            group_full=limit.cramped,
            reload_refused=self._process.reload_refused()[:_REASON_MAX],
            disk=self._process.disk_trouble()[:_REASON_MAX],
            old_store_silent=self._process.old_store_silent()[:_REASON_MAX],
        )

    def line(self) -> str:
        """Return what this node is at, in one line."""
        if self._state != SERVING:
            return f"{self._state}: {self._why()}"
        state = self._replica.state
        return f"serving: {len(state.view.members)} of {state.configured} nodes, {len(self._store):,} items"

    def status(self) -> Status:
        """Return the cluster as this node sees it."""
        replica = self._replica
        state = replica.state
        if not self.rests:
            replica.news.report()
        peers = replica.detector.peers
        status = Status(
            asked=self._options.nodes[state.me - 1],
            at=self._clock.wall / 1000,
            view=number_of(state.view.vid),
            majority=state.view.quorate,
            strict=self._options.strict,
            writes_in_flight=len(replica.rounds),
            sameness=self._digests.told(list(self._options.nodes), self._clock.now),
            nodes=[
                self._of_peer(peers[number]) if number in peers else self._of_itself()
                for number in range(1, len(self._options.nodes) + 1)
            ],
        )
        if self.rests:  # that it hears of nobody is no problem
            return msgspec.structs.replace(status, nodes=[_unheard(node) for node in status.nodes])
        return msgspec.structs.replace(status, problems=find_problems(status))

    def figures(self) -> Figures:
        """Return what this node counts."""
        joiner = self._replica.joiner
        users = self._options.users
        times = self._replica.rounds.times
        return Figures(
            started=self._started,
            counters=attrs.asdict(self._engine.counters),
            tombstones=len(self._store.tombstones),
            expired=self._store.expired,
            expired_unfetched=self._store.expired_unfetched,
            oldest_s=self._store.age(self._clock),
            unsent=self._engine.keyspace.writes.flow.unsent,
            logins=users.asked if users is not None else 0,
            logins_refused=users.refused if users is not None else 0,
            views=self._replica.state.views,
            rounds=times.count,
            rounds_ms=times.total_ms,
            rounds_slow=times.slow,
            policy=self._policy.figures(),
            fetched=joiner.taken,
            to_fetch=joiner.total,
        )

    def last_hour(self) -> LastHour:
        """Return what this node has noted of itself in the last hour."""
        return self._history.told(self._clock.now)

    def _read(self) -> Reading:
        counters = self._engine.counters
        return Reading(
            items=len(self._store),
            used=self._store.used,
            clients=self._process.clients(),
            commands=counters.on_keys,
            evictions=counters.evictions,
        )

    def _of_itself(self) -> NodeStatus:
        state = self._replica.state
        about = self._about()
        return NodeStatus(
            name=self._options.nodes[state.me - 1],
            asked=True,
            state=about.state,
            since_s=about.since_ms / 1000,
            why=about.why,
            about=about,
            clock_ms=0,
            hears=self._names(self._replica.detector.hears_directly(self._clock.now)),
            member=state.me in state.view.members,
        )

    def _of_peer(self, peer: Peer) -> NodeStatus:
        about = read_about(peer.about)
        beat = peer.beat
        heard = peer.state not in (DOWN, SILENT)
        state, since, why = peer.state, peer.since, ""
        if not heard:
            why = peer.process.gone or "nothing is heard of it"
        elif about is not None:
            state, since, why = about.state, peer.about_at - about.since_ms, about.why
        view = self._replica.state.view
        return NodeStatus(
            name=peer.name,
            asked=False,
            state=state,
            since_s=None if since is None else max(0, self._clock.now - since) / 1000,
            why=why,
            about=msgspec.structs.replace(about, digests=b"") if heard and about is not None else None,
            lag=self._replica.rounds.lag(peer.node),
            clock_ms=peer.offset if heard and beat is not None else None,
            path=self._path(peer) if heard else "",
            refusal=self._refusal(peer),
            hears=None if beat is None or not heard else self._names(beat.direct),
            member=view.members.get(peer.node) == peer.process.inc,
        )

    def _path(self, peer: Peer) -> str:
        if peer.contact.via:
            return f"via {self._options.nodes[peer.contact.via - 1]}"
        replica = self._replica
        direct = replica.detector.hears_directly(self._clock.now) >> peer.node & 1
        return DIRECT if direct and peer.hears_directly(replica.state.me) else "one way"

    def _refusal(self, peer: Peer) -> str:
        process = peer.process
        # Who has turned this node away could be dialled, so what kept it from being dialled is newer.
        if process.disagrees and not process.undialled:
            return f"{TURNED_AWAY}{process.disagrees}"
        return process.undialled

    def _names(self, bits: int) -> list[str]:
        return [name for number, name in enumerate(self._options.nodes, start=1) if bits >> number & 1]

    # --- why it does not serve

    def _why(self) -> str:
        replica = self._replica
        if self._state == LEAVING:
            return _DRAINED if self.rests else "it was told to stop"
        if self._state == JOINING:
            joiner = replica.joiner
            donor = self._options.nodes[min(replica.state.view.full) - 1]
            far = f": {joiner.taken:,} of {joiner.total:,} items" if joiner.total else ""
            return f"fetches what it lacks from {donor}{far}"
        if self._state == STARTING:
            return "; ".join(self._missing()) or "it greets the others"
        if not replica.open:
            return self._no_majority()
        return "; ".join(self._admission.reasons()) or "a view is being formed"

    def _no_majority(self) -> str:
        state = self._replica.state
        here = 1 + len(self._replica.detector.here(self._clock.now))
        touch = f"only {here} of {state.configured} nodes are in touch"
        return f"{touch}, and --partition majority demands {state.majority}"

    def _missing(self) -> Iterator[str]:
        """Say for whom this node, which has no data yet, waits, and for how long."""
        replica = self._replica
        heard = {peer.node for peer in replica.detector.here(self._clock.now)}
        missing = [peer for peer in replica.detector.peers.values() if peer.node not in heard]
        for peer in missing:
            yield f"waits for {peer.name} ({self._refusal(peer) or peer.process.gone})"
        if missing and self._options.strict:
            yield "with --partition majority nodes without data begin only when all of them are there"
        left = self._options.timing.cold_start - (self._clock.now - self._since)
        if missing and not self._options.strict and left > 0:
            yield f"begins without them in {(left + 999) // 1000} s unless they have the data"


def _unheard(node: NodeStatus) -> NodeStatus:
    """Return what is known of a node where nothing is heard of anybody."""
    if node.asked:
        return msgspec.structs.replace(node, hears=None, member=False)
    return NodeStatus(node.name, asked=False, state=SILENT, why="it is not listened to")
