"""One question to a server over a connection of its own, and waiting for something with a bound."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Final, TypeVar

Told = TypeVar("Told")

HOST: Final = "127.0.0.1"
#: A server that has not started, or not answered, by then does not.
START_S: Final = 30.0


def ask(port: int, question: bytes, end: bytes) -> bytes:
    """The answer, which ends with these bytes."""
    with socket.create_connection((HOST, port), timeout=START_S) as client:
        client.sendall(question)
        answer = b""
        while not answer.endswith(end):
            received = client.recv(1 << 16)
            if not received:
                raise ConnectionResetError(f"port {port} closed the connection after {answer!r}")
            answer += received
        return answer


def stats(port: int, group: str = "") -> dict[str, str]:
    """A group of a memrep's statistics, or memcached's."""
    told = ask(port, f"stats {group}".strip().encode() + b"\r\n", b"END\r\n").decode()
    return dict(line.split(" ", 2)[1:] for line in told.splitlines()[:-1])


def wait_until(asked: Callable[[], Told], what: str, within_s: float = START_S) -> Told:
    """What it says, once that is something; who is not there, or hangs up, says nothing yet."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            if told := asked():
                return told
        except ConnectionError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s} s: {what}")
        time.sleep(0.01)
