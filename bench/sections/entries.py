"""What an entry costs beside its key and value: the growth of a whole process while it is filled.

bench/memory.py asks the same of a store alone, which is what ENTRY_BYTES is set by.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from bench.peers import BY_REDIS, ONE_NODE, Servers, Start, resident
from bench.rounds import Figures, Scale, Shapes, measured
from tests.real.processes import HOST

TITLE: Final = "Memory of an entry"
NOTE: Final = (
    "Growth of resident memory, all of the process counted, with keys of 40 and values of 500 bytes that "
    "expire. memcached rounds sizes up to those of its slabs, so its figure depends on the size."
)

VALUE_BYTES: Final = 500
_KEY: Final = b"memc.sess.key.%026d"
KEY_BYTES: Final = len(_KEY % 0)
_BATCH: Final = 500
_LIVES_S: Final = 14_400
_TIMEOUT_S: Final = 60.0
_ENTRIES: Final = {True: 100_000, False: 500_000}


def measure(scale: Scale) -> Shapes:
    """Fill each of them once a round."""
    entries = _ENTRIES[scale.quick]

    def turn(start: Start) -> dict[str, Figures]:
        with start(entries * 2_000 >> 20) as servers:
            fill(servers, _BATCH)
            before = resident(servers.pids)
            fill(servers, entries, begin=_BATCH)
            grown = resident(servers.pids) - before
        return {f"{entries} entries": {"bytes": grown / (entries - _BATCH) - KEY_BYTES - VALUE_BYTES}}

    alone = {name: start for name, start in ONE_NODE.items() if name != BY_REDIS}
    return measured(alone, scale.rounds, turn)


def fill(servers: Servers, end: int, begin: int = 0, size: int = VALUE_BYTES, lives_s: int = _LIVES_S) -> None:
    """Write sessions of these numbers to the first of the servers, in pipelines; they expire all together.

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
                keys = range(begin, min(begin + _BATCH, end))
                client.sendall(b"".join(_sets(servers.protocol, keys, size, expires)))
                answer = b"STORED\r\n" if servers.protocol == "memcached" else b"+OK\r\n"
                _expect(client, answer * len(keys))
                begin = keys.stop
        if any(process.poll() is not None for process in servers.processes):
            raise RuntimeError("a server ended while it was filled")


def _sets(protocol: str, keys: range, size: int, expires: int) -> Iterator[bytes]:
    for i in keys:
        key, value = _KEY % i, (b"%d:" % i).ljust(size, b"x")
        if protocol == "memcached":
            yield b"set %b 0 %d %d\r\n%b\r\n" % (key, expires, size, value)
        else:
            words = (b"SET", key, value, b"EXAT", b"%d" % expires)
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
