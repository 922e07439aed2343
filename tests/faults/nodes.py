"""The nodes under test: real processes, addressed by their index.

They run on loopback here, and each in a network namespace of its own in `network`. `Memcacheds` and `Redises`
are plain memcacheds and redis-servers behind the same interface: they lose and age what they hold, so the
checks must say so.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

from tests.faults.protocols import MEMCACHED, REDIS, Speaks
from tests.real.processes import CHECKOUT, HOST, NODE_LINK_OFFSET, Child, Family, PortLease, find_program, until
from tests.real.urgency import as_the_unit_runs

WHOLE_TIMEOUT_S: Final = 15.0
STOP_TIMEOUT_S: Final = 10.0

#: From memcached's port to Redis'.
REDIS_OFFSET: Final = 5_000


class Nodes(Family):
    """Nodes on loopback.

    Args:
        count: how many.
        directory: where their logs go.
        options: more options for `memrep serve`.

    Attributes:
        protocols: what they speak.
        addresses: host and memcached's port of each.
        redis_ports: Redis' port of each.
        disks: whether each has a data directory.
    """

    protocols: ClassVar[tuple[Speaks, ...]] = (MEMCACHED, REDIS)

    def __init__(self, count: int, directory: Path, options: Sequence[str] = ()) -> None:
        super().__init__()
        self.count = count
        self.directory = directory
        self.options = options
        self.disks = False
        self.addresses: list[tuple[str, int]] = []
        self.redis_ports: list[int] = []
        self._wanted: set[int] = set()
        self._lease: PortLease | None = None

    def __enter__(self) -> Self:
        self.addresses = self.find_addresses()
        try:
            for i in range(self.count):
                self.start(i)
            until(self.whole, WHOLE_TIMEOUT_S, "all nodes serve in the beginning")
        except BaseException as failure:
            self.__exit__(type(failure), failure, None)
            raise
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        if self._lease is not None:
            self._lease.close()

    def find_addresses(self) -> list[tuple[str, int]]:
        """Host and client port of each node."""
        self._lease = PortLease(self.count, offsets=(0, REDIS_OFFSET, NODE_LINK_OFFSET))
        self.redis_ports = [port + REDIS_OFFSET for port in self._lease.ports]
        return [(HOST, port) for port in self._lease.ports]

    def argv(self, i: int) -> list[str]:
        """The command that runs node i."""
        names = [f"{host}:{port}" for host, port in self.addresses]
        nodes = ",".join(f"tcp://{name}" for name in names)
        serve = [sys.executable, "-m", "memrep", "serve", "--nodes", nodes, "--self", names[i]]
        data = ["--data-dir", str(self.data(i))] if self.disks else []
        return [*serve, "--redis", str(self.redis_ports[i]), *data, *self.options]

    def data(self, i: int) -> Path:
        """The data directory of node i."""
        return self.directory / f"data{i}"

    def node(self, i: int) -> Child:
        """The process of node i."""
        return self.children[f"node{i}"]

    def start(self, i: int) -> None:
        """Start node i, without waiting for it."""
        env = {name: text for name, text in os.environ.items() if not name.startswith("MEMREP_")}
        env |= {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
        self.add(Child(f"node{i}", as_the_unit_runs(self.argv(i)), self.directory, env=env))
        self._wanted.add(i)

    def kill(self, i: int) -> None:
        """End node i with SIGKILL."""
        self._wanted.discard(i)
        self.node(i).kill()

    def stop(self, i: int) -> int:
        """End node i with SIGTERM; return its exit status."""
        self._wanted.discard(i)
        return self.node(i).terminate(STOP_TIMEOUT_S)

    def freeze(self, i: int) -> None:
        """SIGSTOP; return when it has taken effect."""
        self.node(i).process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.node(i).process.pid}/stat")
        until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", 5, f"node {i} is stopped")

    def thaw(self, i: int) -> None:
        """SIGCONT."""
        self.node(i).process.send_signal(signal.SIGCONT)

    def whole(self) -> bool:
        """Whether all nodes serve, and each knows that all do."""
        return all(self._knows_all(i) for i in range(self.count))

    def _knows_all(self, i: int) -> bool:
        told = self.stats(i)
        peers = [told.get(f"node:{host}:{port}", "") for j, (host, port) in enumerate(self.addresses) if j != i]
        return told.get("state") == "serving" and all(peer.startswith("serving") for peer in peers)

    def stats(self, i: int) -> dict[str, str]:
        """What node i tells of the cluster; nothing if it does not serve."""
        reply = b""
        try:
            with socket.create_connection(self.addresses[i], timeout=1) as client:
                client.sendall(b"stats cluster\r\n")
                while not reply.endswith(b"END\r\n"):
                    received = client.recv(65536)
                    if not received:
                        return {}
                    reply += received
        except OSError:
            return {}
        lines = (line.split(" ", 2) for line in reply.decode().splitlines()[:-1])
        return {line[1]: line[2] for line in lines if len(line) == 3}

    def misdeeds(self) -> list[str]:
        """Nodes that ended although nobody asked them to, and tracebacks."""
        ended = [i for i in sorted(self._wanted) if not self.node(i).running]
        told = [f"node {i} ended by itself, exit status {self.node(i).process.returncode}" for i in ended]
        for i in range(self.count):
            if "Traceback" in self.node(i).log.read_text(errors="replace"):
                told.append(f"node {i} logged a traceback")
        return told

    def last_words(self, lines: int) -> list[str]:
        """The ends of the nodes' logs."""
        return [self.node(i).last_words(lines) for i in range(self.count)]


class Strangers(Nodes):
    """Programs that do not know of each other."""

    def stop(self, i: int) -> int:
        """End it; its exit status after SIGTERM is its own matter."""
        super().stop(i)
        return 0

    def _knows_all(self, i: int) -> bool:
        host, port = self.addresses[i]
        try:
            socket.create_connection(
                (host, port if MEMCACHED in self.protocols else self.redis_ports[i]), 1
            ).close()
        except OSError:
            return False
        return True


class Memcacheds(Strangers):
    """Plain memcacheds."""

    protocols = (MEMCACHED,)

    def argv(self, i: int) -> list[str]:
        """The command that runs memcached i."""
        host, port = self.addresses[i]
        user = ["-u", "root"] if os.geteuid() == 0 else []
        return [find_program("memcached"), "-l", host, "-p", str(port), *user]


class Redises(Strangers):
    """Plain redis-servers."""

    protocols = (REDIS,)

    def argv(self, i: int) -> list[str]:
        """The command that runs redis-server i."""
        host, _ = self.addresses[i]
        port = str(self.redis_ports[i])
        return [
            find_program("redis-server"),
            "--bind",
            host,
            "--port",
            port,
            "--save",
            "",
            "--appendonly",
            "no",
        ]
