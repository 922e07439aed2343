"""Clients whose every answer is checked while system calls fail: they may be refused or cut, never lied to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PATIENCE_S: Final = 1.0
_KEYS: Final = 8


class Load:
    """One client that writes and reads its own keys, on a connection for each round.

    Args:
        name: tells it apart from others.
        ports: where the nodes are; it asks them in turn.
    """

    def __init__(self, name: str, ports: list[int]) -> None:
        self.wrong: list[str] = []
        self.answers = 0
        self._name = name
        self._ports = ports
        self._round = 0
        self._may_be: dict[str, set[bytes | None]] = {}  # what a read may find of each key

    def go_on(self) -> None:
        """Write one value, and read it again, at one of the nodes each."""
        self._round += 1
        key = f"{self._name}.{self._round % _KEYS}"
        value = b"%d" % self._round
        may_be = self._may_be.setdefault(key, {None})
        may_be.add(value)
        reply = self._ask(b"set %s 0 0 %d\r\n%s\r\n" % (key.encode(), len(value), value), b"\r\n")
        if reply == b"STORED\r\n":
            self._may_be[key] = {value}
        self._read(key)

    def check(self, port: int) -> str:
        """What is wrong with the answers of this node now; "" if nothing is."""
        for key in self._may_be:
            if not self._read(key, port):
                return f"does not answer for {key}"
        return self.wrong[0] if self.wrong else ""

    def _read(self, key: str, port: int | None = None) -> bool:
        reply = self._ask(b"get %s\r\n" % key.encode(), b"END\r\n", port)
        if not reply.endswith(b"END\r\n"):
            return False
        found = reply.split(b"\r\n")[1] if reply.startswith(b"VALUE ") else None
        if found not in self._may_be[key]:
            self.wrong.append(f"{key} is {found!r}, must be of {self._may_be[key]!r}")
        self._may_be[key] = {found}
        return True

    def _ask(self, command: bytes, end: bytes, port: int | None = None) -> bytes:
        port = port or self._ports[self._round % len(self._ports)]
        reply = b""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as client:
                client.sendall(command)
                while not reply.endswith(end):
                    received = client.recv(65536)
                    if not received:
                        return b""
                    reply += received
        except OSError:
            return b""
        self.answers += 1
        return reply


@contextmanager
def under(loads: list[Load]) -> Iterator[None]:
    """Let them go on as long as this lasts."""
    over = threading.Event()

    def run(load: Load) -> None:
        while not over.is_set():
            load.go_on()
            time.sleep(0.005)

    threads = [threading.Thread(target=run, args=(load,)) for load in loads]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
