"""What a monitoring system reads: a verdict with figures, a line for each finding, and an exit status."""

from __future__ import annotations

import pytest

from memrep.status.findings import Finding, Report

DOWN = Finding("peers", "warning", "10.3.3.3:11211 is down", "start it")


def test_the_first_line_is_the_verdict_with_figures_behind_a_bar() -> None:
    assert (
        Report("ok", "3 of 3 nodes serve", [], "items=1").lines() == "MEMREP OK - 3 of 3 nodes serve | items=1"
    )
    assert Report("unknown", "no node answers").lines() == "MEMREP UNKNOWN - no node answers"


def test_each_finding_has_a_line_with_what_to_do() -> None:
    lines = Report("warning", "peers", [DOWN], "items=1").lines().splitlines()
    assert lines == ["MEMREP WARNING - peers | items=1", "WARNING peers: 10.3.3.3:11211 is down; start it"]


@pytest.mark.parametrize(("result", "code"), [("ok", 0), ("warning", 1), ("critical", 2), ("unknown", 3)])
def test_the_exit_status_is_nagios(result: str, code: int) -> None:
    assert Report(result, "").exit_status == code  # type: ignore[arg-type]


def test_no_text_is_taken_for_figures_or_for_another_line() -> None:
    finding = Finding("peers", "critical", "a | b\nc", "d|e")
    lines = Report("critical", "x | y\nz", [finding]).lines().split("\n")
    assert lines == ["MEMREP CRITICAL - x / y z", "CRITICAL peers: a / b c; d/e"]
