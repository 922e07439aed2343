"""Each node answers as a sentinel does, with nodes that serve, and with no replica whatever happens."""

from __future__ import annotations

from tests.harness.cluster import Client, Cluster, serving_cluster
from tests.harness.lone_node import LoneConnection, lone_node

PORT = 6379


def _cluster() -> Cluster:
    return serving_cluster(3, redis_port=PORT)


def redis_client(cluster: Cluster, number: int, host: str = "10.9.9.9") -> Client:
    """A client of Redis' protocol, from this host."""
    return cluster.client(number, host, "redis")


def _address(number: int) -> bytes:
    return b"*2\r\n$8\r\n10.0.0.%d\r\n$4\r\n6379\r\n" % number


def _ask(client: Client | LoneConnection, line: bytes) -> bytes:
    data = line + b"\r\n"
    return client.send(data) if isinstance(client, Client) else client.receive(data)


def test_everybody_is_told_of_the_first_node_that_serves_and_who_is_local_of_the_one_it_asks() -> None:
    cluster = _cluster()
    for number in (1, 2, 3):
        far, local = redis_client(cluster, number), redis_client(cluster, number, "127.0.0.1")
        assert _ask(far, b"SENTINEL get-master-addr-by-name any") == _address(1)
        assert _ask(local, b"SENTINEL get-master-addr-by-name any") == _address(number)


def test_a_node_that_is_lost_is_told_of_no_more_and_its_loss_is_published() -> None:
    cluster = _cluster()
    cluster.advance(200)
    listener, asking = redis_client(cluster, 3), redis_client(cluster, 3)
    _ask(listener, b"SUBSCRIBE +switch-master")
    _ask(asking, b"SENTINEL get-master-addr-by-name shop")
    cluster.kill(1)
    cluster.advance(3_000)
    told = listener.take()
    for name in (b"mymaster", b"shop"):
        assert b"\r\n%b 10.0.0.1 6379 10.0.0.2 6379\r\n" % name in told
    asking = redis_client(cluster, 3)
    assert _ask(asking, b"SENTINEL get-master-addr-by-name shop") == _address(2)
    assert _ask(asking, b"SENTINEL ckquorum shop").startswith(b"+OK 2 usable Sentinels.")
    assert _ask(asking, b"WAIT 5 0") == b":1\r\n"


def test_a_node_that_fetches_what_it_lacks_is_not_told_of() -> None:
    cluster = serving_cluster(3, redis_port=PORT)
    cluster.kill(1)
    cluster.advance(3_000)
    cluster.hold((2, 1), (3, 1))
    cluster.start(1)
    cluster.advance(100)
    assert _ask(redis_client(cluster, 3), b"SENTINEL get-master-addr-by-name x") == _address(2)


def test_there_are_no_replicas_and_the_other_nodes_are_the_other_sentinels() -> None:
    client = redis_client(_cluster(), 2)
    assert _ask(client, b"SENTINEL replicas x") == _ask(client, b"SENTINEL SLAVES x") == b"*0\r\n"
    told = _ask(client, b"SENTINEL sentinels x")
    assert told.startswith(b"*2\r\n")
    assert told.count(b"$8\r\nsentinel\r\n") == 2
    assert b"10.0.0.1" in told and b"10.0.0.3" in told and b"10.0.0.2" not in told


def test_masters_are_listed_under_configured_names_and_those_that_were_asked_for() -> None:
    client = lone_node(redis_port=PORT, redis_masters=(b"one", b"two")).connect("redis")
    _ask(client, b"SENTINEL master three")
    _ask(client, b"HELLO 3")
    told = _ask(client, b"SENTINEL masters")
    assert told.startswith(b"*3\r\n%20\r\n$4\r\nname\r\n$3\r\none\r\n")
    for name in (b"two", b"three"):
        assert b"$4\r\nname\r\n$%d\r\n%b\r\n" % (len(name), name) in told
    assert told.count(b"$5\r\nflags\r\n$6\r\nmaster\r\n") == 3
    assert told.count(b"$19\r\nnum-other-sentinels\r\n$1\r\n0\r\n") == 3


def test_a_master_is_described_in_pairs_in_resp2_and_is_never_down() -> None:
    client = lone_node(redis_port=PORT).connect("redis")
    assert _ask(client, b"SENTINEL master x").startswith(b"*40\r\n$4\r\nname\r\n$1\r\nx\r\n$2\r\nip\r\n")
    told = _ask(client, b"SENTINEL is-master-down-by-addr 127.0.0.1 6379 0 *")
    assert told == b"*3\r\n:0\r\n$1\r\n*\r\n:0\r\n"
    assert _ask(client, b"SENTINEL myid").startswith(b"$40\r\n")
