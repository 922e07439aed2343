"""Multi-gets: retrieval of many keys by one line of the text protocol (protocol.txt, "Retrieval command").

One line may name a million keys, whose values are many times what fits into memory, and whose looking up takes
many times what a turn may last. So a retrieval goes as far as time, output and queue allow, and goes on when
what it has said is sent.

Invariant: each key is shown once, in its place, and END once, behind the last.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Final

from memrep.engine.counters import Prefixes
from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import Result
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import COMMANDS_A_LOOK
from memrep.protocol.memcached.errors import BAD_EXPTIME, BAD_LINE, ERROR
from memrep.protocol.memcached.limits import KEY_BYTES_MAX, deadline
from memrep.protocol.memcached.numbers import signed32
from memrep.protocol.memcached.text.outcomes import show
from memrep.protocol.replies import OUTPUT_MAX, QUEUE_MAX
from memrep.storage.entry import Entry

#: What a key counts as output, found or not, bytes: looking for it takes time, too.
_KEY_SIZE: Final = 32

_END: Final = b"END\r\n"

Words = list[bytes]
Show = Callable[[bytes, Entry], bytes]


class MultiGet:
    """The multi-gets of one connection, one after another.

    Args:
        connection: whose.
        engine: looks the keys up.
        prefixes: what `stats detail` counts.

    Attributes:
        keys: what is left of the present one, last first; always the same list.
    """

    __slots__ = ("_connection", "_engine", "_look_up", "_prefixes", "_show", "_writes", "keys")

    def __init__(self, connection: Connection, engine: Engine, prefixes: Prefixes) -> None:
        self.keys: Words = []
        self._connection = connection
        self._engine = engine
        self._prefixes = prefixes
        self._writes = False
        self._show: Show = show
        self._look_up: Callable[[bytes], Result | Future] = engine.get

    def get(self, words: Words, shows: Show) -> None:
        """Begin a get, or with `show_cas` a gets."""
        self._writes = False
        self._begin(words[1:], shows, self._engine.get)

    def get_and_touch(self, words: Words, shows: Show) -> None:
        """Begin a gat, or with `show_cas` a gats."""
        exptime = signed32(words[1]) if len(words) > 1 else None
        engine = self._engine
        keys = words[2:]
        if len(words) < 2:
            self._say(ERROR)
        elif exptime is None:
            self._say(BAD_EXPTIME)
        elif not keys:
            self._say(_END)
        else:
            touched = takewhile(lambda key: len(key) <= KEY_BYTES_MAX, keys)
            if max(map(len, keys)) > KEY_BYTES_MAX:  # memcached touches what stands before the bad key
                for key in touched:
                    found = engine.get_and_touch(key, deadline(engine.clock, exptime))
                    if isinstance(found, Future):  # what comes behind keeps its place
                        self._connection.replies.hold(found, lambda result: b"")
            self._writes = True
            # Of many keys the last ones have their turn later, and end later.
            self._begin(keys, shows, lambda key: engine.get_and_touch(key, deadline(engine.clock, exptime)))

    def resume_command(self) -> None:
        """Show the keys that are left, as far as output and queue allow."""
        keys, connection, prefixes = self.keys, self._connection, self._prefixes
        flow, done = connection.flow, 0
        while (
            keys
            and (connection.size < OUTPUT_MAX and len(connection.replies.queue) < QUEUE_MAX)
            and (not done or done % COMMANDS_A_LOOK or not connection.spent())
            and not (done and flow.tight and connection.waits(self._writes, True))
        ):
            connection.size += _KEY_SIZE
            key = keys.pop()
            if prefixes.on:
                prefixes.got(key, self._engine.peek(key) is not None)
            found = self._look_up(key)
            if type(found) is Entry:
                block = self._show(key, found)
                connection.size += len(block)
                connection.out.append(block)
            elif isinstance(found, Future):
                self.show_later(key, found, self._show)
            done += 1
        if not keys:
            self._say(_END)

    def show_later(self, key: bytes, future: Future, shows: Show) -> None:
        """Show what this future will bring, if it brings anything."""
        self._connection.replies.hold(
            future, lambda entry: shows(key, entry) if isinstance(entry, Entry) else b""
        )

    def _begin(self, keys: Words, shows: Show, look_up: Callable[[bytes], Result | Future]) -> None:
        if not keys:
            self._say(ERROR)
        elif max(map(len, keys)) > KEY_BYTES_MAX:
            self._say(BAD_LINE)
        else:
            self.keys[:] = reversed(keys)
            self._show = shows
            self._look_up = look_up
            self.resume_command()

    def _say(self, reply: bytes) -> None:
        self._connection.out.append(reply)
