"""What is wrong, and what to do."""

from __future__ import annotations

from memrep.page.problem_list import problem_list
from memrep.status.facts import Problem
from tests.harness.steps import at_once
from tests.unit.page.reading import Reading
from tests.unit.status.clusters import DETOUR, OLD


def test_nothing_is_shown_if_nothing_is_wrong() -> None:
    assert at_once(problem_list([])) == ""


def test_each_problem_says_how_bad_it_is_and_what_to_do() -> None:
    assert Reading(str(at_once(problem_list([DETOUR, OLD])))).lines == [
        "\n## What is wrong, and what to do",
        f"Critical: {DETOUR.text}",
        DETOUR.remedy,
        f"Warning: {OLD.text}",
        OLD.remedy,
    ]


def test_what_is_typed_is_set_as_code_and_escaped() -> None:
    problem = Problem("down", "critical", [], "<gone>", "start it: `systemctl start <x>` there; ` is none")
    shown = str(at_once(problem_list([problem])))
    assert "<code>systemctl start &lt;x&gt;</code> there; " in shown
    assert "<gone>" not in shown
    Reading(shown)
