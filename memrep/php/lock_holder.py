"""A client's connection as the holder of locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from memrep.protocol.command import OTHER, Said
from memrep.storage.entry import Entry


class Line(Protocol):
    """What there is to know of a client's input, and to do about its replies; see protocol/connection.py."""

    waits_since: int | None

    def ahead(self) -> Iterator[Said | None]: ...

    def wonder(self, ticks: int) -> None: ...

    def judge(self, judge: Callable[[Iterator[Said | None]], bool | None] | None, ticks: int = 0) -> None: ...

    def impatient(self) -> bool: ...

    def withhold(self) -> None: ...

    def withholding(self) -> bool: ...

    def let_go(self) -> None: ...


class LockHolder:
    """One client's connection, as far as its locks go.

    Attributes:
        line: the connection.
        locks: those it holds: key and the cas unique of the grant.
        undo: for a lock of which it is not known whether its client is PHP, and not told: what it was before.
        gone: its connection is closed.
        shared: it speaks for several requests at once, as that of a proxy does: no lock is its own.
    """

    __slots__ = ("gone", "line", "locks", "shared", "undo")

    def __init__(self) -> None:
        self.line: Line = _Silence()
        self.locks: dict[bytes, int] = {}
        self.undo: dict[bytes, Callable[[Entry], Entry]] = {}
        self.gone = False
        self.shared = False


class _Silence:
    """The connection of a client that says nothing more."""

    waits_since: int | None = None

    def ahead(self) -> Iterator[Said | None]:
        yield OTHER

    def wonder(self, ticks: int) -> None: ...

    def judge(self, judge: Callable[[Iterator[Said | None]], bool | None] | None, ticks: int = 0) -> None: ...

    def impatient(self) -> bool:
        return False

    def withhold(self) -> None: ...

    def withholding(self) -> bool:
        return False

    def let_go(self) -> None: ...
