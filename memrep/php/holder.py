"""A client's connection as the holder of locks."""

from __future__ import annotations

from collections.abc import Callable


class Holder:
    """One client's connection, as far as its locks go.

    Attributes:
        locks: those it holds: key and the cas unique of the grant.
        gone: its connection is closed.
        on_grant: called when pecl has been granted a lock, before it is told.
        untold: whether such a grant is still to be told.
    """

    __slots__ = ("gone", "locks", "on_grant", "untold")

    def __init__(self) -> None:
        self.locks: dict[bytes, int] = {}
        self.gone = False
        self.on_grant: Callable[[], None] = _nobody
        self.untold: Callable[[], bool] = bool


def _nobody() -> None:
    """Nobody wants to know of a grant."""
