"""A problem that lasts is told, told again, and its end is told; what is over soon is not."""

from __future__ import annotations

from memrep.node.problem_log import AGAIN_MS, LASTING_MS, ProblemLog
from memrep.status.facts import Problem

DOWN = Problem("down", "warning", ["b:1"], "b:1 is down", "start it")


def test_what_is_over_soon_is_not_told() -> None:
    lines: list[str] = []
    log = ProblemLog(lines.append)
    log.look(0, [DOWN])
    log.look(LASTING_MS - 1, [DOWN])
    log.look(LASTING_MS, [])
    log.look(2 * LASTING_MS, [DOWN])
    assert lines == []


def test_what_lasts_is_told_with_what_to_do_again_every_ten_minutes_and_when_it_is_over() -> None:
    lines: list[str] = []
    log = ProblemLog(lines.append)
    for now in range(0, LASTING_MS + 2 * AGAIN_MS + 1, 5_000):
        log.look(now, [DOWN])
    log.look(LASTING_MS + 2 * AGAIN_MS + 5_000, [])
    assert lines == [
        "for 15 s now: b:1 is down; start it",
        "for 10 min now: b:1 is down; start it",
        "for 20 min now: b:1 is down; start it",
        "over after 20 min: b:1 is down",
    ]


def test_problems_of_a_kind_are_told_for_each_node_by_its_latest_words() -> None:
    lines: list[str] = []
    log = ProblemLog(lines.append)
    log.look(0, [DOWN, Problem("down", "warning", ["c:1"], "c:1 is down", "start it")])
    log.look(LASTING_MS, [DOWN, Problem("down", "warning", ["c:1"], "c:1 is down still", "look")])
    assert lines == ["for 15 s now: b:1 is down; start it", "for 15 s now: c:1 is down still; look"]


def test_what_is_told_elsewhere_is_not_told_here() -> None:
    lines: list[str] = []
    log = ProblemLog(lines.append)
    for now in (0, LASTING_MS, AGAIN_MS):
        log.look(now, [Problem("evicting", "critical", ["b:1"], "full", "more")])
    assert lines == []
