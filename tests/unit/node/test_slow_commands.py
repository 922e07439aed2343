"""What waited for long is remembered, with what it waited for; what was answered at once is not."""

from __future__ import annotations

from memrep.node.slow_commands import PEERS, REMEMBERED, SLOW_MS, VIEW, SlowCommand
from memrep.replication.membership.timing import Timing
from tests.harness.cluster import TICK_MS, Cluster, serving_cluster

SET = b"set k 0 0 1\r\n1\r\n"


def _slow(cluster: Cluster, number: int = 1) -> list[SlowCommand]:
    return list(cluster.nodes[number].clients.slow.last)


def test_what_is_answered_at_once_or_soon_is_not_slow() -> None:
    cluster = serving_cluster(3)
    client = cluster.client(1)
    client.send(b"get k\r\n")
    client.send(SET)
    cluster.hold((2, 1))
    client.post(SET)
    cluster.advance(SLOW_MS - 50)
    cluster.release((2, 1))
    assert client.wait(50) == b"STORED\r\n"
    assert _slow(cluster) == []


def test_a_write_that_waits_for_a_node_is_told_with_that_node() -> None:
    cluster = serving_cluster(3)
    client = cluster.client(1, "10.9.9.9")
    cluster.hold((2, 1))
    client.post(SET)
    cluster.advance(SLOW_MS + 100)
    cluster.release((2, 1))
    assert client.wait(50) == b"STORED\r\n"
    (slow,) = _slow(cluster)
    assert (slow.name, slow.key, slow.host, slow.waited_for, slow.nodes) == (
        "set",
        b"k",
        "10.9.9.9",
        PEERS,
        (2,),
    )
    assert slow.answered
    assert SLOW_MS <= slow.waited_ms <= SLOW_MS + 200


def test_what_comes_while_a_node_may_not_serve_waits_for_a_view() -> None:
    timing = Timing(silence=10_000)
    cluster = serving_cluster(3, timing=timing)
    client = cluster.client(1)
    cluster.hold_all()
    cluster.advance(timing.lease + TICK_MS)
    assert cluster.serving() == []
    client.post(b"get k\r\n")
    cluster.advance(2 * SLOW_MS)
    cluster.release()
    assert client.wait(200) == b"END\r\n"
    (slow,) = _slow(cluster)
    assert (slow.name, slow.key, slow.waited_for, slow.nodes) == ("get", b"k", VIEW, ())


def test_a_write_that_a_silent_node_holds_up_is_told_with_that_node() -> None:
    cluster = serving_cluster(3)
    client = cluster.client(1)
    cluster.freeze(2)
    client.post(SET)
    assert client.wait(3_000) == b"STORED\r\n"
    (slow,) = _slow(cluster)
    assert (slow.name, slow.waited_for in {VIEW, PEERS}) == ("set", True)
    assert slow.waited_for == VIEW or slow.nodes == (2,)


def test_who_is_hung_up_on_is_told_as_such() -> None:
    cluster = serving_cluster(2)
    client = cluster.client(1)
    cluster.hold_all()
    client.post(SET)
    cluster.advance(400)
    client.hang_up()
    cluster.advance(100)
    (slow,) = _slow(cluster)
    assert (slow.name, slow.answered) == ("set", False)


def test_the_last_ones_are_remembered() -> None:
    cluster = serving_cluster(2)
    clients = [cluster.client(1) for _ in range(REMEMBERED + 50)]
    cluster.hold((2, 1))
    for n, client in enumerate(clients):
        client.post(b"set k%d 0 0 1\r\n1\r\n" % n)
    cluster.advance(300)
    cluster.release((2, 1))
    cluster.advance(100)
    assert len(_slow(cluster)) == REMEMBERED
