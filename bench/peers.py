"""The servers that are measured beside each other, and what the kernel says of them.

Each is a set of processes that starts afresh on free ports, without a disk and with one thread for its clients,
and that ends with its block: one memrep or three, as many memcacheds (which know nothing of each other), one
redis-server, or one with two replicas. What they cost is what the kernel counts, summed over the set: time on a
CPU (/proc/PID/task/*/schedstat, exact to the nanosecond, user and system together) and resident memory.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

import attrs

from tests.real.processes import HOST, NODE_LINK_OFFSET, PortLease

Told = TypeVar("Told")

START_S: Final = 30.0
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


def cpu_s(pids: Sequence[int]) -> float:
    """Seconds on the CPU of all threads of these processes."""
    threads = (thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def resident(pids: Sequence[int]) -> int:
    """Bytes of resident memory of these processes."""
    return sum(_resident(pid) for pid in pids)


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def program(name: str) -> str:
    """The path of a program that has to be there."""
    path = shutil.which(name)
    if path is None:
        raise CannotMeasure(f"{name} is not installed; apt-get install {name}")
    return path


def ask(port: int, question: bytes, end: bytes) -> bytes:
    """The answer to one question over a connection of its own."""
    with socket.create_connection((HOST, port), timeout=START_S) as client:
        client.sendall(question)
        answer = b""
        while not answer.endswith(end):
            received = client.recv(1 << 16)
            if not received:
                raise ConnectionResetError(f"port {port} closed the connection after {answer!r}")
            answer += received
        return answer


def wait_until(asked: Callable[[], Told], what: str, within_s: float = START_S) -> Told:
    """What it says, once that is something; who is not there yet says nothing."""
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


@contextmanager
def _running(commands: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with the block: asked together, and killed if they do not."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            processes.append(
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_env())
            )
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


def _env() -> dict[str, str]:
    """What is set for a memrep elsewhere is not meant for these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}


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
        _running([memrep_command(ports, own, megabytes) for own in ports]) as processes,
    ):
        for port in ports:
            wait_until(lambda port=port: serves_among(port, count), f"memrep serves at {port}")  # type: ignore[misc]
        yield Servers(ports, processes)


@contextmanager
def _memrep_by_redis(megabytes: int) -> Iterator[Servers]:
    with (
        free_ports(2) as (port, redis),
        _running([[*memrep_command([port], port, megabytes), "--redis", str(redis)]]) as processes,
    ):
        wait_until(lambda: serves_among(port, 1), f"memrep serves at {port}")
        yield Servers([redis], processes, "redis")


@contextmanager
def _memcacheds(count: int, megabytes: int) -> Iterator[Servers]:
    options = ["-U", "0", "-t", "1", "-u", "nobody", "-l", HOST, "-c", str(_CLIENTS_MAX), "-m", str(megabytes)]
    command = [program("memcached"), *options]
    with free_ports(count) as ports, _running([[*command, "-p", str(port)] for port in ports]) as processes:
        for port in ports:
            wait_until(lambda port=port: serves_among(port, 1), f"memcached serves at {port}")  # type: ignore[misc]
        yield Servers(ports, processes)


@contextmanager
def _redis(replicas: int) -> Iterator[Servers]:
    """Without a limit of memory: Redis counts its clients' buffers, too, and refuses writes beyond it."""
    command = [program("redis-server"), "--bind", HOST, "--save", "", "--appendonly", "no"]
    command += ["--maxclients", str(_CLIENTS_MAX), "--repl-diskless-sync-delay", "0"]
    with TemporaryDirectory() as folder, free_ports(1 + replicas) as ports:
        command += ["--dir", folder]  # a replica writes down what it fetches at first
        commands = [[*command, "--port", str(port)] for port in ports]
        for each in commands[1:]:
            each += ["--replicaof", HOST, str(ports[0])]
        with _running(commands) as processes:
            for port in ports:
                wait_until(lambda port=port: _redis_serves(port, replicas, ports[0]), f"redis at {port}")  # type: ignore[misc]
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
    BY_REDIS: _memrep_by_redis,
    "redis-server": lambda _: _redis(0),
}
#: Three that replicate, three memcacheds that do not, and Redis as it is told to wait for its replicas.
THREE_NODES: Final[dict[str, Start]] = {
    "memrep x3": lambda megabytes: _memreps(3, megabytes),
    "memcached x3": lambda megabytes: _memcacheds(3, megabytes),
    "redis-server + 2, WAIT 2": lambda _: _redis(2),
}
