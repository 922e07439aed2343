"""Commands on numbers: INCR and its like (Redis' t_string.c), as plans.

A number is a string as Redis spells it, of 64 bits, signed; one that is not there counts as 0. Its time to live
stays. INCRBYFLOAT counts with decimal digits, and never in fractions of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from memrep.engine.operations import Decision, Operation
from memrep.protocol.resp.arguments import (
    INT_MAX,
    INT_MIN,
    NOT_A_FLOAT,
    NOT_AN_INTEGER,
    CommandError,
    integer,
    is_integer,
)
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import FAST, WRITE, Command
from memrep.protocol.resp.plan import Plan
from memrep.protocol.resp.spelling import bulk, error
from memrep.protocol.resp.spelling import integer as spell_integer
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import ZERO as NO_VERSION

Words = Sequence[bytes]

_ENDLESS: Final = b"ERR increment would produce NaN or Infinity"

#: About where C's long double ends.
_EXPONENT_MAX: Final = 4900


def incr(client: Client, words: Words) -> Plan:
    """INCR key"""
    return _add(client, words[1], 1)


def decr(client: Client, words: Words) -> Plan:
    """DECR key"""
    return _add(client, words[1], -1)


def incrby(client: Client, words: Words) -> Plan:
    """INCRBY key number"""
    return _add(client, words[1], integer(words[2]))


def decrby(client: Client, words: Words) -> Plan:
    """DECRBY key number"""
    number = integer(words[2])
    if number == INT_MIN:
        raise CommandError(b"ERR decrement would overflow")
    return _add(client, words[1], -number)


def _add(client: Client, key: bytes, number: int) -> Plan:
    return Plan((client.storing(client.key(key), b"", adding(number)),))


def adding(number: int) -> Operation:
    """Add to the number that is there, or to 0."""

    def decide(entry: Entry | None) -> Decision:
        value = b"0" if entry is None else entry.value or b""
        if not is_integer(value):
            return error(NOT_AN_INTEGER)
        total = int(value) + number
        if not INT_MIN <= total <= INT_MAX:
            return error(b"ERR increment or decrement would overflow")
        return changed(entry, b"%d" % total), spell_integer(total)

    return decide


def changed(entry: Entry | None, value: bytes) -> Entry:
    """Return what is there with another value: its flags and its end stay."""
    if entry is None:
        return Entry(NO_VERSION, value, 0, NEVER)
    return Entry(NO_VERSION, value, entry.flags, entry.expires)


def incrbyfloat(client: Client, words: Words) -> Plan:
    """INCRBYFLOAT key number"""
    number = _float(words[2])

    def decide(entry: Entry | None) -> Decision:
        try:
            total = number + (_float(entry.value or b"") if entry is not None else 0)
        except CommandError as refusal:
            return error(refusal.text)
        except ArithmeticError:  # infinity less infinity
            return error(_ENDLESS)
        if total.is_infinite():
            return error(_ENDLESS)
        digits = _spelled(total)
        return changed(entry, digits), bulk(digits)

    return Plan((client.storing(client.key(words[1]), b"", decide),))


def _float(word: bytes) -> Decimal:
    """Read a number with a fraction, as C's strtold does, which may be infinite; refuse what is no number."""
    text = word.decode("latin-1")
    try:
        if not text or text != text.strip() or "_" in text:
            raise ValueError(text)
        number = Decimal(text)
    except (ValueError, ArithmeticError):
        raise CommandError(NOT_A_FLOAT) from None
    if number.is_nan() or (number.is_finite() and abs(number.adjusted()) > _EXPONENT_MAX):
        raise CommandError(NOT_A_FLOAT)
    return number


def _spelled(number: Decimal) -> bytes:
    """Spell it with at most 17 digits behind the point, no exponent, no nought at the end."""
    text = f"{number:.17f}".rstrip("0").rstrip(".")
    return b"0" if text in ("-0", "") else text.encode()


COMMANDS: Final = (
    Command(b"incr", 2, WRITE | FAST, incr),
    Command(b"decr", 2, WRITE | FAST, decr),
    Command(b"incrby", 3, WRITE | FAST, incrby),
    Command(b"decrby", 3, WRITE | FAST, decrby),
    Command(b"incrbyfloat", 3, WRITE | FAST, incrbyfloat),
)
