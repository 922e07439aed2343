"""A node whose system calls strace(1) sees and lets fail, and its peer, which is left in peace."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from tests.oserrors.load import Load
from tests.real.processes import CHECKOUT, NODE_LINK_OFFSET, PortLease, accepts, find_program, until

#: A name, so that looking it up is a part of what can fail.
HOST: Final = "localhost"

_HEALING_S: Final = 20.0
_CALL: Final = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(?:<\.\.\. )?(\w+)(?:\(| resumed>)")


class Process:
    """A node.

    Args:
        me: its port.
        ports: those of all nodes.
        folder: where its log goes.
        under: a program that runs it, with its arguments.
    """

    def __init__(self, me: int, ports: Sequence[int], folder: Path, under: Sequence[str] = ()) -> None:
        self.port = me
        self.log = folder / f"{me}.log"
        self.unix = folder / f"{me}.sock"
        nodes = ",".join(f"{HOST}:{port}" for port in ports)
        env = {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}
        env["PYTHONPATH"] = str(CHECKOUT)
        argv = [
            *under, sys.executable, "-m", "memrep", "serve", "--nodes", nodes, "--self", f"{HOST}:{me}",
            "--listen", "127.0.0.1", "--unix", str(self.unix), "--cold-start", "0.5", "-v",
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self.process.poll()

    def text(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")

    def stop_for(self, seconds: float) -> None:
        """Have it stopped for a while, as a paused machine is: it shuts its door, and opens it again."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(self.process.pid, signal.SIGCONT)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    @contextmanager
    def without_memory(self) -> Iterator[None]:
        """Let it have no more memory than it has now, for a while."""
        pid = self.process.pid
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
        _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (pages * resource.getpagesize(), hard))
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_AS, (hard, hard))

    def kill(self) -> None:
        """End it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Stage:
    """The node that errors are thrown at, its peer, and two clients.

    Attributes:
        node: the one in question.
        loads: the clients.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lease = PortLease(2, offsets=(0, NODE_LINK_OFFSET))
        self._peer: Process | None = None
        self.node = self._start(0)
        self.loads: list[Load] = []

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.node.kill()
        self.leave_alone()
        self._lease.close()

    def begin(self) -> None:
        """Both nodes anew, with new clients."""
        self.node.kill()
        self.leave_alone()
        self.loads = [Load(name, self._lease.ports) for name in ("a", "b")]
        self.node = self._start(0)
        self.bring_peer()
        until(self.healed, _HEALING_S, "both nodes serve")

    def leave_alone(self) -> None:
        """The peer is gone."""
        if self._peer is not None:
            self._peer.kill()
            self._peer = None

    def bring_peer(self) -> None:
        """The peer is there."""
        if self._peer is None:
            self._peer = self._start(1)

    def healed(self) -> bool:
        """Whether the node serves, together with its peer if that runs."""
        assert self.node.status is None, f"it ended, status {self.node.status}"
        ports = self._lease.ports[: 1 if self._peer is None else 2]
        return all(f"STAT cluster_nodes {len(ports)}/2\r\n".encode() in _stats(port) for port in ports)

    def wrong(self) -> str:
        """What is wrong with the node now, some time for healing granted; "" if nothing is."""
        if self.node.status is not None:
            return f"it ended, status {self.node.status}: {self.node.text()[-1500:]}"
        try:
            until(self.healed, _HEALING_S, "it serves, and is together with its peer")
        except AssertionError as error:
            return str(error)
        for load in self.loads:
            complaint = load.check(self.node.port)
            if complaint:
                return complaint
        return ""

    def _start(self, which: int) -> Process:
        return Process(self._lease.ports[which], self._lease.ports, self._folder)


class Strace:
    """strace, attached to a process and all of its threads.

    Args:
        process: whose calls are looked at.
        calls: their names; empty for all.
        inject: what becomes of them, in strace's words: "error=ENOMEM:when=1+".
        output: where it writes.
    """

    def __init__(self, process: Process, calls: Sequence[str], inject: str, output: Path) -> None:
        self._output = output
        output.unlink(missing_ok=True)
        names = ",".join(calls)
        what = [f"--trace={names}"] if names else []
        what += [f"--inject={names}:{inject}"] if inject else []
        self._process = subprocess.Popen(
            [find_program("strace"), "-f", "-o", str(output), *what, "-p", str(process.process.pid)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        self._said = self._process.stderr.readline()  # "Process N attached"
        assert "attached" in self._said, f"strace says {self._said!r}"

    def detach(self) -> str:
        """Let go; what it has written."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        return self._output.read_text(errors="replace") if self._output.exists() else ""


def calls_of(text: str) -> Counter[str]:
    """The system calls that strace has written down, and how often."""
    found = (_CALL.match(line) for line in text.splitlines())
    return Counter(match[1] for match in found if match)


def wait_while(condition: Callable[[], bool], seconds: float) -> None:
    """Let so much time pass, or less if that does not hold any more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and condition():
        time.sleep(0.02)


def _stats(port: int) -> bytes:
    if not accepts(port):
        return b""
    reply = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as client:
        client.sendall(b"stats\r\n")
        while not reply.endswith(b"END\r\n"):
            received = client.recv(65536)
            if not received:
                break
            reply += received
    return reply
