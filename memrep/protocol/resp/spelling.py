r"""How replies are spelled, in both versions of Redis' protocol (RESP2, and RESP3 after `HELLO 3`).

Most replies are spelled alike in both: a number, a string, a list. What differs is what RESP2 has no type for:
nothing, a map, text for people, a message that was not asked for. Each client has one of two spellings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

OK: Final = b"+OK\r\n"
QUEUED: Final = b"+QUEUED\r\n"
PONG: Final = b"+PONG\r\n"
ZERO: Final = b":0\r\n"
ONE: Final = b":1\r\n"
EMPTY: Final = b"*0\r\n"

T = TypeVar("T")


def bulk(value: bytes) -> bytes:
    """Spell a string of any bytes."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def simple(text: bytes) -> bytes:
    """Spell a word of the server's own."""
    return b"+%b\r\n" % text


def integer(number: int) -> bytes:
    return b":%d\r\n" % number


def error(text: bytes) -> bytes:
    """Spell an error, on one line and up to a NUL, as C prints it; its first word tells clients its kind."""
    return b"-%b\r\n" % text.partition(b"\0")[0].translate(_ONE_LINE)


def array(replies: Sequence[bytes]) -> bytes:
    """Put replies in a list."""
    return b"*%d\r\n%b" % (len(replies), b"".join(replies))


def pieces(spell: Callable[[T], bytes], values: Sequence[T]) -> Iterator[bytes]:
    """Spell values in a list, piece by piece: it may be long."""
    yield b"*%d\r\n" % len(values)
    yield from map(spell, values)


def bulks(values: Iterable[bytes]) -> bytes:
    """Spell strings in a list."""
    return array([bulk(value) for value in values])


_ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")


class Resp2:
    """The spelling of who has not asked for another one.

    Attributes:
        version: of the protocol.
        nil: nothing, in the place of a string.
        nil_array: nothing, in the place of a list.
    """

    version = 2
    nil = b"$-1\r\n"
    nil_array = b"*-1\r\n"

    def value(self, value: bytes | None) -> bytes:
        """Spell a string, or nothing."""
        return self.nil if value is None else bulk(value)

    def mapping(self, pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Spell names, each with a reply."""
        return array([part for name, reply in pairs for part in (bulk(name), reply)])

    def text(self, text: bytes) -> bytes:
        """Spell what people read."""
        return bulk(text)

    def push(self, replies: Sequence[bytes]) -> bytes:
        """Spell what was not asked for."""
        return array(replies)


class Resp3(Resp2):
    """The spelling of who has said `HELLO 3`."""

    version = 3
    nil = b"_\r\n"
    nil_array = b"_\r\n"

    def mapping(self, pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Spell names, each with a reply."""
        return b"%%%d\r\n%b" % (len(pairs), b"".join([bulk(name) + reply for name, reply in pairs]))

    def text(self, text: bytes) -> bytes:
        """Spell what people read."""
        return b"=%d\r\ntxt:%b\r\n" % (len(text) + 4, text)

    def push(self, replies: Sequence[bytes]) -> bytes:
        """Spell what was not asked for."""
        return b">%d\r\n%b" % (len(replies), b"".join(replies))


#: Both, by version.
SPELLINGS: Final = {spelling.version: spelling for spelling in (Resp2(), Resp3())}
