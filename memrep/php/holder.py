"""A client's connection as the holder of locks."""

from __future__ import annotations

from collections.abc import Callable


class Holder:
    """One client's connection, as far as its locks go.

    Args:
        origin: a number for its host.

    Attributes:
        origin: that number.
        locks: those it holds: key and the cas unique of the grant.
        gone: its connection is closed.
        on_grant: called when pecl has been granted a lock, before it is told; with what to tell instead if it
            does not read the session, "" if that makes no difference.
    """

    __slots__ = ("gone", "locks", "on_grant", "origin")

    def __init__(self, origin: int) -> None:
        self.origin = origin
        self.locks: dict[bytes, int] = {}
        self.gone = False
        self.on_grant: Callable[[bytes], None] = _nobody


def _nobody(instead: bytes) -> None:
    """Nobody wants to know of a grant."""
