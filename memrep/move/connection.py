"""One connection to a server: whole lines and counted bytes, with bounded patience.

A server that does not answer is told of in one line that names it; nothing here waits for ever.
"""

from __future__ import annotations

import socket
from typing import Final, Self

from memrep.handlers.places import Server

#: How long a server may take to answer, s: a memcached that lists a million keys sends all the while.
PATIENCE_S: Final = 10.0

#: How long a line of an answer may be, bytes.
_LINE_MAX: Final = 1 << 16


class UnansweredError(Exception):
    """A server does not answer, or not any more; the text is one line that says which, and why."""


class Connection:
    """A connection to a server.

    Args:
        server: where it is.

    Raises:
        UnansweredError: it is not there.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._data = bytearray()
        try:
            if server.path:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.settimeout(PATIENCE_S)
                self._socket.connect(server.path)
            else:
                self._socket = socket.create_connection((server.host, server.port), PATIENCE_S)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, UnicodeError) as error:
            raise UnansweredError(f"{server} does not answer: {_in_words(error)}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send all of this.

        Raises:
            UnansweredError: it cannot be sent.
        """
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise UnansweredError(f"{self.server} takes nothing any more: {_in_words(error)}") from None

    def line(self) -> bytes:
        """Return the next line, without its end.

        Raises:
            UnansweredError: none comes.
        """
        while (end := self._data.find(b"\n")) < 0:
            if len(self._data) > _LINE_MAX:
                raise UnansweredError(f"{self.server} says what no such server says; see which program that is")
            self._more()
        line = bytes(self._data[:end]).removesuffix(b"\r")
        del self._data[: end + 1]
        return line

    def exactly(self, count: int) -> bytes:
        """Return so many bytes.

        Raises:
            UnansweredError: they do not come.
        """
        while len(self._data) < count:
            self._more()
        data = bytes(self._data[:count])
        del self._data[:count]
        return data

    def _more(self) -> None:
        try:
            data = self._socket.recv(1 << 18)
        except OSError as error:
            raise UnansweredError(f"{self.server} does not answer: {_in_words(error)}") from None
        if not data:
            raise UnansweredError(f"{self.server} has closed the connection")
        self._data += data


def _in_words(error: OSError | UnicodeError) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {PATIENCE_S:g} s"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
