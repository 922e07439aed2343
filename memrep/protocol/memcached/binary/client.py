"""One client of the binary protocol, as the functions see it that execute its commands.

Each opcode is a plain function of a `BinaryClient`, its request, the extras and the value of its packet; a
table in commands.py says which. What a command needs is here under one name each.

Invariant: every request is answered once and in its place, or not at all where a quiet one has nothing to tell.
"""

from __future__ import annotations

from collections.abc import Callable

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import LATER, Result
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext
from memrep.protocol.memcached.binary.sasl import PlainLogin
from memrep.protocol.memcached.limits import deadline


class BinaryClient:
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
        login: whether it has shown a password; None if none is asked for.
        skip: bytes of a refused body still to come.
    """

    __slots__ = (
        "commands", "connection", "context", "engine", "login", "out", "prefixes", "replies", "skip",
    )  # fmt: skip

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
        self.login = None if context.users is None else PlainLogin(context.users)
        self.skip = 0

    def answer(self, result: Result | Future, spell: Callable[[Result], bytes], plain: bool = False) -> None:
        """Reply with an outcome, now or when it is known.

        Args:
            result: the outcome.
            spell: makes the reply of it.
            plain: whether it is that of a plain write; see replies.py.
        """
        if isinstance(result, Future):
            self.replies.hold(result, spell, plain=plain)
        elif result is not LATER:
            reply = spell(result)
            self.connection.size += len(reply)
            self.out.append(reply)

    def deadline(self, extras: bytes) -> int:
        """Tell when the exptime in these extras ends, own monotonic ms."""
        return deadline(self.engine.clock, exptime_of(extras))


def exptime_of(extras: bytes) -> int:
    """Return the exptime in these extras, s; 0 if there is none. It has no sign here: nothing is born dead."""
    return int.from_bytes(extras, "big")
