"""Child processes, the ports they listen on, and bounded waiting.

Tests that run whole programs tend to fail in three ways that have nothing to do with what they
test: a sleep that was too short, a port that somebody else took, and a child that outlived its
test. Each has one answer here: `until` is the only place that sleeps, `PortLease` keeps a port
for its test even while nothing listens on it, and `Child` ends its whole process group.
"""

import errno
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Self

import pytest

#: Where memrep itself is, for programs that are to import it or are given its files.
CHECKOUT = Path(__file__).resolve().parents[2]

HOST = "127.0.0.1"

# memrep's nodes talk to each other on the client port + 10000. Both lie below the kernel's
# ephemeral range (32768 and up), where the local end of any outgoing connection could sit on
# them, and where a connect to a dead port can even succeed by meeting itself.
FIRST_PORT = 20000
LAST_PORT = 22767
NODE_LINK_OFFSET = 10000


def until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Return once the condition holds; fail with `what` when it does not within the time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.005)


def pause(seconds: float) -> None:
    """Let this much time pass, which is itself what the test is about."""
    over = time.monotonic() + seconds
    until(lambda: time.monotonic() >= over, seconds + 10, "time passes")


def missing(what: str) -> NoReturn:
    """Skip the test for want of a program; under CI, where it must be installed, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed, and CI=true says it must be")
    pytest.skip(f"{what} is not installed")


def find_program(*names: str) -> str:
    """The path of the first of these programs that is installed, /usr/sbin included."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
    for name in names:
        found = shutil.which(name, path=path)
        if found is not None:
            return found
    missing(" or ".join(names))


def accepts(port: int) -> bool:
    """Whether somebody listens on this port right now."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


class PortLease:
    """Free ports that no other test run picks while this lease is held.

    A killed node's port is free for as long as it takes to restart it, so looking for a port
    that nobody listens on is not enough. The claim is an abstract unix socket named after the
    port: exclusive, visible to the same network namespace as the port itself, gone with its
    process, and without a file to tidy up.
    """

    def __init__(self, count: int, *, offsets: Sequence[int] = (0,)) -> None:
        self.ports: list[int] = []
        self._claims: list[socket.socket] = []
        for port in self._candidates():
            if len(self.ports) == count:
                return
            if self._claim(port, offsets):
                self.ports.append(port)
        if len(self.ports) < count:
            self.close()
            raise AssertionError(f"no {count} free ports between {FIRST_PORT} and {LAST_PORT}")

    def close(self) -> None:
        for claim in self._claims:
            claim.close()
        self._claims.clear()

    @staticmethod
    def _candidates() -> Iterator[int]:
        """Every port once, from a place that differs between processes."""
        span = LAST_PORT - FIRST_PORT + 1
        start = os.getpid() * 37 % span
        return (FIRST_PORT + (start + step) % span for step in range(span))

    def _claim(self, port: int, offsets: Sequence[int]) -> bool:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0memrep-test-port-{port}")
            for offset in offsets:
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((HOST, port + offset))
        except OSError as error:
            claim.close()
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        self._claims.append(claim)
        return True


class Child:
    """A program that runs in the background and writes to a log file of its own."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        directory: Path,
        env: Mapping[str, str] | None = None,
        pipes: bool = False,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log = directory / f"{name}.log"
        channel = subprocess.PIPE if pipes else subprocess.DEVNULL
        with self.log.open("ab") as log:
            log.write(f"--- {' '.join(argv)}\n".encode())
            log.flush()
            # A session of its own: nginx and php-fpm have workers, which end with their group.
            self.process = subprocess.Popen(
                self.argv,
                cwd=directory,
                env=env,
                stdin=channel,
                stdout=channel if pipes else log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """End it and whatever it started, now and without a word."""
        # Once it is reaped its number may be somebody else's; before that it is surely ours.
        if self.running:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def terminate(self, timeout_s: float) -> int:
        """Ask it to end, and tell its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float) -> int:
        """Its exit status, once it has been asked to end."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs {timeout_s} s after SIGTERM") from None

    def lines_with(self, what: str, at_least: int = 1, timeout_s: float = 5.0) -> list[str]:
        """The lines of its log that say this, once there are so many.

        A node's log is written by a thread of its own: a line may come a moment after what it tells of.
        """

        def lines() -> list[str]:
            return [line for line in self.log.read_text(errors="replace").splitlines() if what in line]

        until(lambda: len(lines()) >= at_least, timeout_s, f"{self.name} logs {what!r}")
        return lines()

    def last_words(self, lines: int = 60) -> str:
        """The end of its log, for a failure message."""
        text = self.log.read_text(errors="replace").splitlines()
        return "\n".join([f"===== {self.log.name} =====", *text[-lines:]])


class Family:
    """Children that end together, whatever happens, and whose logs explain a failure."""

    def __init__(self) -> None:
        self.children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, failure: BaseException | None, _trace: object) -> None:
        for child in self.children.values():
            child.kill()
        # A skip is no failure, and comes as another kind of exception.
        if isinstance(failure, Exception):
            for child in self.children.values():
                failure.add_note(child.last_words())

    def add(self, child: Child) -> Child:
        self.children[child.name] = child
        return child
