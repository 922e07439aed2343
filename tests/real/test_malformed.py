"""Clients of bad manners leave nothing behind in a real node; `make malformed` sends 100,000 of them."""

from pathlib import Path

import pytest

from bench.malformed import GROWTH_MB, HALF_OPEN_KB, half_open, run, until_answered

from .cluster import Cluster
from .processes import until

pytestmark = pytest.mark.real


def test_malformed_connections_leave_no_memory_behind(tmp_path: Path) -> None:
    with Cluster(2, tmp_path) as cluster:
        before, *later = [
            megabytes for _, megabytes in run(cluster.ports[0], cluster.node(0).process.pid, 2_000, seed=3)
        ]
        assert max(later) - before < GROWTH_MB
        until(
            lambda: cluster.stats(0, "")["curr_connections"] == "1", 5, "the node has noticed that all are gone"
        )


class FewClients(Cluster):
    """Nodes that let 300 clients in."""

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "-c", "300"]


def test_clients_in_the_midst_of_a_command_cost_little_and_keep_nobody_out_when_they_have_left(
    tmp_path: Path,
) -> None:
    with FewClients(2, tmp_path) as cluster:
        port, process = cluster.ports[0], cluster.node(0).process.pid
        for _ in range(3):
            until_answered(port)
            each, told = half_open(port, process, 300)
            assert each < HALF_OPEN_KB
            assert told == b""
        until_answered(port)
