"""Commands of the text protocol that change what is there and bring no value: incr decr touch delete flush_all.

protocol.txt, "Deletion", "Increment/Decrement", "Touch". Which of several mistakes in a line is told is
memcached's choice: the number of words first, then the key, then the numbers; a delete looks at words first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memrep.engine.future import Future
from memrep.engine.operations import Result
from memrep.protocol.memcached import flush_all as flushing
from memrep.protocol.memcached.errors import BAD_EXPTIME, BAD_LINE, ERROR
from memrep.protocol.memcached.limits import KEY_BYTES_MAX, deadline
from memrep.protocol.memcached.numbers import signed32, unsigned
from memrep.protocol.memcached.text.client import TextClient, Words

_BAD_DELTA: Final = b"CLIENT_ERROR invalid numeric delta argument\r\n"
_BAD_DELETE: Final = b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"
_NO_FLUSH: Final = b"CLIENT_ERROR flush_all not allowed\r\n"


def incr(client: TextClient, words: Words) -> None:
    """Add to a number."""
    _count(client, words, client.commands.incr)


def decr(client: TextClient, words: Words) -> None:
    """Subtract from a number."""
    _count(client, words, client.commands.decr)


def _count(client: TextClient, words: Words, execute: Callable[[bytes, int], Result | Future]) -> None:
    if len(words) not in (3, 4):
        client.refuse(ERROR)
        return
    noreply = words[-1] == b"noreply"
    delta = unsigned(words[2])
    if len(words[1]) > KEY_BYTES_MAX:
        client.refuse(BAD_LINE, noreply)
    elif delta is None:
        client.refuse(_BAD_DELTA, noreply)
    else:
        client.answer(execute(words[1], delta), noreply)


def touch(client: TextClient, words: Words) -> None:
    """Let a value end anew."""
    if len(words) not in (3, 4):
        client.refuse(ERROR)
        return
    noreply = words[-1] == b"noreply"
    exptime = signed32(words[2])
    if len(words[1]) > KEY_BYTES_MAX:
        client.refuse(BAD_LINE, noreply)
    elif exptime is None:
        client.refuse(BAD_EXPTIME, noreply)
    else:
        client.answer(client.commands.touch(words[1], deadline(client.engine.clock, exptime)), noreply)


def delete(client: TextClient, words: Words) -> None:
    """Remove a value."""
    if not 2 <= len(words) <= 4:
        client.refuse(ERROR)
        return
    noreply = len(words) > 2 and words[-1] == b"noreply"
    if words[2:] not in ([], [b"0"], [b"noreply"], [b"0", b"noreply"]):
        client.refuse(_BAD_DELETE, noreply)
    elif len(words[1]) > KEY_BYTES_MAX:
        client.refuse(BAD_LINE, noreply)
    else:
        if client.prefixes.on:
            client.prefixes.deleted(words[1])
        client.answer(client.commands.delete(words[1]), noreply)


def flush_all(client: TextClient, words: Words) -> None:
    """End all values, now or after a delay."""
    if len(words) > 3:
        client.refuse(ERROR)
        return
    noreply = words[-1] == b"noreply"
    if not client.context.flush_all:
        client.engine.counters.cmd_flush += 1
        client.refuse(_NO_FLUSH, noreply)
        return
    delay = signed32(words[1]) if len(words) - noreply > 1 else 0
    if delay is None:
        client.refuse(BAD_EXPTIME, noreply)
    else:
        client.answer(flushing.flush_all(client.engine, delay), noreply)
