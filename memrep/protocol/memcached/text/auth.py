"""What a client of the text protocol may say before it has shown a password: its name, by a `set` of any key.

memcached has made that command up for its auth file (its doc/protocol.txt, "Authentication"), so that clients
need no new one: `set KEY FLAGS EXPTIME LENGTH` and a data block of user, blank, password. Nothing is stored.
Any other line is refused, and a browser's request ends the connection, lest its body try passwords. How binary
clients log in is a matter of that protocol itself.
"""

from __future__ import annotations

from typing import Final

from memrep.engine.engine import Engine
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import Dialect, ServerContext
from memrep.protocol.memcached.errors import speaks_http
from memrep.protocol.memcached.numbers import signed32
from memrep.protocol.memcached.text.commands import LINE_MAX, Text
from memrep.protocol.users import Users

#: A data block above this size (bytes) is no password.
_BLOCK_MAX: Final = 1 << 16

_UNAUTHENTICATED: Final = b"CLIENT_ERROR unauthenticated\r\n"
_BAD_END: Final = b"CLIENT_ERROR bad command line termination\r\n"
_BAD_TOKEN: Final = b"CLIENT_ERROR bad authentication token format\r\n"
_WRONG: Final = b"CLIENT_ERROR authentication failure\r\n"


def text_or_login(
    connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
) -> Dialect:
    """Return what a client of the text protocol speaks first: if the node has users, it logs in."""
    text = Text(connection, engine, commands, context)
    return text if context.users is None else Login(connection, context.users, text)


class Login(Dialect):
    """A client of whom nothing is known yet; see `dialect.Dialect`.

    Args:
        connection: the client's.
        users: who may come in.
        inside: what it speaks when it has.
    """

    __slots__ = ("_connection", "_inside", "_out", "_users")

    def __init__(self, connection: Connection, users: Users, inside: Dialect) -> None:
        self._connection = connection
        self._users = users
        self._inside = inside
        self._out = connection.out

    def oversized(self, inbox: bytearray) -> bool:
        """Tell whether this is a line that grows without end."""
        return len(inbox) > LINE_MAX and b"\n" not in inbox

    def execute(self, data: bytes, start: int) -> int:
        """Look for a password; leave to the inside what stands behind it."""
        connection = self._connection
        connection.need = 0
        while True:
            end = data.find(b"\n", start)
            if end < 0:
                return start
            words = data[start:end].split()
            length = signed32(words[4]) if words[:1] == [b"set"] and len(words) in (5, 6) else None
            if length is None or length < 0:
                if speaks_http(words):
                    connection.closing = True
                    return start
                self._out.append(_UNAUTHENTICATED)
                start = end + 1
                continue
            if length > _BLOCK_MAX:
                connection.closing = True
                return start
            after = end + 1 + length + 2
            if len(data) < after:
                connection.need = after - start
                return start
            block = data[end + 1 : after]
            start = after
            if self._admits(block):
                connection.speak(self._inside)
                return self._inside.execute(data, start)

    def _admits(self, block: bytes) -> bool:
        """Judge a data block, and say how."""
        words = block.split()
        if not block.endswith(b"\r\n"):
            self._out.append(_BAD_END)
        elif len(words) < 2:
            self._out.append(_BAD_TOKEN)
        elif not self._users.admit(words[0], words[1]):
            self._out.append(_WRONG)
        else:
            self._out.append(b"STORED\r\n")
            return True
        return False
