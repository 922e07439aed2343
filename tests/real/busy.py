"""What keeps a node busy: crowds of big writers, a loader, programs that want the CPU; and who looks on.

All of it is real: sockets, processes, the kernel's scheduler. Each load ends by itself.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

from .processes import HOST

_CHUNK: Final = 1 << 16

#: What PHP does with all its CPU, for a bounded time.
_SPIN: Final = """
import os, time
end = time.monotonic() + {seconds}
while time.monotonic() < end and os.getppid() == {parent}:
    sum(range(20_000))
"""


class _Writer:
    """A client that sends one value, and keeps what it is told."""

    def __init__(self, port: int, key: str, size: int) -> None:
        self.told = b""
        self.closed = False
        head = b"set %b 0 0 %d\r\n" % (key.encode(), size)
        self.unsent = memoryview(head + b"v" * size + b"\r\n")
        self.sock = socket.create_connection((HOST, port), timeout=10)
        self.sock.setblocking(False)

    @property
    def done(self) -> bool:
        return self.closed or self.told.endswith(b"\r\n")

    def go_on(self, events: int) -> None:
        """Send and receive as far as that goes now."""
        try:
            if events & selectors.EVENT_WRITE and self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent[:_CHUNK]) :]
            if events & selectors.EVENT_READ:
                data = self.sock.recv(1000)
                self.told += data
                self.closed = not data
        except BlockingIOError:
            pass
        except OSError as error:
            self.told += str(error).encode()
            self.closed = True


def crowd(port: int, count: int, size: int, seconds: float) -> list[bytes]:
    """So many clients send one value of this size each, all at once; what each was told in this time."""
    writers = [_Writer(port, f"crowd{number}", size) for number in range(count)]
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for writer in writers:
            selector.register(writer.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, writer)
        while selector.get_map() and time.monotonic() < deadline:
            for key, events in selector.select(1):
                writer = key.data
                writer.go_on(events)
                if writer.done:
                    selector.unregister(writer.sock)
                elif not writer.unsent and key.events & selectors.EVENT_WRITE:
                    selector.modify(writer.sock, selectors.EVENT_READ, writer)
    for writer in writers:
        writer.sock.close()
    return [writer.told for writer in writers]


def load(port: int, count: int, pipeline: int, size: int) -> int:
    """Store so many sessions, so many commands at a time; how many were answered by STORED."""
    value = b"s" * size
    stored = 0
    with socket.create_connection((HOST, port), timeout=30) as sock:
        for first in range(0, count, pipeline):
            numbers = range(first, min(count, first + pipeline))
            sock.sendall(b"".join(b"set session%d 0 3600 %d\r\n%b\r\n" % (n, size, value) for n in numbers))
            told = b""
            while told.count(b"\n") < len(numbers):
                data = sock.recv(1 << 16)
                if not data:
                    return stored
                told += data
            stored += told.count(b"STORED\r\n")
    return stored


@contextmanager
def spinning(count: int, seconds: float) -> Iterator[None]:
    """So many programs use all the CPU that they get, as PHP does; for this time at most.

    Each has a session of its own, as services have, or the kernel might take them for one (autogroup).
    """
    script = _SPIN.format(seconds=seconds, parent=os.getpid())
    programs = [subprocess.Popen([sys.executable, "-c", script], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


class Onlooker:
    """Somebody who asks each node for something small again and again, and notes how long that took.

    Attributes:
        slowest: the longest wait for an answer, s.
        broken: connections that were closed under it.
        answers: how many there were.
    """

    def __init__(self, ports: list[int], pause_s: float = 0.02) -> None:
        self.slowest = 0.0
        self.broken: list[str] = []
        self.waits: list[float] = []
        self._ports = ports
        self._pause_s = pause_s
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._look, args=(port,)) for port in ports]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def answers(self) -> int:
        return len(self.waits)

    def _look(self, port: int) -> None:
        number = 0
        sock: socket.socket | None = None
        while not self._over.wait(self._pause_s):
            number += 1
            began = time.monotonic()
            try:
                sock = sock or socket.create_connection((HOST, port), timeout=10)
                for said in (b"set look%d 0 60 5\r\n%05d\r\n" % (port, number), b"get look%d\r\n" % port):
                    sock.sendall(said)
                    told = b""
                    while not told.endswith((b"STORED\r\n", b"END\r\n")):
                        data = sock.recv(1000)
                        if not data:
                            raise ConnectionError(f"closed after {told!r}")
                        told += data
                assert b"%05d" % number in told, told
            except OSError as error:
                self.broken.append(f"{port}: {error}")
                if sock is not None:
                    sock.close()
                sock = None
            self.waits.append(time.monotonic() - began)
            self.slowest = max(self.slowest, self.waits[-1])
        if sock is not None:
            sock.close()
