"""Which protocol a client speaks: the first byte that it sends tells, for good.

A protocol other than memcached's text begins with a byte with which no line of text does: a binary request with
0x80. So a further protocol is one more row of DIALECTS. What stands there makes a dialect of a connection, the
engine, the commands that the client was given, and what it sees of the node: the dialect's class, as a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memrep.engine.engine import Engine
from memrep.protocol.client_policy import ClientCommands, ClientPolicy
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import Dialect, ServerContext
from memrep.protocol.farewell import Farewell
from memrep.protocol.memcached.binary.commands import Binary
from memrep.protocol.memcached.binary.packet import REQUEST
from memrep.protocol.memcached.text.auth import text_or_login
from memrep.protocol.resp.dialect import Resp

#: The kind of port at which Redis' protocol is spoken from the first byte on; its lines are not told from
#: memcached's.
REDIS: Final = "redis"

MakeDialect = Callable[[Connection, Engine, ClientCommands, ServerContext], Dialect]

#: What is spoken by a client that begins with this byte,
DIALECTS: Final[dict[int, MakeDialect]] = {
    REQUEST: Binary,
}

#: and by one that begins with any other.
OTHERWISE: Final[MakeDialect] = text_or_login


def connect(
    policy: ClientPolicy,
    context: ServerContext,
    ready: Callable[[Connection], None],
    port: str = "",
    host: str = "",
) -> Connection:
    """Make the connection of a client that has just come.

    Args:
        policy: what clients mean.
        context: what it sees of the node.
        ready: told when there may be something to send.
        port: by what kind of port it has come; see PORTS.
        host: from where; "" for a unix socket.
    """
    connection = Connection(context, ready)
    connection.host = host
    make = PORTS[port]
    connection.speak(make(connection, policy.engine, policy.commands(connection), context))
    return connection


def farewell(port: str, context: ServerContext) -> Farewell:
    """Return how a client that has come by this kind of port is hung up on before it is heard."""
    server = context.redis
    return server.farewell if port == REDIS and server is not None else Farewell()


class Negotiation(Dialect):
    """What a client speaks before it has said anything; see `dialect.Dialect`."""

    __slots__ = ("_commands", "_connection", "_context", "_engine")

    def __init__(
        self, connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
    ) -> None:
        self._connection = connection
        self._engine = engine
        self._commands = commands
        self._context = context

    def execute(self, data: bytes, start: int) -> int:
        """Find the dialect by the first byte, and leave the rest to it."""
        if not data:
            return start
        make = DIALECTS.get(data[start], OTHERWISE)
        dialect = make(self._connection, self._engine, self._commands, self._context)
        self._connection.speak(dialect)
        return dialect.execute(data, start)


#: What is spoken at first at each kind of port.
PORTS: Final[dict[str, MakeDialect]] = {"": Negotiation, REDIS: Resp}
