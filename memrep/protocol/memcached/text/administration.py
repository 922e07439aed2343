"""What an operator asks and orders by telnet: stats, version, verbosity, cache_memlimit, shutdown, quit.

The wording, and what is odd in it, is memcached's (protocol.txt, "General-purpose statistics", "Other
commands"). Each order is answered at once, in one line or a list that ends, so that no tool waits for ever.
"""

from __future__ import annotations

from typing import Final

from memrep.protocol.memcached import allocator
from memrep.protocol.memcached.errors import BAD_LINE, ERROR
from memrep.protocol.memcached.kinds import SLOWNESS
from memrep.protocol.memcached.numbers import unsigned
from memrep.protocol.memcached.text.client import TextClient, Words

#: memcached's own bounds of `cache_memlimit`, MB.
_MEMORY_MIN_MB: Final = 8
_MEMORY_MAX_MB: Final = 1_000_000_000

_OK: Final = b"OK\r\n"
_TOO_SMALL: Final = b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n"
_TOO_LARGE: Final = b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n"
_DETAIL_USAGE: Final = b"CLIENT_ERROR usage: stats detail on|off|dump\r\n"


def verbosity(client: TextClient, words: Words) -> None:
    """Set how much is logged."""
    noreply = words[-1] == b"noreply"
    if not 2 <= len(words) <= 3 + (noreply and len(words) == 3):
        _say(client, ERROR)
    elif len(words) == 2 and noreply:
        pass
    elif (level := unsigned(words[1])) is None:
        _say(client, BAD_LINE, noreply)
    else:
        client.context.set_verbosity(level)
        _say(client, _OK, noreply)


def cache_memlimit(client: TextClient, words: Words) -> None:
    """Set how many MB items may take, on this node."""
    if not 2 <= len(words) <= 4:
        _say(client, ERROR)
        return
    noreply = words[-1] == b"noreply"
    megabytes = unsigned(words[1])
    if megabytes is None:
        _say(client, ERROR, noreply)
    elif megabytes < _MEMORY_MIN_MB:
        _say(client, _TOO_SMALL, noreply)
    elif megabytes > _MEMORY_MAX_MB:
        _say(client, _TOO_LARGE, noreply)
    else:
        client.engine.memory_limit.allow(megabytes << 20)
        _say(client, _OK, noreply)


def lru(client: TextClient, words: Words) -> None:
    """Answer what is said to the LRU lists; there are none."""
    _say(client, allocator.lru(words))


def slabs(client: TextClient, words: Words) -> None:
    """Answer what is said to slab classes; there are none."""
    _say(client, allocator.slabs(words))


def watch(client: TextClient, words: Words) -> None:
    """Answer a client that wants to watch; there is nothing to be watched."""
    _say(client, allocator.watch(words))


def version(client: TextClient, words: Words) -> None:
    """Tell which memrep this is."""
    _say(client, b"VERSION %b\r\n" % client.context.version)


def quit(client: TextClient, words: Words) -> None:
    """Read nothing more."""
    client.connection.closing = True


def shutdown(client: TextClient, words: Words) -> None:
    """End the program, if that is enabled."""
    if client.context.shutdown is None:
        _say(client, b"ERROR: shutdown not enabled\r\n")
    else:
        client.connection.closing = True
        client.context.shutdown()


def stats(client: TextClient, words: Words) -> None:
    """Tell a group of the statistics, or begin them anew."""
    group = words[1] if len(words) > 1 else b""
    if group == b"reset":
        client.context.reset()
        _say(client, b"RESET\r\n")
        return
    if group == b"detail":
        _detail(client, words)
        return
    if group == b"cachedump":
        _say(client, allocator.cachedump(words, client.context.lists))
        return
    report = client.context.reports.get(group)
    if report is None:
        _say(client, ERROR)
        return
    lines = [f"STAT {name} {value}\r\n" for name, value in report()]
    block = "".join(lines).encode() + b"END\r\n"
    _say_slowly(client, block)


def _detail(client: TextClient, words: Words) -> None:
    prefixes = client.context.prefixes
    order = words[2] if len(words) > 2 else b""
    if order == b"dump":
        _say_slowly(client, prefixes.dump())
    elif order in (b"on", b"off"):
        prefixes.on = order == b"on"
        _say(client, _OK)
    else:
        _say(client, _DETAIL_USAGE)


def lru_crawler(client: TextClient, words: Words) -> None:
    """Answer what is said to the LRU crawler; there is none."""
    _say(client, allocator.lru_crawler(words, client.context.lists))


def _say_slowly(client: TextClient, block: bytes) -> None:
    client.connection.size += len(block) * SLOWNESS
    _say(client, block)


def _say(client: TextClient, reply: bytes, noreply: bool = False) -> None:
    if not noreply:
        client.connection.out.append(reply)
