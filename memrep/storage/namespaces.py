r"""Namespaces: keys that are counted and flushed apart from all others, told by how their names begin.

A key that begins with `\n` belongs to the namespace that is its name up to and with the first blank; all
others, and those that begin with HOME, are in the first one. Most stores never see a second one, so nothing is
done for keys that do not begin with `\n`.

Each namespace has a key whose entry is its last flush, as FLUSH_KEY's is the last flush of all. It is longer
than any that memcached can name, and no key of a namespace is like it.
"""

from __future__ import annotations

from typing import Final

#: What the names of all other namespaces begin with.
MARK: Final = b"\n"

#: The beginning of keys that are in the first namespace though they begin with MARK, or are empty.
HOME: Final = b"\n0 "

#: The key whose entry is the last flush of everything.
FLUSH_KEY: Final = b""

#: How many there are at most, the first among them.
NAMESPACES_MAX: Final = 16

_FLUSH_KEY_BYTES: Final = 251


def prefix(number: int) -> bytes:
    """Return how the keys of this namespace begin; those of the first, number 0, as they like."""
    return b"\n%d " % number if number else b""


def number_of(key: bytes) -> int:
    """Return the number of the namespace of this key."""
    return _NUMBERS.get(key[: key.find(b" ") + 1], 0) if key.startswith(MARK) else 0


def flush_key(number: int) -> bytes:
    """Return the key whose entry is the last flush of this namespace."""
    return (b"\n%d" % number).ljust(_FLUSH_KEY_BYTES, b"\n")


_NUMBERS: Final = {prefix(number): number for number in range(1, NAMESPACES_MAX)}

#: The namespaces by their flush keys.
FLUSH_KEYS: Final = {flush_key(number): number for number in range(NAMESPACES_MAX)}

#: The keys of all flushes.
FLUSHES: Final = frozenset([FLUSH_KEY, *FLUSH_KEYS])

_OF_FIRST: Final = flush_key(0)


def flush_key_of(key: bytes) -> bytes:
    """Return the key whose entry is the last flush of this key's namespace."""
    return flush_key(number_of(key)) if key.startswith(MARK) else _OF_FIRST
