"""Which protocol a client speaks: its first byte tells, for only a binary request begins with 0x80."""

from __future__ import annotations

from collections.abc import Callable

from memrep.engine.engine import Engine
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.connection import Connection, Dialect, ServerContext
from memrep.protocol.memcached.binary.commands import Binary
from memrep.protocol.memcached.binary.packet import REQUEST
from memrep.protocol.memcached.text.auth import Login
from memrep.protocol.memcached.text.commands import Text


def connect(
    engine: Engine, commands: ClientCommands, context: ServerContext, ready: Callable[[Connection], None]
) -> Connection:
    """The connection of a client that has just come; `ready` is told when there may be something to send."""
    return Connection(context, lambda connection: _Front(connection, engine, commands, context), ready)


class _Front(Dialect):
    """What a client says before it has said anything."""

    def __init__(
        self, connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
    ) -> None:
        self._connection = connection
        self._engine = engine
        self._commands = commands
        self._context = context

    def execute(self, data: bytes, start: int) -> int:
        """Find the protocol, and leave the rest to it."""
        if not data:
            return start
        users = self._context.users
        dialect: Dialect
        if data[start] == REQUEST:
            dialect = Binary(self._connection, self._engine, self._commands, self._context)
        elif users is None:
            dialect = self._text(self._connection)
        else:
            dialect = Login(self._connection, users, self._text)
        self._connection.speak(dialect)
        return dialect.execute(data, start)

    def _text(self, connection: Connection) -> Dialect:
        return Text(connection, self._engine, self._commands, self._context)
