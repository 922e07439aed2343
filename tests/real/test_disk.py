"""The copy on disk with real processes: power cuts, and disks that are full, gone or slow."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from memrep.disk.file import NAME
from tests.faults.faults import run_fault

from .processes import CHECKOUT, HOST, Child, Family, PortLease, find_program, missing, until

pytestmark = pytest.mark.real

#: One transaction a second, two until a disk that failed is tried again, and what a busy machine takes.
_SAVED_S = 30.0


class Saving(Family):
    """One node with a data directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory
        self.data = directory / "data"
        self.lease = PortLease(1)
        self.port = self.lease.ports[0]

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self.lease.close()

    @property
    def node(self) -> Child:
        """The process."""
        return self.children["node"]

    def argv(self) -> list[str]:
        """The command that runs it."""
        serve = [sys.executable, "-m", "memrep", "serve", "-l", HOST, "-p", str(self.port)]
        return [*serve, "--admin", "none", "--data-dir", str(self.data)]

    def start(self, wrapped_by: Sequence[str] = ()) -> None:
        """Start it, and wait until it serves."""
        env = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"}
        self.add(Child("node", [*wrapped_by, *self.argv()], self.directory, env=env))
        until(self._serves, _SAVED_S, "it serves")

    def _serves(self) -> bool:
        try:
            return self.ask(b"version\r\n").startswith(b"VERSION")
        except OSError:
            return False

    def ask(self, data: bytes, end: bytes = b"\r\n") -> bytes:
        """What it answers."""
        reply = b""
        with socket.create_connection((HOST, self.port), timeout=5) as client:
            client.sendall(data)
            while not reply.endswith(end):
                received = client.recv(1 << 16)
                if not received:
                    break
                reply += received
        return reply

    def stat(self, name: str) -> str:
        """One of its statistics."""
        for line in self.ask(b"stats\r\n", b"END\r\n").decode().splitlines():
            words = line.split(" ", 2)
            if words[:2] == ["STAT", name]:
                return words[2]
        raise AssertionError(name)

    def saved(self) -> None:
        """Wait until everything is on the disk."""
        until(lambda: self.stat("disk_unsaved") == "0" and self._at_rest(), _SAVED_S, "all is saved")

    def _at_rest(self) -> bool:
        done = self.stat("disk_transactions")
        time.sleep(1.5)
        return self.stat("disk_transactions") == done

    def store(self, key: bytes) -> bool:
        """Store something; tell whether it was."""
        return self.ask(b"set %b 0 0 1\r\nx\r\n" % key) == b"STORED\r\n"

    @property
    def fails(self) -> bool:
        """Whether it says that it cannot save."""
        return self.stat("disk_trouble") != "none"

    def in_trouble(self) -> None:
        """Wait until it says that it cannot save."""
        until(lambda: self.fails, _SAVED_S, "it says that it cannot save")

    def recovers(self) -> None:
        """Wait until it saves again."""
        until(lambda: self.stat("disk_trouble") == "none", _SAVED_S, "it saves again")
        self.saved()

    @property
    def log(self) -> str:
        """What it has logged."""
        return self.node.log.read_text()

    def restart(self) -> None:
        """SIGKILL, and a start."""
        self.node.kill()
        self.start()


def tracer() -> str:
    """strace, which makes system calls slow or fail."""
    strace = find_program("strace")
    try:
        subprocess.run([strace, "-e", "trace=none", "true"], capture_output=True, check=True, timeout=30)
    except subprocess.CalledProcessError:
        missing("the right to use strace")
    return strace


@pytest.fixture
def saving(tmp_path: Path) -> Iterator[Saving]:
    with Saving(tmp_path) as saving:
        yield saving


def test_all_nodes_are_killed_at_once_and_only_the_last_moment_is_lost() -> None:
    outcome = run_fault("power", seconds=25, seed=7)
    assert not outcome.wrong, outcome.evidence()
    assert outcome.rounds


def test_a_full_disk_costs_a_warning_and_is_used_again_when_there_is_room(saving: Saving) -> None:
    saving.start()
    saving.ask(b"set before 0 0 1\r\nx\r\n")
    saving.saved()
    pid = saving.node.process.pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4_096, unlimited[1]))
    assert saving.ask(b"set meanwhile 0 0 1\r\nx\r\n") == b"STORED\r\n"
    saving.in_trouble()
    assert saving.ask(b"get meanwhile\r\n", b"END\r\n") == b"VALUE meanwhile 0 1\r\nx\r\nEND\r\n"
    assert saving.log.count("cannot save") == 1
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    saving.recovers()
    assert saving.log.count("cannot save") == saving.log.count("on disk again") == 1
    saving.restart()
    for key in (b"before", b"meanwhile"):
        assert saving.ask(b"get %b\r\n" % key, b"END\r\n").startswith(b"VALUE")


def test_a_node_starts_though_its_disk_is_full_and_what_was_saved_before_is_kept(saving: Saving) -> None:
    saving.start()
    saving.ask(b"set before 0 0 1\r\nx\r\n")
    saving.saved()
    saving.node.kill()
    saving.start([find_program("prlimit"), "--fsize=4096:unlimited"])
    assert saving.ask(b"set meanwhile 0 0 1\r\nx\r\n") == b"STORED\r\n"
    saving.in_trouble()
    assert "cannot be read now" in saving.log
    assert not list(saving.data.glob("*.broken-*"))
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(saving.node.process.pid, resource.RLIMIT_FSIZE, unlimited)
    saving.recovers()
    assert list(saving.data.glob("*.broken-*"))
    saving.restart()
    assert saving.ask(b"get before meanwhile\r\n", b"END\r\n") == b"VALUE meanwhile 0 1\r\nx\r\nEND\r\n"


def test_a_disk_that_becomes_read_only_costs_a_warning(saving: Saving) -> None:
    saving.start()
    saving.saved()
    calls = "pwrite64,fdatasync,fsync,ftruncate"
    refuses = ["-e", f"trace={calls}", "-e", f"inject={calls}:error=EROFS", "-p", str(saving.node.process.pid)]
    remounted = subprocess.Popen([tracer(), "-f", "-qq", "-o", "/dev/null", *refuses])
    try:
        until(lambda: saving.store(b"meanwhile") and saving.fails, _SAVED_S, "it says that it cannot save")
        assert saving.ask(b"get meanwhile\r\n", b"END\r\n").startswith(b"VALUE")
        assert saving.log.count("cannot save") == 1
    finally:
        remounted.terminate()
        remounted.wait()
    saving.recovers()
    saving.restart()
    assert saving.ask(b"get meanwhile\r\n", b"END\r\n").startswith(b"VALUE")


def test_a_file_that_is_taken_away_is_written_anew(saving: Saving) -> None:
    saving.start()
    saving.ask(b"set before 0 0 1\r\nx\r\n")
    saving.saved()
    for path in saving.data.glob(f"{NAME}*"):
        path.unlink()
    saving.ask(b"set after 0 0 1\r\nx\r\n")
    until((saving.data / NAME).exists, _SAVED_S, "there is a file again")
    saving.recovers()
    saving.restart()
    for key in (b"before", b"after"):
        assert saving.ask(b"get %b\r\n" % key, b"END\r\n").startswith(b"VALUE")


def test_a_directory_that_is_gone_for_a_while_costs_a_warning(saving: Saving) -> None:
    saving.start()
    saving.saved()
    away = saving.data.with_name("away")
    saving.data.rename(away)
    assert saving.ask(b"set meanwhile 0 0 1\r\nx\r\n") == b"STORED\r\n"
    saving.in_trouble()
    away.rename(saving.data)
    saving.recovers()
    saving.restart()
    assert saving.ask(b"get meanwhile\r\n", b"END\r\n").startswith(b"VALUE")


def test_a_disk_that_takes_two_seconds_for_each_flush_holds_nobody_up(saving: Saving) -> None:
    strace = tracer()
    slow = "inject=fdatasync,fsync:delay_enter=2000000"
    saving.start([strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", slow])
    slowest = 0.0
    for i in range(40):
        began = time.monotonic()
        assert saving.ask(b"set key%d 0 0 1\r\nx\r\n" % i) == b"STORED\r\n"
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.1)
    assert slowest < 1.5, "no answer may wait for a flush"
    saving.saved()


def test_a_second_process_does_not_get_the_directory(saving: Saving) -> None:
    saving.start()
    other = subprocess.run(
        [sys.executable, "-m", "memrep", "serve", "-p", "1", "--admin", "none", "--data-dir", str(saving.data)],
        env={"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (other.returncode, other.stderr.count("\n")) == (4, 1)
    assert "another memrep uses it" in other.stderr
