"""What was measured, as Markdown: for the terminal, and between the marks of docs/performance.md.

Everything is made of the raw rounds that the JSON file holds, so a page can be written from a run on another
machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import attrs

from bench.machine import listed
from bench.rounds import Figures, Shape, Shapes, Spread, ratios


@attrs.frozen
class Answer:
    """What one section found.

    Attributes:
        shapes: its rounds.
        told: why there is nothing.
    """

    title: str
    note: str
    seconds: float
    shapes: Shapes = attrs.field(factory=dict)
    told: str = ""


@attrs.frozen
class Report:
    """One run on one machine."""

    machine: dict[str, str]
    quick: bool
    answers: dict[str, Answer]

    @classmethod
    def of(cls, parsed: dict[str, Any]) -> Report:
        """That which a JSON file holds."""
        answers = {name: Answer(**answer) for name, answer in parsed["answers"].items()}
        return cls(parsed["machine"], parsed["quick"], answers)


def dumped(report: Report) -> str:
    """A report as a JSON file, a section a line."""
    told = attrs.asdict(report)
    answers = ",\n".join(f"{json.dumps(name)}: {json.dumps(one)}" for name, one in told["answers"].items())
    head = f'"machine": {json.dumps(told["machine"])},\n"quick": {json.dumps(told["quick"])}'
    return f'{{\n{head},\n"answers": {{\n{answers}\n}}\n}}\n'


def machine(report: Report) -> str:
    """Where it was measured, and how loudly."""
    kind = "A short run (QUICK=1)" if report.quick else "A full run"
    return f"{kind}:\n\n{listed(report.machine)}"


def section(answer: Answer) -> str:
    """The table of one section."""
    parts = [answer.note]
    if answer.shapes:
        parts.append("\n".join(_table(answer.shapes)))
    if answer.told:
        parts.append(f"```\n{answer.told.strip()}\n```")
    return "\n\n".join(parts)


def _table(shapes: Shapes) -> Iterator[str]:
    names = list(
        dict.fromkeys(
            name for shape in shapes.values() for runs in shape.values() for run in runs for name in run
        )
    )
    compared = any(ratios(shape, name) for shape in shapes.values() for name in shape)
    heads = ["what", "who", *names, *(["memrep / this"] if compared else [])]
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * 2}{'---:|' * (len(heads) - 2)}"
    for what, shape in shapes.items():
        for who, runs in shape.items():
            cells = [what, who, *(_cell(runs, name) for name in names)]
            yield f"| {' | '.join([*cells, _ratio(shape, who)] if compared else cells)} |"


def _cell(runs: list[Figures], name: str) -> str:
    """A figure that only some rounds have tells of what did not happen in the others."""
    return _told(Spread.of(run.get(name, 0) for run in runs)) if any(name in run for run in runs) else ""


def _ratio(shape: Shape, who: str) -> str:
    spread = ratios(shape, who)
    return _told(spread) if spread else ""


def _told(spread: Spread) -> str:
    """The median, and behind it from where to where."""
    median, least, most = map(_digits, (spread.median, spread.least, spread.most))
    return median if least == most else f"{median} ({least}-{most})"


def _digits(value: float) -> str:
    """Three digits that count."""
    size = abs(value)
    return (
        f"{value:.0f}"
        if size >= 100 or value == int(value)
        else f"{value:.1f}"
        if size >= 10
        else f"{value:.2f}"
    )


_MARKED: Final = re.compile(r"(<!-- bench:(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def emptied(page: str) -> str:
    """A page with nothing between its marks."""
    return _MARKED.sub(r"\1\3", page)


def written_into(page: str, report: Report) -> str:
    """A page with this report between its marks; what the report has nothing of stays as it is."""

    def filled(mark: re.Match[str]) -> str:
        name = mark[2]
        if name == "machine":
            text = machine(report)
        elif name in report.answers:
            text = section(report.answers[name])
        else:
            return mark[0]
        return f"{mark[1]}{text}\n{mark[3]}"

    return _MARKED.sub(filled, page)
