"""A command whose outcome is not known yet.

A command that has to wait for the cluster hands out a future in the place of its outcome. Who holds it is told
when the outcome is there. What has to be decided anew when it loses is a future of a kind of its own
(modification.py); a plain write never loses, and what waits for a clean key to be read writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from memrep.engine.operations import Result


class Future:
    """A command whose outcome is not known yet.

    Args:
        count: told the outcome, once, for the statistics.
        outcome: what it is if the write that is on its way for it succeeds.

    Attributes:
        result: the outcome, once `settled`.
        settled: whether the outcome is known.
        callback: called once, when it becomes known; set by the connection that holds the future.
        abandoned: the client is gone. A write that is on its way completes all the same, one that has not
            been started is dropped.
    """

    __slots__ = ("_count", "_outcome", "abandoned", "callback", "result", "settled")

    def __init__(self, count: Callable[[Result], None] | None = None, outcome: Result = None) -> None:
        self._count = count or uncounted
        self._outcome = outcome
        self.result: Result = None
        self.settled = False
        self.abandoned = False
        self.callback: Callable[[], None] | None = None

    def resolve(self, result: Result) -> None:
        """Make the outcome known, once."""
        if self.settled:
            return
        self.result = result
        self.settled = True
        self._count(result)
        if self.callback is not None:
            self.callback()

    def committed(self) -> None:
        """Make the outcome known: every member holds the write that was on its way."""
        self.resolve(self._outcome)

    def aborted(self) -> None:
        """Do nothing: the write has lost, and a change of view ends a plain one so, without an answer."""


def uncounted(result: Result) -> None:
    """Count nothing, for commands of which nothing is counted at their end."""
