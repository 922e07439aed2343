"""How the same is said in both protocols, and how the answers are understood.

A session that one has written is read by the other, and a counter counts for both: every worker chooses anew
for each operation. What a worker wants is a `Said`: the bytes, and when the answer to them is complete.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import attrs

Complete = Callable[[bytes], bool]

#: How long what is stored lives, seconds: as PHP has it.
LIFETIME_S: Final = 1440


@attrs.frozen
class Said:
    """What is said, and when it is answered."""

    data: bytes
    complete: Complete
    speaks: Speaks


class Speaks(Protocol):
    """A protocol."""

    name: str
    hello: Said

    def get(self, key: str, renews: bool = False) -> Said:
        """Read a key; `renews` says that it is to live on, where the protocol has that."""
        ...

    def set(self, key: str, data: bytes) -> Said:
        """Write a key."""
        ...

    def add(self, key: str, data: bytes, seconds: int = LIFETIME_S) -> Said:
        """Write a key that is missing."""
        ...

    def delete(self, key: str) -> Said:
        """Delete a key."""
        ...

    def increment(self, key: str) -> Said:
        """Add 1."""
        ...

    def value(self, reply: bytes) -> bytes | None:
        """The value in an answer to `get`; None for a miss."""
        ...

    def stored(self, reply: bytes) -> bool:
        """Whether this is the answer of what was stored."""
        ...

    def number(self, reply: bytes) -> int | None:
        """The number in an answer to `increment`; None if there was nothing to add to."""
        ...

    def refuses(self, reply: bytes) -> bool:
        """Whether this is an error, which nobody has earned."""
        ...


def lines(count: int) -> Complete:
    """Whether a reply of so many lines is complete."""
    return lambda reply: reply.count(b"\r\n") >= count


def _values(reply: bytes) -> bool:
    """Whether the reply to memcached's get of one key is complete; an error line is."""
    if reply.startswith(b"VALUE"):
        return reply.endswith(b"\r\nEND\r\n")
    return reply.endswith(b"\r\n")


class Memcached:
    """memcached's text protocol, as PHP's extensions speak it."""

    name = "memcached"

    def __init__(self) -> None:
        self.hello = self.said(b"version\r\n")

    def said(self, data: bytes, complete: Complete | None = None) -> Said:
        """Anything; one line answers it, unless something else is said."""
        return Said(data, complete or lines(1), self)

    def get(self, key: str, renews: bool = False) -> Said:
        """See `Speaks`."""
        return self.said(f"get {key}\r\n".encode(), _values)

    def set(self, key: str, data: bytes) -> Said:
        """See `Speaks`."""
        return self._store("set", key, data, int(time.time()) + LIFETIME_S)

    def add(self, key: str, data: bytes, seconds: int = LIFETIME_S) -> Said:
        """See `Speaks`."""
        return self._store("add", key, data, seconds)

    def _store(self, verb: str, key: str, data: bytes, exptime: int) -> Said:
        return self.said(f"{verb} {key} 0 {exptime} {len(data)}\r\n".encode() + data + b"\r\n")

    def delete(self, key: str) -> Said:
        """See `Speaks`."""
        return self.said(f"delete {key}\r\n".encode())

    def increment(self, key: str) -> Said:
        """See `Speaks`."""
        return self.said(f"incr {key} 1\r\n".encode())

    def value(self, reply: bytes) -> bytes | None:
        """See `Speaks`."""
        return None if reply == b"END\r\n" else reply.partition(b"\r\n")[2].removesuffix(b"\r\nEND\r\n")

    def stored(self, reply: bytes) -> bool:
        """See `Speaks`."""
        return reply == b"STORED\r\n"

    def number(self, reply: bytes) -> int | None:
        """See `Speaks`."""
        return None if reply == b"NOT_FOUND\r\n" else int(reply)

    def refuses(self, reply: bytes) -> bool:
        """See `Speaks`."""
        return b"ERROR" in reply[:16]


class Redis:
    """RESP2, as Redis' clients speak it."""

    name = "redis"

    def __init__(self) -> None:
        self.hello = self.said("PING")

    def said(self, *words: str | int | bytes) -> Said:
        """Any command."""
        spelled = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        data = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in spelled)
        return Said(b"*%d\r\n" % len(spelled) + data, _whole, self)

    def get(self, key: str, renews: bool = False) -> Said:
        """See `Speaks`."""
        return self.said("GETEX", key, "EX", LIFETIME_S) if renews else self.said("GET", key)

    def set(self, key: str, data: bytes) -> Said:
        """See `Speaks`."""
        return self.said("SETEX", key, LIFETIME_S, data)

    def add(self, key: str, data: bytes, seconds: int = LIFETIME_S) -> Said:
        """See `Speaks`."""
        return self.said("SET", key, data, "NX", "PX", seconds * 1000)

    def delete(self, key: str) -> Said:
        """See `Speaks`."""
        return self.said("DEL", key)

    def increment(self, key: str) -> Said:
        """See `Speaks`. What is missing counts from 0 here: then the answer is one that was there before."""
        return self.said("INCR", key)

    def value(self, reply: bytes) -> bytes | None:
        """See `Speaks`."""
        return None if reply == b"$-1\r\n" else reply.partition(b"\r\n")[2].removesuffix(b"\r\n")

    def stored(self, reply: bytes) -> bool:
        """See `Speaks`."""
        return reply == b"+OK\r\n"

    def number(self, reply: bytes) -> int | None:
        """See `Speaks`."""
        return int(reply[1:])

    def refuses(self, reply: bytes) -> bool:
        """See `Speaks`."""
        return reply.startswith(b"-")


def _whole(reply: bytes) -> bool:
    """Whether a line, or a bulk string, is complete."""
    head, end, rest = reply.partition(b"\r\n")
    if not head.startswith(b"$") or head == b"$-1":
        return bool(end)
    return bool(end) and len(rest) >= int(head[1:]) + 2


MEMCACHED: Final = Memcached()
REDIS: Final = Redis()
