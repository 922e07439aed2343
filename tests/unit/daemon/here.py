"""What stands for a worker's thread where nothing waits: it is done at once, and here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


async def here(do: Callable[[], _T], /) -> _T:
    """Do it."""
    return do()
