"""Keys as they are told: who knows a session's key has the session, so it is hashed unless that is asked for.

The hash is the same on every node, and the same wherever one is told: what is slow is found among the locks.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

#: Of a hash. Among a million sessions hardly two have the same, and a table has room for it.
_HASH_BYTES: Final = 6

_ESCAPE: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")


def hashed(key: bytes) -> str:
    """Return a key so that nobody can use it."""
    return blake2b(key, digest_size=_HASH_BYTES).hexdigest()


def spelled(key: bytes) -> str:
    """Return a key as people write it; what is no text of UTF-8 as Python writes bytes."""
    return key.decode(errors="backslashreplace")


def unspelled(text: str) -> bytes:
    """Return the key that `spelled` writes so."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text.encode())


def named(key: bytes, *, openly: bool) -> str:
    """Return a key, hashed unless it may be seen."""
    return spelled(key) if openly else hashed(key)
