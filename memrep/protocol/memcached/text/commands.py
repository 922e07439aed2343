"""The classic text protocol of memcached 1.6 (its doc/protocol.txt), reply for reply: lines and verbs.

Theory: one `receive` handles everything a client has sent. It finds a line, splits it at spaces, looks the
verb up in a literal dict, and calls the function that stands there, which appends its reply to one list that is
joined at the end. No object is made for a command. What is odd in memcached is odd here, for clients rely on
it; each oddity was probed on memcached 1.6.18 and stands in tests/conformance/transcripts.

A command that has to wait for the cluster leaves its reply open (replies.py). The commands behind it wait too,
unless all of them are plain writes.

The meta commands are lines like all others. A line is bounded by LINE_MAX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from memrep.engine.engine import Engine
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.command import Said
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import COMMANDS_A_LOOK, Dialect, ServerContext
from memrep.protocol.memcached import lookahead
from memrep.protocol.memcached.errors import ERROR, speaks_http
from memrep.protocol.memcached.kinds import SHOWING, writes
from memrep.protocol.memcached.text import administration, in_place, meta, retrieval, storage
from memrep.protocol.memcached.text.client import TextClient, Words
from memrep.protocol.replies import OUTPUT_MAX, QUEUE_MAX

#: A line without an end is bounded by this, unless it is a get of many keys (as in memcached).
LINE_MAX: Final = 2048
GET_LINE_MAX: Final = 1 << 20

#: Verbs whose line is the whole command.
_LINES: Final[dict[bytes, Callable[[TextClient, Words], None]]] = {
    b"get": retrieval.get,
    b"bget": retrieval.get,
    b"gets": retrieval.gets,
    b"gat": retrieval.gat,
    b"gats": retrieval.gats,
    b"incr": in_place.incr,
    b"decr": in_place.decr,
    b"touch": in_place.touch,
    b"delete": in_place.delete,
    b"flush_all": in_place.flush_all,
    b"mn": meta.noop,
    b"mg": meta.get,
    b"md": meta.delete,
    b"ma": meta.calculate,
    b"me": meta.describe,
    b"verbosity": administration.verbosity,
    b"cache_memlimit": administration.cache_memlimit,
    b"version": administration.version,
    b"stats": administration.stats,
    b"quit": administration.quit,
    b"lru": administration.lru,
    b"lru_crawler": administration.lru_crawler,
    b"slabs": administration.slabs,
    b"watch": administration.watch,
    b"shutdown": administration.shutdown,
}

#: Verbs with a data block behind the line; each returns as `StorageCommand.execute` does.
_WITH_BLOCK: Final[dict[bytes, Callable[[TextClient, Words, bytes, int], int]]] = {
    b"set": storage.SET.execute,
    b"add": storage.ADD.execute,
    b"replace": storage.REPLACE.execute,
    b"append": storage.APPEND.execute,
    b"prepend": storage.PREPEND.execute,
    b"cas": storage.CAS.execute,
    b"ms": meta.store,
}


class Text(Dialect):
    """What one client of the text protocol says; see `dialect.Dialect`."""

    __slots__ = ("_client",)

    def __init__(
        self, connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
    ) -> None:
        self._client = TextClient(connection, engine, commands, context)

    @property
    def suspended(self) -> bool:
        """Tell whether a get has stopped half-way."""
        return bool(self._client.multi_get.keys)

    def resume_command(self) -> None:
        """Go on with that get."""
        self._client.multi_get.resume_command()

    def oversized(self, inbox: bytearray) -> bool:
        """Tell whether this is a line that grows without end; only a get may be long, for its many keys."""
        if len(inbox) <= LINE_MAX or b"\n" in inbox:
            return False
        begin = bytes(inbox[: LINE_MAX + 1]).lstrip(b" ")
        get = begin.startswith((b"get ", b"gets ")) and len(begin) > LINE_MAX - 100
        return not get or len(inbox) > GET_LINE_MAX

    def answers_retrieval(self, replies: bytes) -> bool:
        """Tell whether one of these lines is the end of a retrieval."""
        return b"END\r\n" in replies

    def said(self, data: bytes, start: int) -> Iterator[Said]:
        """Return the whole commands in `data` from `start`, of which none is executed."""
        return lookahead.lines(data, start)

    def execute(self, data: bytes, start: int) -> int:
        """Execute the commands in `data` from `start`; return where the first unfinished one begins."""
        client = self._client
        connection, replies, keys = client.connection, client.replies, client.multi_get.keys
        flow, gate = connection.flow, connection.gate
        size = len(data)
        done = 0
        connection.need = 0
        while (
            not (connection.closing or keys)
            and (connection.size < OUTPUT_MAX and len(replies.queue) < QUEUE_MAX)
            and (not done or done % COMMANDS_A_LOOK or not connection.spent())
        ):
            if client.skip:
                start = _swallow(client, data, start)
                if client.skip:
                    return start
            end = data.find(b"\n", start)
            if end < 0:
                return start
            line = data[start : end - 1 if end > start and data[end - 1] == 13 else end]
            if b"\0" in line:
                line = line[: line.index(0)]
            words = line.split(b" ")
            if b"" in words:
                words = [word for word in words if word]
            verb = words[0] if words else b""
            if (replies.queue and not (replies.plain and verb == b"set")) or (
                flow.tight and connection.waits(writes(words), verb in SHOWING)
            ):
                break
            with_block = _WITH_BLOCK.get(verb)
            if with_block is None:
                connection.next = after = end + 1
                _LINES.get(verb, _unknown)(client, words)
            else:
                after = with_block(client, words, data, end + 1)
                if after < 0:
                    connection.need = size - start - after
                    return start
            if gate is not None and gate.deferred:
                return start
            start = after
            if start == size and not keys:
                return start
            done += 1
        connection.stopped = not connection.closing
        return start


def _swallow(client: TextClient, data: bytes, start: int) -> int:
    """Pass over the data block of a refused command, then say why it was refused."""
    passed = min(client.skip, len(data) - start)
    client.skip -= passed
    if not client.skip:
        client.out.append(client.skip_reply)
    return start + passed


def _unknown(client: TextClient, words: Words) -> None:
    """Refuse a verb that is none."""
    if speaks_http(words):
        client.connection.closing = True
    else:
        client.out.append(ERROR)
