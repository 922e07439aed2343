"""How messages are spelled on a link.

A link carries one direction: each node dials every other and speaks only on the connection it dialled. Both
directions of a pair thus fail alike, no tie has to be broken, and what one end sends is what the other hears.
A message is four bytes of length (big endian) and msgpack; msgspec checks types while it decodes.

A link begins with a greeting, which is spelled in the same way: handshake.py.
"""

from __future__ import annotations

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
        bodies = self._cut(1)
        return bodies[0] if bodies else None

    def feed(self, data: bytes) -> None:
        """Put what has arrived behind what is there."""
        self._buffer += data

    def rest(self) -> list[bytes]:
        """Take the bodies of all messages that are complete.

        Raises:
            PeerError: a message is announced that is larger than the limit.
        """
        return self._cut(MESSAGE_BYTES_MAX)

    def _cut(self, most: int) -> list[bytes]:
        buffer = self._buffer
        bodies: list[bytes] = []
        start, end = 0, len(buffer)
        while end - start >= _LENGTH and len(bodies) < most:
            size = int.from_bytes(buffer[start : start + _LENGTH], "big")
            if size > self._limit:
                raise PeerError(f"a message of {size} bytes was announced")
            if end - start < _LENGTH + size:
                break
            bodies.append(bytes(buffer[start + _LENGTH : start + _LENGTH + size]))
            start += _LENGTH + size
        if start:
            del buffer[:start]
        return bodies


def read(body: bytes) -> PeerMessage:
    """Read the message in this body.

    Raises:
        PeerError: there is none that could be read.
    """
    try:
        message: PeerMessage = _DECODE(body)
        return message
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PeerError(f"a message that cannot be read: {error}") from None


def decode(data: bytes) -> list[PeerMessage]:
    """Return the messages in these bytes, none of them cut short.

    Raises:
        PeerError: they cannot be read.
    """
    inbox = Inbox(MESSAGE_BYTES_MAX)
    inbox.feed(data)
    return [read(body) for body in inbox.rest()]
