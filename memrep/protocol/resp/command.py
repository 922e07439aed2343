"""A command of Redis as a row in a table: its name, how many words it has, where its keys are, what it does.

Clients ask for these rows (COMMAND), and find by them where the keys of a command stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from memrep.protocol.resp.plan import Plan
from memrep.protocol.resp.spelling import array, bulk, integer, simple

READ: Final = 1
WRITE: Final = 2
FAST: Final = 4
ADMIN: Final = 8
PUBSUB: Final = 16

#: It stands outside of transactions: it is executed behind MULTI, and not queued.
CONTROL: Final = 32

#: It may be said before the password.
NO_AUTH: Final = 64

#: Its keys stand where only its arguments tell.
MOVABLE_KEYS: Final = 128

#: It has no keys.
NO_KEYS: Final = 256

#: It is answered even to who wants no replies (CLIENT REPLY).
TOLD: Final = 512

_FLAGS: Final = (
    (WRITE, b"write"),
    (READ, b"readonly"),
    (ADMIN, b"admin"),
    (PUBSUB, b"pubsub"),
    (CONTROL, b"noscript"),
    (FAST, b"fast"),
    (NO_AUTH, b"no_auth"),
    (MOVABLE_KEYS, b"movablekeys"),
)

#: Makes a command's plan for a `Client`; or its reply, whole or in pieces, if it touches nothing.
Handler = Callable[[Any, Sequence[bytes]], Plan | bytes | Iterator[bytes]]


@attrs.frozen
class Command:
    """One command.

    Attributes:
        name: in lower case.
        arity: how many words it has, its name among them; at least so many if negative.
        flags: of those above.
        handler: makes its plan, or its reply if there is nothing to do.
        first: where its first key stands,
        last: and its last, from behind if negative,
        step: and how many words further on each.
        plain: so many words it has as a plain write, which stores its last one whatever is there; 0 for none.
        unit: how many ms each unit of such a write's time to live is, its third word; 0 if it has none.
        subcommands: by their second word, if it stands for several.
    """

    name: bytes
    arity: int
    flags: int
    handler: Handler
    first: int = 1
    last: int = 1
    step: int = 1
    plain: int = 0
    unit: int = 0
    subcommands: Mapping[bytes, Command] = attrs.field(factory=dict)

    def fits(self, words: int) -> bool:
        """Tell whether it may have so many words."""
        return words == self.arity if self.arity >= 0 else words >= -self.arity

    def keys_of(self, words: Sequence[bytes]) -> Sequence[bytes]:
        """Return the keys among its words."""
        if self.flags & MOVABLE_KEYS:  # EVAL script numkeys key ...
            count = int(words[2]) if len(words) > 2 and words[2].isdigit() else 0
            return words[3 : 3 + count]
        if self.flags & NO_KEYS:
            return ()
        last = self.last if self.last >= 0 else len(words) + self.last
        return words[self.first : last + 1 : self.step]

    def described(self) -> bytes:
        """Spell the ten elements that COMMAND INFO tells (Redis 7.0)."""
        flags = [simple(name) for bit, name in _FLAGS if self.flags & bit]
        none = bool(self.flags & (NO_KEYS | MOVABLE_KEYS))
        places = (0, 0, 0) if none else (self.first, self.last, self.step)
        return array(
            [
                bulk(self.name),
                integer(self.arity),
                array(flags),
                *map(integer, places),
                *[array([])] * 3,
                array([each.described() for each in self.subcommands.values()]),
            ]
        )


def container(name: bytes, *subcommands: Command, flags: int = NO_KEYS) -> Command:
    """Make a command that stands for several, told apart by their second word."""
    by_word = {each.name: attrs.evolve(each, name=b"%b|%b" % (name, each.name)) for each in subcommands}
    return Command(name, -2, flags, _nothing, subcommands=by_word)


def _nothing(client: object, words: Sequence[bytes]) -> bytes:
    raise AssertionError("only its subcommands do anything")
