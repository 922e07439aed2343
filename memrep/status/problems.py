"""Problems: what is wrong with a cluster, and what a person can do about it, worst first.

Rule: each text names the cause and not only what follows from it, and each remedy is something that can be done
now, at a place that is named. What heals by itself within seconds, as a node that has just been started, is no
problem; it becomes one when it lasts (`_PATIENCE_S`, `_JOINING_S`).

A problem's kind never changes its meaning: alarms are silenced by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from memrep.status.facts import DIRECT, JOINING, LEAVING, SERVING, SILENT, NodeStatus, Problem, Severity, Status
from memrep.status.nodes import asked_node, host_of, is_here, link_port_of, nodes_with_words, serving_nodes
from memrep.status.upkeep import lost_lines, refused_options, silent_old_store, unsaved
from memrep.status.words import bytes_in_words, duration, listed

#: Every kind of problem, with what it means.
KINDS: Final = {
    "not-serving": "the node that was asked lets no clients in",
    "last-copy": "one node alone holds the sessions, though others are configured",
    "down": "a node is gone, or nothing is heard of it",
    "turned-away": "a node will not have another one: their lists of nodes, terms or secrets differ",
    "waits": "a node is there but has not served for long",
    "path": "a node does not hear another one on its own link",
    "evicting": "live sessions are ended for want of room",
    "memory-differs": "nodes may hold different amounts, so the smallest evicts for all",
    "item-size-differs": "nodes take items of different sizes",
    "cgroup": "the memory that the kernel grants is nearly used up",
    "connections": "a node has nearly as many clients as it may have",
    "clock": "a node's wall clock is off",
    "version": "nodes run different versions",
    "reload-refused": "options, or a file that they name, were read anew and will not do",
    "old-store": "the store that --fallback names does not answer",
    "data-differs": "nodes that serve hold different entries",
    "log": "lines of a node's log could not be written",
    "disk": "what a node holds cannot be saved on its disk",
}

#: For how long a node may be on its way before that is a problem, seconds.
_PATIENCE_S: Final = 10.0
_JOINING_S: Final = 60.0

#: Why a node is down that has said goodbye.
TOOK_LEAVE: Final = "it was stopped"

#: How it is told that a node will not have the one that was asked; the cause follows.
_TURNED_AWAY: Final = "turned this node away"

_MAKE_THE_SAME: Final = (
    "make `nodes`, `partition`, `failure_timeout` and the secret the same on all servers, then restart those "
    "that were wrong"
)

#: What to do about it, by a word of the cause.
_REMEDIES_OF_REFUSAL: Final = {
    "--self": "see where that address leads to, and which `self` the node there has",
    "--nodes": "make `nodes` the same on all servers, then restart those where it was wrong",
    "--secret-file": "copy one secret file to all servers, then `memrep reload` (restart where there was none)",
    "--partition": "make `partition` the same on all servers, then restart those where it was wrong",
    "--failure-timeout": "make `failure_timeout` the same on all servers, then restart those with a wrong one",
    "nodes' protocol": "upgrade the older one first: nodes whose protocols differ share no sessions",
}

_CLOCK_MS: Final = 1_000
_GROUP_NEARLY: Final = 0.9
_CLIENTS_NEARLY: Final = 0.8


def find_problems(status: Status) -> list[Problem]:
    """Return what is wrong, the worst first."""
    found = [
        *_not_serving(status),
        *_last_copy(status),
        *_absent(status),
        *_waiting(status),
        *_paths(status),
        *_limits(status),
        *_clocks(status),
        *_differences(status),
        *refused_options(status),
        *silent_old_store(status),
        *lost_lines(status),
        *unsaved(status),
        *_data(status),
    ]
    return sorted(found, key=lambda problem: problem.severity != "critical")


def _not_serving(status: Status) -> Iterator[Problem]:
    for node in status.nodes:
        if not node.asked or node.state in (SERVING, LEAVING):
            continue
        lasting = node.since_s is not None and node.since_s >= _PATIENCE_S
        if node.state == JOINING:
            remedy = "wait: it serves when it holds everything; others serve meanwhile"
        else:
            remedy = "see to what it waits for; clients are refused here and use another node"
        yield Problem(
            "not-serving",
            "critical" if lasting and node.state != JOINING else "warning",
            [node.name],
            f"{node.name} lets no clients in: {node.why}",
            remedy,
        )


def _last_copy(status: Status) -> Iterator[Problem]:
    serving = serving_nodes(status)
    if len(serving) == 1 and len(status.nodes) > 1:
        name = serving[0].name
        yield Problem(
            "last-copy",
            "critical",
            [name],
            f"{name} alone holds the sessions: if it goes, all users are logged out",
            f"bring another node back first; do not stop {name}",
        )


def _of_absence(status: Status) -> Severity:
    """Tell how bad it is that a node does not serve: two others bear the loss of one more."""
    return "warning" if len(serving_nodes(status)) > 1 else "critical"


def _absent(status: Status) -> Iterator[Problem]:
    asked = asked_node(status)
    here = link_port_of(asked) if asked is not None else "of its links"
    for node in status.nodes:
        # What keeps it from being called now is newer than what it said when it could be.
        reason = node.refusal if is_here(node) else node.refusal or node.why
        since = "" if node.since_s is None else f" for {duration(node.since_s)}"
        if _TURNED_AWAY in reason and not node.asked:
            yield _turned_away(node, status.asked, reason)
        elif node.asked or is_here(node):
            continue
        elif node.state == SILENT:
            yield Problem(
                "down",
                _of_absence(status),
                [node.name],
                f"{node.name} has been silent{since}",
                f"see whether {host_of(node)} is up and its network works (ping, ssh), and whether the "
                f"firewall here admits port {here} from there; its process may hang",
            )
        else:
            yield Problem(
                "down",
                _of_absence(status),
                [node.name],
                f"{node.name} is down{since}: {_reason(node)}",
                _remedy_of_absence(node),
            )


def _reason(node: NodeStatus) -> str:
    """Return why a node is gone and, if that says more, why it cannot be called now."""
    if node.refusal and node.refusal != node.why:
        return f"{node.why}; now: {node.refusal}"
    return node.why


def _remedy_of_absence(node: NodeStatus) -> str:
    now, host = node.refusal or node.why, host_of(node)
    if node.why == TOOK_LEAVE:
        return (
            f"start it: `systemctl start memrep` on {host}, or `memrep resume` if it was drained; `journalctl "
            "-u memrep` there says why it ended"
        )
    if "refuse" in now or "stopped" in now:
        return f"start it: `systemctl start memrep` on {host}; `journalctl -u memrep` there says why it ended"
    if "name" in now.lower():
        return f"let {host} resolve (DNS, /etc/hosts), or write its address into `nodes` on all servers"
    port = link_port_of(node)
    return f"see whether {host} is up, and whether a firewall there admits port {port} from this server"


def _turned_away(node: NodeStatus, asked: str, reason: str) -> Problem:
    cause = reason.partition(_TURNED_AWAY)[2].removeprefix(": ")
    return Problem(
        "turned-away",
        "critical",
        [node.name, asked],
        f"{node.name} will not have {asked}: {cause}",
        next((remedy for word, remedy in _REMEDIES_OF_REFUSAL.items() if word in cause), _MAKE_THE_SAME),
    )


def _waiting(status: Status) -> Iterator[Problem]:
    for node in status.nodes:
        patience = _JOINING_S if node.state == JOINING else _PATIENCE_S
        lasting = node.since_s is None or node.since_s >= patience
        if node.asked or node.state in (SERVING, LEAVING) or not (is_here(node) and lasting):
            continue
        since = "" if node.since_s is None else f" for {duration(node.since_s)}"
        remedy = f"`memrep status` on {host_of(node)} says more"
        if node.state == JOINING:
            remedy = "stop no other node until it serves: `memrep status --wait full` waits for that"
        yield Problem(
            "waits",
            _of_absence(status),
            [node.name],
            f"{node.name} has been {node.state}{since}" + (f": {node.why}" if node.why else ""),
            remedy,
        )


def _paths(status: Status) -> Iterator[Problem]:
    """Find who does not hear whom; of two who are both there."""
    for node in status.nodes:
        # Who has not said whom it hears is judged by how it is reached.
        if not node.asked and node.member and is_here(node) and node.hears is None and node.path != DIRECT:
            yield Problem(
                "path",
                "warning",
                [status.asked, node.name],
                f"{status.asked} reaches {node.name} {node.path or 'in no way'}",
                f"let the firewalls admit port {link_port_of(node)} from here to {host_of(node)}; until then "
                "do not stop a third node",
            )
    here = [node for node in status.nodes if node.hears is not None and is_here(node)]
    for one, other in combinations(here, 2):
        if not (one.member and other.member):
            continue  # they are still greeting, or have nothing to do with each other
        there, back = one.name in (other.hears or []), other.name in (one.hears or [])
        if there and back:
            continue
        if there or back:
            speaker, hearer = (other, one) if there else (one, other)
            what = f"{speaker.name} does not reach {hearer.name} directly"
            way = ": the other direction works"
            ports = _admitting(speaker, hearer)
        else:
            speaker, hearer = (other, one) if other.asked else (one, other)
            what = f"{speaker.name} and {hearer.name} do not reach each other directly"
            way = ""
            ports = f"{_admitting(speaker, hearer)}, and {_admitting(hearer, speaker)}"
        why = f" ({hearer.refusal})" if speaker.asked and hearer.refusal else ""
        detour = next((each.path for each in (one, other) if each.path.startswith("via ")), "")
        yield Problem(
            "path",
            "warning",
            [speaker.name, hearer.name],
            f"{what}{why}{way}" + (f"; what it has to say goes {detour}" if detour else ""),
            f"let the firewalls admit {ports}; until then do not stop a third node",
        )


def _admitting(speaker: NodeStatus, hearer: NodeStatus) -> str:
    return f"port {link_port_of(hearer)} from {host_of(speaker)} to {host_of(hearer)}"


def _limits(status: Status) -> Iterator[Problem]:
    for node, about in nodes_with_words(status):
        if about.evicted:
            yield Problem(
                "evicting",
                "critical",
                [node.name],
                f"memory is full at {node.name}: {about.evicted:,} live sessions ended in the last minute",
                "raise `memory` on all nodes alike (and MemoryMax= of the unit), or let sessions end sooner",
            )
        nearly = about.group_limit and about.group_used >= _GROUP_NEARLY * about.group_limit
        if about.group_full or nearly:
            yield Problem(
                "cgroup",
                "warning",
                [node.name],
                f"{node.name} uses {bytes_in_words(about.group_used)} of the "
                f"{bytes_in_words(about.group_limit)} that the kernel grants: the store is kept small",
                "raise MemoryMax= (systemd) or the container's limit to 2 x `memory` + 128 MB",
            )
        if about.clients_max and about.clients >= _CLIENTS_NEARLY * about.clients_max:
            full = about.clients >= about.clients_max
            yield Problem(
                "connections",
                "critical" if full else "warning",
                [node.name],
                f"{node.name} has {about.clients:,} clients of {about.clients_max:,} that it may have"
                + (": more are sent away" if full else ""),
                "raise `connections` (36 MB of MemoryMax= for each 1000), or see who has so many",
            )


def _clocks(status: Status) -> Iterator[Problem]:
    known = [(node, node.clock_ms) for node in status.nodes if node.clock_ms is not None]
    # Of two nobody can tell which is right: the other one is off, by the clock of the one that was asked.
    usual = sorted(offset for _, offset in known)[(len(known) - 1) // 2] if len(known) > 2 else 0
    for node, offset in known:
        if abs(offset - usual) >= _CLOCK_MS:
            ahead = "ahead of" if offset > usual else "behind"
            yield Problem(
                "clock",
                "warning",
                [node.name],
                f"the clock of {node.name} is {duration(abs(offset - usual) / 1000)} {ahead} the others'",
                f"see to NTP on {host_of(node)}; sessions' ends that clients give as a date are off by as much",
            )


def _differences(status: Status) -> Iterator[Problem]:
    told = {node.name: about for node, about in nodes_with_words(status)}
    if len({about.limit for about in told.values()}) > 1:
        least = min(told, key=lambda name: told[name].limit)
        yield Problem(
            "memory-differs",
            "warning",
            [least],
            f"`memory` differs: {least} has the least, {bytes_in_words(told[least].limit)}, and evicts for all",
            "give every node the same `memory`, then `memrep reload` where it was another",
        )
    if len({about.item_max for about in told.values()}) > 1:
        least = min(told, key=lambda name: told[name].item_max)
        yield Problem(
            "item-size-differs",
            "warning",
            [least],
            f"`item_size_max` differs: {least} has the least, {bytes_in_words(told[least].item_max)}",
            "give every node the same `item_size_max`, then `memrep reload` where it was another",
        )
    versions = sorted({about.version for about in told.values() if about.version})
    if len(versions) > 1:
        yield Problem(
            "version",
            "warning",
            sorted(told),
            f"nodes run different versions: {listed(versions)}",
            "finish the upgrade, one node at a time",
        )


def _data(status: Status) -> Iterator[Problem]:
    same = status.sameness
    for name, parts in same.differing.items():
        yield Problem(
            "data-differs",
            "critical",
            [status.asked, name],
            f"{name} differs from {status.asked} in {parts:,} of {same.of:,} buckets "
            f"for {duration(same.since_s)}",
            "see which one a third node differs from (`memrep check digests` there), restart that one after "
            "`memrep check safe-to-stop`: it fetches everything anew; unless that machine was paused, or its "
            "clock runs wrong, it is a fault of memrep: report it",
        )
