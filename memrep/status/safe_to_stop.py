"""May the asked node be stopped now, and no user will notice? Rule: each "no" says what to do first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from memrep.status.facts import JOINING, SERVING, NodeStatus, Status
from memrep.status.findings import Finding
from memrep.status.nodes import in_touch, is_here, link_port_of
from memrep.status.words import listed

#: The check's name.
SAFE_TO_STOP: Final = "safe-to-stop"


def reasons_to_wait(status: Status) -> Iterator[Finding]:
    """Yield why not."""
    me = status.asked

    def no(text: str, remedy: str) -> Finding:
        return Finding(SAFE_TO_STOP, "critical", text, remedy)

    others = [node for node in status.nodes if not node.asked]
    serving = [node for node in others if node.member and node.state == SERVING]
    if not serving and others:
        yield no(
            f"no other node serves: without {me} users are logged out",
            "start another node, and wait until it holds everything: `memrep status --wait full`",
        )
    elif not serving:
        yield no(f"{me} is the only node", "give --nodes a second one, or stop it when nobody minds")
    elif status.strict and len(serving) <= len(status.nodes) // 2:
        yield no(
            f"without {me} {len(serving)} of {len(status.nodes)} nodes are no majority, and would serve nobody",
            "start another node first: `memrep status --wait full`",
        )
    for one, other in _joined_only_by(me, others):
        yield no(
            f"{one.name} and {other.name} reach each other only through {me}",
            f"open ports {link_port_of(one)} and {link_port_of(other)} between them (`memrep check paths`)",
        )
    joining = [node.name for node in others if node.state == JOINING]
    if joining:
        yield no(
            f"{listed(joining)} is joining, and may be fetching from {me}",
            "wait until it serves: `memrep status --wait full`",
        )


def _joined_only_by(me: str, others: list[NodeStatus]) -> Iterator[tuple[NodeStatus, NodeStatus]]:
    """Yield the pairs that neither hear each other nor have a third one, other than `me`, whom both hear."""
    here = [node for node in others if node.member and is_here(node)]
    for one, other in combinations(here, 2):
        between = (node for node in here if node not in (one, other))
        if not in_touch(one, other) and not any(
            in_touch(one, third) and in_touch(third, other) for third in between
        ):
            yield one, other
