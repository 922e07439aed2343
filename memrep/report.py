"""The groups of `stats`: what an operator reads, at any hour, in telnet.

The general group bears memcached's names, so that its tools and graphs find them; what memcached has and
memrep has not (slabs, LRU crawlers) is left out rather than shown as nought. `stats cluster` is memrep's own:
a few lines on this node, then for each other node whether it serves and since when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

import attrs

from memrep import __version__
from memrep.options import NodeOptions
from memrep.replication.presence import Peer
from memrep.replication.replica import Replica
from memrep.replication.view import number_of
from memrep.stats import Counters
from memrep.store import Store
from memrep.version import Clock

Lines = Iterable[tuple[str, object]]

#: What `version` answers: memcached's, of the version that memrep answers like, and nothing else. Clients learn
#: from it what a server can; some take the first three numbers in it, some the last, some split at the dots.
VERSION: Final = "1.6.18"


def _no_process() -> Lines:
    return []


@attrs.frozen(kw_only=True)
class Facts:
    """What only the shell knows.

    Attributes:
        process: (name, value) lines on the process: pid, rusage, connections.
        settings: the options as the operator gave them.
    """

    process: Callable[[], Lines] = _no_process
    settings: Callable[[], Lines] = _no_process


class Reports:
    """Makes the groups of `stats`.

    Attributes:
        groups: by name, "" being the general one.
    """

    def __init__(
        self,
        counters: Counters,
        store: Store,
        replica: Replica,
        clock: Clock,
        options: NodeOptions,
        facts: Facts,
    ) -> None:
        self._counters = counters
        self._store = store
        self._replica = replica
        self._clock = clock
        self._options = options
        self._facts = facts
        self._started = clock.now
        self.groups: dict[bytes, Callable[[], Lines]] = {
            b"": self.general,
            b"settings": self.settings,
            b"items": self.items,
            b"sizes": self.sizes,
            b"cluster": self.cluster,
        }

    def general(self) -> Lines:
        """As memcached's, and this node's state in one line."""
        yield from self._facts.process()
        yield "uptime", (self._clock.now - self._started) // 1000
        yield "time", self._clock.wall // 1000
        yield "version", VERSION
        yield "memrep_version", __version__
        yield "pointer_size", 64
        yield "cmd_get", self._counters.get_hits + self._counters.get_misses
        for field in attrs.fields(Counters):
            yield field.name, getattr(self._counters, field.name)
        users = self._options.users
        yield "auth_cmds", users.asked if users is not None else 0
        yield "auth_errors", users.refused if users is not None else 0
        yield "limit_maxbytes", self._store.limit
        yield "threads", 1
        yield "bytes", self._store.used
        yield "curr_items", len(self._store)
        yield "tombstones", len(self._store.tombstones)
        yield "expired", self._store.expired
        yield "cluster_state", self._state()
        yield "cluster_nodes", f"{len(self._replica.standing.view.members)}/{len(self._options.nodes)}"

    def settings(self) -> Lines:
        """The options in force."""
        yield "maxbytes", self._store.limit
        yield "item_size_max", self._options.item_max
        yield "evictions", "on"
        yield "cas_enabled", "yes"
        yield "failure_timeout_ms", self._options.timing.silence
        yield "nodes", ",".join(self._options.nodes)
        yield "auth_enabled", "yes" if self._options.users is not None else "no"
        yield from self._facts.settings()

    def items(self) -> Lines:
        """As memcached's, with all items in one class: memrep has no slabs."""
        if not len(self._store):
            return
        yield "items:1:number", len(self._store)
        yield "items:1:evicted", self._counters.evictions
        yield "items:1:mem_requested", self._store.used

    def sizes(self) -> Lines:
        """Item sizes are not tracked, as in memcached by default."""
        yield "sizes_status", "disabled"

    def cluster(self) -> Lines:
        """This node, then every other one: its state, since when, its lag, last sync and clock offset."""
        replica = self._replica
        replica.news.report()
        standing = replica.standing
        view = standing.view
        yield "self", self._options.nodes[standing.me - 1]
        yield "state", self._state()
        yield "view", number_of(view.vid)
        yield "generation", view.gen
        yield "members", f"{len(view.members)} of {standing.configured}"
        yield "majority", "yes" if view.quorate else "no"
        yield "items", len(self._store)
        yield "writes_in_flight", len(replica.rounds)
        if not standing.full and replica.newcomer.total:
            yield "fetched", f"{replica.newcomer.taken} of {replica.newcomer.total}"
        for peer in replica.presence.peers.values():
            yield f"node:{peer.name}", self._peer(peer)

    def _state(self) -> str:
        replica = self._replica
        if replica.leaving:
            return "leaving"
        if replica.open:
            return "serving" if replica.may_serve else "waiting for the others"
        return "joining" if replica.standing.view.vid else "starting"

    def _peer(self, peer: Peer) -> str:
        parts = [peer.state]
        if peer.since:
            at = datetime.fromtimestamp(peer.since / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            parts.append(f"since {at} ({(self._clock.wall - peer.since) // 1000} s)")
        if peer.gone:
            parts.append(f"because {peer.gone}")
        else:
            parts.append(f"lag {self._replica.lag(peer.node)} frames")
            parts.append(f"clock {peer.offset:+d} ms")
            if peer.synced:
                at = datetime.fromtimestamp(peer.synced / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                parts.append(f"in sync since {at}")
        return ", ".join(parts)
