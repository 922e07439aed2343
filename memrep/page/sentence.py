"""The cluster in one sentence, and whose sight of it this is in another."""

from __future__ import annotations

from collections import Counter
from typing import Final

from memrep.page.signs import CHANGING
from memrep.status.facts import SERVING, NodeStatus, Status
from memrep.status.nodes import asked_node, serving_nodes
from memrep.status.words import duration, listed

_SMALL: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _in_words(count: int) -> str:
    return _SMALL[count] if count < len(_SMALL) else str(count)


def severity_of(status: Status) -> str:
    """Return how bad the worst problem is; without any whether nodes are on their way (CHANGING), or ""."""
    on_their_way = CHANGING if len(serving_nodes(status)) < len(status.nodes) else ""
    return next((problem.severity for problem in status.problems), on_their_way)


def short_headline(status: Status) -> str:
    """Return what a tab has room for: "3 of 3 serve"."""
    return f"{len(serving_nodes(status))} of {len(status.nodes)} serve"


def headline(status: Status) -> str:
    """Return the cluster in one sentence: "2 of 3 nodes serve, one is joining; nothing is wrong."."""
    total, serving = len(status.nodes), len(serving_nodes(status))
    if total == 1:
        serve = "The only node serves" if serving else f"The only node is {status.nodes[0].state}"
    else:
        others = Counter(node.state for node in status.nodes if node.state != SERVING)
        rest = listed([f"{_in_words(n)} {'is' if n == 1 else 'are'} {state}" for state, n in others.items()], 9)
        serve = f"{serving or 'None'} of {total} nodes serve{'s' * (serving < 2)}" + f", {rest}" * bool(rest)
    wrong = len(status.problems)
    if not wrong:
        return f"{serve}; nothing is wrong."
    return f"{serve}; {_in_words(wrong)} {'thing is' if wrong == 1 else 'things are'} wrong."


def seen_from(status: Status, hindrance: str) -> str:
    """Return whose sight this is, and how that node is itself.

    Args:
        status: the cluster.
        hindrance: why no clients come in there though it serves; "" if they do.
    """
    asked = asked_node(status)
    if asked is None:
        return f"Seen from {status.asked}."
    return f"Seen from {asked.name}, which {_is(asked, hindrance)}."


def _is(asked: NodeStatus, hindrance: str) -> str:
    since = "" if asked.since_s is None else f" for {duration(asked.since_s)}"
    if asked.state != SERVING:
        return f"has been {asked.state}{since}" + (f": {asked.why}" if asked.why else "")
    if hindrance:
        return f"lets no new clients in: {hindrance}"
    return f"has served{since}"
