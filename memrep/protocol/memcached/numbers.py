"""Numbers as memcached reads them: C's strtol and strtoul, with its limits and its odd tolerances.

A word of digits is the usual case and takes the short way. The rest is rare but seen: a sign, white space in
front, white space and anything behind (`1\\tjunk` is 1), and the cut to 32 bits that flags and exptimes get.
"""

from __future__ import annotations

import re
from typing import Final

_LOOSE: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?[0-9]+)(?:[ \t\n\v\f\r].*)?", re.DOTALL)
_U64: Final = 1 << 64
_S64: Final = 1 << 63
_DIGITS_MAX: Final = 64

#: So few digits fit into 64, and into signed 32 bits, whatever they are.
_SURELY_64: Final = 20
_SURELY_32: Final = 10


def unsigned(word: bytes) -> int | None:
    """Return the word as an unsigned 64-bit number, None if it is none."""
    if word.isdigit() and len(word) < _SURELY_64:
        return int(word)
    number = _parse(word)
    return number if number is not None and 0 <= number < _U64 else None


def signed32(word: bytes) -> int | None:
    """Read a word as a signed 64-bit number cut to 32 bits, as memcached does exptimes; None if it is none."""
    if word.isdigit() and len(word) < _SURELY_32:
        return int(word)
    number = _parse(word)
    if number is None or not -_S64 <= number < _S64:
        return None
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def of_storage(flags: bytes, exptime: bytes, length: bytes) -> tuple[int, int, int] | None:
    """Read a storage command's three numbers, flags cut to 32 bits; None if one is none or length negative."""
    if (
        (flags + exptime + length).isdigit()
        and len(exptime) < _SURELY_32 > len(length)
        and len(flags) < _SURELY_32
    ):
        return int(flags), int(exptime), int(length)
    bits, time, size = unsigned(flags), signed32(exptime), signed32(length)
    if bits is None or time is None or size is None or size < 0:
        return None
    return bits & 0xFFFFFFFF, time, size


def _parse(word: bytes) -> int | None:
    found = _LOOSE.fullmatch(word)
    return int(found[1]) if found and len(found[1]) <= _DIGITS_MAX else None
