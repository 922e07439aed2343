"""Where Redis' replies end, in both versions of its protocol; and which of them nobody has asked for."""

from __future__ import annotations

from typing import Final

_STRINGS: Final = b"$=!"
_LISTS: Final = b"*~>"
_PAIRS: Final = b"%|"

#: How a message begins that is pushed to a subscriber who speaks RESP3.
_PUSHED: Final = (b">3\r\n$7\r\nmessage\r\n", b">4\r\n$8\r\npmessage\r\n")


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole replies in these bytes, and what is left."""
    whole = []
    start = 0
    while (end := _end(data, start)) >= 0:
        whole.append(data[start:end])
        start = end
    return whole, data[start:]


def is_whole(reply: bytes) -> bool:
    """Whether this is one whole reply."""
    return bool(reply) and _end(reply, 0) == len(reply)


def _end(data: bytes, start: int) -> int:
    """Behind the reply that begins here; -1 if it is not whole."""
    end = data.find(b"\r\n", start)
    if end < 0:
        return -1
    kind, after = data[start : start + 1], end + 2
    if kind == b"" or kind not in _STRINGS + _LISTS + _PAIRS:
        return after
    number = int(data[start + 1 : end])
    if kind in _STRINGS:
        return after if number < 0 else after + number + 2 if after + number + 2 <= len(data) else -1
    for _ in range(max(0, number) * (2 if kind in _PAIRS else 1)):
        after = _end(data, after)
        if after < 0:
            return -1
    return after


def messages_last(replies: bytes) -> bytes:
    """The same, with what was published behind all else: it comes when the connection has nothing to say."""
    whole, rest = split(replies)
    ordered: list[bytes] = sorted(whole, key=lambda reply: reply.startswith(_PUSHED))
    return b"".join(ordered) + rest
