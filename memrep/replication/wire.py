"""How messages are spelled on a link.

A link carries one direction: each node dials every other and speaks only on the connection it dialled. Both
directions of a pair thus fail alike, no tie has to be broken, and what one end sends is what the other hears.
A message is four bytes of length (big endian) and msgpack; msgspec checks types while it decodes.

A link begins with a greeting, which is spelled in the same way: handshake.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from memrep.errors import PeerError
from memrep.replication.message import PeerMessage

#: Changes with every change of a message.
WIRE_VERSION: Final = 5

#: A message above this size is a fault or an attack.
MESSAGE_BYTES_MAX: Final = 1 << 28

_GREETING_BYTES_MAX: Final = 1 << 16
_LENGTH: Final = 4

_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(PeerMessage).decode


def encode(message: msgspec.Struct) -> bytes:
    """Encode the message as it goes over a link."""
    body = _ENCODE(message)
    return len(body).to_bytes(_LENGTH, "big") + body


class Inbox:
    """Cuts what arrives on a link into messages; short ones only, until the sender is trusted."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int = _GREETING_BYTES_MAX) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def trust(self) -> None:
        """Take long messages from now on."""
        self._limit = MESSAGE_BYTES_MAX

    def next(self) -> bytes | None:
        """Take the body of the first message, if it is complete.

        Raises:
            PeerError: a message is announced that is larger than the limit.
        """
        bodies, end = self._cut(self._buffer, most=1)
        del self._buffer[:end]
        return bodies[0] if bodies else None

    def feed(self, data: bytes) -> None:
        """Put what has arrived behind what is there."""
        self._buffer += data

    def take(self, data: bytes) -> list[bytes]:
        """Take what has arrived; return the bodies of all messages that are complete now.

        Raises:
            PeerError: a message is announced that is larger than the limit.
        """
        # Most of what arrives is whole messages, and nothing of it is put aside.
        if not self._buffer:
            bodies, end = self._cut(data)
            if end < len(data):
                self._buffer += data[end:]
            return bodies
        self._buffer += data
        bodies, end = self._cut(self._buffer)
        del self._buffer[:end]
        return bodies

    def _cut(self, data: bytes | bytearray, most: int = MESSAGE_BYTES_MAX) -> tuple[list[bytes], int]:
        """Return the bodies of the complete messages in this, and where the first of the others begins."""
        bodies: list[bytes] = []
        start, size = 0, len(data)
        while most and (body := start + _LENGTH) <= size:
            end = body + int.from_bytes(data[start:body], "big")
            if end - body > self._limit:
                raise PeerError(f"a message of {end - body} bytes was announced")
            if end > size:
                break
            bodies.append(bytes(data[body:end]))
            start = end
            most -= 1
        return bodies, start


def read(bodies: Iterable[bytes]) -> list[PeerMessage]:
    """Read the messages in these bodies.

    Raises:
        PeerError: there is one that could not be read.
    """
    try:
        return list(map(_DECODE, bodies))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PeerError(f"a message that cannot be read: {error}") from None


def decode(data: bytes) -> list[PeerMessage]:
    """Return the messages in these bytes, none of them cut short.

    Raises:
        PeerError: they cannot be read.
    """
    return read(Inbox(MESSAGE_BYTES_MAX).take(data))
