"""An admin socket with answers that were prepared, in a thread; and what a command makes of them."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from memrep.cli.main import main
from memrep.status.facts import Status

#: A thread that is told to end does so at once; this is for one that does not, s.
PATIENCE_S = 15


def http(status: Status) -> bytes:
    """What a node answers."""
    return b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + msgspec.json.encode(status)


def _is_complete(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(end) and len(body) == (int(length[1]) if length else 0)


@contextmanager
def answering(listener: socket.socket, *answers: bytes) -> Iterator[list[bytes]]:
    """Give each who asks the next of these answers, and then always the last; the requests go into a list."""
    asked: list[bytes] = []

    def answer() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # the test is over
            with client:
                request = b""
                while not _is_complete(request):
                    request += client.recv(1 << 16)
                asked.append(request)
                with suppress(OSError):  # whoever asks may have heard enough
                    client.sendall(answers[min(len(asked), len(answers)) - 1])

    thread = threading.Thread(target=answer)
    listener.listen()
    thread.start()
    try:
        yield asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(PATIENCE_S)


@contextmanager
def admin_socket(path: Path, *answers: Status | bytes) -> Iterator[list[bytes]]:
    """Answer at this path."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    said = [http(answer) if isinstance(answer, Status) else answer for answer in answers]
    with answering(listener, *said) as asked:
        yield asked
    path.unlink()


class Done(NamedTuple):
    """What a command has said, and its exit status."""

    code: int
    out: str
    err: str


def run(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> Done:
    """Run `memrep` with these arguments, in this process."""
    code = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        assert isinstance(end.code, int)
        code = end.code
    return Done(code, *capfd.readouterr())
