"""The nodes, figure by figure: a table where there is room, and a card for each node where there is not.

Browsers forget that something is a table as soon as it is laid out otherwise. So each part says by a role
what it is, and on a card each cell has its heading in front (style.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from memrep.page.html import Html, element, join, void
from memrep.page.plots import part_of_count
from memrep.page.signs import mark, sign_of
from memrep.status.facts import DIRECT, SERVING, About, NodeStatus, Status
from memrep.status.nodes import is_here, short_names
from memrep.status.steps import Steps, each
from memrep.status.words import UNKNOWN, clock, count, duration, part, plain, shortened

_BAR_UNITS: Final = 100

#: How many rows are written in one step; a row has a dozen cells.
_A_STEP: Final = 1

#: Of a word that another node says and that is not broken.
_WORD_MAX: Final = 16


class _Column(NamedTuple):
    heading: str
    of: Callable[[NodeStatus], str]
    figure: bool = True


def node_table(status: Status) -> Steps[Html]:
    """Return the nodes as a section of the page."""
    columns = [*_COLUMNS, _path(status.nodes), _VERSION]
    headings = (
        element("th", column.heading, scope="col", role="columnheader", class_="figure" * column.figure or None)
        for column in columns
    )
    rows = yield from each((_row(node, columns) for node in status.nodes), _A_STEP)
    yield
    return element(
        "section",
        element("h2", "The nodes", id="nodes"),
        element(
            "table",
            element(
                "caption",
                "What each says of itself, and how the asked one reaches it. Lag: writes that it has not yet "
                "acknowledged. Clock: how far its clock is ahead.",
            ),
            element("thead", element("tr", *headings, role="row"), role="rowgroup"),
            element("tbody", *rows, role="rowgroup"),
            role="table",
            aria_labelledby="nodes",
        ),
        aria_labelledby="nodes",
        class_="nodes",
    )


def _row(node: NodeStatus, columns: Sequence[_Column]) -> Html:
    first, *others = columns
    cells = (
        element(
            "td",
            element("div", column.of(node)),
            role="cell",
            data_label=column.heading,
            class_="figure" * column.figure or None,
        )
        for column in others
    )
    return element("tr", element("th", first.of(node), scope="row", role="rowheader"), *cells, role="row")


def _name(node: NodeStatus) -> Html:
    # Where a name may be broken, if it is too long for its place: behind its dots and colons.
    pieces = plain(node.name).replace(".", ". ").replace(":", " :").split(" ")
    tag = element("span", "this one", class_="tag") if node.asked else ""
    return join(*(join(piece, void("wbr")) for piece in pieces), tag)


def _state(node: NodeStatus) -> Html:
    since = "" if node.since_s is None else f" for {duration(node.since_s)}"
    why = [node.why] if node.state != SERVING else []
    why += [node.refusal] if node.refusal != node.why else []
    reasons = (element("span", reason, class_="why") for reason in why if reason)
    state = shortened(node.state, _WORD_MAX)
    return join(mark(sign_of(node.state)), element("span", state, since, class_="now"), *reasons)


def _of_about(of: Callable[[About], str]) -> Callable[[NodeStatus], str]:
    return lambda node: UNKNOWN if node.about is None else of(node.about)


def _memory(about: About) -> Html:
    share = min(max(about.used, 0) * _BAR_UNITS // about.limit, _BAR_UNITS) if about.limit > 0 else 0
    bar = element(
        "svg",
        element("rect", width=_BAR_UNITS, height=4, class_="whole"),
        element("rect", width=share, height=4, class_="part"),
        viewBox=f"0 0 {_BAR_UNITS} 4",
        preserveAspectRatio="none",
        aria_hidden="true",
        class_="bar",
    )
    return join(part(about.used, about.limit), bar)


def _path(nodes: Sequence[NodeStatus]) -> _Column:
    short = short_names(nodes)

    def path(node: NodeStatus) -> str:
        if node.asked or not is_here(node):
            return UNKNOWN
        via = node.path.removeprefix("via ")
        if node.path in ("", DIRECT) or via == node.path:
            return node.path or "none"
        return f"via {short.get(via, via)}"

    return _Column("Path", path, figure=False)


def _lag(node: NodeStatus) -> str:
    return count(node.lag) if is_here(node) and not node.asked else UNKNOWN


_COLUMNS: Final = [
    _Column("Node", _name, figure=False),
    _Column("State", _state, figure=False),
    _Column("Items", _of_about(lambda about: count(about.items))),
    _Column("Memory", _of_about(_memory)),
    _Column("Clients", _of_about(lambda about: part_of_count(about.clients, about.clients_max))),
    _Column("Commands/s", _of_about(lambda about: count(about.ops))),
    _Column("Lag", _lag),
    _Column("Clock", lambda node: clock(node.clock_ms)),
]
_VERSION: Final = _Column(
    "Version", _of_about(lambda about: shortened(about.version, _WORD_MAX) or UNKNOWN), figure=False
)
