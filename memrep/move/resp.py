"""A client of Redis' protocol (RESP2), no more than a move needs: pipelines, and what SCAN lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Final

from memrep.errors import UsageError
from memrep.handlers.places import Server
from memrep.move.connection import Connection

#: How many keys are asked for at a time.
_LISTED: Final = 500

Reply = bytes | int | list["Reply"] | None | UsageError


class RedisClient:
    """A connection to one server, or to a memrep node's port for Redis' clients.

    Args:
        server: where it is, with whatever it wants to know.

    Raises:
        UnansweredError: it does not answer.
        UsageError: it refuses the password or the database.
    """

    def __init__(self, server: Server) -> None:
        with ExitStack() as stack:
            self.connection = stack.enter_context(Connection(server))
            if server.password:
                self.ask(b"AUTH", *([server.user.encode()] if server.user else []), server.password.encode())
            if server.database:
                self.ask(b"SELECT", b"%d" % server.database)
            stack.pop_all()

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    def ask(self, *words: bytes) -> Reply:
        """Return the reply to a command.

        Raises:
            UsageError: it is an error.
        """
        (reply,) = self.pipeline([words])
        if isinstance(reply, UsageError):
            raise reply
        return reply

    def pipeline(self, commands: Sequence[Sequence[bytes]]) -> list[Reply]:
        """Return the replies to several commands; an error is returned in its place."""
        self.connection.send(b"".join(map(_spelled, commands)))
        return [self._reply() for _ in commands]

    def size(self) -> int:
        """Return how many keys there are."""
        number = self.ask(b"DBSIZE")
        return number if isinstance(number, int) else 0

    def listed(self, prefix: bytes = b"") -> Iterator[list[bytes]]:
        """Yield the keys that begin so, some at a time; one may come twice.

        Raises:
            UsageError: the server lists none.
        """
        pattern = b"".join(b"\\" + bytes([c]) if c in b"*?[]\\^-" else bytes([c]) for c in prefix) + b"*"
        cursor = b"0"
        while True:
            reply = self.ask(b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"%d" % _LISTED)
            if not isinstance(reply, list) or len(reply) != 2 or not isinstance(reply[1], list):
                raise UsageError(f"{self.connection.server} is no Redis: it does not know SCAN")
            yield [key for key in reply[1] if isinstance(key, bytes)]
            assert isinstance(reply[0], bytes)
            cursor = reply[0]
            if cursor == b"0":
                return

    def _reply(self) -> Reply:
        line = self.connection.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return UsageError(f"{self.connection.server} answers {rest.decode(errors='replace')!r}")
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else self.connection.exactly(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if int(rest) < 0 else [self._reply() for _ in range(int(rest))]
        raise UsageError(f"{self.connection.server} does not speak Redis' protocol; see which program that is")


def _spelled(words: Sequence[bytes]) -> bytes:
    return b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
