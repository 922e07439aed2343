"""Sections are chosen by name, and what a page shows is what its rounds say."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import click
import pytest
from click.testing import CliRunner

import bench.__main__ as bench
from bench.__main__ import PAGE, ROUNDS_OF_PAGE, main
from bench.__main__ import _chosen as chosen
from bench.report import Report, dumped, emptied, written_into
from bench.rounds import Scale, Shapes
from bench.sections import Section

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


def test_what_was_measured_before_a_section_fails_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(scale: Scale) -> Shapes:
        raise RuntimeError("a server ended")

    sound = Section("Sound", "", {True: 1, False: 1}, lambda scale: {})
    monkeypatch.setattr(bench, "SECTIONS", {"sound": sound, "broken": attrs.evolve(sound, measure=fail)})
    done = CliRunner().invoke(main, ["--json", str(tmp_path / "bench.json"), "--plots", str(tmp_path)])
    assert isinstance(done.exception, RuntimeError)
    assert list(Report.of(json.loads((tmp_path / "bench.json").read_text("utf-8"))).answers) == ["sound"]
