"""The questions of a monitoring system, each answered from one `Status`.

A check has a name that stays and a claim; what it finds contradicts the claim. Whoever names none gets all but
`safe-to-stop`, which is no question of monitoring but of somebody who is about to stop a node.

What is wrong the node has found itself (problems.py), so most checks only pick it out by its kind. Two say more
than the node holds for a problem: a monitoring system wants to know at once, and whatever the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from memrep.status.facts import SERVING, Status
from memrep.status.findings import Finding, Report
from memrep.status.nodes import asked_node, remedy_of_state, serving_nodes, state_in_words
from memrep.status.safe_to_stop import SAFE_TO_STOP, reasons_to_wait
from memrep.status.words import duration


class Known(NamedTuple):
    """What a check knows that finds nothing wrong.

    Attributes:
        text: in words.
        enough: whether it could have found what is wrong by now.
    """

    text: str
    enough: bool = True


class Check(NamedTuple):
    """A check.

    Attributes:
        claim: what it holds.
        find: finds what contradicts that.
        known: tells what is known where nothing does, by whoever was asked for it; None if that is the claim.
    """

    claim: str
    find: Callable[[Status], Iterator[Finding]]
    known: Callable[[Status], Known] | None = None


def report(status: Status, names: Sequence[str] = ()) -> Report:
    """Return what these checks find; without a name all that monitoring asks for.

    Args:
        status: the cluster.
        names: of checks, each one of `CHECKS`.
    """
    asked = list(names) or [name for name in CHECKS if name != SAFE_TO_STOP]
    findings = [finding for name in asked for finding in CHECKS[name].find(status)]
    findings.sort(key=lambda finding: finding.severity != "critical")
    serving = f"{len(serving_nodes(status))} of {len(status.nodes)} nodes serve"
    figures = _figures(status)
    if not findings:
        if not names:
            return Report("ok", serving, [], figures)
        known = [_known(CHECKS[name], status) for name in names]
        text = ", ".join(each.text for each in known)
        return Report("ok" if all(each.enough for each in known) else "unknown", text, [], figures)
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    text = f"{findings[0].check}: {findings[0].text}{more}"
    return Report(findings[0].severity, text if names else f"{serving}; {text}", findings, figures)


def _known(check: Check, status: Status) -> Known:
    return Known(check.claim) if check.known is None else check.known(status)


def _figures(status: Status) -> str:
    """Return the asked node's performance data: value, warning, critical, least, most."""
    asked = asked_node(status)
    if asked is None or asked.about is None:
        return ""
    about = asked.about
    return (
        f"items={about.items} bytes={about.used}B;;;0;{about.limit} "
        f"clients={about.clients};;;0;{about.clients_max} ops={about.ops}"
    )


# --- what monitoring asks


def _problems(name: str, *kinds: str) -> Callable[[Status], Iterator[Finding]]:
    """Make what finds the problems of these kinds: what is wrong is decided in problems.py, nowhere else."""

    def find(status: Status) -> Iterator[Finding]:
        for problem in status.problems:
            if problem.kind in kinds:
                yield Finding(name, problem.severity, problem.text, problem.remedy)

    return find


def _serving(status: Status) -> Iterator[Finding]:
    """Find it at once, and also in a node that was told to stop: it is asked by whoever sends clients here."""
    node = asked_node(status)
    if node is None or node.state == SERVING:
        return
    yield Finding(
        "serving",
        "critical",
        f"{node.name} lets no clients in: it is {state_in_words(node)}",
        remedy_of_state(node.state),
    )


def _majority(status: Status) -> Iterator[Finding]:
    if status.majority:
        return
    serving = f"{status.asked} is with fewer than half of the nodes"
    if status.strict:
        text = f"{serving}, and serves nobody until it is with more (partition = majority)"
    else:
        text = f"{serving}; the others may serve by themselves, with other data"
    yield Finding(
        "majority",
        "critical" if status.strict else "warning",
        text if status.view else f"{status.asked} is in no view yet",
        "start the other nodes, or mend the network between them",
    )


def _what_was_compared(status: Status) -> Known:
    same = status.sameness
    if len(status.nodes) == 1:
        return Known("there is no other node to hold something else")
    if not same.buckets:
        return Known("digests: nothing has been compared yet", enough=False)
    how = f"{same.buckets:,} of {same.of:,} buckets compared, the oldest {duration(same.oldest_s)} ago"
    if same.buckets < same.of:
        return Known(f"no difference so far: {how}")
    return Known(f"{len(same.nodes) + 1} nodes hold the same: {how}")


#: In the order in which they are told; the last one is not among those that are made without a name.
CHECKS: Final = {
    "serving": Check("the asked node serves", _serving),
    "peers": Check(
        "each other node of the list serves, or is about to", _problems("peers", "down", "turned-away", "waits")
    ),
    "paths": Check("each node hears each other one directly", _problems("paths", "path")),
    "memory": Check(
        "nobody's items are evicted, and all nodes may hold the same",
        _problems("memory", "evicting", "memory-differs", "item-size-differs"),
    ),
    "cgroup": Check("no node is near the memory that the kernel grants", _problems("cgroup", "cgroup")),
    "clock": Check("clocks are less than a second apart", _problems("clock", "clock")),
    "connections": Check(
        "no node has nearly as many clients as it may have", _problems("connections", "connections")
    ),
    "versions": Check("all nodes run the same version", _problems("versions", "version")),
    "config": Check(
        "each node has taken the options that it was told last", _problems("config", "reload-refused")
    ),
    "old-store": Check("the store that --fallback names answers", _problems("old-store", "old-store")),
    "digests": Check(
        "nodes that serve hold the same", _problems("digests", "data-differs"), _what_was_compared
    ),
    "log": Check("no line of a log was lost", _problems("log", "log")),
    "disk": Check("what nodes hold is saved on disk, if they are told to", _problems("disk", "disk")),
    "last-copy": Check("more than one node holds the sessions", _problems("last-copy", "last-copy")),
    "majority": Check("the asked node is with a majority of the nodes", _majority),
    SAFE_TO_STOP: Check("the asked node may be stopped now, and no user will notice", reasons_to_wait),
}
