"""The nodes and what is between them, as a drawing.

Each node has its place by the list of nodes, so that the pages of two nodes look alike; the asked one has a
ring. A pair that hears each other is a line. What is not as it should be differs from that in its shape, too:
dashes and an arrow where only one is heard, dots and a cross where neither is, and a way around where the
asked node takes one. Below the drawing stands the same in words, for whoever does not see it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from memrep.page.hearing import BOTH, DETOUR, MEANINGS, NEITHER, ONE_WAY, Detour, Link, detours, in_words, links
from memrep.page.html import Html, element, join, text
from memrep.page.signs import sign_of
from memrep.status.facts import NodeStatus, Status
from memrep.status.nodes import short_names
from memrep.status.steps import Steps, each
from memrep.status.words import plain, shortened, shortened_names

#: The drawing's width, a node's radius, and what a name and a state take above or below that.
_WIDTH: Final = 340
_RADIUS: Final = 17
_LABEL: Final = 40
_MARGIN: Final = 8

#: Letters that a name may have, and how many nodes have room for one; of more the table has the names.
_NAME_MAX: Final = 16
_NAMED_MAX: Final = 9

#: How much is drawn in one step.
_LINKS_A_STEP: Final = 6
_NODES_A_STEP: Final = 3

#: How far a way around keeps from the node that it goes over.
_BERTH: Final = _RADIUS + 11


class Point(NamedTuple):
    """A place in the drawing."""

    x: float
    y: float

    def __str__(self) -> str:
        return f"{self.x:.1f} {self.y:.1f}"

    def towards(self, other: Point, distance: float) -> Point:
        """Return the point that is so far from here on the way there."""
        length = math.dist(self, other) or 1.0
        return Point(
            self.x + (other.x - self.x) * distance / length, self.y + (other.y - self.y) * distance / length
        )

    def between(self, other: Point, share: float = 0.5) -> Point:
        """Return the point at this share of the way there."""
        return Point(self.x + (other.x - self.x) * share, self.y + (other.y - self.y) * share)


def places(count: int) -> tuple[list[Point], float]:
    """Return where so many nodes are, and how high the drawing is."""
    around = _RADIUS + _LABEL + _MARGIN
    middle = _WIDTH / 2
    if count == 1:
        return [Point(middle, _RADIUS + _MARGIN)], around + _RADIUS + _MARGIN
    if count == 2:
        return [Point(middle - 95, _RADIUS + _MARGIN), Point(middle + 95, _RADIUS + _MARGIN)], (
            around + _RADIUS + _MARGIN
        )
    radius = min(80 + 6 * count, 116)
    angles = [math.tau * number / count - math.tau / 4 for number in range(count)]
    lowest = max(math.sin(angle) for angle in angles) * radius
    centre = around + radius
    return [
        Point(middle + math.cos(angle) * radius, centre + math.sin(angle) * radius) for angle in angles
    ], centre + lowest + around


def picture(status: Status) -> Steps[Html]:
    """Draw a cluster."""
    points, height = places(len(status.nodes))
    at = {node.name: point for node, point in zip(status.nodes, points, strict=True)}
    centre = Point(_WIDTH / 2, sum(point.y for point in points) / len(points))
    pairs, ways = links(status), detours(status)
    said = in_words(pairs, ways, short_names(status.nodes))
    yield
    lines = yield from each((_link(link, at) for link in pairs), _LINKS_A_STEP)
    detoured = yield from each((_way(way, at) for way in ways), _LINKS_A_STEP)
    discs = yield from each(_nodes(status.nodes, at, centre), _NODES_A_STEP)
    yield
    drawing = element(
        "svg",
        element("title", "Who hears whom"),
        element("desc", " ".join(said)),
        *lines,
        *detoured,
        *discs,
        viewBox=f"0 0 {_WIDTH} {height:.0f}",
        role="img",
        class_="picture",
    )
    used = [kind for kind in MEANINGS if kind in {link.kind for link in pairs} or (kind == DETOUR and ways)]
    key = element("ul", *map(_of_key, used), class_="key") if used and used != [BOTH] else text("")
    words = (element("p", sentence) for sentence in said)
    return element("figure", drawing, element("figcaption", *words, key), class_="hearing")


def _nodes(nodes: Sequence[NodeStatus], at: dict[str, Point], centre: Point) -> Iterable[Html]:
    named = len(nodes) <= _NAMED_MAX
    short = short_names(nodes)
    names = (
        shortened_names([plain(short[node.name]) for node in nodes], _NAME_MAX)
        if named
        else [str(number) for number in range(1, len(nodes) + 1)]
    )
    for node, name in zip(nodes, names, strict=True):
        yield _node(node, at[node.name], name, above=len(nodes) > 2 and at[node.name].y < centre.y - 40)


def _node(node: NodeStatus, point: Point, name: str, above: bool) -> Html:
    sign = sign_of(node.state)
    first = -_RADIUS - 27 if above else _RADIUS + 20
    state = shortened(node.state, _NAME_MAX) + (", this one" if node.asked else "")
    ring = element("circle", r=_RADIUS + 4, class_="ring") if node.asked else text("")
    return element(
        "g",
        ring,
        element("circle", r=_RADIUS, class_="disc"),
        element("path", d=sign.path, class_="sign", transform="scale(1.4)"),
        element("text", name, y=first, class_="name"),
        element("text", state, y=first + 15, class_="state"),
        transform=f"translate({point})",
        class_=f"node {sign.tone}",
    )


def _link(link: Link, at: dict[str, Point]) -> Html:
    one, other = at[link.speaker.name], at[link.hearer.name]
    gap = _RADIUS + 7
    begin, end = one.towards(other, gap), other.towards(one, gap)
    line = element("path", d=f"M{begin}L{end}")
    if link.kind == ONE_WAY:
        return element("g", line, _arrow(end, one), class_="link one-way")
    if link.kind == NEITHER:
        return element("g", line, _cross(begin.between(end)), class_="link neither")
    return element("g", line, class_=f"link {link.kind}")


def _way(way: Detour, at: dict[str, Point]) -> Html:
    """Draw a way beside the straight lines, on their inner side, and around the node that it goes over."""
    speaker, via, hearer = at[way.speaker.name], at[way.via.name], at[way.hearer.name]
    corner = via.towards(speaker.between(hearer), _BERTH)
    # It leaves and comes between the straight lines to the two others.
    begin = speaker.towards(corner.between(hearer, 0.3), _RADIUS + 9)
    end = hearer.towards(corner.between(speaker, 0.3), _RADIUS + 9)
    return element(
        "g",
        element("path", d=f"M{begin}C{corner} {corner} {end}"),
        _arrow(end, corner),
        class_="link detour",
    )


def _arrow(tip: Point, source: Point) -> Html:
    """Draw a head at the tip of what comes from there."""
    angle = math.degrees(math.atan2(tip.y - source.y, tip.x - source.x))
    return element(
        "path", d="M-9 -5 0 0 -9 5", class_="head", transform=f"translate({tip}) rotate({angle:.0f})"
    )


def _cross(point: Point) -> Html:
    return join(
        element("circle", r=8, class_="gap", transform=f"translate({point})"),
        element("path", d="M-4 -4 4 4M4 -4 -4 4", class_="head", transform=f"translate({point})"),
    )


def _of_key(kind: str) -> Html:
    """Explain a kind of link."""
    begin, end = Point(2, 7), Point(38, 7)
    parts = [element("path", d=f"M{begin}L{end}")]
    if kind in (ONE_WAY, DETOUR):
        parts.append(_arrow(end, begin))
    if kind == NEITHER:
        parts.append(_cross(begin.between(end)))
    sample = element(
        "svg", element("g", *parts, class_=f"link {kind}"), viewBox="0 0 40 14", aria_hidden="true"
    )
    return element("li", sample, MEANINGS[kind])
