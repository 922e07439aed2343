"""SEAM: what clients' commands mean beyond what they say, depending on who sends them; nothing by default.

The node tells of each client that comes and goes. A policy gives each the commands that its dialect calls: the
engine's own, or some that look at who is calling first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import Operation, Result
from memrep.protocol.claim import Claim, as_said
from memrep.protocol.connection import Connection
from memrep.storage.entry import Entry


class ClientCommands(Protocol):
    """The commands of one client that a policy may bend.

    A deadline is this node's monotonic ms, or NEVER: the dialect makes it of what the client said, which is
    `sent`. Copies of one command are said alike, but each ends at its own moment, as it has come.

    `missed` tells what a retrieval shows that has found nothing: nothing, as a rule.
    With `show` a success is told by the entry as it was stored, which knows its cas unique, and not by STORED
    or the new number. `quiet` tells that the client asked for no answer: so libmemcached marks its replicas'
    copies. `modify` and `store_if` are for all others.

    Where the outcome is LATER nothing has been done: what stands behind the command will tell what it means
    (reply_gate.py).
    """

    def set(
        self,
        key: bytes,
        flags: int,
        deadline: int,
        value: bytes,
        *,
        sent: int = 0,
        show: bool = False,
        quiet: bool = False,
    ) -> Result | Future: ...

    def add(
        self, key: bytes, flags: int, deadline: int, value: bytes, *, show: bool = False
    ) -> Result | Future: ...

    def incr(
        self, key: bytes, delta: int, initial: Entry | None = None, *, show: bool = False
    ) -> Result | Future: ...

    def touch(self, key: bytes, deadline: int, *, show: bool = False) -> Result | Future: ...

    def missed(self, key: bytes) -> Entry | None: ...

    def delete(self, key: bytes, *, quiet: bool = False) -> Result | Future: ...

    def decr(self, key: bytes, delta: int) -> Result | Future: ...

    def modify(
        self, key: bytes, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future: ...

    def store_if(
        self, key: bytes, length: int, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future: ...


class ClientPolicy:
    """What clients mean by what they say: this one takes them at their word.

    Args:
        engine: executes what is to be executed.

    Attributes:
        due: what `release` has to do; a list, for it is looked at several times a turn.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.due: Sequence[object] = []

    def commands(self, connection: Connection) -> ClientCommands:
        """Return the commands of a client that has just come, over this connection."""
        return self.engine

    def claim(self, connection: Connection) -> Claim:
        """Return how the client of this connection, which has been given its commands, claims something."""
        return as_said

    def left(self, connection: Connection, cut: bool) -> None:
        """Note that a client is gone.

        Args:
            connection: its connection.
            cut: whether it hung up while it waited for an answer, and may come back on another connection.
        """

    def deserted(self, connection: Connection) -> None:
        """Note that this node will close the connection of a client, which may live and go to another node."""

    def forget(self) -> None:
        """Note that this node is about to close all its clients' connections, and the other nodes know."""

    def release(self) -> None:
        """Do what is due for clients that are gone; asked for in turns in which this node serves."""

    def figures(self) -> dict[str, int]:
        """Return what it counts, by names of its own."""
        return {}

    def tick(self, all_heard: int) -> None:
        """Note that a tick has passed.

        Args:
            all_heard: when all members of the view had been heard last, own monotonic ms.
        """
