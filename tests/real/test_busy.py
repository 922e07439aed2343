"""Real nodes that have much to do: none takes itself for stopped, nobody is thrown out, others are answered.

The nodes run at the Nice of deploy/memrep.service (urgency.py), which only root may give them. Each load runs
with somebody who asks each node for a little all the time. What a machine that others use, too, lets them wait
is not judged closely; that a node closes a connection, or that a view changes, is.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from .busy import Onlooker, crowd, load, spinning
from .cluster import Cluster
from .processes import HOST, until

pytestmark = pytest.mark.real

MEGABYTE = 1_000_000
OUT_OF_MEMORY = b"SERVER_ERROR out of memory storing object\r\n"

#: Somebody who is answered later than this was forgotten, s.
FORGOTTEN_S = 5.0


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may come before other programs")


class Busy(Cluster):
    """Nodes with room for a lot."""

    memory = "1500"

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "-m", self.memory]


class Small(Cluster):
    """Nodes with 64 MB."""

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "-m", "64"]


def views(cluster: Cluster) -> list[str]:
    return [cluster.stats(i, "cluster")["view"] for i in range(cluster.count)]


def nothing_fenced(directory: Path, work: Callable[[Cluster], None]) -> None:
    """Three nodes do this work; nobody is thrown out meanwhile, takes itself for stopped, or hangs up."""
    with Busy(3, directory) as cluster:
        before = views(cluster)
        with Onlooker(cluster.ports) as onlooker:
            work(cluster)
        for i in range(cluster.count):
            stats = cluster.stats(i, "")
            print(f"node {i}: longest turn {stats['longest_turn_ms']} ms, {stats['turns_cut_short']} cut short")
            assert stats["fences"] == "0"
        print(f"{onlooker.answers} answers, the slowest after {onlooker.slowest:.3f} s")
        assert views(cluster) == before
        assert onlooker.broken == []
        assert onlooker.answers > 0
        assert onlooker.slowest < FORGOTTEN_S


def resident(cluster: Cluster, i: int) -> int:
    """The resident memory of node i, bytes."""
    status = Path(f"/proc/{cluster.node(i).process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


# --- much at once


@pytest.mark.parametrize("count", [100, pytest.param(500, marks=pytest.mark.long)])
def test_a_crowd_of_clients_that_send_a_megabyte_each_is_answered(count: int, tmp_path: Path) -> None:
    def work(cluster: Cluster) -> None:
        told = crowd(cluster.ports[0], count, MEGABYTE, 90)
        assert Counter(told) == {b"STORED\r\n": count}

    nothing_fenced(tmp_path, work)


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_loader_fills_the_nodes_in_pipelines_of_five_hundred(count: int, tmp_path: Path) -> None:
    def work(cluster: Cluster) -> None:
        assert load(cluster.ports[0], count, 500, 500) == count
        until(lambda: int(cluster.stats(2, "")["curr_items"]) >= count, 10, "all nodes hold all of it")

    nothing_fenced(tmp_path, work)


@as_root
@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.long)])
def test_eight_programs_that_want_all_of_the_cpu_throw_nobody_out(seconds: int, tmp_path: Path) -> None:
    def work(cluster: Cluster) -> None:
        with spinning(8, seconds + 60):
            over = time.monotonic() + seconds
            while time.monotonic() < over:
                for port in cluster.ports:
                    assert load(port, 500, 20, 2_000) == 500

    nothing_fenced(tmp_path, work)


@as_root
@pytest.mark.long
def test_a_million_sessions_come_in_beside_eight_busy_programs(tmp_path: Path) -> None:
    """Whatever takes time for each key in one turn takes three times as long here, on all nodes at once."""

    def work(cluster: Cluster) -> None:
        with spinning(8, 400):
            assert load(cluster.ports[0], 1_000_000, 500, 500) == 1_000_000

    nothing_fenced(tmp_path, work)


# --- what clients hold back


def shown(cluster: Cluster, key: str) -> bytes:
    """What node 0 shows, or nothing if it hangs up."""
    try:
        return cluster.stored(0, key)
    except OSError:
        return b""


def half_sets(port: int, count: int, stack: ExitStack) -> list[socket.socket]:
    """So many clients that have sent the half of a value, as far as it is taken."""
    clients = []
    for number in range(count):
        client = stack.enter_context(socket.create_connection((HOST, port), timeout=10))
        client.setblocking(False)
        client.send(b"set half%d 0 0 %d\r\n%b" % (number, MEGABYTE, b"x" * (MEGABYTE // 2)))
        clients.append(client)
    return clients


def test_four_hundred_half_values_of_a_megabyte_do_not_take_four_hundred_megabytes(tmp_path: Path) -> None:
    with Small(2, tmp_path) as cluster, ExitStack() as stack:
        before = resident(cluster, 0)
        half_sets(cluster.ports[0], 400, stack)
        until(lambda: cluster.stats(0, "")["intake_waiting"] == "392", 10, "as many wait as have no room")
        until(lambda: int(cluster.stats(0, "")["intake_refused"]) >= 8, 10, "who sends nothing is refused")
        assert int(cluster.stats(0, "")["intake_bytes"]) <= int(cluster.stats(0, "")["intake_limit"])
        assert resident(cluster, 0) - before < 50 << 20
        cluster.talk(0, b"set whole 0 0 5\r\nwhole", b"STORED\r\n")


def test_who_is_refused_hears_so_when_he_has_sent_the_rest(tmp_path: Path) -> None:
    with Small(2, tmp_path) as cluster, ExitStack() as stack:
        first, *_ = half_sets(cluster.ports[0], 9, stack)
        until(lambda: cluster.stats(0, "")["intake_refused"] != "0", 10, "who sends nothing is refused")
        first.setblocking(True)
        first.settimeout(10)
        first.sendall(b"x" * MEGABYTE + b"\r\n")  # more than enough, as not all of the half may have been taken
        assert first.recv(len(OUT_OF_MEMORY)) == OUT_OF_MEMORY


def test_clients_that_do_not_read_cost_a_bounded_amount_and_give_way_to_others(tmp_path: Path) -> None:
    with Small(2, tmp_path) as cluster, ExitStack() as stack:
        cluster.talk(0, b"set big 0 0 %d\r\n%b" % (MEGABYTE, b"y" * MEGABYTE), b"STORED\r\n")
        before = resident(cluster, 0)
        for _ in range(150):
            client = socket.socket()
            stack.enter_context(client)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((HOST, cluster.ports[0]))
            client.sendall(b"get big\r\n" * 50)
        until(lambda: cluster.stats(0, "")["slow_readers"] != "0", 20, "who does not read is hung up on")
        assert (
            int(cluster.stats(0, "")["unsent_bytes"])
            <= int(cluster.stats(0, "")["unsent_limit"]) + 2 * MEGABYTE
        )
        assert resident(cluster, 0) - before < 50 << 20
        until(lambda: len(shown(cluster, "big")) > MEGABYTE, 20, "others are shown what they ask for")
