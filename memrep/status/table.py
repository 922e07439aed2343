"""The cluster in 80 columns: problems first if one of them cannot wait, then a line for each node.

A table is read in a hurry, maybe on a serial console. So it is never wider than it may be, whatever nodes call
themselves and say: columns come closer first, then give up words for figures, and at last names lose their
middle. Why a node does not serve stands below its line, where there is room.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from memrep.status.facts import DOWN, SERVING, SILENT, About, NodeStatus, Problem, Status
from memrep.status.nodes import short_names
from memrep.status.words import (
    UNKNOWN,
    clock,
    count,
    duration,
    part,
    percent,
    plain,
    shortened,
    shortened_names,
    wrapped,
)

#: Problems that are shown in full; the first ones are the worst.
PROBLEMS_MAX: Final = 12

#: What a path and a name keep when there is too little room.
_PATH_MIN: Final = 10
_NAME_MIN: Final = 14

_REASON_INDENT: Final = "    "


class _Column(NamedTuple):
    """A column: its heading, what it says of a node, and whether that is a figure."""

    heading: str
    of: Callable[[NodeStatus], str]
    figure: bool = False


def render(status: Status, width: int = 80, wide: bool = False) -> str:
    """Return the cluster as lines.

    Args:
        status: the cluster.
        width: the most columns that a line may have.
        wide: show all that is known; then the table itself may be wider.
    """
    problems = _problems(status, width, wide)
    nodes = [*_nodes(status, width, wide), *_versions(status, width)]
    urgent = any(problem.severity == "critical" for problem in status.problems)
    lines = _heading(status, width) + (problems + nodes if urgent else nodes + problems)
    return "\n".join(line.rstrip() for line in lines)


def _heading(status: Status, width: int) -> list[str]:
    total = len(status.nodes)
    serving = sum(node.state == SERVING for node in status.nodes)
    facts = [
        f"cluster {serving} of {total} node{'s' * (total != 1)}",
        "majority only" if status.strict else "available",
        f"view {status.view}" if status.view else "no view yet",
        "majority" if status.majority else "no majority",
    ]
    line = ", ".join(facts)
    verdict = f"PROBLEMS {len(status.problems)}" if status.problems else "no problem"
    whole = f"{line}   {verdict}"
    return [whole] if len(whole) <= width else [*wrapped(line, width, "", "  "), verdict]


def _problems(status: Status, width: int, wide: bool) -> list[str]:
    shown = status.problems if wide else status.problems[:PROBLEMS_MAX]
    lines = [line for problem in shown for line in _problem(problem, width)]
    left = len(status.problems) - len(shown)
    more = f"and {left} more; `memrep status -w wide` shows all"
    return [*lines, *wrapped(more, width, "! ", "  ")] if left else lines


def _problem(problem: Problem, width: int) -> list[str]:
    return [*wrapped(problem.text, width, "! ", "  "), *wrapped(problem.remedy, width, "  ", "  ")]


def _nodes(status: Status, width: int, wide: bool) -> list[str]:
    path = _path(status.nodes)
    layouts = [(_WIDE, 2)] if wide else [(_ROOMY, 2), (_ROOMY, 1), (_TIGHT, 1)]
    grids = [_Grid.of(status.nodes, [*columns, path], gap) for columns, gap in layouts]
    room = width - 1  # in front of each line is the mark of the asked node
    grid = next((grid for grid in grids if grid.width <= room), grids[-1])
    heading, *rows = grid.lines() if wide else [shortened(line, room) for line in grid.fitted(room).lines()]
    lines = [f" {heading}"]
    for node, row in zip(status.nodes, rows, strict=True):
        lines += [("*" if node.asked else " ") + row, *_reasons(node, width)]
    return lines


class _Grid(NamedTuple):
    """Cells in columns.

    Attributes:
        columns: what they are.
        gap: how many spaces are between two of them.
        cells: what stands in each, the heading first.
        sizes: how wide each is.
    """

    columns: list[_Column]
    gap: int
    cells: list[list[str]]
    sizes: list[int]

    @classmethod
    def of(cls, nodes: list[NodeStatus], columns: list[_Column], gap: int) -> _Grid:
        """Fill in what the columns say of these nodes."""
        cells = [[column.heading, *(column.of(node) for node in nodes)] for column in columns]
        return cls(columns, gap, cells, [max(map(len, column)) for column in cells])

    @property
    def width(self) -> int:
        """Return how wide the lines are."""
        return sum(self.sizes) + self.gap * (len(self.sizes) - 1)

    def fitted(self, width: int) -> _Grid:
        """Return it with narrower paths and names, if it is too wide; all else has a bound of its own."""
        sizes = list(self.sizes)
        for place, least in ((-1, _PATH_MIN), (0, _NAME_MIN)):
            excess = max(self.width - sum(self.sizes) + sum(sizes) - width, 0)
            sizes[place] -= min(excess, max(sizes[place] - least, 0))
        return self._replace(sizes=sizes)

    def lines(self) -> list[str]:
        """Return its lines, the headings first."""
        columns = []
        for column, size, (heading, *cells) in zip(self.columns, self.sizes, self.cells, strict=True):
            shown = [heading, *shortened_names(cells, size)]
            columns.append([cell.rjust(size) if column.figure else cell.ljust(size) for cell in shown])
        return [(" " * self.gap).join(row) for row in zip(*columns, strict=True)]


def _reasons(node: NodeStatus, width: int) -> list[str]:
    why = node.why if node.state != SERVING else ""
    refusal = node.refusal if node.refusal != why else ""
    return [
        line for reason in (why, refusal) for line in wrapped(reason, width, _REASON_INDENT, _REASON_INDENT)
    ]


def _versions(status: Status, width: int) -> list[str]:
    """Say who runs what, if nodes differ in that."""
    names: dict[str, list[str]] = {}
    for node in status.nodes:
        if node.about is not None:
            names.setdefault(node.about.version, []).append(node.name)
    if len(names) < 2:
        return []
    told = [f"{version or UNKNOWN} ({', '.join(names[version])})" for version in sorted(names)]
    return wrapped(f"versions: {', '.join(told)}", width, "", "  ")


# --- columns


def _of_about(of: Callable[[About], str]) -> Callable[[NodeStatus], str]:
    return lambda node: UNKNOWN if node.about is None else of(node.about)


def _lag(node: NodeStatus) -> str:
    return UNKNOWN if node.asked or node.state in (DOWN, SILENT) else count(node.lag, 4)


def _path(nodes: list[NodeStatus]) -> _Column:
    """Return the column of paths. A node on the way is called by its host or port if that is enough."""
    short = short_names(nodes)

    def path(node: NodeStatus) -> str:
        if node.asked or node.state in (DOWN, SILENT):
            return UNKNOWN
        via = node.path.removeprefix("via ")
        return plain(node.path if via == node.path else f"via {short.get(via, via)}") or "none"

    return _Column("PATH", path)


_NODE: Final = _Column("NODE", lambda node: plain(node.name))
_STATE: Final = _Column("STATE", lambda node: shortened(plain(node.state), 8) or UNKNOWN)
_SINCE: Final = _Column("SINCE", lambda node: duration(node.since_s))
_VERSION: Final = _Column("VERSION", _of_about(lambda about: plain(about.version) or UNKNOWN))
_ITEMS: Final = _Column("ITEMS", _of_about(lambda about: count(about.items, 7)), figure=True)
_ITEMS_ALL: Final = _Column("ITEMS", _of_about(lambda about: count(about.items)), figure=True)
_MEM: Final = _Column("MEM", _of_about(lambda about: percent(about.used, about.limit)), figure=True)
_MEMORY: Final = _Column("MEMORY", _of_about(lambda about: part(about.used, about.limit, "/")), figure=True)
_MEMORY_ALL: Final = _Column("MEMORY", _of_about(lambda about: part(about.used, about.limit)), figure=True)
_EVICTED: Final = _Column("EVICTED/MIN", _of_about(lambda about: count(about.evicted)), figure=True)
_GROUP: Final = _Column(
    "CGROUP", _of_about(lambda about: part(about.group_used, about.group_limit)), figure=True
)
_CONNS: Final = _Column("CONNS", _of_about(lambda about: count(about.clients, 5)), figure=True)
_CLIENTS: Final = _Column("CLIENTS", _CONNS.of, figure=True)
_CLIENTS_ALL: Final = _Column(
    "CLIENTS",
    _of_about(lambda about: f"{count(about.clients)} of {count(about.clients_max)}"),
    figure=True,
)
_OPS: Final = _Column("OPS/S", _of_about(lambda about: count(about.ops, 5)), figure=True)
_LAG: Final = _Column("LAG", _lag, figure=True)
_CLOCK: Final = _Column("CLOCK", lambda node: clock(node.clock_ms), figure=True)

_ROOMY: Final = [_NODE, _STATE, _SINCE, _ITEMS, _MEMORY, _CLIENTS, _OPS, _LAG, _CLOCK]
_TIGHT: Final = [_NODE, _STATE, _SINCE, _ITEMS, _MEM, _CONNS, _OPS, _LAG, _CLOCK]
_WIDE: Final = [
    _NODE, _STATE, _SINCE, _VERSION, _ITEMS_ALL, _MEMORY_ALL, _EVICTED, _GROUP, _CLIENTS_ALL, _OPS, _LAG,
    _CLOCK,
]  # fmt: skip
