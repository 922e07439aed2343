"""The command: `python -m bench.comparison`, with stories and set-ups for arguments if not all are wanted."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

import click
import pytest

from bench.comparison.pages import Measured
from bench.comparison.picture import draw
from bench.comparison.setups import SETUPS
from bench.comparison.stories import QUICK, STORIES, Lengths, tell
from bench.comparison.table import load, markdown, put_into, save, text
from tests.faults.network import enter, forbidden

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"


@click.command()
@click.option("--story", "stories", multiple=True, type=click.Choice(list(STORIES)), help="[default: all]")
@click.option("--setup", "setups", multiple=True, type=click.Choice(list(SETUPS)), help="[default: all]")
@click.option("--quick", is_flag=True, help="Shorter stories: what comes late is not seen.")
@click.option(
    "--into", default="build/comparison", show_default=True, type=click.Path(file_okay=False, path_type=Path),
    help="Where comparison.json, .md and .svg go; docs renews the table within its page.",
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
    all_measured = load(saved)
    click.echo(text(all_measured))
    page = into / "comparison.md"
    table = markdown(all_measured)
    page.write_text(put_into(page.read_text(), table) if into.resolve() == _DOCS else table)
    if not draw(all_measured, into / "comparison.svg"):
        click.echo("no picture: matplotlib is not installed (pip install '.[bench]')")


def _measure(stories: tuple[str, ...], setups: tuple[str, ...], lengths: Lengths, file: Path) -> None:
    found: list[Measured] = []
    for story in stories:
        for setup in setups:
            click.echo(f"{STORIES[story].label}: {SETUPS[setup].label}", err=True)
            with tempfile.TemporaryDirectory() as directory:
                try:
                    found.append(tell(setup, story, lengths, Path(directory)))
                except pytest.skip.Exception as missing:
                    raise click.ClickException(str(missing)) from None
            save(found, file)


if __name__ == "__main__":
    main()
