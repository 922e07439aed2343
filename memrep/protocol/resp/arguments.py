"""What stands behind a command's name: numbers, times to live, options, each refused in Redis' words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from memrep.protocol.resp.parser import SMALL
from memrep.storage.entry import NEVER
from memrep.storage.version import Clock

INT_MIN: Final = -(1 << 63)
INT_MAX: Final = (1 << 63) - 1

_INTEGER: Final = re.compile(rb"0|-?[1-9][0-9]{0,18}")


class CommandError(Exception):
    """A command that is refused, in the words that its client is told, the kind first."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


SYNTAX: Final = b"ERR syntax error"
NOT_AN_INTEGER: Final = b"ERR value is not an integer or out of range"
NOT_A_FLOAT: Final = b"ERR value is not a valid float"
OUT_OF_MEMORY: Final = b"OOM command not allowed when used memory > 'maxmemory'."
TOO_LARGE: Final = b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"

#: What is larger than one item may be here (-I) is refused as what has no room. Of a word ERR phpredis makes a
#: warning or nothing, and Laravel goes on as if the session were stored.
ITEM_TOO_LARGE: Final = b"OOM this value is larger than one may be here (memrep serve -I)"
NO_SUCH_KEY: Final = b"ERR no such key"


def is_integer(word: bytes) -> bool:
    """Tell whether this is a number as Redis spells it, of 64 bits, signed: no blank, no +, no leading 0."""
    return _INTEGER.fullmatch(word) is not None and INT_MIN <= int(word) <= INT_MAX


def integer(word: bytes, refusal: bytes = NOT_AN_INTEGER) -> int:
    """Read a number of 64 bits, signed.

    Raises:
        CommandError: it is none.
    """
    if not is_integer(word):
        raise CommandError(refusal)
    return int(word)


def wrong_words(words: Sequence[bytes]) -> CommandError:
    """Make the error of a subcommand that has too many words."""
    said = b"ERR unknown subcommand or wrong number of arguments for '%b'. Try %b HELP."
    return CommandError(said % (printed(words[1]), words[0].upper()))


def printed(word: bytes) -> bytes:
    """Return what C prints of a client's word within a message: up to a NUL."""
    return word.partition(b"\0")[0]


def bad_expire_time(command: bytes) -> CommandError:
    """Make the error of a time to live that is none."""
    return CommandError(b"ERR invalid expire time in '%b' command" % command)


#: The words that say when a value is to end: in which unit (ms), and whether from now on or since 1970.
ENDS: Final = {b"ex": (1000, True), b"px": (1, True), b"exat": (1000, False), b"pxat": (1, False)}


def deadline(word: bytes, unit: int, clock: Clock, command: bytes, *, relative: bool) -> int:
    """Return the own monotonic ms at which a value is to end; not before it has begun.

    Args:
        word: the time as it was said.
        unit: how many ms each of it is.
        clock: the time of the present turn.
        command: whose error it would be.
        relative: whether it counts from now on, and not since 1970.

    Raises:
        CommandError: it is no number, not above nought, or too large.
    """
    number = SMALL.get(word) or integer(word)
    if number <= 0 or number > INT_MAX // unit:
        raise bad_expire_time(command)
    ms = number * unit
    if relative and ms > INT_MAX - clock.wall:
        raise bad_expire_time(command)
    return min(clock.now + ms - (0 if relative else clock.wall), NEVER - 1)
