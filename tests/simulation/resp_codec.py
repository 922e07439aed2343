"""Redis' protocol as simulated clients speak it: verbs spelled, replies read and put into classic words.

The words are those of codecs.py, so that what a reply means is told once (semantics.py). A verb may be spelled
in several ways that mean the same to its key's history: how it ends is no part of that. Values last longer than
any run.
"""

from __future__ import annotations

from random import Random
from typing import Final

from tests.simulation.codecs import NONSENSE

#: What a reply may be: a bulk string, nothing, a number, several replies, or a `Line`.
Reply = object

#: How long values live, s and ms.
_LIVES_S: Final = b"1440"
_LIVES_MS: Final = b"1440000"

#: Of the known scripts: deletes a key that has this value; phpredis' text, and one that people write by hand.
RELEASE: Final = b"b70c2384248f88e6b75b9f89241a180f856ad852"
_RELEASE_TEXT: Final = (
    b"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"
)

#: The verbs that bring a value.
STORING: Final = frozenset(["set", "add", "replace", "getset", "extend"])


class Line(bytes):
    """A status or an error, with the sign before it."""


def command(*words: bytes) -> bytes:
    """One command, as clients send it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def read(data: bytes, start: int = 0) -> tuple[Reply, int] | None:
    """The reply that begins here, and where it ends; None if it is not complete."""
    end = data.find(b"\r\n", start)
    if end < 0:
        return None
    sign, rest, at = data[start : start + 1], data[start + 1 : end], end + 2
    if sign == b":":
        return int(rest), at
    if sign == b"_" or rest == b"-1":
        return None, at
    if sign == b"$":
        after = at + int(rest) + 2
        return (data[at : after - 2], after) if after <= len(data) else None
    if sign in (b"*", b"%"):
        items: list[Reply] = []
        for _ in range(int(rest) * (2 if sign == b"%" else 1)):
            item = read(data, at)
            if item is None:
                return None
            items.append(item[0])
            at = item[1]
        return items, at
    return Line(data[start:end]), at


def spellings(verb: str, key: bytes, value: bytes, expected: bytes = b"") -> list[tuple[bytes, ...]]:
    """All ways to say it."""
    ways: dict[str, list[tuple[bytes, ...]]] = {
        "get": [(b"GET", key), (b"GET", key), (b"GETEX", key, b"EX", _LIVES_S), (b"GETEX", key, b"PERSIST")],
        "set": [
            (b"SET", key, value),
            (b"SETEX", key, _LIVES_S, value),
            (b"PSETEX", key, _LIVES_MS, value),
            (b"SET", key, value, b"EX", _LIVES_S),
        ],
        "add": [
            (b"SET", key, value, b"NX"),
            (b"SET", key, value, b"NX", b"PX", _LIVES_MS),
            (b"SETNX", key, value),
        ],
        "replace": [(b"SET", key, value, b"XX"), (b"SET", key, value, b"XX", b"KEEPTTL")],
        "getset": [(b"GETSET", key, value), (b"SET", key, value, b"GET")],
        "getdel": [(b"GETDEL", key)],
        "delete": [(b"DEL", key), (b"UNLINK", key)],
        "count": [(b"INCRBY", key, b"1"), (b"INCR", key)],
        "extend": [(b"APPEND", key, value)],
        "touch": [(b"EXPIRE", key, _LIVES_S), (b"PEXPIRE", key, _LIVES_MS)],
        "persist": [(b"PERSIST", key)],
        "release": [
            (b"EVALSHA", RELEASE, b"1", key, expected),
            (b"EVAL", _RELEASE_TEXT, b"1", key, expected),
        ],
        "flush": [(b"FLUSHDB",)],
    }
    return ways[verb]


def in_words(verb: str, reply: Reply) -> bytes:
    """The reply in the words of the text protocol."""
    if isinstance(reply, Line):
        if reply == b"+OK":
            return b"STORED\r\n"
        return b"CLIENT_ERROR no number\r\n" if reply.startswith(b"-ERR value is not an int") else NONSENSE
    if verb in ("get", "getset", "getdel"):
        if reply is None:
            return b"END\r\n"
        return b"VALUE k 0 %d\r\n%b\r\nEND\r\n" % (len(reply), reply) if isinstance(reply, bytes) else NONSENSE
    if verb in ("count", "extend"):
        return b"%d\r\n" % reply if isinstance(reply, int) else NONSENSE
    numbers = {
        "add": [b"NOT_STORED", b"STORED"],
        "delete": [b"NOT_FOUND", b"DELETED"],
        "release": [b"EXISTS", b"DELETED"],
        "touch": [b"NOT_FOUND", b"TOUCHED"],
        "persist": [b"NOT_FOUND", b"TOUCHED"],
    }
    if reply is None and verb in ("add", "replace"):
        return b"NOT_STORED\r\n"
    if verb in numbers and reply in (0, 1):
        return numbers[verb][int(reply == 1)] + b"\r\n"
    return NONSENSE


class Resp:
    """Redis' protocol for who needs memcached's verbs; see `codecs.Tongue`. Conditions are for others.

    Args:
        rng: chooses among the ways to say a thing.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def spell(self, verb: str, key: bytes, value: bytes, unique: int, quiet: bool) -> bytes:
        """See `codecs.Tongue`; there is nothing quiet here."""
        return command(*self._rng.choice(spellings(verb, key, value)))

    def told(self, verb: str, reply: bytes) -> bytes | None:
        """See `codecs.Tongue`."""
        complete = read(reply)
        return None if complete is None else in_words(verb, complete[0])
