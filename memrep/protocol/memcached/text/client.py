"""One client of the text protocol, as the functions see it that execute its commands.

Each verb is a plain function of a `TextClient` and the words of its line; a table in commands.py says which.
What a command needs is here under one name each, and so are the few ways in which all of them answer: an
outcome now or when it is known, a refusal, a refusal of a data block that is still on its way.

Invariant: every command answers once, in its place, or not at all if it was said with `noreply`.
"""

from __future__ import annotations

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import Outcome, Result
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext
from memrep.protocol.memcached.client import MemcachedClient
from memrep.protocol.memcached.text.multi_get import MultiGet
from memrep.protocol.memcached.text.outcomes import REPLIES, silent, spell

Words = list[bytes]


class TextClient(MemcachedClient):
    """What the commands of one client of the text protocol need.

    Attributes:
        multi_get: the gets of many keys.
        skip_reply: what is said when a refused data block has come.
    """

    __slots__ = ("multi_get", "skip_reply")

    def __init__(
        self, connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
    ) -> None:
        super().__init__(connection, engine, commands, context)
        self.multi_get = MultiGet(connection, engine, context.prefixes)
        self.skip_reply = b""

    def answer(self, result: Result | Future, noreply: bool, plain: bool = False) -> None:
        """Reply with an outcome, now or when it is known.

        Args:
            result: the outcome.
            noreply: whether the client has asked for no reply.
            plain: whether it is that of a plain write; see replies.py.
        """
        if isinstance(result, Future):
            self.replies.hold(result, silent if noreply else spell, plain=plain)
        elif not noreply:
            self.out.append(REPLIES[result] if type(result) is Outcome else spell(result))

    def refuse(self, error: bytes, noreply: bool = False) -> None:
        """Say why a command is not executed."""
        if not noreply:
            self.out.append(error)

    def skip_block(self, length: int, reply: bytes) -> None:
        """Refuse a data block of so many bytes that is still to come; the reply follows behind it."""
        self.skip, self.skip_reply = length + len(b"\r\n"), reply
