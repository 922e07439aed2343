"""A command whose outcome is not known yet.

A command that has to wait for the cluster hands out a future in the place of its outcome. Who holds it is told
when the outcome is there; a read-modify-write that loses against another write is tried again before that, and
nobody sees it.
"""

from __future__ import annotations

from collections.abc import Callable

from memrep.engine.operations import Result


class Future:
    """A command whose outcome is not known yet.

    Args:
        count: told the outcome, once, for the statistics.

    Attributes:
        result: the outcome, once `settled`.
        settled: whether the outcome is known.
        callback: called once, when it becomes known; set by the connection that holds the future.
        abandoned: the client is gone. A write that is on its way completes all the same, one that has not
            been started is dropped.
    """

    __slots__ = ("_count", "_result", "_retry", "abandoned", "callback", "result", "settled")

    def __init__(self, count: Callable[[Result], None] | None = None) -> None:
        self._count = count or uncounted
        self.result: Result = None
        self.settled = False
        self.abandoned = False
        self.callback: Callable[[], None] | None = None
        self._result: Result = None
        self._retry: Callable[[], object] = nothing

    def attempt(self, result: Result, retry: Callable[[], object]) -> None:
        """The next try: what it answers if it succeeds, and how to try again if not."""
        self._result = result
        self._retry = retry

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
        """The present try succeeded."""
        self.resolve(self._result)

    def aborted(self) -> None:
        """The present try lost against another write."""
        if not self.abandoned:
            self._retry()


def uncounted(result: Result) -> None:
    """For commands of which nothing is counted at their end."""


def nothing() -> None:
    """What a plain write does when it loses: it never does."""
