"""Sections are chosen by name, and what a page shows is what its rounds say."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from bench.__main__ import PAGE, ROUNDS_OF_PAGE, main
from bench.__main__ import _chosen as chosen
from bench.report import Report, dumped, emptied, written_into

OPTION = click.Option(["--only"])


def _chosen(*told: str) -> tuple[str, ...]:
    return chosen(click.Context(main), OPTION, told)


def test_sections_are_chosen_by_the_beginnings_of_their_names_in_their_own_order() -> None:
    assert _chosen("saturated,idle", "pace") == ("idle", "paced", "saturated")
    assert _chosen() == ()


@pytest.mark.parametrize("told", ["speed", "idle,speed", "", "p"])
def test_a_name_that_is_nobodys_or_of_several_is_refused(told: str) -> None:
    with pytest.raises(click.BadParameter, match="none of idle, paced"):
        _chosen(told)


def test_a_page_is_of_one_run_of_all_sections() -> None:
    done = CliRunner().invoke(main, ["--write-docs", "--only", "idle"])
    assert done.exit_code == 2
    assert "--write-docs goes without --only" in done.output


def test_every_table_of_the_page_is_what_the_tool_makes_of_the_rounds_beside_it() -> None:
    """And without rounds there are no tables."""
    page = PAGE.read_text("utf-8")
    if ROUNDS_OF_PAGE.exists():
        text = ROUNDS_OF_PAGE.read_text("utf-8")
        report = Report.of(json.loads(text))
        assert dumped(report) == text
        assert page == written_into(emptied(page), report)
    else:
        assert page == emptied(page)
