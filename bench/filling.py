"""Very many sessions at once: sets in pipelines, so that filling takes a fraction of a minute."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from bench.asking import HOST
from bench.peers import Servers

VALUE_BYTES: Final = 500
KEY: Final = b"memc.sess.key.%026d"
KEY_BYTES: Final = len(KEY % 0)
BATCH: Final = 500
_LIVES_S: Final = 14_400
_TIMEOUT_S: Final = 60.0


def fill(
    servers: Servers,
    end: int,
    begin: int = 0,
    *,
    size: int = VALUE_BYTES,
    lives_s: int = _LIVES_S,
    key: bytes = KEY,
) -> None:
    """Write entries of these numbers to the first of the servers; they expire all together.

    A node that a busy machine keeps from the CPU for too long hangs up on its clients: what may not have
    arrived is written again.
    """
    expires = int(time.time()) + lives_s
    while begin < end:
        with (
            suppress(ConnectionError),
            socket.create_connection((HOST, servers.ports[0]), timeout=_TIMEOUT_S) as client,
        ):
            while begin < end:
                numbers = range(begin, min(begin + BATCH, end))
                client.sendall(b"".join(_sets(servers.protocol, key, numbers, size, expires)))
                answer = b"STORED\r\n" if servers.protocol == "memcached" else b"+OK\r\n"
                _expect(client, answer * len(numbers))
                begin = numbers.stop
        if any(process.poll() is not None for process in servers.processes):
            raise RuntimeError("a server ended while it was filled")


def _sets(protocol: str, key: bytes, numbers: range, size: int, expires: int) -> Iterator[bytes]:
    for i in numbers:
        name, value = key % i, (b"%d:" % i).ljust(size, b"x")[:size]
        if protocol == "memcached":
            yield b"set %b 0 %d %d\r\n%b\r\n" % (name, expires, size, value)
        else:
            words = (b"SET", name, value, b"EXAT", b"%d" % expires)
            yield b"*5\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def _expect(client: socket.socket, answer: bytes) -> None:
    received = b""
    while len(received) < len(answer):
        came = client.recv(1 << 16)
        if not came:
            raise ConnectionResetError("the server closed the connection")
        received += came
    if received != answer:
        raise RuntimeError(f"wrong answer: {received[:80]!r}")
