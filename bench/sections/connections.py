"""Many clients that are connected and say nothing: what each costs, and whether the others notice."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from typing import Final

from bench.load import Load
from bench.load import measure as load_and_measure
from bench.peers import BY_REDIS, ONE_NODE, CannotMeasure, Servers, Start, resident
from bench.rounds import Figures, Scale, Shapes, measured
from bench.sections.idle import idle
from tests.real.processes import HOST

TITLE: Final = "Idle connections"
NOTE: Final = (
    "Resident memory that the server's process grows by; the kernel's for both ends comes on top. "
    "Each has been answered once. The others' latency is that of 500 requests a second on 32 connections."
)

_COUNTS: Final = (1_000, 10_000)
_SPARE: Final = 500
_GREETINGS: Final = {"memcached": b"version\r\n", "redis": b"PING\r\n"}


def measure(scale: Scale) -> Shapes:
    """With some, and with many."""
    _allow(max(_COUNTS) + _SPARE)
    load = Load("mixed", scale.seconds, 500)

    def turn(start: Start) -> dict[str, Figures]:
        found: dict[str, Figures] = {}
        with start(64) as servers, ExitStack() as clients:
            without = load_and_measure(servers, load)
            before = resident(servers.pids)
            here = 0
            for count in _COUNTS:
                _connect(servers, count - here, clients)
                here = count
                found[f"{count} connections"] = {
                    "KB a connection": (resident(servers.pids) - before) / count / 1024,
                    **idle(servers, scale.seconds),
                    "others' p99 us": load_and_measure(servers, load).p99_us,
                    "p99 us without": without.p99_us,
                }
        return found

    alone = {name: start for name, start in ONE_NODE.items() if name != BY_REDIS}
    return measured(alone, 1 if scale.quick else scale.rounds, turn)


def _allow(files: int) -> None:
    """Let this process, and the servers that it starts, have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < files:
        raise CannotMeasure(f"at most {hard} open files are allowed here, {files} are needed: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))


def _connect(servers: Servers, count: int, clients: ExitStack) -> None:
    """So many more clients that are answered once and then say nothing."""
    for _ in range(count):
        client = clients.enter_context(socket.create_connection((HOST, servers.ports[0]), timeout=30))
        client.sendall(_GREETINGS[servers.protocol])
        if not client.recv(100):
            raise CannotMeasure("the server does not take so many connections")
