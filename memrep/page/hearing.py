"""Who hears whom: each pair of nodes, as far as the asked node knows, and the same in words.

A link is two directions, and either may be cut alone: a firewall is asked anew in each. What one cannot say to
another goes over a third one then, which is known of the asked node's own links only.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final, NamedTuple

from memrep.status.facts import NodeStatus, Status
from memrep.status.nodes import is_here
from memrep.status.words import listed

#: What is between two nodes that are both there; beside each what it says to a reader of the drawing.
BOTH: Final = "both"
ONE_WAY: Final = "one-way"
NEITHER: Final = "neither"
UNKNOWN: Final = "unknown"
DETOUR: Final = "detour"

MEANINGS: Final = {
    BOTH: "hear each other",
    ONE_WAY: "heard where the arrow points, and not back",
    NEITHER: "do not hear each other",
    UNKNOWN: "not known yet",
    DETOUR: "the way around, over a third node",
}

_VIA: Final = "via "


class Link(NamedTuple):
    """What is between two nodes.

    Attributes:
        kind: one of the above, but for a detour.
        speaker: of two of which one alone is heard, that one;
        hearer: and who hears it. Of others either.
    """

    kind: str
    speaker: NodeStatus
    hearer: NodeStatus


class Detour(NamedTuple):
    """A way over a third node.

    Attributes:
        speaker: who has something to say,
        via: who passes it on,
        hearer: and for whom it is.
    """

    speaker: NodeStatus
    via: NodeStatus
    hearer: NodeStatus


def links(status: Status) -> list[Link]:
    """Return what is between each two nodes that are there."""
    return [_link(one, other) for one, other in combinations(filter(is_here, status.nodes), 2)]


def _link(one: NodeStatus, other: NodeStatus) -> Link:
    there = None if other.hears is None else one.name in other.hears
    back = None if one.hears is None else other.name in one.hears
    if there is None or back is None:
        return Link(UNKNOWN, one, other)
    if there and back:
        return Link(BOTH, one, other)
    if not there and not back:
        return Link(NEITHER, one, other)
    return Link(ONE_WAY, one, other) if there else Link(ONE_WAY, other, one)


def detours(status: Status) -> list[Detour]:
    """Return the ways over a third node that the asked one takes."""
    by_name = {node.name: node for node in status.nodes}
    asked = by_name.get(status.asked)
    found = ((node, by_name.get(node.path.removeprefix(_VIA))) for node in status.nodes if is_here(node))
    return [
        Detour(asked, via, node)
        for node, via in found
        if asked is not None and via is not None and node.path.startswith(_VIA)
    ]


def in_words(links: Sequence[Link], detours: Sequence[Detour], names: dict[str, str]) -> list[str]:
    """Return sentences that say the same.

    Args:
        links: what is between the nodes that are there.
        detours: ways over a third node.
        names: by what each is called.
    """
    if not links:
        return ["There is nobody else to hear."]
    kinds = {link.kind for link in links}
    if kinds == {BOTH}:
        return [f"{'The two' if len(links) == 1 else 'All'} nodes that are there hear each other directly."]
    told = []
    for link in links:
        speaker, hearer = names[link.speaker.name], names[link.hearer.name]
        if link.kind == ONE_WAY:
            told.append(f"{speaker} does not hear {hearer}; the other direction works.")
        elif link.kind == NEITHER:
            told.append(f"{speaker} and {hearer} do not hear each other.")
    both = (node for link in links for node in (link.speaker, link.hearer))
    unsaid = list(dict.fromkeys(names[node.name] for node in both if node.hears is None))
    if unsaid:
        verbs = ("has", "it hears") if len(unsaid) == 1 else ("have", "they hear")
        told.append(f"{listed(unsaid)} {verbs[0]} not said yet whom {verbs[1]}.")
    told += [
        f"What {names[way.speaker.name]} says to {names[way.hearer.name]} goes over {names[way.via.name]}."
        for way in detours
    ]
    if BOTH in kinds:
        told.append("All others hear each other.")
    return told
