"""`python -m bench`: everything that docs/performance.md states, measured in one run beside its peers.

QUICK=1 in the environment makes it short: under five minutes, of which a ratio is good to about a third.
`--only idle,paced` runs these sections. The raw rounds go to a JSON file, from which `--read` makes tables and
pictures again without measuring. `--write-docs` writes the page, and puts the JSON file beside it, from which a
test makes the page again.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from bench.machine import Watch
from bench.peers import CannotMeasure
from bench.plots import draw
from bench.progress import Progress
from bench.report import Answer, Report, dumped, emptied, machine, section, written_into
from bench.rounds import FULL, QUICK, Scale, Shapes
from bench.sections import SECTIONS, Section

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "performance.md"
#: The rounds from which its tables are made.
ROUNDS_OF_PAGE: Final = PAGE.with_suffix(".json")
RESULTS: Final = ROOT / "bench" / "results"


def _chosen(_context: click.Context, _option: click.Parameter, told: tuple[str, ...]) -> tuple[str, ...]:
    """The sections that are told, in their own order; the beginning of a name is enough."""
    asked = [part.strip() for each in told for part in each.split(",")]
    for part in asked:
        if sum(name.startswith(part) for name in SECTIONS) != 1:
            raise click.BadParameter(f"{part!r} is none of {', '.join(SECTIONS)}")
    return tuple(name for name in SECTIONS if any(map(name.startswith, asked)))


@click.command()
@click.option("--only", multiple=True, callback=_chosen, help="Only these sections: idle,paced")
@click.option("--rounds", type=click.IntRange(1), help="Turns of each competitor.")
@click.option("--seconds", type=float, help="How long one figure is watched.")
@click.option(
    "--json", "path", type=click.Path(path_type=Path), default=RESULTS / "bench.json", show_default=True
)
@click.option("--read", is_flag=True, help="Measure nothing: show what the JSON file holds.")
@click.option("--write-docs", is_flag=True, help="Write the tables into docs/performance.md.")
@click.option("--plots", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    only: tuple[str, ...],
    rounds: int | None,
    seconds: float | None,
    path: Path,
    read: bool,
    write_docs: bool,
    plots: Path,
) -> None:
    """Measure memrep beside memcached and Redis."""
    if write_docs and only:
        raise click.UsageError("the page is of one run: --write-docs goes without --only")
    names = only or tuple(SECTIONS)
    if read:
        report = Report.of(json.loads(path.read_text("utf-8")))
        for name in names:
            if name in report.answers:
                _show(report.answers[name])
    else:
        scale = QUICK if os.environ.get("QUICK", "0") not in ("", "0") else FULL
        scale = Scale(rounds or scale.rounds, seconds or scale.seconds, scale.quick)
        path.parent.mkdir(parents=True, exist_ok=True)
        for report in _measured(names, scale):
            path.write_text(dumped(report), "utf-8")  # after each section, should a later one fail
        click.echo(f"{machine(report)}\n\nThe raw rounds are in {path}.")
    if write_docs:
        PAGE.write_text(written_into(emptied(PAGE.read_text("utf-8")), report), "utf-8")
        ROUNDS_OF_PAGE.write_text(dumped(report), "utf-8")
    try:
        for picture in draw(report, plots):
            click.echo(f"Drawn: {picture}")
    except ImportError:
        click.echo("No pictures: matplotlib is not installed (pip install '.[bench]').")


def _measured(names: tuple[str, ...], scale: Scale) -> Iterator[Report]:
    """Measure these sections; yield what is known behind each of them."""
    watch = Watch()
    answers: dict[str, Answer] = {}
    command = "python -m bench" + (f" --only {','.join(names)}" if len(names) < len(SECTIONS) else "")
    progress = Progress({name: SECTIONS[name].expected_s[scale.quick] for name in names})
    for name in names:
        click.echo(progress.begin(name), err=True)
        answers[name] = _answer(SECTIONS[name], scale)
        _show(answers[name])
        yield Report(
            {
                "command": f"{'QUICK=1 ' if scale.quick else ''}{command}",
                "rounds": f"{scale.rounds}, of {scale.seconds:g} s; {watch.passed_s:.0f} s in all",
                **watch.facts(),
            },
            scale.quick,
            answers,
        )


def _answer(asked: Section, scale: Scale) -> Answer:
    began = time.monotonic()
    click.echo(f"## {asked.title}\n")
    found: Shapes = {}
    told = ""
    try:
        found = asked.measure(scale)
    except CannotMeasure as missing:
        told = f"not measured: {missing}"
    return Answer(asked.title, asked.note, time.monotonic() - began, found, told)


def _show(answer: Answer) -> None:
    click.echo(f"{section(answer)}\n\n({answer.seconds:.0f} s)\n")


if __name__ == "__main__":
    sys.exit(main())
