"""One client of memcached's protocols, as the functions see it that execute its commands.

What both protocols need is here: what a command is executed with, and how it answers in its own words, now or
when its outcome is known. How each answers beside that is its own affair (text/client.py, binary/client.py).
"""

from __future__ import annotations

from collections.abc import Callable

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import LATER, Result
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext


class MemcachedClient:
    """What the commands of one client need.

    Args:
        connection: its connection.
        engine: executes what no policy bends.
        commands: executes the rest, as its policy has it.
        context: what it may see of the node, and change.

    Attributes:
        out: where replies go that are known.
        replies: where those go that are not.
        prefixes: what `stats detail` counts.
        skip: bytes of a refused data block, or body, still to come.
    """

    __slots__ = ("commands", "connection", "context", "engine", "out", "prefixes", "replies", "skip")

    def __init__(
        self, connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
    ) -> None:
        self.connection = connection
        self.engine = engine
        self.commands = commands
        self.context = context
        self.replies = connection.replies
        self.out = connection.out
        self.prefixes = context.prefixes
        self.skip = 0

    def show(self, result: Result | Future, spelled: Callable[[Result], bytes], plain: bool = False) -> None:
        """Reply in a command's own words, now or when the outcome is known; say nothing to LATER.

        Args:
            result: the outcome.
            spelled: makes the reply of it.
            plain: whether it is that of a plain write; see replies.py.
        """
        if isinstance(result, Future):
            self.replies.hold(result, spelled, plain=plain)
        elif result is not LATER:
            reply = spelled(result)
            self.connection.size += len(reply)
            self.out.append(reply)
