"""Errors of the operating system that are nobody's: no node dies of them, or stands still.

The kind as a whole is searched by tests/oserrors; here are those that a real life has seen, one by one.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from .cluster import Cluster
from .processes import CHECKOUT, HOST, PortLease, accepts, find_program, missing, pause, until

pytestmark = pytest.mark.real

TIMEOUT_S: Final = 5.0

#: An address that a node can lose.
AWAY: Final = "10.99.0.1"

#: More than a pipe of the default size holds, and what the node keeps for it besides.
CHATTER: Final = 2_000


class Node:
    """One node, whose standard error is the test's to choose."""

    def __init__(self, port: int, *options: str, **popen: Any) -> None:
        self.port = port
        env = {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}
        env["PYTHONPATH"] = str(CHECKOUT)
        argv = [sys.executable, "-m", "memrep", "serve", "-p", str(port), *options]
        self.process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, **popen)

    @classmethod
    def of(cls, port: int, process: subprocess.Popen[bytes]) -> Node:
        """A node that runs already."""
        node = cls.__new__(cls)
        node.port, node.process = port, process
        return node

    def wait_serving(self) -> None:
        """Return once it takes clients."""
        until(lambda: self.process.poll() is not None or accepts(self.port), 15, "the node serves")
        assert self.process.poll() is None, f"the node ended, status {self.process.returncode}"

    def ask(self, command: bytes, end: bytes = b"\r\n") -> bytes:
        """One command on a connection of its own."""
        with socket.create_connection((HOST, self.port), timeout=TIMEOUT_S) as client:
            client.sendall(command + b"\r\n")
            reply = b""
            while not reply.endswith(end):
                received = client.recv(65536)
                assert received, f"the node closed the connection after {reply!r}"
                reply += received
        return reply

    def has_room(self) -> bool:
        """Whether it lets somebody in."""
        assert self.process.poll() is None, f"the node ended, status {self.process.returncode}"
        with socket.create_connection((HOST, self.port), timeout=TIMEOUT_S) as client:
            client.sendall(b"version\r\n")
            return client.recv(4096).startswith(b"VERSION ")

    def wait_right(self) -> None:
        """It lives, and answers as it should."""
        assert self.process.poll() is None, f"the node ended, status {self.process.returncode}"
        assert self.ask(b"set right 0 0 2\r\nok") == b"STORED\r\n"
        assert self.ask(b"get right", b"END\r\n") == b"VALUE right 0 2\r\nok\r\nEND\r\n"

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture
def port() -> Iterator[int]:
    lease = PortLease(1)
    yield lease.ports[0]
    lease.close()


@contextmanager
def running(port: int, *options: str, **popen: Any) -> Iterator[Node]:
    """A node, as long as it is needed."""
    node = Node(port, *options, **popen)
    try:
        yield node
    finally:
        node.process.kill()
        node.process.wait()


@contextmanager
def serving(port: int, *options: str, **popen: Any) -> Iterator[Node]:
    """A node that serves."""
    with running(port, *options, **popen) as node:
        node.wait_serving()
        yield node


def logged(path: Path, what: str) -> Callable[[], bool]:
    """Whether the log says this."""
    return lambda: what in path.read_text(errors="replace")


# --- the log


def test_a_full_disk_under_the_log_costs_nothing_but_the_log(port: int) -> None:
    with Path("/dev/full").open("wb") as full, serving(port, "-v", stderr=full) as node:
        node.wait_right()
        assert node.stop() == 0


def test_a_closed_pipe_under_the_log_costs_nothing_but_the_log(port: int) -> None:
    reader, writer = os.pipe()
    with serving(port, "-v", stderr=writer) as node:
        os.close(writer)
        os.close(reader)
        node.wait_right()
        assert node.stop() == 0


def test_a_reader_of_the_log_that_stops_reading_stops_no_node_and_is_told_what_it_missed(port: int) -> None:
    reader, writer = os.pipe()
    with serving(port, "-v", stderr=writer) as node:
        os.close(writer)
        for _ in range(CHATTER):
            socket.create_connection((HOST, port), timeout=TIMEOUT_S).close()
        node.wait_right()
        told = bytearray()
        os.set_blocking(reader, False)

        def missed() -> bool:
            with suppress(BlockingIOError):
                told.extend(os.read(reader, 1 << 20))
            return b" lines of the log were lost: nobody reads it\n" in told

        until(missed, TIMEOUT_S, "the log tells how much of it was lost")
        assert node.stop() == 0
        with suppress(BlockingIOError):
            told.extend(os.read(reader, 1 << 20))
        assert told.endswith(b"memrep has stopped\n")
    os.close(reader)


def test_when_the_disk_has_room_again_the_log_tells_how_many_lines_were_lost(port: int, tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("ab") as log, serving(port, "-v", stderr=log) as node:
        _, hard = resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
        for _ in range(10):
            node.wait_right()
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        until(logged(path, " lines of the log were lost: File too large\n"), TIMEOUT_S, "the log goes on")
        node.wait_right()
        assert node.stop() == 0
    assert path.read_text().endswith("memrep has stopped\n")


def test_a_closed_standard_error_is_not_replaced_by_a_client(port: int, tmp_path: Path) -> None:
    # What a shell's 2>&- does: the next descriptor that is opened would be number 2.
    with serving(port, "-v", preexec_fn=lambda: os.closerange(0, 3)) as node:
        with socket.create_connection((HOST, port), timeout=TIMEOUT_S) as first:
            for _ in range(10):
                node.wait_right()
            first.sendall(b"version\r\n")
            assert first.recv(4096).startswith(b"VERSION ")
        assert node.stop() == 0


# --- signals


@pytest.mark.parametrize(
    "name", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGIO", "SIGXCPU", "SIGTTOU", "SIGRTMIN"]
)
def test_a_signal_that_asks_for_nothing_ends_no_node(port: int, tmp_path: Path, name: str) -> None:
    path = tmp_path / "log"
    with path.open("ab") as log, serving(port, stderr=log) as node:
        node.process.send_signal(signal.Signals[name])
        node.wait_right()
        if name in ("SIGUSR1", "SIGUSR2"):
            until(
                logged(path, f"{name}: nothing is to be done"), TIMEOUT_S, "the log says that it means nothing"
            )
        assert node.stop() == 0


# --- clients


def test_connections_that_are_reset_while_the_node_is_full_end_no_node(port: int) -> None:
    with serving(port, "-c", "2") as node:
        guests = [socket.create_connection((HOST, port), timeout=TIMEOUT_S) for _ in range(3)]
        for _ in range(20):
            # The node is stopped while they come and go: all of them are accepted after their reset.
            os.kill(node.process.pid, signal.SIGSTOP)
            crowd = [socket.create_connection((HOST, port), timeout=TIMEOUT_S) for _ in range(20)]
            for caller in crowd:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                caller.close()
            os.kill(node.process.pid, signal.SIGCONT)
        for guest in guests:
            guest.close()
        until(node.has_room, TIMEOUT_S, "there is room again")
        node.wait_right()


# --- the door


@contextmanager
def in_a_room_of_its_own(port: int, directory: Path, *options: str) -> Iterator[Node]:
    """A node on an address and a name that can be taken from it: in namespaces of its own."""
    hosts = directory / "hosts"
    hosts.write_text(f"{AWAY} web1\n")
    log = directory / "log"
    make = f"ip link set lo up && ip addr add {AWAY}/32 dev lo && mount --bind {hosts} /etc/hosts"
    enter = [find_program("unshare"), "--net", "--mount", "sh", "-c", f'{make} && exec "$@"', "sh"]
    if subprocess.run([*enter, "true"], capture_output=True, check=False).returncode:
        missing("the right to make namespaces of the network")
    argv = [*enter, sys.executable, "-m", "memrep", "serve", "--nodes", f"web1:{port}", *options]
    with log.open("ab") as file:
        process = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, stderr=file)
    node = Node.of(port, process)
    try:
        until(logged(log, "serves clients"), 15, "the node serves")
        yield node
        assert process.poll() is None, log.read_text()
        assert node.stop() == 0
    finally:
        process.kill()
        process.wait()


def inside(node: Node, *argv: str) -> str:
    """Run a program where the node is."""
    assert node.process.poll() is None, f"the node ended, status {node.process.returncode}"
    enter = [find_program("nsenter"), "-t", str(node.process.pid), "--net", "--mount"]
    return subprocess.run([*enter, *argv], capture_output=True, text=True, check=True).stdout


def version_inside(node: Node) -> str:
    """What the node answers where it is, or why it cannot be asked."""
    program = (
        "import socket, sys\n"
        "try: client = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)\n"
        "except OSError as error: sys.exit(print(error.strerror))\n"
        "client.sendall(b'version\\r\\n'); print(client.recv(99).decode())"
    )
    return inside(node, sys.executable, "-c", program, AWAY, str(node.port))


def shut_and_open(node: Node, log: Path) -> None:
    """Have the door shut and opened again: as after any stop of the machine."""
    os.kill(node.process.pid, signal.SIGSTOP)
    pause(0.4)
    os.kill(node.process.pid, signal.SIGCONT)
    until(logged(log, "was stopped"), TIMEOUT_S, "the node notices its stop")


def test_a_node_whose_own_name_is_gone_opens_its_door_again(port: int, tmp_path: Path) -> None:
    with in_a_room_of_its_own(port, tmp_path) as node:
        (tmp_path / "hosts").write_text("")
        shut_and_open(node, tmp_path / "log")
        until(lambda: version_inside(node).startswith("VERSION"), TIMEOUT_S, "the node serves again")


def test_a_node_whose_address_has_left_the_machine_serves_when_it_is_back(port: int, tmp_path: Path) -> None:
    with in_a_room_of_its_own(port, tmp_path) as node:
        inside(node, "ip", "addr", "del", f"{AWAY}/32", "dev", "lo")
        shut_and_open(node, tmp_path / "log")
        inside(node, "ip", "addr", "add", f"{AWAY}/32", "dev", "lo")
        until(lambda: version_inside(node).startswith("VERSION"), TIMEOUT_S, "the node serves again")


def test_a_node_whose_unix_socket_has_lost_its_folder_serves_on_the_port_and_there_when_it_is_back(
    port: int, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    folder = tmp_path / "run"
    folder.mkdir()
    unix = folder / "sock"
    with path.open("ab") as log, serving(port, "--unix", str(unix), stderr=log) as node:
        unix.unlink()
        folder.rmdir()
        shut_and_open(node, path)
        until(logged(path, f"cannot let in clients on {unix}"), TIMEOUT_S, "the log tells of it")
        until(lambda: accepts(port), TIMEOUT_S, "the port is open")
        node.wait_right()
        folder.mkdir()
        until(unix.exists, TIMEOUT_S, "the socket is there again")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(unix))
            client.sendall(b"version\r\n")
            assert client.recv(99).startswith(b"VERSION")
        assert node.stop() == 0
    assert path.read_text().count("cannot let in clients") == 1


# --- memory


def test_a_node_that_finds_no_memory_begins_anew_and_never_says_that_there_is_nothing(tmp_path: Path) -> None:
    value = "y" * 900_000
    written: set[str] = set()
    with Cluster(3, tmp_path) as cluster:
        process = cluster.node(0).process.pid
        size = int(Path(f"/proc/{process}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(process, resource.RLIMIT_AS, (size + (1 << 20), resource.RLIM_INFINITY))
        tries = count()

        def write() -> bool:
            n = next(tries)
            with suppress(OSError):
                command = f"set k{n} 0 0 {len(value)}\r\n{value}".encode()
                if cluster.talk(n % 3, command, b"\r\n") == b"STORED\r\n":
                    written.add(f"k{n}")
            for key in sorted(written)[-3:]:
                with suppress(OSError):  # it may refuse, or hang up
                    assert len(cluster.stored(0, key)) > len(value), f"{key} was there, and is not"
            return len(written) == 40

        until(write, 30, "40 values are written")
        resource.prlimit(process, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        cluster.wait_healed()
        for key in written:
            for i in range(3):
                assert len(cluster.stored(i, key)) > len(value), f"{key} is not at node {i}"
        cluster.node(0).lines_with("(no memory): begins anew")
