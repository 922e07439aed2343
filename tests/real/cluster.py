"""A cluster of real memrep daemons on loopback, whose nodes a test kills, stops and starts.

`Cluster` is entered with all nodes serving and left with none of its processes alive. A node that
ended although nobody asked it to, and a traceback in any log, fail the test even where no client
noticed. `Unreplicated` is the same with plain memcacheds, which lose what they held: against it the
tests show that they can fail.
"""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from .processes import (
    CHECKOUT,
    HOST,
    NODE_LINK_OFFSET,
    Child,
    Family,
    PortLease,
    accepts,
    find_program,
    pause,
    until,
)
from .urgency import as_the_unit_runs

START_TIMEOUT_S = 15
STOP_TIMEOUT_S = 10


class Cluster(Family):
    """N daemons, addressed by their index."""

    def __init__(self, count: int, directory: Path) -> None:
        super().__init__()
        self.count = count
        self.directory = directory
        self._lease = PortLease(count, offsets=(0, NODE_LINK_OFFSET))
        self.ports = self._lease.ports
        self._wanted: set[int] = set()

    def __enter__(self) -> Self:
        try:
            for i in range(self.count):
                self.start(i)
            self.wait_healed()
        except BaseException as failure:
            self.__exit__(type(failure), failure, None)
            raise
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        try:
            if failure is None:
                self._check_nothing_went_wrong_unseen()
        except AssertionError as unseen:
            failure = unseen
            raise
        finally:
            super().__exit__(kind, failure, trace)
            self._lease.close()

    def argv(self, i: int) -> list[str]:
        """The command that runs node i."""
        nodes = ",".join(f"tcp://{address}" for address in self.addresses)
        return [sys.executable, "-m", "memrep", "serve", "--nodes", nodes, "--self", self.addresses[i]]

    def healed(self, i: int) -> bool:
        """Whether node i serves and says that all the others do too."""
        try:
            told = self.stats(i, "cluster")
        except OSError:
            return False
        others = [address for address in self.addresses if address != self.addresses[i]]
        return told.get("state") == "serving" and all(
            told.get(f"node:{address}", "").startswith("serving") for address in others
        )

    @property
    def addresses(self) -> list[str]:
        return [f"{HOST}:{port}" for port in self.ports]

    def node(self, i: int) -> Child:
        return self.children[f"node{i}"]

    def start(self, i: int) -> None:
        """Start node i, without waiting for it."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}
        env |= {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
        self.add(Child(f"node{i}", as_the_unit_runs(self.argv(i)), self.directory, env=env))
        self._wanted.add(i)

    def kill(self, i: int) -> None:
        """End node i with SIGKILL: it says goodbye to nobody."""
        assert self.node(i).running, f"node {i} was dead before it was killed"
        self._wanted.discard(i)
        self.node(i).kill()

    def freeze(self, i: int) -> None:
        """Stop node i where it stands: its ports accept, and nobody answers."""
        self.node(i).process.send_signal(signal.SIGSTOP)

    def thaw(self, i: int) -> None:
        """Let node i go on, as if nothing had happened."""
        self.node(i).process.send_signal(signal.SIGCONT)

    def kill_and_restart(self, i: int, gone_s: float) -> None:
        """Let a node be gone for so long; return when nothing is left of that."""
        self.kill(i)
        pause(gone_s)
        self.start(i)
        self.wait_healed()

    def freeze_and_thaw(self, i: int, frozen_s: float) -> None:
        """Let a node stand still for so long; return when nothing is left of that."""
        self.freeze(i)
        pause(frozen_s)
        self.thaw(i)
        self.wait_healed()

    def make_whole(self) -> None:
        """Let all nodes run and serve, whatever has been done to them."""
        for i in range(self.count):
            self.thaw(i)
            if not self.node(i).running:
                self.start(i)
        self.wait_healed()

    def stop(self, i: int) -> None:
        """End node i with SIGTERM, as a service manager does; it must drain and exit with 0."""
        with self.stopping(i):
            pass

    @contextmanager
    def stopping(self, i: int) -> Iterator[None]:
        """End node i as `stop` does, and wait for it afterwards."""
        self._wanted.discard(i)
        self.node(i).process.send_signal(signal.SIGTERM)
        yield
        status = self.node(i).wait(STOP_TIMEOUT_S)
        assert status == 0, f"node {i} answered SIGTERM with exit status {status}"

    def wait_serving(self, i: int, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return once node i accepts clients, which it does when it holds everything."""

        def serving() -> bool:
            assert self.node(i).running, f"node {i} ended with exit status {self.node(i).process.returncode}"
            return accepts(self.ports[i])

        until(serving, timeout_s, f"node {i} accepts clients")

    def wait_healed(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return once all nodes serve and each knows that all do."""
        for i in range(self.count):
            self.wait_serving(i, timeout_s)
        for i in range(self.count):
            until(partial(self.healed, i), timeout_s, f"node {i} tells that all nodes serve")

    def talk(self, i: int, command: bytes, end: bytes = b"END\r\n") -> bytes:
        """One command over a connection of its own, as from telnet; the reply up to its end."""
        with socket.create_connection((HOST, self.ports[i]), timeout=5) as client:
            client.sendall(command + b"\r\n")
            reply = b""
            while not reply.endswith(end):
                received = client.recv(65536)
                if not received:
                    raise ConnectionError(f"node {i} closed the connection after {reply!r}")
                reply += received
        return reply

    def stats(self, i: int, group: str) -> dict[str, str]:
        """What node i tells in this group of stats, by name."""
        lines = self.talk(i, f"stats {group}".encode()).decode().splitlines()[:-1]
        return {name: text for _, name, text in (line.split(" ", 2) for line in lines)}

    def stored(self, i: int, key: str) -> bytes:
        """What node i answers to a plain get, the VALUE line without the key's spelling."""
        return self.talk(i, f"get {key}".encode())

    def _check_nothing_went_wrong_unseen(self) -> None:
        for i in self._wanted:
            assert self.node(i).running, f"node {i} ended by itself, status {self.node(i).process.returncode}"
        for child in self.children.values():
            log = child.log.read_text(errors="replace")
            assert "Traceback" not in log, f"{child.name} logged a traceback"


class Unreplicated(Cluster):
    """Plain memcacheds: each holds what it was given, until it ends."""

    def argv(self, i: int) -> list[str]:
        user = ["-u", "root"] if os.geteuid() == 0 else []
        return [find_program("memcached"), "-l", HOST, "-p", str(self.ports[i]), *user]

    def healed(self, i: int) -> bool:
        return accepts(self.ports[i])
