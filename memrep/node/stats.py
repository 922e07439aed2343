"""The groups of `stats`: what an operator reads, at any hour, in telnet.

The general group bears memcached's names, so that its tools and graphs find them; what memcached has and
memrep has not (a hash table that grows, LRU crawlers) is left out rather than shown as nought. Of slabs there
are none, but the group is there: tools ask for it, and read until its END. `stats cluster` is memrep's own: a
few lines on this node, then for each other node whether it serves and since when.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import attrs

from memrep import __version__
from memrep.engine.counters import ITEMS, Counters, Prefixes
from memrep.engine.engine import Engine
from memrep.engine.fallback import FallbackEngine
from memrep.node.options import NodeOptions
from memrep.node.shell import Lines, ProcessInfo, nothing_known
from memrep.node.status import state_of
from memrep.protocol.intake import Intake
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.view_id import number_of
from memrep.replication.replica import Replica
from memrep.status.facts import WAITING

#: What `version` answers: memcached's, of the version that memrep answers like, and nothing else. Clients learn
#: from it what a server can; some take the first three numbers in it, some the last, some split at the dots.
VERSION: Final = "1.6.18"


class StatsGroups:
    """Makes the groups of `stats`.

    Args:
        engine: counts commands; has the store, and its limits.
        replica: knows the other nodes.
        options: what this node was told.
        process: what only the process knows.
        intake: memory for large commands.

    Attributes:
        groups: by name, "" being the general one.
        prefixes: what `stats detail` counts.
    """

    def __init__(
        self, engine: Engine, replica: Replica, options: NodeOptions, process: ProcessInfo, intake: Intake
    ) -> None:
        self._memory_limit = engine.memory_limit
        self._item_limit = engine.item_limit
        self._flow = engine.keyspace.writes.flow
        self._intake = intake
        self._counters = engine.counters
        self.prefixes = Prefixes()
        self._store = engine.keyspace.store
        self._replica = replica
        self._clock = engine.clock
        self._fallback = engine if isinstance(engine, FallbackEngine) else None
        self._options = options
        self._process = process
        self._started = engine.clock.now
        self._before = 0, 0  # what had run out, and had never been read, when statistics began anew
        self.groups: dict[bytes, Callable[[], Lines]] = {
            b"": self.general,
            b"settings": self.settings,
            b"items": self.items,
            b"slabs": self.slabs,
            b"sizes": self.sizes,
            b"conns": process.connections,
            b"extstore": nothing_known,
            b"cluster": self.cluster,
        }

    def reset(self) -> None:
        """Count from here on, as `stats reset` asks."""
        self._counters.reset()
        self.prefixes.clear()
        self._before = self._store.expired, self._store.expired_unfetched

    @property
    def _reclaimed(self) -> int:
        return self._store.expired - self._before[0]

    @property
    def _expired_unfetched(self) -> int:
        return self._store.expired_unfetched - self._before[1]

    def general(self) -> Lines:
        """Tell what memcached tells, and this node's state in one line."""
        yield from self._process.process()
        yield "uptime", (self._clock.now - self._started) // 1000
        yield "time", self._clock.wall // 1000
        yield "version", VERSION
        yield "memrep_version", __version__
        yield "pointer_size", 64
        yield "cmd_get", self._counters.get_hits + self._counters.get_misses
        for field in attrs.fields(Counters):
            if ITEMS not in field.metadata:
                yield field.name, getattr(self._counters, field.name)
        yield "expired_unfetched", self._expired_unfetched
        yield "reclaimed", self._reclaimed
        yield "malloc_fails", 0
        users = self._options.users
        yield "auth_cmds", users.asked if users is not None else 0
        yield "auth_errors", users.refused if users is not None else 0
        if self._fallback is not None:
            for name, count in attrs.asdict(self._fallback.tally).items():
                yield f"fallback_{name}", count
        yield "limit_maxbytes", self._memory_limit.memory
        yield "threads", 1
        yield "bytes", self._store.used
        yield "limit_in_force", self._store.limit
        yield "cgroup_bytes", self._memory_limit.ceiling.taken
        yield "cgroup_limit", self._memory_limit.ceiling.limit
        yield "cgroup_full", _yes(self._memory_limit.cramped)
        yield "intake_bytes", self._intake.taken
        yield "intake_limit", self._intake.limit
        yield "intake_waiting", self._intake.waiting
        yield "intake_refused", self._intake.refused
        yield "in_flight_bytes", self._flow.round
        yield "unsent_bytes", self._flow.unsent
        yield "unsent_limit", self._flow.unsent_max
        yield "curr_items", len(self._store)
        yield "tombstones", len(self._store.tombstones)
        yield "expired", self._store.expired
        yield "cluster_state", self._state()
        yield "cluster_nodes", f"{len(self._replica.state.view.members)}/{len(self._options.nodes)}"

    def settings(self) -> Lines:
        """Tell the options in force."""
        yield "maxbytes", self._memory_limit.memory
        yield "item_size_max", self._item_limit.item_max
        yield "evictions", "on"
        yield "cas_enabled", "yes"
        yield "num_threads", 1
        yield "stat_key_prefix", ":"
        yield "detail_enabled", _yes(self.prefixes.on)
        yield "flush_enabled", _yes(self._options.flush_all)
        yield "dump_enabled", "no"
        yield "watch_enabled", "no"
        yield "track_sizes", "no"
        yield "slab_reassign", "no"
        yield "lru_crawler", "no"
        yield "lru_maintainer_thread", "no"
        yield "lru_segmented", "no"
        yield "failure_timeout_ms", self._options.timing.silence
        yield "nodes", ",".join(self._options.nodes)
        for name in ("auth_enabled", "auth_enabled_ascii", "auth_enabled_sasl"):
            yield name, _yes(self._options.users is not None)
        yield from self._process.settings()

    def items(self) -> Lines:
        """Tell what memcached tells, with all items in one class, and that in one list: memrep has no slabs."""
        number, counters = len(self._store), self._counters
        if not number:
            return
        figures = {
            "number": number, "number_hot": 0, "number_warm": 0, "number_cold": number,
            "age_hot": 0, "age_warm": 0, "age": self._store.age(self._clock), "mem_requested": self._store.used,
            "evicted": counters.evictions, "evicted_nonzero": counters.evicted_nonzero,
            "evicted_time": counters.evicted_time, "outofmemory": counters.store_no_memory, "tailrepairs": 0,
            "reclaimed": self._reclaimed, "expired_unfetched": self._expired_unfetched,
            "evicted_unfetched": counters.evicted_unfetched,
        }  # fmt: skip
        for name, figure in figures.items():
            yield f"items:1:{name}", figure

    def slabs(self) -> Lines:
        """Tell that there are none. The memory is what items cost."""
        yield "active_slabs", 0
        yield "total_malloced", self._store.used

    def sizes(self) -> Lines:
        """Tell that item sizes are not tracked, as in memcached by default."""
        yield "sizes_status", "disabled"

    def cluster(self) -> Lines:
        """Tell this node's state, then every other one's: since when, its lag, last sync and clock offset."""
        replica = self._replica
        replica.news.report()
        state = replica.state
        view = state.view
        yield "self", self._options.nodes[state.me - 1]
        yield "state", self._state()
        yield "view", number_of(view.vid)
        yield "generation", view.gen
        yield "members", f"{len(view.members)} of {state.configured}"
        yield "majority", "yes" if view.quorate else "no"
        yield "items", len(self._store)
        yield "writes_in_flight", len(replica.rounds)
        if not state.full and replica.joiner.total:
            yield "fetched", f"{replica.joiner.taken} of {replica.joiner.total}"
        for peer in replica.detector.peers.values():
            yield f"node:{peer.name}", self._peer(peer)

    def _state(self) -> str:
        state = state_of(self._replica)
        return "waiting for the others" if state == WAITING else state

    def _peer(self, peer: Peer) -> str:
        parts = [peer.state]
        if peer.since is not None:
            parts.append(f"since {self._date(peer.since)} ({(self._clock.now - peer.since) // 1000} s)")
        if peer.process.gone:
            parts.append(f"because {peer.process.gone}")
        else:
            parts.append(f"lag {self._replica.rounds.lag(peer.node)} writes")
            parts.append(f"clock {peer.offset:+d} ms")
            if peer.synced is not None:
                parts.append(f"in sync since {self._date(peer.synced)}")
        return ", ".join(parts)

    def _date(self, then: int) -> str:
        """Spell this moment (own monotonic ms) by the wall clock as it goes now."""
        wall = self._clock.wall - (self._clock.now - then)
        return datetime.fromtimestamp(wall / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _yes(whether: bool) -> str:
    return "yes" if whether else "no"
