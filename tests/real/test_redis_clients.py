"""redis-py, the Redis client of Python programs: as a client of a Sentinel, of a Cluster, and as a subscriber.

Each node has a loopback address of its own (127.0.0.1, 127.0.0.2, ...) and the same Redis port, for that is
how nodes know of each other's Redis ports.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from memrep.protocol.resp.cluster import SLOTS, slot_of

from .cluster import Cluster
from .processes import PortLease, pause, until

pytestmark = pytest.mark.real

#: Longer than any promise of the cluster, so that a late answer shows as what it is.
TIMEOUT_S = 5

#: Within which the loss of a node is known everywhere.
LOSS_S = 5


class RedisNodes(Cluster):
    """N daemons that serve Redis' clients, too."""

    def __init__(self, count: int, directory: Path, *options: str) -> None:
        super().__init__(count, directory)
        self._options = options
        self._redis_lease = PortLease(1)
        (self.redis_port,) = self._redis_lease.ports

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self._redis_lease.close()

    @staticmethod
    def host(i: int) -> str:
        """Where node i serves Redis' clients."""
        return f"127.0.0.{i + 1}"

    @property
    def addresses(self) -> list[str]:
        return [f"{self.host(i)}:{self.ports[0]}" for i in range(self.count)]

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "--redis", str(self.redis_port), *self._options]

    def talk(self, i: int, command: bytes, end: bytes = b"END\r\n") -> bytes:
        with socket.create_connection((self.host(i), self.ports[0]), timeout=TIMEOUT_S) as client:
            client.sendall(command + b"\r\n")
            reply = b""
            while not reply.endswith(end):
                received = client.recv(65536)
                if not received:
                    raise ConnectionError(f"node {i} closed the connection after {reply!r}")
                reply += received
        return reply

    def wait_serving(self, i: int, timeout_s: float = 15) -> None:
        until(lambda: self._accepts(i), timeout_s, f"node {i} accepts Redis' clients")

    def _accepts(self, i: int) -> bool:
        try:
            socket.create_connection((self.host(i), self.redis_port), timeout=1).close()
        except OSError:
            return False
        return True

    def places(self, *nodes: int) -> list[tuple[str, int]]:
        """Host and port of these nodes; of all if none is named."""
        return [(self.host(i), self.redis_port) for i in nodes or range(self.count)]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[RedisNodes]:
    with RedisNodes(3, tmp_path) as cluster:
        yield cluster


@pytest.fixture
def cluster_nodes(tmp_path: Path) -> Iterator[RedisNodes]:
    with RedisNodes(3, tmp_path, "--redis-cluster") as cluster:
        yield cluster


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def protocol(request: pytest.FixtureRequest) -> int:
    version: int = request.param
    return version


@pytest.fixture
def client_of(nodes: RedisNodes, protocol: int) -> Iterator[Callable[[int], Any]]:
    """Makes a plain client of one node."""
    with ExitStack() as stack:

        def make(i: int) -> Any:
            client = Redis(nodes.host(i), nodes.redis_port, protocol=protocol, socket_timeout=TIMEOUT_S)
            stack.callback(client.close)
            return client

        yield make


def _sentinel(nodes: RedisNodes, protocol: int) -> Any:
    """Before redis-py 7 its Sentinel cannot read RESP3's maps, whoever says them."""
    if protocol == 3 and int(redis.__version__.partition(".")[0]) < 7:
        protocol = 2
    asking = {"socket_timeout": TIMEOUT_S, "retry": Retry(NoBackoff(), 0), "protocol": protocol}
    return Sentinel(nodes.places(), socket_timeout=TIMEOUT_S, sentinel_kwargs=asking)


def _cluster_client(nodes: RedisNodes, protocol: int) -> Any:
    """redis-py 6 tries again without a pause: its usual three times are over before a node is missed."""
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in nodes.places()],
        protocol=protocol,
        socket_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 100),
    )


# --- Sentinel


def test_a_sentinels_client_finds_a_master_that_stores_and_no_replica(nodes: RedisNodes, protocol: int) -> None:
    sentinel = _sentinel(nodes, protocol)
    assert sentinel.discover_master("mymaster") == nodes.places(0)[0]  # over loopback: whom it has asked
    assert sentinel.discover_slaves("mymaster") == []
    master = sentinel.master_for("mymaster", socket_timeout=TIMEOUT_S)
    assert master.set("k", "v") and master.get("k") == b"v"


def test_a_sentinels_client_goes_on_where_the_master_has_died(nodes: RedisNodes, protocol: int) -> None:
    sentinel = _sentinel(nodes, protocol)
    master = sentinel.master_for("mymaster", socket_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 3))
    master.set("k", "v")
    nodes.kill(0)
    assert master.get("k") == b"v"
    assert sentinel.discover_master("mymaster") in nodes.places(1, 2)
    assert master.set("k", "w") and master.get("k") == b"w"


def test_who_listens_hears_of_a_master_that_is_lost(nodes: RedisNodes, client_of: Callable[[int], Any]) -> None:
    listener = client_of(2).pubsub()
    listener.subscribe("+switch-master")
    assert listener.get_message(timeout=TIMEOUT_S)["type"] == "subscribe"
    pause(0.2)  # who is the first is looked at every 50 ms
    nodes.kill(0)
    message = _message(listener, LOSS_S)
    old, new, port = nodes.host(0), nodes.host(1), nodes.redis_port
    assert message["data"] == f"mymaster {old} {port} {new} {port}".encode()


# --- Cluster


def test_a_clusters_client_finds_a_master_for_every_slot_and_every_node_is_one(
    cluster_nodes: RedisNodes, protocol: int
) -> None:
    client = _cluster_client(cluster_nodes, protocol)
    assert _masters(client) == cluster_nodes.places()
    for i in range(100):
        assert client.set(f"key-{i}", i)
    assert [client.get(f"key-{i}") for i in range(100)] == [str(i).encode() for i in range(100)]
    assert client.cluster_keyslot("{user}.name") == client.keyslot("user")
    assert client.cluster_info()["cluster_state"] == "ok"
    assert len(client.cluster_nodes()) == 3
    client.close()


def test_a_clusters_client_loses_nothing_when_a_node_dies(cluster_nodes: RedisNodes, protocol: int) -> None:
    client = _cluster_client(cluster_nodes, protocol)
    for i in range(60):
        client.set(f"key-{i}", i)
    cluster_nodes.kill(1)
    assert [client.get(f"key-{i}") for i in range(60)] == [str(i).encode() for i in range(60)]
    until(lambda: _asked(client) == cluster_nodes.places(0, 2), LOSS_S, "the lost node is told of no more")
    for i in range(60):
        assert client.set(f"key-{i}", i)
    client.close()


def _masters(client: Any) -> list[tuple[str, int]]:
    """The masters of all slots. Its own list of them has those only that are nobody's replica."""
    firsts = [nodes[0] for nodes in client.nodes_manager.slots_cache.values()]
    return sorted({(node.host, node.port) for node in firsts})


def _asked(client: Any) -> list[tuple[str, int]]:
    """The masters of all slots, as a node tells them now."""
    client.nodes_manager.initialize()
    return _masters(client)


def test_a_clusters_client_asks_again_when_the_node_that_it_has_asked_wakes(cluster_nodes: RedisNodes) -> None:
    client = _cluster_client(cluster_nodes, 2)
    key = next(key for key in map(str, range(100)) if slot_of(key.encode()) < SLOTS // 3)
    client.set(key, "v")
    with socket.create_connection(cluster_nodes.places(0)[0], timeout=TIMEOUT_S) as plain:
        plain.sendall(b"PING\r\n")
        assert plain.recv(100) == b"+PONG\r\n"
        cluster_nodes.freeze(0)
        plain.sendall(b"GET %b\r\n" % key.encode())
        thaw = threading.Timer(1.5, cluster_nodes.thaw, [0])
        thaw.start()
        assert client.get(key) == b"v"
        assert plain.recv(100) == b"-CLUSTERDOWN The cluster is down\r\n"
        assert plain.recv(100) == b""
        thaw.join()
    client.close()


def test_a_clusters_client_asks_again_until_a_majority_is_there(tmp_path: Path) -> None:
    with RedisNodes(3, tmp_path, "--redis-cluster", "--partition", "majority") as nodes:
        client = _cluster_client(nodes, 2)
        client.set("k", "v")
        with socket.create_connection(nodes.places(0)[0], timeout=TIMEOUT_S) as plain:
            nodes.freeze(1)
            nodes.freeze(2)
            plain.sendall(b"SET other v\r\n")
            thaws = [threading.Timer(2, nodes.thaw, [i]) for i in (1, 2)]
            for thaw in thaws:
                thaw.start()
            assert client.set("k", "w")
            assert plain.recv(100) == b"-CLUSTERDOWN The cluster is down\r\n"
            assert plain.recv(100) == b""
            for thaw in thaws:
                thaw.join()
        assert client.get("k") == b"w"
        client.close()


def test_nobody_is_told_of_a_cluster_where_there_is_none(nodes: RedisNodes) -> None:
    with pytest.raises(RedisClusterException):
        _cluster_client(nodes, 2)


def test_in_a_cluster_there_is_one_database(cluster_nodes: RedisNodes) -> None:
    with pytest.raises(ResponseError, match="not allowed in cluster mode"):
        Redis(cluster_nodes.host(0), cluster_nodes.redis_port, db=1, protocol=2).ping()


# --- publish and subscribe


def _message(listener: Any, timeout_s: float = TIMEOUT_S) -> Any:
    """The next message that is published."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        message = listener.get_message(ignore_subscribe_messages=True, timeout=0.1)
        if message is not None:
            return message
    raise AssertionError("no message comes")


def test_what_is_published_reaches_the_subscribers_of_its_node(client_of: Callable[[int], Any]) -> None:
    listener, publisher = client_of(0).pubsub(), client_of(0)
    listener.subscribe("news")
    listener.psubscribe("n*")
    for kind in ("subscribe", "psubscribe"):
        assert listener.get_message(timeout=TIMEOUT_S)["type"] == kind
    assert publisher.pubsub_channels() == [b"news"]
    assert publisher.pubsub_numsub("news", "none") == [(b"news", 1), (b"none", 0)]
    assert publisher.pubsub_numpat() == 1
    assert publisher.publish("news", "a" * 100_000) == 2
    assert (_message(listener)["type"], _message(listener)["type"]) == ("message", "pmessage")
    assert client_of(1).publish("news", "elsewhere") == 0
    listener.unsubscribe()
    listener.punsubscribe()
    until(lambda: publisher.publish("news", "gone") == 0, TIMEOUT_S, "nobody listens any more")


def test_a_subscriber_that_does_not_read_is_dropped_and_costs_nobody_else_anything(
    nodes: RedisNodes, client_of: Callable[[int], Any]
) -> None:
    with socket.create_connection(nodes.places(0)[0]) as deaf:
        deaf.sendall(b"SUBSCRIBE news\r\n")
        listener, publisher = client_of(0).pubsub(), client_of(0)
        listener.subscribe("news")
        until(lambda: dict(publisher.pubsub_numsub("news"))[b"news"] == 2, TIMEOUT_S, "both listen")
        text = b"x" * 500_000
        for _ in range(60):  # 30 MB: more than its mailbox and the kernel's buffers hold
            publisher.publish("news", text)
            assert _message(listener)["data"] in (text, 1)
        assert dict(publisher.pubsub_numsub("news"))[b"news"] == 1
        assert publisher.set("k", "v") and publisher.get("k") == b"v"


def test_who_publishes_to_a_node_that_has_died_is_told_so(
    nodes: RedisNodes, client_of: Callable[[int], Any]
) -> None:
    publisher = client_of(0)
    publisher.ping()
    nodes.kill(0)
    with pytest.raises(RedisConnectionError):
        publisher.publish("news", "x")
