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
from bench.machine import listed

_HEAD: Final = ("", "pages", "lost", "stale", "failed", "longest wait")

#: Around picture and table in docs/comparison.md, and around a small picture in README.md.
_BEGIN: Final = "<!-- measured: begin -->\n"
_SEEN: Final = "how long pages took while one of three servers failed, and what was wrong with them"
_PICTURE: Final = f"""
## What came out of one run

![{_SEEN}](comparison.svg)

"""
_SMALL_PICTURE: Final = f"![{_SEEN}](docs/comparison-small.svg)\n"
_END: Final = "<!-- measured: end -->\n"


@attrs.frozen
class Run:
    """One run of the comparison.

    Attributes:
        facts: with which command, on what, and how loudly it was measured.
        found: what came of each story with each set-up.
    """

    facts: dict[str, str]
    found: list[Measured]


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


def markdown(run: Run) -> str:
    """Write the table for docs/comparison.md; what is wrong is bold."""
    lines = [listed(run.facts)]
    for story, rows in _by_story(run.found).items():
        lines += ["", f"| {STORIES[story].label} | {' | '.join(_HEAD[1:])} |", "|---|" + "---:|" * 5]
        for label, pages, *wrong, longest in map(_cells, rows):
            marked = [count if count == "0" else f"**{count}**" for count in wrong]
            lines.append(f"| {' | '.join([label, pages, *marked, longest])} |")
    return "\n".join(lines) + "\n"


def put_into(page: str, run: Run | None) -> str:
    """Return docs/comparison.md with a run's picture and table in place of those that it has."""
    return _between_marks(page, _PICTURE + markdown(run) if run else "")


def put_into_readme(page: str, run: Run | None) -> str:
    """Return README.md with the small picture of a run."""
    return _between_marks(page, _SMALL_PICTURE if run else "")


def _between_marks(page: str, text: str) -> str:
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert begin and end, "the page has no place for it"
    return f"{before}{begin}{text}{end}{after}"


def save(run: Run, file: Path) -> None:
    """Write everything down, one story with one set-up a line."""
    lines = ",\n".join(json.dumps(attrs.asdict(measured)) for measured in run.found)
    file.write_text(f'{{"facts": {json.dumps(run.facts)},\n"found": [\n{lines}\n]}}\n')


def load(file: Path) -> Run:
    """Read what was written down."""
    told: dict[str, Any] = json.loads(file.read_text())
    found = [Measured(**{**one, "slices": [Slice(**each) for each in one["slices"]]}) for one in told["found"]]
    return Run(told["facts"], found)
