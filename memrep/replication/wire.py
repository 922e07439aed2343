"""How messages are spelled on a link, and the handshake that opens it.

A link carries one direction: each node dials every other and speaks only on the connection it dialled. Both
directions of a pair thus fail alike, no tie has to be broken, and what one end sends is what the other hears.
A message is four bytes of length (big endian) and msgpack; msgspec checks types while it decodes.

The first message is a greeting. A node that is turned away gets one line with the reason, for its log, before
the connection closes: two operators who disagree about the list of nodes should not have to guess.
"""

from __future__ import annotations

from typing import Final

import msgspec

from memrep.errors import PeerError
from memrep.replication.message import Any

#: Changes with every change of a message.
WIRE_VERSION: Final = 3

#: A message above this size is a fault or an attack.
MESSAGE_BYTES_MAX: Final = 1 << 28

_HELLO_BYTES_MAX: Final = 1 << 16
_LENGTH: Final = 4


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="memrep"):
    """The first message on a link: who dials, which nodes it believes in, and on what terms.

    The terms are the settings that all nodes must share, in words; nodes that differ turn each other away.
    """

    wire: int
    node: int
    inc: int
    nodes: list[str]
    terms: str = ""


class Sorry(msgspec.Struct, frozen=True, array_like=True, tag="sorry"):
    """The answer to a greeting that is turned away."""

    reason: str


_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(Any).decode
_DECODE_HELLO: Final = msgspec.msgpack.Decoder(Hello).decode
_DECODE_SORRY: Final = msgspec.msgpack.Decoder(Sorry).decode


def encode(message: Any | Hello | Sorry) -> bytes:
    """The message as it goes over a link."""
    body = _ENCODE(message)
    return len(body).to_bytes(_LENGTH, "big") + body


class Inbox:
    """Cuts what arrives on a link into messages. The first one, a greeting, must be short."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int = _HELLO_BYTES_MAX) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies of the messages that are complete now.

        Raises:
            PeerError: a message is announced that is larger than the limit.
        """
        buffer = self._buffer
        buffer += data
        bodies = []
        start, end = 0, len(buffer)
        while end - start >= _LENGTH:
            size = int.from_bytes(buffer[start : start + _LENGTH], "big")
            if size > self._limit:
                raise PeerError(f"a message of {size} bytes was announced")
            if end - start < _LENGTH + size:
                break
            self._limit = MESSAGE_BYTES_MAX
            bodies.append(bytes(buffer[start + _LENGTH : start + _LENGTH + size]))
            start += _LENGTH + size
        if start:
            del buffer[:start]
        return bodies


def decode(data: bytes) -> list[Any]:
    """The messages in these bytes, none of them cut short.

    Raises:
        PeerError: they cannot be read.
    """
    try:
        return [_DECODE(body) for body in Inbox(MESSAGE_BYTES_MAX).feed(data)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PeerError(f"a message that cannot be read: {error}") from None


class Incoming:
    """The receiving end of a link: the greeting first, then messages.

    Attributes:
        node: who speaks here; None before the greeting.
        inc: its incarnation.
    """

    def __init__(self, me: int, nodes: list[str], terms: str = "") -> None:
        self.node: int | None = None
        self.inc = 0
        self._terms = terms
        self._me = me
        self._nodes = nodes
        self._inbox = Inbox()

    def receive(self, data: bytes) -> list[Any]:
        """The messages that are complete now.

        Raises:
            PeerError: what arrived is no memrep of this version, or one with another list of nodes. The text
                is the reason to be logged, and to be sent back as `Sorry` before the greeting is accepted.
        """
        bodies = self._inbox.feed(data)
        if self.node is None and bodies:
            self._greet(bodies.pop(0))
        try:
            return [_DECODE(body) for body in bodies]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PeerError(f"a message that cannot be read: {error}") from None

    def _greet(self, body: bytes) -> None:
        try:
            hello = _DECODE_HELLO(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise PeerError("the greeting is not that of a memrep node") from None
        if hello.wire != WIRE_VERSION:
            raise PeerError(f"it speaks version {hello.wire} of the nodes' protocol, this node {WIRE_VERSION}")
        if hello.nodes != self._nodes:
            raise PeerError(
                "its --nodes list is " + ",".join(hello.nodes) + ", this node's is " + ",".join(self._nodes)
            )
        if hello.terms != self._terms:
            raise PeerError(f"it runs with {hello.terms}, this node with {self._terms}")
        if hello.node == self._me or not 1 <= hello.node <= len(self._nodes):
            raise PeerError(f"it claims to be node {hello.node} of the list")
        self.node, self.inc = hello.node, hello.inc


class Outgoing:
    """The sending end of a link, which hears nothing but why it was turned away."""

    def __init__(self) -> None:
        self._inbox = Inbox()

    def receive(self, data: bytes) -> str | None:
        """The reason, if the other side has given one.

        Raises:
            PeerError: it said something else.
        """
        try:
            bodies = self._inbox.feed(data)
            return _DECODE_SORRY(bodies[0]).reason if bodies else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise PeerError("the answer is not that of a memrep node") from None
