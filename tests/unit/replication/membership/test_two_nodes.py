"""Two nodes: neither is a majority, so either goes on alone, or where one is demanded neither does."""

from __future__ import annotations

from tests.harness.cluster import Cluster, serving_cluster

WAYS = [(1, 2), (2, 1)]


def _set(value: bytes, key: bytes = b"k") -> bytes:
    return b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value)


def _heal(cluster: Cluster) -> None:
    """The way between them is open again; what was said meanwhile was lost."""
    for way in WAYS:
        cluster.lose(way)
    cluster.release()
    cluster.advance(1_500)


def test_two_nodes_hold_the_same() -> None:
    cluster = serving_cluster(2)
    assert cluster.client(1).send(_set(b"v")) == b"STORED\r\n"
    assert cluster.client(2).send(b"get k\r\n") == b"VALUE k 0 1\r\nv\r\nEND\r\n"


def test_when_one_is_killed_the_other_goes_on_at_once_and_gives_back_what_the_first_has_lost() -> None:
    cluster = serving_cluster(2)
    client = cluster.client(2)
    cluster.hold((1, 2))
    assert client.send(_set(b"v")) == b""
    cluster.kill(1)
    assert client.take() == b"STORED\r\n"
    assert cluster.members(2) == [2]
    cluster.start(1)
    cluster.advance(500)
    assert sorted(cluster.serving()) == [1, 2]
    assert cluster.value(1, b"k") == b"v"


def test_when_the_way_between_them_is_cut_both_go_on_and_both_have_the_same_afterwards() -> None:
    cluster = serving_cluster(2)
    assert cluster.client(1).send(_set(b"0", b"both")) == b"STORED\r\n"
    cluster.hold(*WAYS)
    cluster.advance(1_000)
    assert sorted(cluster.serving()) == [1, 2]
    assert cluster.client(1).insist(_set(b"v", b"one") + _set(b"1", b"both")) == b"STORED\r\n" * 2
    assert cluster.client(2).insist(_set(b"v", b"two") + _set(b"2", b"both")) == b"STORED\r\n" * 2
    _heal(cluster)
    assert sorted(cluster.serving()) == [1, 2]
    for number in (1, 2):
        assert [cluster.value(number, key) for key in (b"one", b"two", b"both")] == [b"v", b"v", b"2"]


def test_when_one_direction_is_cut_the_one_that_hears_nothing_goes_on() -> None:
    for way in WAYS:
        cluster = serving_cluster(2)
        cluster.hold(way)
        cluster.advance(1_500)
        deaf = way[1]
        assert deaf in cluster.serving()
        assert cluster.members(deaf) == [deaf]


def test_where_a_majority_is_demanded_the_death_of_one_stops_the_other_and_nothing_is_answered() -> None:
    cluster = serving_cluster(2, strict=True)
    client = cluster.client(2)
    cluster.hold((1, 2))
    assert client.send(_set(b"v")) == b""
    cluster.kill(1)
    cluster.advance(2_000)
    assert cluster.serving() == []
    assert client.closed
    assert client.take() == b""
    assert cluster.members(2) == [1, 2]


def test_where_a_majority_is_demanded_the_survivors_data_come_back_with_the_other_one() -> None:
    cluster = serving_cluster(2, strict=True)
    assert cluster.client(1).send(_set(b"v")) == b"STORED\r\n"
    cluster.kill(1)
    cluster.advance(500)
    cluster.start(1)
    cluster.advance(1_000)
    assert sorted(cluster.serving()) == [1, 2]
    assert cluster.client(1).send(b"get k\r\n") == b"VALUE k 0 1\r\nv\r\nEND\r\n"


def test_where_a_majority_is_demanded_a_cut_stops_both_until_it_heals() -> None:
    cluster = serving_cluster(2, strict=True)
    assert cluster.client(1).send(_set(b"v")) == b"STORED\r\n"
    cluster.hold(*WAYS)
    cluster.advance(1_000)
    assert cluster.serving() == []
    assert not any(node.open for node in cluster.nodes.values())
    _heal(cluster)
    assert sorted(cluster.serving()) == [1, 2]
    assert [cluster.value(number, b"k") for number in (1, 2)] == [b"v"] * 2
