"""What came out, as text: the lines for a terminal and for Markdown, and the file from which both are made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from bench.comparison.pages import Measured, Slice
from bench.comparison.setups import SETUPS
from bench.comparison.stories import STORIES

_HEAD: Final = ("", "pages", "lost", "stale", "failed", "longest wait")

#: Around picture and table in docs/comparison.md.
_BEGIN: Final = "<!-- measured: begin -->\n"
_PICTURE: Final = """
## What came out of one run

![how long pages took, and what was wrong with them](comparison.svg)

"""
_END: Final = "<!-- measured: end -->\n"


def _cells(measured: Measured) -> tuple[str, ...]:
    counts = (measured.pages, measured.lost, measured.stale, measured.failed)
    return (SETUPS[measured.setup].label, *map(str, counts), f"{measured.longest_ms:.0f} ms")


def _by_story(all_measured: Iterable[Measured]) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {}
    for measured in all_measured:
        found.setdefault(measured.story, []).append(measured)
    return found


def text(all_measured: Sequence[Measured]) -> str:
    """Write the table for a terminal."""
    lines = []
    for story, rows in _by_story(all_measured).items():
        lines.append(_line((STORIES[story].label, *_HEAD[1:])))
        lines += [_line(("  " + cells[0], *cells[1:])) for cells in map(_cells, rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    first, *numbers = cells
    return first.ljust(42) + "".join(cell.rjust(8) for cell in numbers[:-1]) + numbers[-1].rjust(14)


def markdown(all_measured: Sequence[Measured]) -> str:
    """Write the table for docs/comparison.md; what is wrong is bold."""
    lines = []
    for story, rows in _by_story(all_measured).items():
        lines += ["", f"| {STORIES[story].label} | {' | '.join(_HEAD[1:])} |", "|---|" + "---:|" * 5]
        for label, pages, *wrong, longest in map(_cells, rows):
            marked = [count if count == "0" else f"**{count}**" for count in wrong]
            lines.append(f"| {' | '.join([label, pages, *marked, longest])} |")
    return "\n".join(lines[1:]) + "\n"


def put_into(page: str, table: str) -> str:
    """Return this page with picture and table in place of those that it has, or at its end."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{_PICTURE}{table}{_END}{after}"


def save(all_measured: Sequence[Measured], file: Path) -> None:
    """Write everything down, one story with one set-up a line."""
    lines = ",\n".join(json.dumps(attrs.asdict(measured)) for measured in all_measured)
    file.write_text(f"[\n{lines}\n]\n")


def load(file: Path) -> list[Measured]:
    """Read what was written down."""
    told: list[dict[str, Any]] = json.loads(file.read_text())
    return [Measured(**{**one, "slices": [Slice(**each) for each in one["slices"]]}) for one in told]
