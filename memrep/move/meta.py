"""memcached's meta commands, as far as a move asks by them: keys as they stand in a line, and one item.

`mg` shows flags and time left in one moment with the value, which `get` does not. Its form is that of memcached
1.6.12 and later, and memrep's.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final

from memrep.errors import UsageError
from memrep.handlers.item import Item, LeftOut
from memrep.move.connection import Connection

#: A key as it can stand in a line, and how long one may be that is spelled as base64 there.
_PLAIN: Final = re.compile(rb"[!-~\x80-\xff]{1,250}")
_SPELLED_MAX: Final = 186

_VALUE: Final = re.compile(rb"VA (\d+) f(\d+) t(-?\d+)")

GONE: Final = LeftOut("gone meanwhile", is_loss=False)


def is_plain(key: bytes) -> bool:
    """Tell whether a key can stand in a line as it is."""
    return _PLAIN.fullmatch(key) is not None


def is_nameable(key: bytes) -> bool:
    """Tell whether these commands can name a key."""
    return is_plain(key) or 0 < len(key) <= _SPELLED_MAX


def spelled(key: bytes) -> bytes:
    """Return a key as it stands in a line, with the flag that says how it is spelled."""
    return key if is_plain(key) else b64encode(key) + b" b"


def asked(key: bytes) -> bytes:
    """Return the command that shows an item, without counting as its being read."""
    return b"mg %b f t v u\r\n" % spelled(key)


def told(connection: Connection, key: bytes) -> Item | LeftOut:
    """Return the answer to that.

    Raises:
        UsageError: the server says something else.
    """
    line = connection.line()
    if line == b"EN":
        return GONE
    found = _VALUE.match(line)
    if found is None:
        raise UsageError(f"{connection.server} says {line.decode(errors='replace')!r} instead of a value")
    value = connection.exactly(int(found[1]) + 2)[:-2]
    seconds = int(found[3])
    return Item(key, value, int(found[2]), None if seconds < 0 else seconds * 1000)
