"""The feed tells of each key that has changed, once, and only while its node serves."""

from __future__ import annotations

from memrep.storage.saved import SavedEntry, SavedFacts
from tests.harness.cluster import Cluster, serving_cluster


def _cluster() -> Cluster:
    cluster = serving_cluster()
    for node in cluster.nodes.values():
        node.feed.open(SavedFacts(), 0)
    return cluster


def _taken(cluster: Cluster, number: int = 1) -> dict[bytes, SavedEntry]:
    feed = cluster.nodes[number].feed
    assert feed.begin()
    taken = feed.take(1_000)
    assert len({one.key for one in taken}) == len(taken)
    return {one.key: one for one in taken}


def test_a_key_that_was_written_often_is_told_once_with_its_last_value() -> None:
    cluster = _cluster()
    for i in range(5):
        cluster.client(2).send(b"set key 0 0 1\r\n%d\r\n" % i)
    assert {key: one.value for key, one in _taken(cluster).items()} == {b"key": b"4"}
    assert _taken(cluster) == {}


def test_each_node_tells_of_what_came_through_any() -> None:
    cluster = _cluster()
    cluster.client(2).send(b"set key 0 0 1\r\nx\r\n")
    assert set(_taken(cluster, 1)) == set(_taken(cluster, 3)) == {b"key"}


def test_a_delete_is_told_with_its_version_and_a_purged_tombstone_without() -> None:
    cluster = _cluster()
    cluster.client(1).send(b"set key 0 0 1\r\nx\r\ndelete key\r\n")
    one = _taken(cluster)[b"key"]
    assert one.value is None
    assert one.version == cluster.nodes[1].store.version(b"key")
    cluster.nodes[1].store.remove(b"key")
    assert _taken(cluster) == {b"key": SavedEntry(b"key")}


def test_what_ran_out_is_told_when_it_is_found() -> None:
    cluster = _cluster()
    cluster.client(1).send(b"set key 0 1 1\r\nx\r\n")
    _taken(cluster)
    cluster.advance(5_000)
    assert _taken(cluster)[b"key"].value is None


def test_what_is_on_its_way_is_not_told() -> None:
    cluster = _cluster()
    cluster.hold((2, 1), (3, 1))
    cluster.client(1).post(b"set key 0 0 1\r\nx\r\n")
    assert _taken(cluster) == {}
    cluster.release()
    assert set(_taken(cluster)) == {b"key"}


def test_nothing_is_told_while_the_node_does_not_serve() -> None:
    cluster = _cluster()
    cluster.client(1).send(b"set a 0 0 1\r\nx\r\nset b 0 0 1\r\nx\r\n")
    feed = cluster.nodes[1].feed
    assert feed.begin()
    assert len(feed.take(1)) == 1
    cluster.nodes[1].replica.was_stopped(5_000)
    assert not feed.open_now
    assert feed.take(1) == []
    assert not feed.begin()
    assert feed.left == 1, "it is not forgotten"


def test_what_changes_meanwhile_is_told_the_next_time() -> None:
    cluster = _cluster()
    cluster.client(1).send(b"set a 0 0 1\r\nx\r\n")
    feed = cluster.nodes[1].feed
    assert feed.begin()
    cluster.client(1).send(b"set a 0 0 1\r\ny\r\n")
    assert [one.value for one in feed.take(10)] == [b"y"]
    assert [one.value for one in _taken(cluster).values()] == [b"y"]


def test_what_could_not_be_saved_is_told_again() -> None:
    cluster = _cluster()
    cluster.client(1).send(b"set a 0 0 1\r\nx\r\nset b 0 0 1\r\nx\r\n")
    feed = cluster.nodes[1].feed
    assert feed.begin()
    feed.again([one.key for one in feed.take(1)])
    assert set(_taken(cluster)) == {b"a", b"b"}


def test_the_whole_is_told_once_more_a_piece_at_a_time() -> None:
    cluster = _cluster()
    cluster.client(1).send(b"".join(b"set key%d 0 0 1\r\nx\r\n" % i for i in range(10)) + b"delete key0\r\n")
    _taken(cluster)
    feed = cluster.nodes[1].feed
    feed.rewrite()
    told: list[bytes] = []
    while feed.rewrites:
        piece = feed.take_old(3)
        assert len(piece) <= 3
        told += [one.key for one in piece]
    assert sorted(told) == sorted(b"key%d" % i for i in range(10))


def test_that_this_is_all_is_only_said_of_the_moment_at_which_it_began() -> None:
    cluster = _cluster()
    feed, view = cluster.nodes[1].feed, cluster.nodes[1].replica.state.view
    cluster.client(1).send(b"set a 0 0 1\r\nx\r\n")
    assert feed.begin()
    began = cluster.now
    cluster.advance(500)
    feed.take(10)
    part, whole = feed.facts(whole=False), feed.facts(whole=True)
    assert (part.view, part.at, part.whole) == (0, 0, 0)
    assert (whole.view, whole.gen, whole.whole) == (view.vid, view.gen, began)
    assert whole.mono == cluster.now
    assert whole.clock >= whole.at > 0
    feed.confirmed(whole)
    assert feed.facts(whole=False).view == view.vid
