"""SEAM: how a client stores only where there is nothing; so Redis' clients claim something for themselves."""

from __future__ import annotations

from collections.abc import Callable

from memrep.engine.operations import Operation, Result

#: How one client stores only where there is nothing, as Redis' clients do who claim something: of the key, the
#: value, and what any client's command would do, it makes what this one's does, and who is told the result.
Claim = Callable[[bytes, bytes, Operation], tuple[Operation, Callable[[Result], None] | None]]


def as_said(key: bytes, value: bytes, decide: Operation) -> tuple[Operation, Callable[[Result], None] | None]:
    """Claim it as any client's command does; nothing is told of the result."""
    return decide, None
