"""Many clients that are connected and say nothing: what each costs, and whether the others notice."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack, suppress
from functools import partial
from typing import Final

from bench.asking import HOST, START_S, wait_until
from bench.costs import resident
from bench.load import Load
from bench.loading import measure as load_and_measure
from bench.peers import ALONE, CannotMeasure, Servers, Start
from bench.rounds import Figures, Scale, Shapes, measured
from bench.sections.idle import idle

TITLE: Final = "Idle connections"
NOTE: Final = (
    "Resident memory that the server's process grows by; the kernel's for both ends comes on top. "
    "Each has been answered once. The others' latency is that of 500 requests a second on 32 connections, "
    "before any of these came and beside them."
)
EXPECTED_S: Final = {True: 25, False: 210}

_COUNTS: Final = (1_000, 10_000)
_SPARE: Final = 2_500
_TOGETHER: Final = 100
_ROUNDS_MAX: Final = 3
_GREETINGS: Final = {"memcached": b"version\r\n", "redis": b"PING\r\n"}


def measure(scale: Scale) -> Shapes:
    """With some, and with many."""
    _allow(max(_COUNTS) + _SPARE)
    load = Load("mixed", scale.seconds, 500)

    def turn(start: Start) -> dict[str, Figures]:
        found: dict[str, Figures] = {}
        with start(512) as servers, ExitStack() as clients:
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

    return measured(ALONE, 1 if scale.quick else min(scale.rounds, _ROUNDS_MAX), turn)


def _allow(files: int) -> None:
    """Let this process, and the servers that it starts, have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < files:
        raise CannotMeasure(f"at most {hard} open files are allowed here, {files} are needed: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))


def _connect(servers: Servers, count: int, clients: ExitStack) -> None:
    """So many more clients that are answered once and then say nothing; who is hung up on comes again."""
    wanted = count
    while wanted:
        crowd = wait_until(partial(_crowd, servers, min(_TOGETHER, wanted)), "the server takes clients")
        for client in crowd:
            clients.enter_context(client)
        wanted -= len(crowd)
        if servers.processes[0].poll() is not None:
            raise RuntimeError("the server ended while clients came")


def _crowd(servers: Servers, count: int) -> list[socket.socket]:
    """Those of so many who were answered."""
    crowd = [socket.create_connection((HOST, servers.ports[0]), timeout=START_S) for _ in range(count)]
    for client in crowd:
        client.sendall(_GREETINGS[servers.protocol])
    return [client for client in crowd if _is_answered(client)]


def _is_answered(client: socket.socket) -> bool:
    with suppress(ConnectionError):
        if client.recv(100):
            return True
    client.close()
    return False
