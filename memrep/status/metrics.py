"""Metrics: every figure that a program may collect from a node, with its name, its kind and what it means.

Rule: the names are those of Prometheus' habits. `memrep_` stands in front of what is memrep's own, a counter
ends in `_total`, a unit is the base unit and stands behind the name. What is one of several words is a series
for each of them, 1 or 0, so that an alarm needs no numbers by heart. No label holds anything that clients make
up: neither a key nor an address of theirs.

OpenMetrics takes the ending of a counter off, and wants each name once even so: there cannot be both
`memrep_connections` and `memrep_connections_total`.

A name that is told once is never given another meaning; docs/metrics.md has all of them, and a test compares
it. How they are spelled in an answer is not known here (daemon/exposition.py).
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Final

from memrep import __version__
from memrep.status.counts import COUNTS, POLICY
from memrep.status.facts import DOWN, JOINING, LEAVING, SERVING, SILENT, STARTING, WAITING, NodeStatus
from memrep.status.metric import Gathered, Series, counted, each_peer, many, of_policy, one
from memrep.status.nodes import why_not_ready
from memrep.status.problems import KINDS

_STATES: Final = (STARTING, JOINING, WAITING, SERVING, LEAVING)
_PEER_STATES: Final = (*_STATES, SILENT, DOWN)
_SEVERITIES: Final = ("critical", "warning")
_PYTHON: Final = platform.python_version()


def _build(facts: Gathered) -> Iterator[Series]:
    yield (__version__, _PYTHON), 1


def _state(facts: Gathered) -> Iterator[Series]:
    for state in _STATES:
        yield (state,), facts.me.state == state


def _problems(facts: Gathered) -> Iterator[Series]:
    there = [(problem.kind, problem.severity) for problem in facts.status.problems]
    for kind in KINDS:
        for severity in _SEVERITIES:
            yield (kind, severity), there.count((kind, severity))


def _peer_states(facts: Gathered) -> Iterator[Series]:
    for peer in facts.peers:
        for state in _PEER_STATES:
            yield (peer.name, state), peer.state == state


def _links(facts: Gathered) -> Iterator[Series]:
    me = facts.me
    for peer in facts.peers:
        yield (peer.name, "from"), peer.name in (me.hears or ())
        yield (peer.name, "to"), me.name in (peer.hears or ())


def _certificates(facts: Gathered) -> Iterator[Series]:
    for path, expires in facts.process.certificates.items():
        yield (path,), expires


def _clock(peer: NodeStatus) -> float | None:
    return None if peer.clock_ms is None else peer.clock_ms / 1000


#: All of them.
METRICS: Final = (
    many("memrep_build_info", "Always 1; the labels say what runs.", ("version", "python"), _build),
    one(
        "memrep_start_time_seconds",
        "When this node began, with nothing, seconds since 1970. A node that is replaced within its process "
        "begins anew.",
        lambda facts: facts.figures.started,
    ),
    many("memrep_state", "1 for the state of this node, 0 for each other one.", ("state",), _state),
    one(
        "memrep_ready",
        "1 while clients may come to this node, else 0; /ready says why.",
        lambda facts: not why_not_ready(facts.me, facts.process.hindrance),
    ),
    many(
        "memrep_problems",
        "What is wrong as this node sees it, by kind; `memrep status` says what to do.",
        ("kind", "severity"),
        _problems,
    ),
    one(
        "memrep_view_number",
        "The number of this node's view, which grows with each change of who is a member; 0 before the first.",
        lambda facts: facts.status.view,
    ),
    one(
        "memrep_view_changes_total",
        "How many views this node has had: each time a node comes, goes or is doubted there is a new one.",
        lambda facts: facts.figures.views,
    ),
    one(
        "memrep_view_members",
        "Nodes in this node's view.",
        lambda facts: sum(node.member for node in facts.status.nodes),
    ),
    one("memrep_nodes_configured", "Nodes in --nodes.", lambda facts: len(facts.status.nodes)),
    one(
        "memrep_majority",
        "1 if the view began with a majority of the nodes, else 0.",
        lambda facts: facts.status.majority,
    ),
    one(
        "memrep_writes_in_flight",
        "Writes of this node's that another one has yet to acknowledge.",
        lambda facts: facts.status.writes_in_flight,
    ),
    one(
        "memrep_write_rounds_total",
        "Writes of this node's clients that have gone round all other members.",
        lambda facts: facts.figures.rounds,
    ),
    one(
        "memrep_write_rounds_seconds_total",
        "How long these took in all.",
        lambda facts: facts.figures.rounds_ms / 1000,
    ),
    one(
        "memrep_write_rounds_slow_total",
        "Of these, those that took a tenth of a second or more.",
        lambda facts: facts.figures.rounds_slow,
    ),
    many(
        "memrep_peer_state",
        "1 for the state of another node as far as this one knows, 0 for each other one.",
        ("peer", "state"),
        _peer_states,
    ),
    many(
        "memrep_peer_link_up",
        'Whether one hears the other on its own link: direction="from", this node the peer; "to", the peer '
        "this node. 0 also while that is not known.",
        ("peer", "direction"),
        _links,
    ),
    each_peer(
        "memrep_peer_detour",
        "1 while another node is reached over a third one, else 0.",
        lambda peer: peer.path.startswith("via "),
    ),
    each_peer(
        "memrep_peer_lag_writes",
        "Writes of this node's that another node has yet to acknowledge.",
        lambda peer: peer.lag,
    ),
    each_peer(
        "memrep_peer_clock_offset_seconds",
        "How far another node's clock is ahead of this one's; absent while that is not known.",
        _clock,
    ),
    one("memrep_items", "Items that this node holds.", lambda facts: facts.about.items),
    one("memrep_item_bytes", "Their bytes, all costs counted.", lambda facts: facts.about.used),
    one(
        "memrep_memory_limit_bytes",
        "How many bytes items may take before live ones are evicted (-m).",
        lambda facts: facts.about.limit,
    ),
    one(
        "memrep_cgroup_bytes",
        "What the kernel counts against the memory limit of the service; 0 if it has none.",
        lambda facts: facts.about.group_used,
    ),
    one(
        "memrep_cgroup_limit_bytes",
        "That limit; 0 if there is none.",
        lambda facts: facts.about.group_limit,
    ),
    one(
        "memrep_tombstones",
        "What is kept of deleted items until every node knows that they are gone.",
        lambda facts: facts.figures.tombstones,
    ),
    one("memrep_expired_total", "Items that have run out.", lambda facts: facts.figures.expired),
    one(
        "memrep_expired_unfetched_total",
        "Of these, those that nobody had read.",
        lambda facts: facts.figures.expired_unfetched,
    ),
    one(
        "memrep_oldest_unused_seconds",
        "For how long the item that would be evicted next has not been used.",
        lambda facts: facts.figures.oldest_s,
    ),
    *(counted(*count) for count in COUNTS),
    one("memrep_connections", "Connected clients.", lambda facts: facts.about.clients),
    one("memrep_connections_limit", "How many there may be (-c).", lambda facts: facts.about.clients_max),
    one(
        "memrep_client_unsent_bytes",
        "Bytes of replies that clients have not taken.",
        lambda facts: facts.figures.unsent,
    ),
    one(
        "memrep_logins_total",
        "How often a client gave a password (--auth-file).",
        lambda facts: facts.figures.logins,
    ),
    one(
        "memrep_logins_refused_total",
        "How often that was wrong.",
        lambda facts: facts.figures.logins_refused,
    ),
    *(of_policy(*what) for what in POLICY),
    one(
        "memrep_log_lines_lost",
        "Lines that could not be written to the log, of which the log does not tell yet.",
        lambda facts: facts.about.log_lost,
    ),
    one(
        "memrep_config_reload_success",
        "Whether options, or a file that they name, were read anew without a mistake when that was done last.",
        lambda facts: int(facts.process.reloaded),
    ),
    one(
        "memrep_config_reload_timestamp_seconds",
        "When options were taken last, at the start or later, seconds since 1970.",
        lambda facts: facts.process.reloaded_at,
    ),
    one(
        "memrep_log_lines_dropped_total",
        "Lines that could not be written to the log, since the process was started.",
        lambda facts: facts.process.log_lines_lost,
    ),
    many(
        "memrep_certificate_expiry_timestamp_seconds",
        "Until when a certificate is valid that clients are shown, seconds since 1970; absent without TLS.",
        ("file",),
        _certificates,
    ),
    one("memrep_turns_total", "Turns of the loop.", lambda facts: facts.process.turns),
    one(
        "memrep_longest_turn_seconds",
        "How long the longest turn of the loop took.",
        lambda facts: facts.process.longest_turn_s,
    ),
    one(
        "memrep_join_items",
        "Items of another node's that this one looked at when it joined last.",
        lambda facts: facts.figures.fetched,
    ),
    one(
        "memrep_join_items_expected",
        "How many that node had; 0 if this one has not had to fetch any.",
        lambda facts: facts.figures.to_fetch,
    ),
    one("process_cpu_seconds_total", "Time on a CPU.", lambda facts: facts.process.cpu_s),
    one("process_resident_memory_bytes", "Resident memory.", lambda facts: facts.process.resident),
    one("process_open_fds", "Open file descriptors.", lambda facts: facts.process.descriptors),
    one("process_max_fds", "How many there may be.", lambda facts: facts.process.descriptors_max),
    one(
        "process_start_time_seconds",
        "When the process was started, seconds since 1970.",
        lambda facts: facts.process.started,
    ),
)
