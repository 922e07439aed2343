"""phpredis in cluster mode, its session handler and its class: a node that is lost takes no session along.

The handler `rediscluster` asks at each request which nodes serve, and goes to the master of the session's slot;
where that refuses it goes to another one. It never locks. To who uses the class by itself every error that is
not CLUSTERDOWN is the answer that there is no such key.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from memrep.protocol.resp.cluster import shares, slot_of

from .generation import both_generations
from .parallel import Worker
from .php import REDIS_PREFIX, Php, rediscluster, session_ids
from .processes import pause
from .test_redis_clients import RedisNodes

pytestmark = [pytest.mark.real, both_generations]

SESSIONS: Final = 20
PACE_MS: Final = 15

#: Longer than any of these nodes leaves a command without a word.
FOR_LONG_S: Final = 30

#: What becomes of a request whose command was in flight when its node was lost; and of no other.
IN_FLIGHT: Final = {"failed start", "failed write", "failed read"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RedisNodes]:
    with RedisNodes(3, tmp_path, "--redis-cluster") as nodes:
        yield nodes


def session_of(node: int) -> int:
    """The number of a session whose master this node is."""
    first, last = list(shares(3))[node]
    keys = [(REDIS_PREFIX + name).encode() for name in session_ids(SESSIONS)]
    return next(number for number, key in enumerate(keys) if first <= slot_of(key) <= last)


def worker(cluster: RedisNodes, patience_s: int = 2) -> Worker:
    """A PHP that does what it is told and waits so long for a reply."""
    return Worker(rediscluster(cluster.places(), patience_s), cluster.directory, "php", SESSIONS)


def cycles(cluster: RedisNodes, script: str, patience_s: int = 2) -> Php:
    """A PHP that uses its sessions all day."""
    settings = rediscluster(cluster.places(), patience_s)
    return Php(settings, cluster.directory, script, SESSIONS, script=script)


# --- the session handler


def test_sessions_survive_the_death_of_their_node_before_within_and_between_commands(
    cluster: RedisNodes,
) -> None:
    with worker(cluster) as php:
        for node in range(3):
            session = session_of(node)
            assert php.visit(session).good
            php.hold(session)
            cluster.kill(node)
            assert php.release().good
            request = php.visit(session)
            assert (request.good, request.found) == (True, 2)
            cluster.start(node)
            cluster.wait_healed()
            assert php.visit(session).found == 3


@pytest.mark.long
def test_a_command_in_flight_costs_its_request_alone(cluster: RedisNodes) -> None:
    with worker(cluster) as php:
        for node in range(3):
            session = session_of(node)
            assert php.visit(session).good
            php.hold(session)
            cluster.freeze(node)
            php.finish()
            pause(0.1)
            cluster.kill(node)
            php.wait()
            wrote = php.requests[-1].good
            request = php.visit(session)
            assert request.good
            assert request.found in ((2,) if wrote else (1, 2))
            cluster.start(node)
            cluster.wait_healed()


@pytest.mark.long
def test_nodes_that_are_killed_or_stand_still_lose_no_increment(cluster: RedisNodes) -> None:
    with cycles(cluster, "cycle.php") as handler, cycles(cluster, "plain.php") as own:
        for php in (handler, own):
            php.order("flow", cycles=200, pace_ms=PACE_MS)
        for node in range(3):
            cluster.kill_and_restart(node, gone_s=0.5)
            cluster.freeze_and_thaw((node + 1) % 3, frozen_s=2.5)
        for php in (handler, own):
            php.order("stop")
        for php in (handler, own):
            outcome = php.summary()
            print(outcome)
            assert set(outcome.anomalies) <= IN_FLIGHT
            # A kill costs one; a node that stands still one for each read_timeout, of which two may begin.
            assert sum(outcome.anomalies.values()) <= 3 + 3 * 2


# --- what is not answered


def test_a_command_that_a_node_finds_when_it_wakes_is_told_that_the_cluster_is_down(
    cluster: RedisNodes,
) -> None:
    with worker(cluster, FOR_LONG_S) as php:
        session = session_of(0)
        assert php.visit(session).good
        php.hold(session)
        cluster.freeze(0)
        php.finish()
        pause(1)
        cluster.thaw(0)
        php.wait()
        request = php.requests[-1]
        assert request.outcome == "failed write"
        assert request.notices == ["thrown: The Redis Cluster is down (CLUSTERDOWN)"]
        cluster.wait_healed()
        assert php.visit(session).found == 1


@pytest.mark.long
def test_to_the_class_no_key_is_missing_while_there_is_no_majority(tmp_path: Path) -> None:
    with (
        RedisNodes(3, tmp_path, "--redis-cluster", "--partition", "majority") as nodes,
        cycles(nodes, "plain.php", FOR_LONG_S) as php,
    ):
        php.order("flow", cycles=100, pace_ms=PACE_MS)
        pause(0.5)
        for node in (1, 2):
            nodes.freeze(node)
        pause(1.5)
        for node in (1, 2):
            nodes.thaw(node)
        nodes.wait_healed()
        php.order("stop")
        outcome = php.summary()
        print(outcome)
        assert set(outcome.anomalies) <= IN_FLIGHT
        assert "The Redis Cluster is down (CLUSTERDOWN)" in outcome.notices
