"""A connection to a server of the old store: whole lines and counted bytes, as trio's tasks read them.

A server is called at all addresses of its name, one after another. Whoever waits bounds the time; whatever goes
wrong here is one error that says why in a few words.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Final, Self

import trio

from memrep.daemon.guard import in_words
from memrep.daemon.names import NOT_NOW, Endpoint
from memrep.handlers.places import Server

#: How long a line of an answer may be, bytes.
_LINE_MAX: Final = 1 << 16

_CHUNK: Final = 1 << 16

#: Looks up the addresses of a host and port.
LookUp = Callable[[str, int], Awaitable[list[Endpoint]]]


class SilentError(Exception):
    """A server does not answer, or not as it should; the text says why, in a few words."""


class OldStream:
    """A connection to one server.

    Args:
        stream: what it is made of.
    """

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self._stream = stream
        self._data = bytearray()

    @classmethod
    async def to(cls, server: Server, look_up: LookUp) -> Self:
        """Return a new connection to this server.

        Raises:
            SilentError: there is none to be had.
        """
        try:
            if server.path:
                return cls(await trio.open_unix_socket(server.path))
            error: Exception = SilentError("its name has no address")
            for endpoint in await look_up(server.host, server.port):
                sock = trio.socket.socket(endpoint.family, socket.SOCK_STREAM)
                with ExitStack() as given_back:
                    given_back.callback(sock.close)
                    try:
                        await sock.connect(endpoint.where)
                    except OSError as failed:
                        error = failed
                        continue
                    given_back.pop_all()
                return cls(trio.SocketStream(sock))
        except NOT_NOW as failed:
            error = failed
        raise SilentError(in_words(error)) from None

    async def send(self, data: bytes) -> None:
        """Send all of this.

        Raises:
            SilentError: the connection is gone.
        """
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise SilentError("it hangs up") from None

    async def line(self) -> bytes:
        """Return the next line, without its end.

        Raises:
            SilentError: there is none.
        """
        while (end := self._data.find(b"\n")) < 0:
            if len(self._data) > _LINE_MAX:
                raise SilentError("it says more than a line")
            await self._more()
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        return line.removesuffix(b"\r")

    async def exactly(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            SilentError: there are fewer.
        """
        while len(self._data) < size:
            await self._more()
        data = bytes(self._data[:size])
        del self._data[:size]
        return data

    async def _more(self) -> None:
        try:
            data = await self._stream.receive_some(_CHUNK)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if not data:
            raise SilentError("it hangs up")
        self._data += data

    async def close(self) -> None:
        """End it at once."""
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(self._stream)
