"""The command: `python -m bench.comparison`, with stories and set-ups for arguments if not all are wanted."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

import click
import pytest

from bench.comparison.pages import Measured
from bench.comparison.picture import draw, small
from bench.comparison.setups import SETUPS
from bench.comparison.stories import QUICK, STORIES, Lengths, tell
from bench.comparison.table import Run, load, markdown, put_into, put_into_readme, save, text
from bench.machine import Watch
from tests.faults.network import enter, forbidden

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
_README: Final = _DOCS.parent / "README.md"
#: What it takes to start a set-up and to write all sessions.
_START_S: Final = 8.0


@click.command()
@click.option("--story", "stories", multiple=True, type=click.Choice(list(STORIES)), help="[default: all]")
@click.option("--setup", "setups", multiple=True, type=click.Choice(list(SETUPS)), help="[default: all]")
@click.option("--quick", is_flag=True, help="Shorter stories: what comes late is not seen.")
@click.option(
    "--into", default="build/comparison", show_default=True, type=click.Path(file_okay=False, path_type=Path),
    help="Where comparison.json, .md and pictures go; docs renews its page and README.md.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Measure nothing: table and picture from comparison.json there.")
def main(stories: tuple[str, ...], setups: tuple[str, ...], quick: bool, into: Path, again: bool) -> None:
    """Let the same happen to memrep and to what else people run, under PHP's pages; tell what users notice."""
    into.mkdir(parents=True, exist_ok=True)
    saved = into / "comparison.json"
    if not again:
        why = forbidden()
        if why is not None:
            raise click.ClickException(f"this machine allows no network namespaces ({why})")
        enter(sys.argv[1:], "bench.comparison")
        _measure(stories or tuple(STORIES), setups or tuple(SETUPS), QUICK if quick else Lengths(), saved)
    run = load(saved)
    click.echo(text(run.found))
    if not draw(run.found, into / "comparison.svg"):
        click.echo("no picture: matplotlib is not installed (pip install '.[bench]')")
    draw(small(run.found), into / "comparison-small.svg")
    page = into / "comparison.md"
    if into.resolve() == _DOCS:
        page.write_text(put_into(page.read_text(), run))
        _README.write_text(put_into_readme(_README.read_text(), run))
    else:
        page.write_text(markdown(run))


def _measure(stories: tuple[str, ...], setups: tuple[str, ...], lengths: Lengths, file: Path) -> None:
    watch = Watch()
    found: list[Measured] = []
    told = [(story, setup) for story in stories for setup in setups]
    seconds = lengths.before + lengths.down + lengths.after + _START_S
    for number, (story, setup) in enumerate(told):
        each_s = watch.passed_s / number if number else seconds
        left = f"about {each_s * (len(told) - number) / 60:.0f} min left"
        click.echo(
            f"[{number + 1}/{len(told)}] {STORIES[story].label}: {SETUPS[setup].label}; {left}", err=True
        )
        with tempfile.TemporaryDirectory() as directory:
            try:
                found.append(tell(setup, story, lengths, Path(directory)))
            except pytest.skip.Exception as missing:
                raise click.ClickException(str(missing)) from None
        facts = {"command": " ".join(["python -m bench.comparison", *sys.argv[1:]]), **watch.facts()}
        save(Run(facts, found), file)


if __name__ == "__main__":
    main()
