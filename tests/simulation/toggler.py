"""PHP workers on a session that has two states only: it goes on, off, on, within a minute, under its lock.

What a request writes was there before, and copies of that may still be on their way, or have never been sent to
some node, for these workers write to fewer nodes than there are. Each must find what the last one has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from tests.simulation.php_worker import Visitor

if TYPE_CHECKING:
    from tests.simulation.world import World


@attrs.define
class Switch:
    """What the session may hold.

    Attributes:
        possible: that.
        tenure: how many requests have had the lock so far.
    """

    possible: set[bytes] = attrs.Factory(lambda: {b""})
    tenure: int = 0


class Toggler(Visitor):
    """One of these workers; see `Visitor`."""

    data = b"switch"

    def __init__(self, world: World, number: int, switch: Switch, redundancy: int) -> None:
        super().__init__(world, number)
        self.redundancy = redundancy
        self._switch = switch
        self._tenure = 0
        self._value = b""

    def _next_value(self, found: bytes) -> bytes:
        switch = self._switch
        assert found in switch.possible, f"the session is {found!r}, it was left as {switch.possible}"
        switch.tenure += 1
        self._tenure = switch.tenure
        self._value = b"off" if found == b"on" else b"on"
        switch.possible = {found, self._value}
        return self._value

    def _acknowledged(self) -> None:
        if self._switch.tenure == self._tenure:
            self._switch.possible = {self._value}
