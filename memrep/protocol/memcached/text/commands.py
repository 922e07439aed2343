"""The classic text protocol of memcached 1.6 (its doc/protocol.txt), reply for reply.

Theory: one `receive` handles everything a client has sent. It finds a line, splits it at spaces, looks the
verb up in a literal dict, and the handler appends its reply to one list that is joined at the end. No object
is made for a command. What is odd in memcached is odd here, for clients rely on it; each oddity was probed
on memcached 1.6.18 and stands in tests/conformance/transcripts.

A command that has to wait for the cluster leaves its reply open (replies.py). The commands behind it wait too,
unless all of them are plain writes.

The meta commands (meta/) are lines like all others. A line is bounded by LINE_MAX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import LATER, NO_MEMORY, TOO_LARGE, Outcome, Result
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.command import Said
from memrep.protocol.connection import COMMANDS_A_LOOK, QUEUE_MAX, Connection, Dialect, ServerContext
from memrep.protocol.memcached import lookahead
from memrep.protocol.memcached.administration import ORDERS, Administration, flush_all
from memrep.protocol.memcached.errors import BAD_EXPTIME, BAD_LINE, ERROR, OUT_OF_MEMORY, speaks_http
from memrep.protocol.memcached.kinds import SHOWING, writes
from memrep.protocol.memcached.limits import KEY_BYTES_MAX, deadline
from memrep.protocol.memcached.meta import commands as meta
from memrep.protocol.memcached.meta.line import BadMeta, check
from memrep.protocol.memcached.numbers import of_storage, signed32, unsigned
from memrep.protocol.memcached.text.data_block import end_of_block
from memrep.protocol.memcached.text.outcomes import REPLIES, silent, spell
from memrep.protocol.memcached.text.retrieval import Retrieval, show, show_cas
from memrep.protocol.replies import OUTPUT_MAX
from memrep.storage.entry import NEVER, Entry

#: A line without an end is bounded by this, unless it is a get of many keys (as in memcached).
LINE_MAX: Final = 2048
GET_LINE_MAX: Final = 1 << 20

_VALUE_MAX: Final = (1 << 31) - 3

_BAD_CHUNK: Final = b"CLIENT_ERROR bad data chunk\r\n"
_BAD_DELTA: Final = b"CLIENT_ERROR invalid numeric delta argument\r\n"
_BAD_DELETE: Final = b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"
_TOO_LARGE: Final = b"SERVER_ERROR object too large for cache\r\n"

Words = list[bytes]


class Text(Dialect):
    """What one client of the text protocol says; see `connection.Dialect`."""

    __slots__ = (
        "_administration", "_commands", "_connection", "_engine", "_out", "_prefixes", "_replies", "_retrieval",
        "_skip", "_skip_reply",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
    ) -> None:
        self._connection = connection
        self._engine = engine
        self._commands = commands
        self._administration = Administration(connection, engine, context)
        self._replies = connection.replies
        self._out = connection.out
        self._skip = 0  # bytes of a refused data block still to come
        self._skip_reply = b""
        self._prefixes = context.prefixes
        self._retrieval = Retrieval(connection, engine, self._prefixes)

    # --- the dialect's contract

    @property
    def suspended(self) -> bool:
        """Whether a get has stopped half-way."""
        return bool(self._retrieval.keys)

    def resume_command(self) -> None:
        """Go on with that get."""
        self._retrieval.resume_command()

    def oversized(self, inbox: bytearray) -> bool:
        """Whether this is a line that grows without end; only a get may be long, for its many keys."""
        if len(inbox) <= LINE_MAX or b"\n" in inbox:
            return False
        begin = bytes(inbox[: LINE_MAX + 1]).lstrip(b" ")
        get = begin.startswith((b"get ", b"gets ")) and len(begin) > LINE_MAX - 100
        return not get or len(inbox) > GET_LINE_MAX

    def told(self, replies: bytes) -> bool:
        """Whether one of these lines is the end of a retrieval."""
        return b"END\r\n" in replies

    def said(self, data: bytes, start: int) -> Iterator[Said]:
        """The whole commands in `data` from `start`, of which none is executed."""
        return lookahead.lines(data, start)

    def execute(self, data: bytes, start: int) -> int:
        """Execute the commands in `data` from `start`; return where the first unfinished one begins."""
        connection, replies, keys = self._connection, self._replies, self._retrieval.keys
        flow = connection.flow
        size = len(data)
        done = 0
        connection.need = 0
        while (
            not (connection.closing or keys)
            and (connection.size < OUTPUT_MAX and len(replies.queue) < QUEUE_MAX)
            and (not done or done % COMMANDS_A_LOOK or not connection.spent())
        ):
            if self._skip:
                start = self._swallow(data, start)
                if self._skip:
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
            store = _STORAGE.get(verb)
            if store is None and verb != b"ms":
                connection.next = after = end + 1
                _VERBS.get(verb, Text._other)(self, words)
            else:
                after = (
                    self._meta_set(words, data, end + 1)
                    if store is None
                    else self._storage(store, words, data, end + 1)
                )
                if after < 0:
                    connection.need = size - start - after
                    return start
            if connection.wondering:
                return start
            start = after
            if start == size and not keys:
                return start
            done += 1
        connection.stopped = not connection.closing
        return start

    def _swallow(self, data: bytes, start: int) -> int:
        """Pass over the data block of a refused command, then say why it was refused."""
        passed = min(self._skip, len(data) - start)
        self._skip -= passed
        if not self._skip:
            self._out.append(self._skip_reply)
        return start + passed

    # --- output

    def _answer(self, result: Result | Future, noreply: bool, plain: bool = False) -> None:
        """Reply with an outcome, now or when it is known."""
        if isinstance(result, Future):
            self._replies.hold(result, silent if noreply else spell, plain=plain)
        elif not noreply:
            self._out.append(REPLIES[result] if type(result) is Outcome else spell(result))

    def _refuse(self, error: bytes, noreply: bool = False) -> None:
        if not noreply:
            self._out.append(error)

    def _other(self, words: Words) -> None:
        """What people and their tools say; or nothing that is known."""
        order = ORDERS.get(words[0]) if words else None
        if order is not None:
            order(self._administration, words)
        elif speaks_http(words):
            self._connection.closing = True
        else:
            self._out.append(ERROR)

    # --- retrieval: get gets gat gats

    def _get(self, words: Words) -> None:
        if len(words) != 2 or len(words[1]) > KEY_BYTES_MAX or self._prefixes.on:
            self._retrieval.get(words, show)
            return
        key = words[1]  # one key is the usual case, so it gets a short way
        found = self._engine.get(key)
        if found is None:
            found = self._commands.missed(key)
        if found is None:
            self._out.append(b"END\r\n")
        elif type(found) is Entry:
            value = found.value or b""
            self._connection.size += len(value)
            self._out.append(b"VALUE %b %d %d\r\n%b\r\nEND\r\n" % (key, found.flags, len(value), value))
        else:
            assert isinstance(found, Future)
            self._replies.hold(found, partial(self._shown, key))
            self._out.append(b"END\r\n")

    def _shown(self, key: bytes, found: Result) -> bytes:
        entry = found if isinstance(found, Entry) else self._commands.missed(key)
        return b"" if entry is None else show(key, entry)

    def _gets(self, words: Words) -> None:
        self._retrieval.get(words, show_cas)

    def _gat(self, words: Words) -> None:
        self._retrieval.get_and_touch(words, show)

    def _gats(self, words: Words) -> None:
        self._retrieval.get_and_touch(words, show_cas)

    # --- storage: set add replace append prepend cas

    def _storage(self, store: _Store, words: Words, data: bytes, body: int) -> int:
        """Execute a storage command whose data block begins at `body`.

        Returns:
            Where the next command begins; or, if the data block is not here yet, minus the number of bytes
            that are missing.
        """
        count = len(words) - store.words
        if count not in (0, 1):
            self._refuse(ERROR)
            return body
        noreply = words[-1] == b"noreply"
        key = words[1]
        numbers = of_storage(words[2], words[3], words[4])
        unique = unsigned(words[5]) if store.cas else 0
        if len(key) > KEY_BYTES_MAX or numbers is None or unique is None or numbers[2] >= _VALUE_MAX:
            self._refuse(BAD_LINE, noreply)
            return body
        flags, exptime, length = numbers
        if self._engine.item_limit.too_large(key, flags, length):
            self._note_stored(key)
            self._engine.counters.store_too_large += 1
            if store.verb == b"set":
                self._answer(self._engine.refuse(key, TOO_LARGE), noreply=True)
            self._skip, self._skip_reply = length + 2, b"" if noreply else _TOO_LARGE
            return body
        end = body + length
        after = end_of_block(data, end)
        if after >= 0:
            self._note_stored(key)
        if after <= 0:
            if not after:
                self._refuse(_BAD_CHUNK, noreply)
            elif self._connection.refused:
                return self._drop(key, length, body, store.verb == b"set", noreply)
            return after or end + 2
        value = data[body:end]
        self._connection.next = after
        if store.cas:
            result = store.execute(self, key, flags, exptime, value, unique)
        else:
            result = store.execute(self, key, flags, exptime, value)
        self._answer(result, noreply, plain=store.verb == b"set")
        return after

    def _set(self, key: bytes, flags: int, exptime: int, value: bytes) -> Result | Future:
        ends = NEVER if exptime == 0 else deadline(self._engine.clock, exptime)
        return self._commands.set(key, flags, ends, value, sent=exptime)

    def _add(self, key: bytes, flags: int, exptime: int, value: bytes) -> Result | Future:
        return self._commands.add(key, flags, deadline(self._engine.clock, exptime), value)

    def _replace(self, key: bytes, flags: int, exptime: int, value: bytes) -> Result | Future:
        return self._engine.replace(key, flags, deadline(self._engine.clock, exptime), value)

    def _append(self, key: bytes, flags: int, exptime: int, value: bytes) -> Result | Future:
        return self._engine.append(key, value)

    def _prepend(self, key: bytes, flags: int, exptime: int, value: bytes) -> Result | Future:
        return self._engine.prepend(key, value)

    def _cas(self, key: bytes, flags: int, exptime: int, value: bytes, unique: int) -> Result | Future:
        return self._engine.cas(key, flags, deadline(self._engine.clock, exptime), value, unique)

    def _note_stored(self, key: bytes) -> None:
        if self._prefixes.on:
            self._prefixes.stored(key)

    def _drop(self, key: bytes, length: int, body: int, is_set: bool, noreply: bool) -> int:
        """Refuse a storage command whose data block has come half, for want of memory; as `_storage`."""
        self._connection.refused = False
        self._engine.counters.store_no_memory += 1
        if is_set:
            self._answer(self._engine.refuse(key, NO_MEMORY), noreply=True)
        self._skip, self._skip_reply = length + 2, b"" if noreply else OUT_OF_MEMORY
        return body

    # --- the other commands on one key

    def _incr(self, words: Words) -> None:
        self._arithmetic(words, self._commands.incr)

    def _decr(self, words: Words) -> None:
        self._arithmetic(words, self._commands.decr)

    def _arithmetic(self, words: Words, execute: Callable[[bytes, int], Result | Future]) -> None:
        if len(words) not in (3, 4):
            self._refuse(ERROR)
            return
        noreply = words[-1] == b"noreply"
        delta = unsigned(words[2])
        if len(words[1]) > KEY_BYTES_MAX:
            self._refuse(BAD_LINE, noreply)
        elif delta is None:
            self._refuse(_BAD_DELTA, noreply)
        else:
            self._answer(execute(words[1], delta), noreply)

    def _touch(self, words: Words) -> None:
        if len(words) not in (3, 4):
            self._refuse(ERROR)
            return
        noreply = words[-1] == b"noreply"
        exptime = signed32(words[2])
        if len(words[1]) > KEY_BYTES_MAX:
            self._refuse(BAD_LINE, noreply)
        elif exptime is None:
            self._refuse(BAD_EXPTIME, noreply)
        else:
            self._answer(self._commands.touch(words[1], deadline(self._engine.clock, exptime)), noreply)

    def _delete(self, words: Words) -> None:
        if not 2 <= len(words) <= 4:
            self._refuse(ERROR)
            return
        noreply = len(words) > 2 and words[-1] == b"noreply"
        if words[2:] not in ([], [b"0"], [b"noreply"], [b"0", b"noreply"]):
            self._refuse(_BAD_DELETE, noreply)
        elif len(words[1]) > KEY_BYTES_MAX:
            self._refuse(BAD_LINE, noreply)
        else:
            if self._prefixes.on:
                self._prefixes.deleted(words[1])
            self._answer(self._commands.delete(words[1]), noreply)

    # --- meta commands: mn mg ms md ma me

    def _nothing_meta(self, words: Words) -> None:
        self._out.append(b"MN\r\n")

    def _meta_get(self, words: Words) -> None:
        self._meta(meta.Get, words)

    def _meta_delete(self, words: Words) -> None:
        self._meta(meta.Delete, words)

    def _meta_calculate(self, words: Words) -> None:
        self._meta(meta.Calculate, words)

    def _meta(self, kind: type[meta.Get] | type[meta.Delete] | type[meta.Calculate], words: Words) -> None:
        self._engine.counters.cmd_meta += 1
        if len(words) < 2:
            self._refuse(ERROR)
            return
        try:
            command = kind(self._engine, words)
        except BadMeta as error:
            self._refuse(error.args[0])
        else:
            count = self._engine.counters.counted(command.counter)
            self._tell(self._commands.modify(command.meta.key, command.decide, count), command.show)

    def _meta_describe(self, words: Words) -> None:
        try:
            self._out.append(meta.describe(self._engine, words))
        except BadMeta as error:
            self._refuse(error.args[0])

    def _meta_set(self, words: Words, data: bytes, body: int) -> int:
        """Execute an ms whose data block begins at `body`; returns as `_storage` does."""
        if len(words) < 2:
            self._refuse(ERROR)
            return body
        try:
            check(words)
        except BadMeta as error:
            self._refuse(error.args[0])
            return body
        length = signed32(words[2]) if len(words) > 2 else None
        if length is None or not 0 <= length < _VALUE_MAX:
            self._refuse(BAD_LINE)
            return body
        try:
            command = meta.Set(self._engine, words)
        except BadMeta as error:
            self._skip, self._skip_reply = length + 2, error.args[0]
            return body
        engine, key = self._engine, command.meta.key
        if engine.item_limit.too_large(key, command.flags, length):
            engine.counters.store_too_large += 1
            engine.counters.cmd_meta += 1
            self._answer(engine.refuse(key, TOO_LARGE), noreply=True)
            self._skip, self._skip_reply = length + 2, _TOO_LARGE
            return body
        after = end_of_block(data, body + length)
        if after < 0:
            return self._drop(key, length, body, True, False) if self._connection.refused else after
        engine.counters.cmd_meta += 1
        if after == 0:
            self._refuse(_BAD_CHUNK)
            return body + length + 2
        value = data[body : body + length]
        self._connection.next = after
        if command.plain:
            ends, sent = deadline(engine.clock, command.exptime), command.exptime
            result = self._commands.set(key, command.flags, ends, command.keep(value), sent=sent, show=True)
        else:
            result = self._commands.store_if(key, length, command.deciding(value), engine.counters.count_stored)
        self._tell(result, command.show, plain=command.plain)
        return after

    def _tell(self, result: Result | Future, show: Callable[[Result], bytes], plain: bool = False) -> None:
        """Reply in a command's own words, now or when the outcome is known."""
        if isinstance(result, Future):
            self._replies.hold(result, show, plain=plain)
        else:
            block = b"" if result is LATER else show(result)
            self._connection.size += len(block)
            self._out.append(block)

    # --- administration

    def _flush_all(self, words: Words) -> None:
        if len(words) > 3:
            self._refuse(ERROR)
            return
        noreply = words[-1] == b"noreply"
        if not self._administration.may_flush(noreply):
            return
        delay = signed32(words[1]) if len(words) - noreply > 1 else 0
        if delay is None:
            self._refuse(BAD_EXPTIME, noreply)
        else:
            self._answer(flush_all(self._engine, delay), noreply)


class _Store:
    """A storage command: its verb, how many words it has without `noreply`, and what it does."""

    __slots__ = ("cas", "execute", "verb", "words")

    def __init__(self, verb: bytes, execute: Callable[..., Result | Future]) -> None:
        self.verb = verb
        self.cas = verb == b"cas"
        self.words = 6 if self.cas else 5
        self.execute = execute


#: The storage commands; append and prepend ignore flags and exptime, as protocol.txt says.
_STORAGE: Final = {
    store.verb: store
    for store in (
        _Store(b"set", Text._set),
        _Store(b"add", Text._add),
        _Store(b"replace", Text._replace),
        _Store(b"append", Text._append),
        _Store(b"prepend", Text._prepend),
        _Store(b"cas", Text._cas),
    )
}

_VERBS: Final[dict[bytes, Callable[[Text, Words], None]]] = {
    b"get": Text._get,
    b"bget": Text._get,
    b"gets": Text._gets,
    b"gat": Text._gat,
    b"gats": Text._gats,
    b"incr": Text._incr,
    b"decr": Text._decr,
    b"touch": Text._touch,
    b"delete": Text._delete,
    b"flush_all": Text._flush_all,
    b"mn": Text._nothing_meta,
    b"mg": Text._meta_get,
    b"md": Text._meta_delete,
    b"ma": Text._meta_calculate,
    b"me": Text._meta_describe,
}
