"""Problems in the log: each that lasts, again and again while it does, and its end.

Problem: what has gone wrong is logged when it happens, and whoever looks the next morning finds it far up, if
at all. So a problem that is still there after a while is told with what to do about it, told again every ten
minutes, and its end is told with how long it took. What is over sooner is no matter for a person: the line that
told of the change itself is enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from memrep.events import PROBLEM, PROBLEM_IS_CRITICAL, PROBLEM_IS_OVER, Tell
from memrep.status.facts import Problem
from memrep.status.words import duration

#: How long a problem has to last before it is told, and how often it is told then, ms.
LASTING_MS: Final = 15_000
AGAIN_MS: Final = 600_000

#: Of these each occurrence is told with its number already (engine/eviction.py).
_TOLD_ELSEWHERE: Final = frozenset(["evicting"])


@attrs.define
class _Lasting:
    problem: Problem
    since: int
    told: int | None = None


class ProblemLog:
    """What one node logs of the problems that it sees.

    Args:
        log: takes a line for the operator.
    """

    def __init__(self, log: Tell) -> None:
        self._log = log
        self._lasting: dict[tuple[str, ...], _Lasting] = {}

    def look(self, now: int, problems: Iterable[Problem]) -> None:
        """Tell of those that last, and of those that are over.

        Args:
            now: own monotonic ms.
            problems: all that there are now.
        """
        there = {(each.kind, *each.nodes): each for each in problems if each.kind not in _TOLD_ELSEWHERE}
        for key in self._lasting.keys() - there.keys():
            self._is_over(self._lasting.pop(key), now)
        for key, problem in there.items():
            lasting = self._lasting.setdefault(key, _Lasting(problem, now))
            lasting.problem = problem
            due = lasting.since + LASTING_MS if lasting.told is None else lasting.told + AGAIN_MS
            if now >= due:
                event = PROBLEM_IS_CRITICAL if problem.severity == "critical" else PROBLEM
                self._log(event(**_told(lasting, now), remedy=problem.remedy))
                lasting.told = now

    def _is_over(self, lasting: _Lasting, now: int) -> None:
        if lasting.told is not None:
            self._log(PROBLEM_IS_OVER(**_told(lasting, now)))


def _told(lasting: _Lasting, now: int) -> dict[str, object]:
    """Return what is told of a problem while it lasts, and when it is over."""
    problem, seconds = lasting.problem, (now - lasting.since) / 1000
    return {
        "length": duration(seconds),
        "seconds": seconds,
        "problem": problem.text,
        "kind": problem.kind,
        "nodes": problem.nodes,
    }
