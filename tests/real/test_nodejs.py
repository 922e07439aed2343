"""Node's clients of Redis, ioredis and node-redis, with the settings of deploy/node: no dead node is missed.

A program in Node has one connection for all its requests, which lives as long as it does. So a node may be gone
before the program is there, between the read of a session and its write, or while a command is on its way.
ioredis asks again; node-redis does, too, where it knows the nodes by Sentinel, and fails that one command where
it knows them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import attrs
import pytest
from redis import Redis

from .nodejs import LANES, FoundNodes, Javascript
from .php import Summary
from .processes import pause

pytestmark = [pytest.mark.real, pytest.mark.long]

SESSIONS = 20
CYCLES = 300
PACE_MS = 15

#: The settings leave a node that says nothing after 1.5 s, and ask another one.
FROZEN_S = 5
LEFT_AFTER_MS = 4_000

#: Within this time, s, a command is sent, and a lost connection is known to be lost.
SENT_S = 0.3


@attrs.frozen
class Way:
    """How a program in Node finds its nodes."""

    client: str
    by: str

    def __str__(self) -> str:
        return f"{self.client} {self.by}"

    def in_flight(self, failure: str) -> dict[str, int]:
        """What becomes of a command that is on its way when its node dies, if its failure is called so."""
        return {failure: 1} if self.fails_in_flight else {}

    @property
    def fails_in_flight(self) -> bool:
        """Whether a command that is on its way when its node dies fails."""
        return self.by == "byName" and self.client.startswith("redis")


WAYS: Final = [
    Way("ioredis", "byName"),
    Way("ioredis", "bySentinel"),
    Way("ioredis", "byCluster"),
    Way("ioredis5", "byName"),
    Way("ioredis5", "bySentinel"),
    Way("ioredis5", "byCluster"),
    Way("redis", "byName"),
    Way("redis", "bySentinel"),
    Way("redis4", "byName"),
]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], FoundNodes]]:
    """Three nodes that are a Cluster, or three that are none; started when they are asked for."""
    kinds: dict[bool, FoundNodes] = {}
    with ExitStack() as stack:

        def start(as_cluster: bool) -> FoundNodes:
            if as_cluster not in kinds:
                options = ["--redis-cluster"] if as_cluster else []
                nodes = FoundNodes(3, tmp_path_factory.mktemp("nodes"), *options)
                kinds[as_cluster] = stack.enter_context(nodes)
            return kinds[as_cluster]

        yield start


@pytest.fixture
def nodes(started: Callable[[bool], FoundNodes], request: pytest.FixtureRequest, tmp_path: Path) -> FoundNodes:
    """Three of them, whole and empty, whatever the test before has left."""
    asked = getattr(request.node, "callspec", None)
    shared_nodes = started(asked is not None and asked.params["way"].by == "byCluster")
    shared_nodes.make_whole()
    shared_nodes.talk(0, b"flush_all", b"OK\r\n")
    shared_nodes.directory = tmp_path
    return shared_nodes


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_no_node_is_missed_whenever_it_dies(way: Way, nodes: FoundNodes) -> None:
    """Before the program is there, while it rests, within a request, and with a command on its way."""
    nodes.kill(0)
    with Javascript(nodes, way.client, way.by, sessions=SESSIONS) as js:
        js.told("ready")
        assert js.ask("round").ok == SESSIONS
        revive(nodes, 0)

        dying = asked(nodes, js)
        nodes.kill(dying)
        pause(SENT_S)
        assert js.ask("visit", id=0).ok == 1
        revive(nodes, dying)

        dying = asked(nodes, js)
        js.order("hold", id=0)
        js.told("holds")
        nodes.kill(dying)
        pause(SENT_S)
        assert js.ask("release").ok == 1
        revive(nodes, dying)

        dying = asked(nodes, js)
        nodes.freeze(dying)
        js.order("visit", id=0)
        js.told("asks")
        pause(SENT_S)
        nodes.kill(dying)
        assert js.summary().anomalies == way.in_flight("failed read")
        revive(nodes, dying)

        dying = asked(nodes, js)
        js.order("hold", id=0)
        js.told("holds")
        nodes.freeze(dying)
        js.order("release")
        pause(SENT_S)
        nodes.kill(dying)
        assert js.summary().anomalies == way.in_flight("failed write")

        assert js.ask("round").ok == SESSIONS
        revive(nodes, dying)


@pytest.mark.parametrize(
    "way", [Way("ioredis", "bySentinel"), Way("ioredis", "byCluster"), Way("redis", "byName")], ids=str
)
def test_nodes_that_are_killed_and_stopped_under_load_lose_no_session(way: Way, nodes: FoundNodes) -> None:
    """Where a command that is on its way fails, so does each of several."""
    with Javascript(nodes, way.client, way.by, sessions=SESSIONS) as js:
        js.told("ready")
        js.order("flow", cycles=CYCLES, pace_ms=PACE_MS)
        for node in range(2):
            nodes.kill_and_restart(node, gone_s=0.5)
        for node in range(2):
            nodes.stop(node)
            revive(nodes, node)
        js.order("stop")
        outcome = js.summary()
        print(outcome)
        assert outcome.cycles >= CYCLES
        assert set(outcome.anomalies) <= ({"failed read", "failed write"} if way.fails_in_flight else set())
        # Of a node that is stopped hears who rests: what crosses that word fails, and not what all lanes say.
        assert sum(outcome.anomalies.values()) <= 2 * LANES + 2
        assert js.ask("round").ok == SESSIONS


def test_a_planned_stop_fails_at_most_the_one_command_that_crosses_the_end(nodes: FoundNodes) -> None:
    """node-redis says nothing twice, and its connection is never idle for long."""
    with Javascript(nodes, "redis", "byName", sessions=SESSIONS) as js:
        js.told("ready")
        js.order("flow", cycles=CYCLES, pace_ms=PACE_MS)
        for node in range(nodes.count):
            nodes.stop(node)
            revive(nodes, node)
        js.order("stop")
        outcome = js.summary()
        print(outcome)
        assert sum(outcome.anomalies.values()) <= nodes.count
        assert js.ask("round").ok == SESSIONS


@pytest.mark.parametrize("way", [Way("ioredis", "bySentinel"), Way("ioredis", "byCluster")], ids=str)
def test_ioredis_leaves_a_node_that_stands_still_unless_by_name(way: Way, nodes: FoundNodes) -> None:
    outcome = frozen(way, nodes)
    assert outcome.anomalies == {}
    assert outcome.slowest_ms < LEFT_AFTER_MS


@pytest.mark.parametrize(
    "way", [Way("ioredis", "byName"), Way("redis", "byName"), Way("redis", "bySentinel")], ids=str
)
def test_who_does_not_leave_a_node_that_stands_still_loses_no_session_either(
    way: Way, nodes: FoundNodes
) -> None:
    outcome = frozen(way, nodes)
    assert set(outcome.anomalies) <= ({"failed read", "failed write"} if way.fails_in_flight else set())
    assert outcome.slowest_ms > FROZEN_S * 1000 - 200


def test_node_redis_as_a_clusters_client_waits_for_long_when_a_node_dies(
    started: Callable[[bool], FoundNodes],
) -> None:
    """Which is why its settings have no such way."""
    adds = """
        const rootNodes = ["10.1.1.1", "10.2.2.2"].map((host) => ({ socket: { host, port: 6379 } }));
        export const byCluster = () => connected(redis.createCluster({ rootNodes, defaults: { socket } }));
    """
    nodes = started(True)
    nodes.make_whole()
    with Javascript(nodes, "redis", "byCluster", sessions=SESSIONS, adds=adds) as js:
        js.told("ready")
        js.order("flow", cycles=CYCLES, pace_ms=PACE_MS)
        nodes.kill_and_restart(0, gone_s=1)
        js.order("stop")
        assert js.summary().slowest_ms > 1_000


def frozen(way: Way, nodes: FoundNodes) -> Summary:
    """What becomes of the cycles of a program whose node stands still, and goes on."""
    with Javascript(nodes, way.client, way.by, sessions=SESSIONS) as js:
        js.told("ready")
        before = hits(nodes, 0)
        for _ in range(2):  # so that it has found what it has stored
            assert js.ask("round").ok == SESSIONS
        assert hits(nodes, 0) > before, "it asks the node that is to stand still"
        js.order("flow", cycles=CYCLES, pace_ms=PACE_MS)
        nodes.freeze_and_thaw(0, FROZEN_S)
        js.order("stop")
        outcome = js.summary()
        print(outcome)
        assert js.ask("round").ok == SESSIONS
    return outcome


def test_a_node_that_takes_the_first_address_only_waits_for_that_one(nodes: FoundNodes) -> None:
    """As Node did before version 20: its own switch turns the trying of addresses off."""
    nodes.kill(0)
    with Javascript(nodes, "ioredis", "byName", options=["--no-network-family-autoselection"]) as js:
        js.told("ready")
        assert js.ask("visit", id=0).anomalies == {"failed read": 1}
        revive(nodes, 0)
        assert js.ask("visit", id=0).ok == 1


def asked(nodes: FoundNodes, js: Javascript) -> int:
    """The node that it asks for its session 0."""
    before = [hits(nodes, i) for i in range(nodes.count)]
    assert js.ask("visit", id=0).ok == 1
    (i,) = (i for i in range(nodes.count) if hits(nodes, i) > before[i])
    return i


def hits(nodes: FoundNodes, i: int) -> int:
    """How often something was found at node i."""
    with Redis(nodes.host(i), nodes.redis_port, socket_timeout=5) as client:
        found: int = client.info("stats")["keyspace_hits"]
    return found


def revive(nodes: FoundNodes, i: int) -> None:
    """Let a node that died come back, empty; return when it holds everything."""
    nodes.start(i)
    nodes.wait_healed()
