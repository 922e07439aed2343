"""What checks find, and how a plugin of Nagios' tells it: a verdict in the first line, figures behind a bar."""

from __future__ import annotations

from typing import Literal

import msgspec

from memrep.status.facts import Severity
from memrep.status.words import plain


class Finding(msgspec.Struct, frozen=True):
    """What contradicts a check.

    Attributes:
        check: its name.
        severity: how bad that is.
        text: what was found.
        remedy: what to do.
    """

    check: str
    severity: Severity
    text: str
    remedy: str


class Report(msgspec.Struct, frozen=True):
    """What a monitoring system is told.

    Attributes:
        result: the worst that was found.
        text: one line of it.
        findings: all of it.
        figures: what is worth a graph, as Nagios' performance data.
    """

    result: Literal["ok", "warning", "critical", "unknown"]
    text: str
    findings: list[Finding] = []
    figures: str = ""

    @property
    def exit_status(self) -> int:
        """Return the exit status of a plugin."""
        return ("ok", "warning", "critical", "unknown").index(self.result)

    def lines(self) -> str:
        """Return it as a plugin prints it: the verdict with figures, and a line for each finding."""
        figures = f" | {self.figures}" if self.figures else ""
        told = [
            f"{finding.severity.upper()} {finding.check}: {finding.text}; {finding.remedy}"
            for finding in self.findings
        ]
        verdict = f"MEMREP {self.result.upper()} - {self.text}"
        return "\n".join([_without_figures(verdict) + figures, *map(_without_figures, told)])


def _without_figures(text: str) -> str:
    """Return one line that no monitoring system takes for figures, which are what stands behind a bar."""
    return plain(text).replace("|", "/")
