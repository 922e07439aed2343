"""A metric: its name, what kind it is, what it means, and how its series follow from what is known.

Rule: its kind is seen from its name: what ends in `_total`, and nothing else, is a counter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import attrs

from memrep.status.facts import About, Figures, NodeStatus, ProcessFigures, Status


@attrs.frozen
class Gathered:
    """All that metrics are made of.

    Attributes:
        status: the cluster as the asked node sees it.
        figures: what that node counts.
        process: what its process knows.
    """

    status: Status
    figures: Figures
    process: ProcessFigures

    @property
    def me(self) -> NodeStatus:
        """Return the node that was asked."""
        return next(node for node in self.status.nodes if node.asked)

    @property
    def about(self) -> About:
        """Return what that node says of itself."""
        return self.me.about or About()

    @property
    def peers(self) -> list[NodeStatus]:
        """Return the other nodes."""
        return [node for node in self.status.nodes if not node.asked]


#: The values of the labels, in their order, and a figure; None for one that cannot be told now.
Series = tuple[tuple[str, ...], float | None]


@attrs.frozen
class Metric:
    """A metric.

    Attributes:
        name: its whole name.
        kind: of Prometheus'.
        help: what it means.
        labels: the names of its labels.
        tell: makes its series of the facts.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...]
    tell: Callable[[Gathered], Iterator[Series]]


def _kind(name: str) -> Literal["counter", "gauge"]:
    return "counter" if name.endswith("_total") else "gauge"


def one(name: str, text: str, figure: Callable[[Gathered], float | None]) -> Metric:
    """Make a metric of one figure.

    Args:
        name: the whole.
        text: what it means.
        figure: tells it; None while it cannot be told.
    """

    def tell(facts: Gathered) -> Iterator[Series]:
        yield (), figure(facts)

    return Metric(name, _kind(name), text, (), tell)


def each_peer(name: str, text: str, figure: Callable[[NodeStatus], float | None]) -> Metric:
    """Make a metric of one figure for each of the other nodes; arguments as of `one`."""

    def tell(facts: Gathered) -> Iterator[Series]:
        for peer in facts.peers:
            yield (peer.name,), figure(peer)

    return Metric(name, "gauge", text, ("peer",), tell)


def many(name: str, text: str, labels: tuple[str, ...], tell: Callable[[Gathered], Iterator[Series]]) -> Metric:
    """Make a metric of several figures.

    Args:
        name: the whole.
        text: what it means.
        labels: the names of its labels.
        tell: tells the figures, each with the values of its labels.
    """
    return Metric(name, _kind(name), text, labels, tell)


def counted(name: str, text: str, labels: tuple[str, ...], fields: dict[tuple[str, ...], str]) -> Metric:
    """Make a metric of counters, each with the values of its labels."""

    def tell(facts: Gathered) -> Iterator[Series]:
        for values, field in fields.items():
            yield values, facts.figures.counters[field]

    return Metric(name, _kind(name), text, labels, tell)


def of_policy(name: str, text: str, figure: str) -> Metric:
    """Make a metric of what the policy for clients counts; absent where it does not."""
    return one(name, text, lambda facts: facts.figures.policy.get(figure))
