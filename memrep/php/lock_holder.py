"""A client's connection as the holder of locks."""

from __future__ import annotations

from collections.abc import Callable

from memrep.protocol.reply_gate import ReplyGate
from memrep.storage.entry import Entry


class LockHolder:
    """One client's connection, as far as its locks go.

    Args:
        gate: that of the connection.

    Attributes:
        gate: tells what the client says next, and keeps replies back.
        locks: those it holds: key and the cas unique of the grant.
        undo: for a lock of which it is not known whether its client is PHP, and not told: what it was before.
        gone: its connection is closed.
        shared: it speaks for several requests at once, as that of a proxy does: no lock is its own.
    """

    __slots__ = ("gate", "gone", "locks", "shared", "undo")

    def __init__(self, gate: ReplyGate) -> None:
        self.gate = gate
        self.locks: dict[bytes, int] = {}
        self.undo: dict[bytes, Callable[[Entry], Entry]] = {}
        self.gone = False
        self.shared = False
