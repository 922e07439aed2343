"""The report: one line for each fault, and what is needed to believe what was wrong."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Final

import attrs

from tests.faults.findings import KINDS
from tests.faults.world import World

_COLUMNS: Final = (
    "fault     ", "rounds", "operations", *KINDS, "failed", "refused", "unreachable", "closed", "silent",
    "slowest", "others", "median", "99 %",
)  # fmt: skip
_EVENTS: Final = 12

HEAD: Final = " ".join(_COLUMNS)


@attrs.frozen(kw_only=True)
class Outcome:
    """What one fault's run came to.

    Attributes:
        fault: its name.
        rounds: how often it struck.
        world: what was counted and found.
        directory: where the nodes' logs are.
        logs: the ends of these logs.
    """

    fault: str
    rounds: int
    world: World
    directory: Path
    logs: list[str]

    @property
    def wrong(self) -> int:
        """How many things were wrong."""
        return sum(self.world.findings.counts.values())

    def line(self) -> str:
        """The figures, under HEAD."""
        tally = self.world.tally
        fates = tally.fates
        times = sorted(tally.times) or [0.0]
        counts = [self.world.findings.counts[kind] for kind in KINDS]
        cells = [
            self.rounds, len(tally.times), *counts, tally.failed,
            fates["refused"], fates["unreachable"], fates["closed"], fates["silent"],
            f"{times[-1] * 1000:.0f}", f"{tally.slowest_healthy * 1000:.0f}",
            f"{statistics.median(times) * 1000:.1f}", f"{times[len(times) * 99 // 100] * 1000:.1f}",
        ]  # fmt: skip
        first, *others = _COLUMNS
        padded = [f"{cell:>{len(name)}}" for cell, name in zip(cells, others, strict=True)]
        return " ".join([f"{self.fault:<{len(first)}}", *padded])

    def evidence(self) -> str:
        """What was wrong, what had been done to those keys and to the nodes, and the nodes' last words."""
        world = self.world
        told = [f"===== {self.fault}, seed {world.seed}; logs are in {self.directory}"]
        for finding in world.findings.kept:
            told += ["", f"{finding.kind} at {finding.at:.3f} s: {finding.text}"]
            told += [f"    {line}" for line in finding.history]
            events = [event for event in world.events if event[0] < finding.at][-_EVENTS:]
            told.append("    faults: " + "; ".join(f"{at:.3f} {what}" for at, what in events))
        return "\n".join([*told, "", *self.logs])
