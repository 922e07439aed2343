"""A client of the admin socket, as curl is one."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

#: More than any answer takes, even on a busy machine.
PATIENCE_S = 15


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, target: str) -> tuple[int, str]:
    """The status and the body of what is answered.

    Raises:
        OSError: nobody answers there.
    """
    return _ask(path, "GET", target, None)


def post(path: Path, target: str, body: bytes = b"") -> tuple[int, str]:
    """The same where something is to be done.

    Raises:
        OSError: nobody answers there.
    """
    return _ask(path, "POST", target, body)


def _ask(path: Path, method: str, target: str, body: bytes | None) -> tuple[int, str]:
    connection = _UnixConnection(path)
    try:
        connection.request(method, target, body)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
