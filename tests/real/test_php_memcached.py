"""php-memcached in text mode, which asks one node per key and gives up when that node refuses.

It hashes a session and its lock to a node each and knows no replicas in text mode. While a node is
down it fails the sessions that belong there, whatever the cluster holds; with
sess_remove_failed_servers and sess_server_failure_limit it fails fewer. No server can cure that. What
the cluster owes it is the other half: whatever does start is right, always, and once the node is
back everything is.
"""

from pathlib import Path

import pytest

from .cluster import Cluster
from .generation import both_generations
from .php import Php, Summary, php_memcached_text

pytestmark = [pytest.mark.real, both_generations]

SESSIONS = 60


def test_healthy_nodes_serve_every_session(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, text_client(cluster, tmp_path) as php:
        for _ in range(3):
            outcome = php.ask("round")
            assert (outcome.ok, outcome.notices) == (SESSIONS, {})


def test_rolling_restarts_between_requests_lose_nothing(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, text_client(cluster, tmp_path) as php:
        assert php.ask("round").ok == SESSIONS
        for i in range(cluster.count):
            cluster.stop(i)
            cluster.start(i)
            cluster.wait_healed()
            outcome = php.ask("round")
            assert (outcome.ok, outcome.notices) == (SESSIONS, {}), f"after the restart of node {i}"


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_what_starts_while_a_node_is_down_is_right(ending: str, tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, text_client(cluster, tmp_path) as php:
        assert php.ask("round").ok == SESSIONS
        for i in range(cluster.count):
            getattr(cluster, ending)(i)
            for _ in range(2):
                assert_nothing_but_refusals(php.ask("round"))
            cluster.start(i)
            cluster.wait_healed()
            assert_all_right_again(php)


def test_dropping_failed_servers_fails_fewer_sessions(tmp_path: Path) -> None:
    refused: dict[bool, int] = {}
    for drops in (False, True):
        directory = tmp_path / f"drops-{drops}"
        directory.mkdir()
        with Cluster(3, directory) as cluster, text_client(cluster, directory, drops=drops) as php:
            assert php.ask("round").ok == SESSIONS
            cluster.kill(1)
            refused[drops] = assert_nothing_but_refusals(php.ask("round"))
            cluster.start(1)
            cluster.wait_healed()
            assert_all_right_again(php)
    print(f"sessions refused: {refused[False]} by default, {refused[True]} when failed servers are dropped")
    assert refused[True] < refused[False]


def text_client(cluster: Cluster, directory: Path, drops: bool = False) -> Php:
    return Php(php_memcached_text(cluster.ports, drops_failed_servers=drops), directory, sessions=SESSIONS)


def assert_nothing_but_refusals(outcome: Summary) -> int:
    """Some sessions start and are right, the others do not start; how many do not."""
    assert set(outcome.anomalies) <= {"failed start"}
    refused = outcome.anomalies.get("failed start", 0)
    assert 0 < refused < SESSIONS
    assert outcome.ok == SESSIONS - refused
    return refused


def assert_all_right_again(php: Php) -> None:
    outcome = php.ask("round")
    assert outcome.anomalies == {}
    assert outcome.ok == SESSIONS
