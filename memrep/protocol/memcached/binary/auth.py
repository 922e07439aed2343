"""Login by the binary protocol: its SASL commands list, auth, step; the mechanism itself is in sasl.py.

They are known only where the node has users; without any they are answered as commands that are none.
"""

from __future__ import annotations

from typing import Final

from memrep.protocol.memcached.binary import packet
from memrep.protocol.memcached.binary.client import BinaryClient
from memrep.protocol.memcached.binary.packet import response
from memrep.protocol.memcached.binary.request import Request

#: What no name of a SASL mechanism is longer than (RFC 4422 allows 20).
_MECHANISM_MAX: Final = 32


def mechanisms(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Tell the mechanisms."""
    assert client.login is not None
    client.login.begin()
    client.out.append(request.done(value=b"PLAIN"))


def auth(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Begin a login, and end it if the message has come with it."""
    assert client.login is not None
    chosen = client.login.choose(request.key)
    if len(request.key) > _MECHANISM_MAX:
        client.out.append(request.fails(packet.INVALID))
    elif chosen and not value:  # then a step brings it
        client.out.append(response(request.opcode, request.opaque, status=packet.AUTH_CONTINUE))
    else:
        step(client, request, extras, value)


def step(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Take the message of a login that has begun."""
    assert client.login is not None
    if client.login.admit(value):
        client.out.append(request.done(value=b"Authenticated"))
    else:
        client.out.append(request.fails(packet.AUTH_ERROR))
