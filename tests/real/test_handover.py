"""Two nodes are restarted right after each other: the second one waits for the first to hold everything.

An operator who restarts all servers in one go, without a look at `stats`, would otherwise end the only node
that holds the sessions while the other one is still fetching them.
"""

import signal
from pathlib import Path

import pytest

from .cluster import Cluster

pytestmark = pytest.mark.real

#: So many of a kilobyte take some tenths of a second to fetch, and fit into a node's memory.
SESSIONS = 40_000


def fill(cluster: Cluster) -> None:
    """Store them through the first node."""
    value = b"v" * 1_000
    for first in range(0, SESSIONS, 1_000):
        keys = range(first, first + 1_000)
        lines = b"".join(b"set s%d 0 0 1000 noreply\r\n%b\r\n" % (number, value) for number in keys)
        assert cluster.talk(0, lines + b"version", b"\r\n").startswith(b"VERSION")


def restart_other(cluster: Cluster) -> None:
    """Restart the second node, and return when it begins to fetch from the first."""
    cluster.stop(1)
    joined = f"(joined: {cluster.addresses[1]})"
    before = cluster.node(0).log.read_text().count(joined)
    cluster.start(1)
    cluster.node(0).lines_with(joined, at_least=before + 1)


def test_restarting_all_nodes_in_one_go_loses_no_session(tmp_path: Path) -> None:
    with Cluster(2, tmp_path) as cluster:
        fill(cluster)
        restart_other(cluster)
        with cluster.stopping(0):
            assert cluster.node(0).lines_with("it goes when another node does")
        cluster.start(0)
        cluster.wait_healed()
        for i in range(2):
            assert int(cluster.stats(i, "")["curr_items"]) == SESSIONS


def test_a_second_signal_ends_a_node_that_waits_for_another_one(tmp_path: Path) -> None:
    with Cluster(2, tmp_path) as cluster:
        fill(cluster)
        restart_other(cluster)
        cluster.freeze(1)  # it fetches nothing more, and is heard for a while
        with pytest.raises(AssertionError, match="exit status 1"), cluster.stopping(0):
            cluster.node(0).lines_with("it goes when another node does")
            cluster.node(0).process.send_signal(signal.SIGTERM)
        assert cluster.node(0).lines_with("a second signal: stops at once")
        cluster.thaw(1)
