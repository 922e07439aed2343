"""What a node has too little of is read at any node in `memrep status`; and of which one the clock is wrong."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from .asked import Asked
from .processes import HOST
from .test_memory_group import FAR_TOO_MUCH_MB, FITS_MB, GROUP_MB, MemoryGroup, fill

pytestmark = pytest.mark.real

ROOM: Final = 10

AHEAD_S: Final = 3_600

#: A memrep on a machine whose clock is ahead: nothing else of that machine can be had here.
_CLOCK_AHEAD: Final = (
    f"import sys, time; right = time.time_ns; time.time_ns = lambda: right() + {AHEAD_S} * 10**9; "
    "from memrep.cli import main; sys.exit(main())"
)


class _FullDisk(Asked):
    """The first node's log goes where there is no room."""

    def argv(self, i: int) -> list[str]:
        argv = super().argv(i)
        return argv if i else ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", *argv]


class _InGroup(Asked):
    """The first node has a memory cgroup of its own."""

    def __init__(self, directory: Path, group: MemoryGroup) -> None:
        super().__init__(2, directory, ["-m", str(FITS_MB), "-c", "100"])
        self._group = group

    def argv(self, i: int) -> list[str]:
        argv = super().argv(i)
        return argv if i else self._group.argv(argv)


class _AheadOfTime(Asked):
    """The clock of the last node is ahead."""

    def argv(self, i: int) -> list[str]:
        python, dash, module, *rest = super().argv(i)
        if i < self.count - 1:
            return [python, dash, module, *rest]
        return [python, "-c", _CLOCK_AHEAD, *rest]


def test_a_node_whose_log_has_no_room_lives_and_says_where_to_look(tmp_path: Path) -> None:
    with _FullDisk(2, tmp_path) as cluster:
        for i in range(2):
            problem = cluster.problem(
                i, "log", f"lines of the log of {cluster.addresses[0]} could not be written"
            )
            assert problem.nodes == [cluster.addresses[0]]
            assert f"whether the disk of the log is full at {HOST} (df)" in problem.remedy
        cluster.kill(1)
        cluster.problem(0, "last-copy")
        assert cluster.talk(0, b"set k 0 0 1\r\nx", b"STORED\r\n"), "and it goes on through a change of view"


def test_a_memory_cgroup_that_is_nearly_full_is_named_at_any_node(tmp_path: Path) -> None:
    group = MemoryGroup("situations")
    try:
        with _InGroup(tmp_path, group) as cluster:
            for i in range(2):
                assert cluster.talk(i, b"cache_memlimit %d" % FAR_TOO_MUCH_MB, b"OK\r\n")
            fill(cluster, GROUP_MB + 10, 60_000)
            for i in range(2):
                problem = cluster.problem(i, "cgroup", f"of the {GROUP_MB} MB that the kernel grants")
                assert problem.nodes == [cluster.addresses[0]]
                assert problem.remedy.startswith("raise MemoryMax= (systemd) or the container's limit")
            assert group.killed == 0
    finally:
        group.remove()


def test_who_has_less_memory_than_the_others_is_named_with_how_many_it_has_logged_out(tmp_path: Path) -> None:
    with Asked(2, tmp_path, own={0: ["-m", "64"], 1: ["-m", "1", "-I", "100k"]}) as cluster:
        small = cluster.addresses[1]
        with socket.create_connection((HOST, cluster.ports[0]), 5) as client:
            for number in range(300):
                client.sendall(b"set s%d 0 0 10000\r\n%b\r\n" % (number, b"v" * 10_000))
                assert client.recv(100) == b"STORED\r\n"
        for i in range(2):
            problem = cluster.problem(i, "evicting", f"memory is full at {small}: ", "critical")
            assert "live sessions ended in the last minute" in problem.text
            assert problem.remedy.startswith("raise `memory` on all nodes alike")
            differs = cluster.problem(i, "memory-differs")
            assert differs.text == f"`memory` differs: {small} has the least, 1 MB, and evicts for all"
            cluster.problem(i, "item-size-differs", f"{small} has the least")
            assert differs.text in cluster.table(i)


def test_a_node_that_sends_clients_away_is_told_by_another_one(tmp_path: Path) -> None:
    with Asked(2, tmp_path, ["-c", str(ROOM)]) as cluster, ExitStack() as stack:
        full, other = cluster.addresses
        cluster.told(0, lambda status: not status.problems, "nothing is wrong")
        for _ in range(ROOM):
            client = stack.enter_context(socket.create_connection((HOST, cluster.ports[0]), 5))
            client.sendall(b"version\r\n")
            assert client.recv(100).startswith(b"VERSION")
        for i in range(2):
            problem = cluster.problem(i, "connections", full, "critical")
            assert problem.text == f"{full} has {ROOM} clients of {ROOM} that it may have: more are sent away"
            assert problem.remedy.startswith("raise `connections`")
            assert problem.text in cluster.table(i)
        assert other not in problem.nodes
        stack.close()
        cluster.told(1, lambda status: not status.problems, "it is over")


def test_of_three_clocks_the_odd_one_is_named(tmp_path: Path) -> None:
    with _AheadOfTime(3, tmp_path, ["--drain", "1"]) as cluster:
        odd = cluster.addresses[2]
        for i in range(3):
            problem = cluster.problem(i, "clock")
            assert problem.nodes == [odd]
            assert problem.text in [
                f"the clock of {odd} is {length} ahead of the others'" for length in ("1h", "59 min")
            ]
            assert f"see to NTP on {HOST}" in problem.remedy
