"""What an operator asks and orders by telnet: stats, version, verbosity, cache_memlimit, shutdown, quit.

The wording, and what is odd in it, is memcached's (protocol.txt, "General-purpose statistics", "Other
commands").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import Outcome
from memrep.protocol.connection import Connection, ServerContext
from memrep.protocol.memcached import allocator
from memrep.protocol.memcached.errors import BAD_LINE, ERROR
from memrep.protocol.memcached.limits import deadline
from memrep.protocol.memcached.numbers import unsigned

#: memcached's own bounds of `cache_memlimit`, MB.
_MEMORY_MIN_MB: Final = 8
_MEMORY_MAX_MB: Final = 1_000_000_000

#: Statistics are a long answer to a short line, and take so many times as long to make as a value of that size
#: takes to read. They count so much more against the output that a connection may have made in one go.
SLOWNESS: Final = 16

_OK: Final = b"OK\r\n"
_TOO_SMALL: Final = b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n"
_TOO_LARGE: Final = b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n"
_NO_FLUSH: Final = b"CLIENT_ERROR flush_all not allowed\r\n"
_DETAIL_USAGE: Final = b"CLIENT_ERROR usage: stats detail on|off|dump\r\n"

Words = list[bytes]


class Administration:
    """One operator's orders.

    Args:
        connection: theirs.
        engine: executes commands.
        context: what they may see of the node, and change.
    """

    __slots__ = ("_connection", "_context", "_engine")

    def __init__(self, connection: Connection, engine: Engine, context: ServerContext) -> None:
        self._connection = connection
        self._engine = engine
        self._context = context

    def verbosity(self, words: Words) -> None:
        """How much is logged."""
        noreply = words[-1] == b"noreply"
        if not 2 <= len(words) <= 3 + (noreply and len(words) == 3):
            self._say(ERROR)
        elif len(words) == 2 and noreply:
            pass
        elif (level := unsigned(words[1])) is None:
            self._say(BAD_LINE, noreply)
        else:
            self._context.set_verbosity(level)
            self._say(_OK, noreply)

    def cache_memlimit(self, words: Words) -> None:
        """How many MB items may take, on this node."""
        if not 2 <= len(words) <= 4:
            self._say(ERROR)
            return
        noreply = words[-1] == b"noreply"
        megabytes = unsigned(words[1])
        if megabytes is None:
            self._say(ERROR, noreply)
        elif megabytes < _MEMORY_MIN_MB:
            self._say(_TOO_SMALL, noreply)
        elif megabytes > _MEMORY_MAX_MB:
            self._say(_TOO_LARGE, noreply)
        else:
            self._engine.memory_limit.allow(megabytes << 20)
            self._say(_OK, noreply)

    def lru(self, words: Words) -> None:
        """There is none."""
        self._say(allocator.lru(words))

    def slabs(self, words: Words) -> None:
        """There are none."""
        self._say(allocator.slabs(words))

    def watch(self, words: Words) -> None:
        """There is nothing to be watched."""
        self._say(allocator.watch(words))

    def version(self, words: Words) -> None:
        """Which memrep this is."""
        self._say(b"VERSION %b\r\n" % self._context.version)

    def quit(self, words: Words) -> None:
        """Nothing more is read."""
        self._connection.closing = True

    def shutdown(self, words: Words) -> None:
        """End the program, if that is enabled."""
        if self._context.shutdown is None:
            self._say(b"ERROR: shutdown not enabled\r\n")
        else:
            self._connection.closing = True
            self._context.shutdown()

    def stats(self, words: Words) -> None:
        """A group of the statistics, or their reset."""
        group = words[1] if len(words) > 1 else b""
        if group == b"reset":
            self._context.reset()
            self._say(b"RESET\r\n")
            return
        if group == b"detail":
            self._detail(words)
            return
        if group == b"cachedump":
            self._say(allocator.cachedump(words, self._context.lists))
            return
        report = self._context.reports.get(group)
        if report is None:
            self._say(ERROR)
            return
        lines = [f"STAT {name} {value}\r\n" for name, value in report()]
        block = "".join(lines).encode() + b"END\r\n"
        self._say_slowly(block)

    def _detail(self, words: Words) -> None:
        prefixes = self._context.prefixes
        order = words[2] if len(words) > 2 else b""
        if order == b"dump":
            self._say_slowly(prefixes.dump())
        elif order in (b"on", b"off"):
            prefixes.on = order == b"on"
            self._say(_OK)
        else:
            self._say(_DETAIL_USAGE)

    def may_flush(self, noreply: bool) -> bool:
        """Whether everything may be ended at once; if not, say so."""
        if not self._context.flush_all:
            self._engine.counters.cmd_flush += 1
            self._say(_NO_FLUSH, noreply)
        return self._context.flush_all

    def lru_crawler(self, words: Words) -> None:
        """There is none."""
        self._say(allocator.lru_crawler(words, self._context.lists))

    def _say_slowly(self, block: bytes) -> None:
        self._connection.size += len(block) * SLOWNESS
        self._say(block)

    def _say(self, reply: bytes, noreply: bool = False) -> None:
        if not noreply:
            self._connection.out.append(reply)


def flush_all(engine: Engine, delay: int) -> Outcome | Future:
    """End everything now, or when this delay, an exptime as a client sent it, has passed."""
    return engine.flush.at(deadline(engine.clock, delay)) if delay > 0 else engine.flush.now()


#: What can be asked and ordered in a line of the text protocol.
ORDERS: Final[dict[bytes, Callable[[Administration, Words], None]]] = {
    b"verbosity": Administration.verbosity,
    b"cache_memlimit": Administration.cache_memlimit,
    b"version": Administration.version,
    b"stats": Administration.stats,
    b"quit": Administration.quit,
    b"lru": Administration.lru,
    b"lru_crawler": Administration.lru_crawler,
    b"slabs": Administration.slabs,
    b"watch": Administration.watch,
    b"shutdown": Administration.shutdown,
}
