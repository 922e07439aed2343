"""One session on its way, or any other item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

#: How many items are read or written in one go. Their commands are less than what sockets buffer, so that
#: neither side waits for the other to read; and whoever serves them meanwhile is not kept long.
BATCH: Final = 100

#: How large the values of a batch may be together, bytes, if there is more than one.
BATCH_BYTES: Final = 1 << 20


class Item(msgspec.Struct, frozen=True, array_like=True):
    """An item, with the time that it has left.

    Attributes:
        name: what PHP calls the session; or the whole key, where it is not told apart.
        value: what it holds.
        flags: its client's (memcached's).
        left_ms: how long it lives; None if for ever.
        database: of Redis' databases.
    """

    name: bytes
    value: bytes
    flags: int = 0
    left_ms: int | None = None
    database: int = 0


class LeftOut(msgspec.Struct, frozen=True):
    """Items that were found and are not taken along.

    Attributes:
        reason: why, in a few words; equal ones are counted together.
        is_loss: whether somebody may miss them.
        count: how many.
    """

    reason: str
    is_loss: bool = True
    count: int = 1


class Source(Protocol):
    """Whence items come."""

    def count(self) -> int:
        """Tell about how many there will be."""

    def read(self) -> Iterator[Item | LeftOut]:
        """Yield all of them, a few of which are held in memory at a time."""

    def close(self) -> None:
        """Let go of what it has open."""


#: What comes of an item that is written: it is stored; there is one already; or a reason.
STORED: Final = "stored"
THERE: Final = "there already"


class Target(Protocol):
    """Where items go."""

    def write(self, items: list[Item]) -> list[str]:
        """Write a batch, and return what came of each: STORED, THERE, or why not."""

    def close(self) -> None:
        """Let go of what it has open."""
