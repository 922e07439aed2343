"""What went wrong, with what is needed to believe it.

A finding names the key, the client and both times, and carries what had been done to that key. Of each kind
only the first few are kept whole; all are counted.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Final

import attrs

from tests.faults.client import Walk

#: What can be wrong with an answer, in the order of the report's columns.
KINDS: Final = ("lost", "stale", "resurrected", "double", "counter", "outlived", "queued", "other")

_KEPT_OF_A_KIND: Final = 4
_REMEMBERED: Final = 24


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: one of KINDS.
        at: when it was noticed, in seconds since the run began.
        text: what was seen and what it contradicts.
        history: what had been done to the key, latest last.
    """

    kind: str
    at: float
    text: str
    history: list[str]


class Findings:
    """All that went wrong in one run."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.kept: list[Finding] = []
        self._mutex = threading.Lock()

    def add(self, finding: Finding) -> None:
        """Count it, and keep it if it is one of the first of its kind."""
        assert finding.kind in KINDS
        with self._mutex:
            self.counts[finding.kind] += 1
            if self.counts[finding.kind] <= _KEPT_OF_A_KIND:
                self.kept.append(finding)


class Diary:
    """The latest operations on one key."""

    def __init__(self) -> None:
        self._entries: deque[tuple[str, str, Walk]] = deque(maxlen=_REMEMBERED)

    def note(self, client: str, what: str, walk: Walk) -> None:
        """An operation has ended."""
        self._entries.append((client, what, walk))

    def lines(self, start: float) -> list[str]:
        """What happened, with times in seconds since `start`."""
        entries = sorted(self._entries, key=lambda entry: entry[2].begin)
        return [f"{walk.told(start)}  {client}: {what}" for client, what, walk in entries]
