"""What is wrong, and what to do, the worst first; nothing at all if nothing is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from memrep.page.html import Html, element, join, text
from memrep.page.signs import mark, sign_of_severity
from memrep.status.facts import Problem
from memrep.status.steps import Steps, each

_ARROW: Final = element("span", "→ ", aria_hidden="true")


#: How many are written in one step.
_A_STEP: Final = 4


def problem_list(problems: Sequence[Problem]) -> Steps[Html]:
    """Return the problems as a section of the page."""
    if not problems:
        return text("")
    told = yield from each(map(_problem, problems), _A_STEP)
    return element(
        "section",
        element("h2", "What is wrong, and what to do", id="problems"),
        element("ul", *told, role="list"),
        class_="problems",
        aria_labelledby="problems",
    )


def _problem(problem: Problem) -> Html:
    sign = sign_of_severity(problem.severity)
    return element(
        "li",
        mark(sign),
        element(
            "div",
            element("p", element("strong", f"{problem.severity.capitalize()}:"), " ", problem.text),
            element("p", _ARROW, _with_commands(problem.remedy), class_="remedy"),
        ),
        class_=sign.tone,
    )


def _with_commands(remedy: str) -> Html:
    """Set what stands between backquotes as what is typed."""
    parts = remedy.split("`")
    return join(*(element("code", part) if number % 2 else part for number, part in enumerate(parts)))
