"""Tables are made of raw rounds, and a page keeps what a report has nothing of."""

from __future__ import annotations

import json
from pathlib import Path

from bench.report import Answer, Report, dumped, section, written_into
from bench.sections import SECTIONS

PAGE = Path(__file__).parents[3] / "docs" / "performance.md"
SHAPES = {
    "get": {"memrep": [{"us": 30.0}, {"us": 33.0}], "memcached": [{"us": 10.0}, {"us": 10.0}]},
    "fill": {"memrep": [{"bytes": 1234.5}, {"bytes": 1234.5}]},
}
REPORT = Report({"CPUs": "2"}, True, {"paced": Answer("A steady pace", "Note.", 1.0, SHAPES)})


def test_a_table_has_median_spread_and_ratio_and_leaves_blank_what_was_not_measured() -> None:
    assert section(REPORT.answers["paced"]).splitlines() == [
        "Note.",
        "",
        "| what | who | us | bytes | memrep / this |",
        "|---|---|---:|---:|---:|",
        "| get | memrep | 31.5 (30-33) |  |  |",
        "| get | memcached | 10 |  | 3.15 (3-3.30) |",
        "| fill | memrep |  | 1234 |  |",
    ]


def test_what_happened_in_some_rounds_only_is_shown_and_was_nothing_in_the_others() -> None:
    shapes = {
        "get": {"memrep": [{"us": 30.0}, {"us": 30.0, "hung up on": 1.0}], "memcached": [{"us": 10.0}] * 2}
    }
    *_, ours, others = section(Answer("A pace", "Note.", 1.0, shapes)).splitlines()
    assert ours == "| get | memrep | 30 | 0.50 (0-1) |  |"
    assert others == "| get | memcached | 10 |  | 3 |"


def test_a_report_survives_its_file() -> None:
    assert Report.of(json.loads(dumped(REPORT))) == REPORT


def test_a_page_takes_what_was_measured_and_keeps_the_rest() -> None:
    page = "Before.\n<!-- bench:paced -->\nold\n<!-- end -->\n<!-- bench:php -->\nkept\n<!-- end -->\nAfter.\n"
    written = written_into(page, REPORT)
    assert written == page.replace("old", section(REPORT.answers["paced"]))
    assert written_into(written, REPORT) == written


def test_the_page_of_the_docs_has_a_place_for_each_section() -> None:
    text = PAGE.read_text("utf-8")
    for name in ["machine", *SECTIONS]:
        assert f"<!-- bench:{name} -->\n" in text, name
