"""Nodes in memory cgroups: an -m that cannot fit is refused, and a full group ends nobody.

All nodes hold the same, so they come to their limits together. Here the kernel itself kills who goes beyond.
"""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import pytest

from memrep.engine.ceiling import full_at

from .cluster import Cluster
from .processes import CHECKOUT, HOST, Child, missing, until

pytestmark = pytest.mark.real

MEGABYTE = 1 << 20
GROUP_MB = 96
FITS_MB = 15

#: Beyond all that a group can hold.
FAR_TOO_MUCH_MB = 1024

#: So many clients keep nearly 16 KB of a value waiting for its end.
HALF_WAY = 980

#: Mounted like this everywhere.
V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")


class MemoryGroup:
    """A memory cgroup of our own, of whichever version this machine has."""

    def __init__(self, name: str) -> None:
        self._old = (V1 / "memory.limit_in_bytes").exists()
        self.directory = (V1 if self._old else V2) / f"memrep-test-{os.getpid()}-{name}"
        try:
            self._make()
        except OSError as error:
            self.remove()
            missing(f"the right to make a memory cgroup ({error})")

    def _make(self) -> None:
        if not self._old and "memory" not in (V2 / "cgroup.subtree_control").read_text().split():
            (V2 / "cgroup.subtree_control").write_text("+memory")
        self.directory.mkdir()
        self._write("memory.limit_in_bytes" if self._old else "memory.max", str(GROUP_MB * MEGABYTE))
        with suppress(OSError):  # where there is no swap there is no file
            self._write("memory.swappiness" if self._old else "memory.swap.max", "0")

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def argv(self, argv: list[str]) -> list[str]:
        """The command that runs another one in here."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.directory / "cgroup.procs"), *argv]

    @property
    def killed(self) -> int:
        """How many processes the kernel has killed for want of memory."""
        text = (self.directory / ("memory.oom_control" if self._old else "memory.events")).read_text()
        return int(dict(line.split() for line in text.splitlines())["oom_kill"])

    def remove(self) -> None:
        """Its processes have ended."""
        if self.directory.exists():
            until(self._gone, 5, "the group can be removed")

    def _gone(self) -> bool:
        with suppress(OSError):
            self.directory.rmdir()
        return not self.directory.exists()


class InGroups(Cluster):
    """Three nodes, each in a group of its own."""

    def __init__(self, directory: Path, groups: list[MemoryGroup]) -> None:
        super().__init__(len(groups), directory)
        self.groups = groups

    def argv(self, i: int) -> list[str]:
        return self.groups[i].argv([*super().argv(i), "-m", str(FITS_MB), "-c", str(HALF_WAY + 20)])


@pytest.fixture
def groups() -> Iterator[list[MemoryGroup]]:
    made: list[MemoryGroup] = []
    try:
        for i in range(3):
            made.append(MemoryGroup(str(i)))
        yield made
    finally:
        for group in made:
            group.remove()


class Writer:
    """A client that comes again when a node has hung up, as one does that has not got the CPU for a while."""

    def __init__(self, port: int) -> None:
        self._where = (HOST, port)
        self._sock = socket.create_connection(self._where, 20)
        self._patience = 5

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def ask(self, command: bytes) -> bytes:
        """The answer to a command that may be said twice."""
        while True:
            with suppress(ConnectionError):
                self._sock.sendall(command)
                if answer := self._sock.recv(100):
                    return answer
            self._patience -= 1
            assert self._patience, "it hangs up again and again"
            self._sock.close()
            self._sock = socket.create_connection(self._where, 20)


def fill(cluster: Cluster, megabytes: int, largest: int) -> dict[int, bytes]:
    """Store values of up to so many bytes at all nodes in turn; the newest of them by number."""
    chance = random.Random(2026)
    newest: dict[int, bytes] = {}
    sent = number = 0
    with ExitStack() as stack:
        clients = [stack.enter_context(Writer(port)) for port in cluster.ports]
        while sent < megabytes * MEGABYTE:
            value = b"%d " % number + b"v" * chance.randrange(100, largest)
            client = clients[number % len(clients)]
            assert client.ask(b"set s%d 0 0 %d\r\n%b\r\n" % (number, len(value), value)) == b"STORED\r\n"
            newest[number] = value
            newest.pop(number - 10, None)
            sent += len(value)
            number += 1
    return newest


def check_alive(cluster: InGroups, newest: dict[int, bytes]) -> None:
    """Nobody was killed, and what was acknowledged last is everywhere."""
    assert [group.killed for group in cluster.groups] == [0, 0, 0]
    for i in range(cluster.count):
        assert cluster.node(i).running
        assert cluster.stats(i, "")["cluster_nodes"] == "3/3"
        for number, value in newest.items():
            assert value in cluster.stored(i, f"s{number}")


def allow_far_too_much(cluster: Cluster) -> None:
    """Raise the operator's limit at each node."""
    for i in range(cluster.count):
        assert cluster.talk(i, b"cache_memlimit %d" % FAR_TOO_MUCH_MB, b"OK\r\n") == b"OK\r\n"


def crowd(cluster: Cluster, stack: ExitStack) -> None:
    """Let many clients say half of a value to the first node."""
    for number in range(HALF_WAY):
        client = stack.enter_context(socket.create_connection((HOST, cluster.ports[0]), 5))
        client.sendall(b"version\r\nset half%d 0 0 16000\r\n%b" % (number, b"x" * 15_900))
        assert client.recv(100).startswith(b"VERSION")


def test_an_m_that_just_fits_is_kept_whoever_comes(tmp_path: Path, groups: list[MemoryGroup]) -> None:
    with InGroups(tmp_path, groups) as cluster, ExitStack() as stack:
        fill(cluster, 2 * FITS_MB, 20_000)
        crowd(cluster, stack)
        check_alive(cluster, fill(cluster, 2 * FITS_MB, 20_000))
        for i in range(3):
            assert int(cluster.stats(i, "")["limit_in_force"]) == FITS_MB * MEGABYTE


def test_entries_give_way_to_a_crowd_of_clients(tmp_path: Path, groups: list[MemoryGroup]) -> None:
    with InGroups(tmp_path, groups) as cluster, ExitStack() as stack:
        allow_far_too_much(cluster)
        fill(cluster, GROUP_MB, 60_000)
        before = int(cluster.stats(0, "")["bytes"])
        crowd(cluster, stack)
        check_alive(cluster, fill(cluster, GROUP_MB // 4, 20_000))
        assert GROUP_MB // 4 * MEGABYTE <= int(cluster.stats(0, "")["bytes"]) < before


def test_a_node_comes_back_to_a_full_group(tmp_path: Path, groups: list[MemoryGroup]) -> None:
    with InGroups(tmp_path, groups) as cluster:
        allow_far_too_much(cluster)
        fill(cluster, GROUP_MB, 60_000)
        cluster.kill_and_restart(0, 0.1)
        check_alive(cluster, fill(cluster, GROUP_MB // 4, 20_000))


@pytest.mark.parametrize("largest", [60_000, 900_000])
def test_nodes_that_are_allowed_more_than_their_groups_have_stop_in_time(
    largest: int, tmp_path: Path, groups: list[MemoryGroup]
) -> None:
    with InGroups(tmp_path, groups) as cluster:
        allow_far_too_much(cluster)
        check_alive(cluster, fill(cluster, 3 * GROUP_MB // 2, largest))
        for i in range(3):
            told = cluster.stats(i, "")
            assert int(told["limit_maxbytes"]) == FAR_TOO_MUCH_MB * MEGABYTE
            assert int(told["cgroup_limit"]) == GROUP_MB * MEGABYTE
            assert GROUP_MB // 4 * MEGABYTE < int(told["bytes"]) < GROUP_MB * MEGABYTE
        # Evictions go round: who is the first to come to its limit makes room at the others, which may then
        # never come to theirs. Whoever is full has said so, once, and whoever has not said so is not.
        stats = [cluster.stats(i, "") for i in range(3)]
        full = [i for i in range(3) if stats[i]["cgroup_full"] == "yes"]
        assert full
        for i in full:
            (line,) = cluster.node(i).lines_with("the memory cgroup is nearly full")
            assert "raise MemoryMax=" in line
        for i in {0, 1, 2} - set(full):
            assert int(stats[i]["cgroup_bytes"]) < full_at(GROUP_MB * MEGABYTE)


def test_an_m_that_cannot_fit_ends_it_at_the_start_with_what_to_do(
    tmp_path: Path, groups: list[MemoryGroup]
) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}
    argv = [sys.executable, "-m", "memrep", "serve", "-m", str(FITS_MB + 1), "-c", str(HALF_WAY + 20)]
    child = Child("node", groups[0].argv(argv), tmp_path, env=env | {"PYTHONPATH": str(CHECKOUT)})
    try:
        assert child.wait(15) == 2
    finally:
        child.kill()
    (line,) = child.log.read_text().splitlines()[1:]
    assert f"-m {FITS_MB + 1} with -c {HALF_WAY + 20} needs up to " in line
    assert f"a limit of {GROUP_MB} MB ({groups[0].directory}/memory." in line
    assert "raise MemoryMax= " in line
    assert f"lower -m to {FITS_MB} on every server" in line
