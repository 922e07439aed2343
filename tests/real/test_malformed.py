"""Clients of bad manners leave nothing behind in a real node; `make malformed` sends 100,000 of them."""

from pathlib import Path

import pytest

from bench.malformed import GROWTH_MB, run

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
