"""The servers that are measured beside each other, and what the kernel says of them.

Each is a set of processes that starts afresh on free ports, without a disk and with one thread for its clients,
and that ends with its block: one memrep or three, as many memcacheds (which know nothing of each other), one
redis-server, or one with two replicas. All are as urgent as memrep's unit makes memrep, where the kernel lets
us: a node that others keep from the CPU takes itself for stopped, which is right and not what is asked here.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import Final

import attrs

from bench.asking import HOST, ask, wait_until
from tests.real.processes import NODE_LINK_OFFSET, PortLease
from tests.real.urgency import as_the_unit_runs

_STOP_S: Final = 5.0
_CLIENTS_MAX: Final = 12_000


class CannotMeasure(Exception):
    """What is needed is not here; the message says what."""


@attrs.define(eq=False)
class Servers:
    """Running processes that serve as one.

    Attributes:
        ports: where clients come, spread evenly.
        processes: all of them, replicas as well.
        protocol: what is spoken at the ports: "memcached" or "redis".
        replicas: how many replicas a client of Redis waits for behind each write.
    """

    ports: list[int]
    processes: list[subprocess.Popen[bytes]]
    protocol: str = "memcached"
    replicas: int = 0

    @property
    def pids(self) -> list[int]:
        """Their process ids."""
        return [process.pid for process in self.processes]


#: Starts servers with this many MB of memory each.
Start = Callable[[int], AbstractContextManager[Servers]]


def program(name: str) -> str:
    """The path of a program that has to be there."""
    path = shutil.which(name)
    if path is None:
        raise CannotMeasure(f"{name} is not installed; apt-get install {name}")
    return path


def launch(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a server, as urgent as memrep's unit makes memrep.

    It has a terminal's session of its own, or this process would become as urgent. What is set for a memrep
    elsewhere is not meant for it.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}
    return subprocess.Popen(
        as_the_unit_runs(command),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
        start_new_session=True,
    )


@contextmanager
def running(commands: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with the block: asked together, and killed if they do not.

    They would outlive a SIGTERM to this one: it ends the block as Ctrl-C does.
    """
    processes: list[subprocess.Popen[bytes]] = []
    before_us = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for command in commands:
            processes.append(launch(command))
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        signal.signal(signal.SIGTERM, before_us)


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """So many ports that nobody else takes meanwhile."""
    lease = PortLease(count, offsets=(0, NODE_LINK_OFFSET))
    try:
        yield lease.ports
    finally:
        lease.close()


def memrep_command(ports: Sequence[int], own: int, megabytes: int) -> list[str]:
    """How the node at one of these ports is started; one that is alone has no peers."""
    command = [sys.executable, "-m", "memrep", "serve", "--self", f"{HOST}:{own}"]
    command += ["-m", str(megabytes), "-c", str(_CLIENTS_MAX), "--drain", "0"]
    return command + (["--nodes", ",".join(f"{HOST}:{port}" for port in ports)] if len(ports) > 1 else [])


def serves_among(port: int, count: int) -> bool:
    """Whether this node serves, and all others beside it."""
    if count == 1:
        return ask(port, b"version\r\n", b"\r\n").startswith(b"VERSION")
    told = ask(port, b"stats cluster\r\n", b"END\r\n").decode()
    return "STAT state serving" in told and told.count(" serving, since") == count - 1


@contextmanager
def _memreps(count: int, megabytes: int) -> Iterator[Servers]:
    with (
        free_ports(count) as ports,
        running([memrep_command(ports, own, megabytes) for own in ports]) as processes,
    ):
        for port in ports:
            wait_until(partial(serves_among, port, count), f"memrep serves at {port}")
        yield Servers(ports, processes)


@contextmanager
def _memreps_by_redis(count: int, megabytes: int) -> Iterator[Servers]:
    with free_ports(2 * count) as free:
        ports, redis = free[:count], free[count:]
        commands = [
            [*memrep_command(ports, own, megabytes), "--redis", str(its_redis)]
            for own, its_redis in zip(ports, redis, strict=True)
        ]
        with running(commands) as processes:
            for port in ports:
                wait_until(partial(serves_among, port, count), f"memrep serves at {port}")
            yield Servers(redis, processes, "redis")


@contextmanager
def _memcacheds(count: int, megabytes: int) -> Iterator[Servers]:
    options = ["-U", "0", "-t", "1", "-u", "nobody", "-l", HOST, "-c", str(_CLIENTS_MAX), "-m", str(megabytes)]
    command = [program("memcached"), *options]
    with free_ports(count) as ports, running([[*command, "-p", str(port)] for port in ports]) as processes:
        for port in ports:
            wait_until(partial(serves_among, port, 1), f"memcached serves at {port}")
        yield Servers(ports, processes)


@contextmanager
def _redis(replicas: int, megabytes: int) -> Iterator[Servers]:
    """One that evicts what was used least recently, as the others do."""
    command = [program("redis-server"), "--bind", HOST, "--save", "", "--appendonly", "no"]
    command += ["--maxmemory", f"{megabytes}mb", "--maxmemory-policy", "allkeys-lru"]
    command += ["--maxclients", str(_CLIENTS_MAX), "--repl-diskless-sync-delay", "0"]
    with TemporaryDirectory() as folder, free_ports(1 + replicas) as ports:
        command += ["--dir", folder]  # a replica writes down what it fetches at first
        commands = [[*command, "--port", str(port)] for port in ports]
        for each in commands[1:]:
            each += ["--replicaof", HOST, str(ports[0])]
        with running(commands) as processes:
            for port in ports:
                wait_until(partial(_redis_serves, port, replicas, ports[0]), f"redis at {port}")
            yield Servers(ports[:1], processes, "redis", replicas)


def _redis_serves(port: int, replicas: int, primary: int) -> bool:
    if not ask(port, b"PING\r\n", b"\r\n").startswith(b"+PONG"):
        return False
    online = b"state=online" if port == primary else b"master_link_status:up"
    told = ask(port, b"INFO replication\r\nPING\r\n", b"+PONG\r\n")
    return told.count(online) == (replicas if port == primary else 1)


BY_REDIS: Final = "memrep, Redis' protocol"
#: Alone. Those of another protocol than memcached's stand behind memrep with their protocol.
ONE_NODE: Final[dict[str, Start]] = {
    "memrep": lambda megabytes: _memreps(1, megabytes),
    "memcached": lambda megabytes: _memcacheds(1, megabytes),
    BY_REDIS: lambda megabytes: _memreps_by_redis(1, megabytes),
    "redis-server": lambda megabytes: _redis(0, megabytes),
}
#: Three that replicate, three memcacheds that do not, and Redis as it is told to wait for its replicas.
THREE_NODES: Final[dict[str, Start]] = {
    "memrep x3": lambda megabytes: _memreps(3, megabytes),
    "memcached x3": lambda megabytes: _memcacheds(3, megabytes),
    "redis-server + 2, WAIT 2": lambda megabytes: _redis(2, megabytes),
}


#: The same for clients of Redis that do not know WAIT.
THREE_BY_REDIS: Final[dict[str, Start]] = {
    "memrep x3": lambda megabytes: _memreps_by_redis(3, megabytes),
    "redis-server + 2": lambda megabytes: _redis(2, megabytes),
}

#: Alone, each once: where the protocol makes no difference.
ALONE: Final[dict[str, Start]] = {name: start for name, start in ONE_NODE.items() if name != BY_REDIS}
