"""One input of a guided search: what is said, in which pieces, and what must hold of the answer.

    mode | four places, each a byte: that part of 256 | what is said

An odd mode says that the rest is no talk but the choices that make one of the grammar: so the search may find
its way through bytes that it knows from the transcripts, or through commands that are mostly right. What is
left of the mode says which two ways to hear it are compared (tests/fuzz/equivalence.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final, TypeVar

from memrep.protocol.memcached.text.commands import LINE_MAX
from memrep.protocol.negotiation import REDIS
from tests.fuzz import grammar, redis_grammar
from tests.fuzz.equivalence import (
    USERS,
    alone,
    always_waiting,
    among_three,
    cut,
    never_waiting,
    tells_of_peers,
    without_peers,
)
from tests.fuzz.grammar import Command

T = TypeVar("T")

_HEAD: Final = 5

#: The modes' halves that stand for dearer comparisons than that of pieces with a whole.
_WAITING: Final = 6
_AMONG_THREE: Final = 7

_COMMANDS_MAX: Final = 12

#: What is searched, and what it says by the grammar.
KINDS: Final[dict[str, tuple[Command, ...]]] = {
    "text": (grammar.text, grammar.meta, grammar.lines),
    "binary": (grammar.binary,),
    "login": (grammar.login, grammar.sasl),
    "redis": (redis_grammar.command, redis_grammar.command, redis_grammar.login),
    "redislogin": (redis_grammar.login,),
}

#: Those in which clients have to say a password first.
LOGINS: Final = frozenset(["login", "redislogin"])


def port_of(kind: str) -> str:
    """The kind of port at which that is said."""
    return REDIS if kind.startswith("redis") else ""


class Read:
    """A source whose choices are read off an input; behind its end they are all the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        """Whether there is more."""
        return self._at < len(self._data)

    def _take(self, size: int) -> int:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken, "little")

    def pick(self, choices: Sequence[T]) -> T:
        """See `grammar.Source`."""
        return choices[self._take(1) % len(choices)]

    def number(self, least: int, most: int) -> int:
        """See `grammar.Source`."""
        span = most - least + 1
        return least + self._take(1 if span <= 256 else 2) % span

    def some(self, most: int) -> bytes:
        """See `grammar.Source`."""
        size = self.number(0, most)
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken


def said(kind: str, data: bytes) -> bytes:
    """What the client says."""
    if not data or not data[0] & 1:
        return data[_HEAD:]
    source = Read(data[_HEAD:])
    commands = KINDS[kind]
    talk = b""
    for _ in range(_COMMANDS_MAX):
        if not source.left:
            break
        talk += b"".join(grammar.talk(source, commands[data[0] // 2 % len(commands)], 1))
    return talk


def pieces(kind: str, data: bytes) -> list[bytes]:
    """What the client says, in the pieces in which it comes."""
    talk = said(kind, data)
    return cut(talk, [place * len(talk) // 256 for place in data[1:_HEAD] if place])


def check(kind: str, data: bytes) -> None:
    """Say it; nothing may be raised, and it must be answered as in one piece.

    Raises:
        AssertionError: it is not.
        Exception: whatever broke.
    """
    parts = pieces(kind, data)
    talk = b"".join(parts)
    port = port_of(kind)
    is_text = port != REDIS and not talk.startswith(b"\x80")
    if is_text and max(map(len, talk.split(b"\n"))) > LINE_MAX:
        return  # an endless line, or a long one, if its end is there already
    way = data[0] // 2 % 32 if data else 0
    if kind in LOGINS:
        one, other = alone(parts, USERS, port), alone([talk], USERS, port)
    elif way == _WAITING:
        one, other = always_waiting(parts, port), never_waiting(talk, port)
    elif way == _AMONG_THREE and not (port == REDIS and tells_of_peers(talk)):
        one, other = among_three(parts, Random(len(data)), port), without_peers(talk, port)
    else:
        one, other = alone(parts, port=port), alone([talk], port=port)
    assert one == other, f"{talk!r} in the pieces {[len(part) for part in parts]}:\n{one}\n{other}"
