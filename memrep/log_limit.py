"""Complaints: what the operator is told about those who knock in vain, once and not a million times.

And what happens over and over, as long as something is too small: at once, then once a minute, with the number.

A stranger may come back as often as it likes, from as many places as it has, and decides itself what it sends.
So each line is told once for each host, a host gets a few different lines at most, and only so many hosts are
remembered: those that came first are forgotten first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memrep.events import Line, Tell

#: Different lines about one host.
_LINES_MAX: Final = 4

#: Hosts that are remembered.
_HOSTS_MAX: Final = 1_024

#: How long (ms) what goes on happening is only counted before it is told again.
REPEAT_MS: Final = 60_000


class RateLimitedLog:
    """Lines for the log, each once.

    Args:
        log: takes a line for the operator.
    """

    def __init__(self, log: Tell) -> None:
        self._log = log
        self._told: dict[str, list[Line]] = {}

    def about(self, host: str, line: Line) -> None:
        """Tell the operator, unless that has been told of this host already."""
        told = self._told.setdefault(host, [])
        if line in told or len(told) >= _LINES_MAX:
            return
        told.append(line)
        if len(self._told) > _HOSTS_MAX:
            del self._told[next(iter(self._told))]
        self._log(line)

    def settled(self, host: str) -> None:
        """Note that all is well with this host: what goes wrong from now on is news again."""
        self._told.pop(host, None)


class Recurrence:
    """Something that may happen a million times: told when it begins, and once a minute while it goes on.

    Args:
        log: takes a line for the operator.
        line: what to say of so many of them.
    """

    def __init__(self, log: Tell, line: Callable[[int], Line]) -> None:
        self._log = log
        self._line = line
        self._total = 0  # up to now
        self._told = 0  # those that the operator knows of
        self._next: int | None = None  # when it may be told again, ms; None: at once

    def happened(self, times: int = 1) -> None:
        """Count that it has happened, so often."""
        self._total += times

    def tick(self, now: int) -> None:
        """Tell what is due.

        Args:
            now: the monotonic clock, ms.
        """
        if self._next is not None and now < self._next:
            return
        if self._total == self._told:
            self._next = None
            return
        self._log(self._line(self._total - self._told))
        self._told = self._total
        self._next = now + REPEAT_MS
