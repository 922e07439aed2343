r"""Patterns over names, as KEYS, SCAN and CONFIG GET take them: `*` `?` `[a-c]` `[^a]` `\x` (Redis' util.c).

They become regular expressions; a run of stars becomes one, and what stands behind a star is looked for lazily,
piece by piece, and never tried again once it has been found, so that no pattern takes time without bounds:
where the next star comes the first place that fits is as good as any other.

The empty name fits no pattern but the empty one, not even a star: Redis' own matcher ends before it looks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from memrep.protocol.resp.arguments import CommandError

#: The longest pattern, bytes.
PATTERN_MAX: Final = 1024


def matcher(pattern: bytes) -> Callable[[bytes], object]:
    """Make a function that tells whether a name fits this pattern.

    Raises:
        CommandError: it is longer than PATTERN_MAX.
    """
    if pattern.strip(b"*") == b"" and pattern:
        return bool
    if len(pattern) > PATTERN_MAX:  # to compile it would stop the node
        raise CommandError(b"ERR the pattern is too long")
    return _compiled(pattern).fullmatch


def key_matcher(pattern: bytes) -> Callable[[bytes], object]:
    """Make one for keys: a lone star is no pattern there, but all of them, the empty one, too."""
    return everything if pattern == b"*" else matcher(pattern)


def everything(name: bytes) -> bool:
    """Fit any name."""
    return True


@lru_cache(maxsize=64)
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    pieces: list[bytes] = [b""]  # one before the first star, one behind each
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        at += 1
        if byte == b"*":
            if pieces[-1] or len(pieces) == 1:
                pieces.append(b"")
        elif byte == b"?":
            pieces[-1] += b"."
        elif byte == b"[":
            piece, at = _class(pattern, at)
            pieces[-1] += piece
        else:
            if byte == b"\\" and at < len(pattern):
                byte = pattern[at : at + 1]
                at += 1
            pieces[-1] += re.escape(byte)
    first, *others = pieces
    # An atomic group: the first place where a piece fits is kept (Python 3.11).
    middle = b"".join(b"(?>.*?" + piece + b")" for piece in others[:-1])
    last = b".*" + others[-1] if others else b""
    some = b"(?=.)" if pattern else b""
    return re.compile(some + first + middle + last, re.DOTALL)


def _class(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Return the expression of a class whose `[` stands before `at`, and what is behind it."""
    inverted = pattern[at : at + 1] == b"^"
    at += inverted
    allowed = bytearray()
    while at < len(pattern) and pattern[at] != 0x5D:
        if pattern[at] == 0x5C and at + 1 < len(pattern):
            at += 1
            allowed.append(pattern[at])
        elif at + 2 < len(pattern) and pattern[at + 1] == 0x2D:
            low, high = sorted((pattern[at], pattern[at + 2]))
            allowed += bytes(range(low, high + 1))
            at += 2
        else:
            allowed.append(pattern[at])
        at += 1
    if not allowed:
        return (b"." if inverted else b"(?!)"), at + 1
    inside = b"".join(b"\\x%02x" % byte for byte in sorted(set(allowed)))
    return b"[%b%b]" % (b"^" if inverted else b"", inside), at + 1
