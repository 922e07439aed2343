"""One client of the binary protocol, as the functions see it that execute its commands.

Each opcode is a plain function of a `BinaryClient`, its request, the extras and the value of its packet; a
table in commands.py says which. What a command needs is here under one name each.

Invariant: every request is answered once and in its place, or not at all where a quiet one has nothing to tell.
"""

from __future__ import annotations

from memrep.engine.engine import Engine
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext
from memrep.protocol.memcached.binary.sasl import PlainLogin
from memrep.protocol.memcached.client import MemcachedClient
from memrep.protocol.memcached.limits import deadline


class BinaryClient(MemcachedClient):
    """What the commands of one client of the binary protocol need.

    Attributes:
        login: whether it has shown a password; None if none is asked for.
    """

    __slots__ = ("login",)

    def __init__(
        self, connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
    ) -> None:
        super().__init__(connection, engine, commands, context)
        self.login = None if context.users is None else PlainLogin(context.users)

    def deadline(self, extras: bytes) -> int:
        """Tell when the exptime in these extras ends, own monotonic ms."""
        return deadline(self.engine.clock, exptime_of(extras))


def exptime_of(extras: bytes) -> int:
    """Return the exptime in these extras, s; 0 if there is none. It has no sign here: nothing is born dead."""
    return int.from_bytes(extras, "big")
