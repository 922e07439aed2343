"""Whether nodes hold the same: one that was altered is found, and nothing that is legitimate is taken for it.

What is to alarm nobody is tried with a bar much lower than the real one: a difference that two comparisons in
succession meet is called one. So nothing goes unseen here that the real bar would let through by a hair.
"""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from memrep.node import sameness
from memrep.node.sameness import LASTING_MS, WINDOW
from memrep.status.checks import report
from memrep.storage.digest import BUCKETS, bucket_of
from tests.harness.cluster import Cluster, serving_cluster

#: All buckets have been told.
_ROUND_MS = BUCKETS // WINDOW * 1_100 + 2_000

#: And told so often that a difference has lasted.
_FOUND_MS = LASTING_MS + 2 * _ROUND_MS


def _verdict(cluster: Cluster, number: int) -> str:
    return report(cluster.nodes[number].report.status(), ["digests"]).result


def _sums(cluster: Cluster, number: int) -> list[int]:
    """The sums of a node's values."""
    store = cluster.nodes[number].store
    return store.digest.without(store.dead, 0, BUCKETS)


def _nobody_complains(cluster: Cluster) -> None:
    for number in cluster.nodes:
        assert not cluster.nodes[number].report.status().sameness.differing, cluster.now


def _calm(cluster: Cluster, ms: int) -> None:
    """Let time pass, and look each second that nobody complains."""
    for _ in range(ms // 1_000):
        cluster.advance(1_000)
        _nobody_complains(cluster)


_DEEDS = [
    b"set %s 0 0 1\r\n1\r\n",
    b"set %s 0 2 1\r\n1\r\n",
    b"set %s 0 30 1\r\n1\r\n",
    b"add %s 0 0 1\r\n1\r\n",
    b"append %s 0 0 1\r\n1\r\n",
    b"set %s 0 0 3000\r\n" + bytes(3000) + b"\r\n",
    b"delete %s\r\n",
    b"incr %s 7\r\n",
    b"touch %s 3\r\n",
    b"touch %s 0\r\n",
    b"gat 40 %s\r\n",
]


def _write(cluster: Cluster, rng: Random, ms: int, keys: int = 300) -> None:
    """Do for so long all that clients can do, at all nodes, and look each second that nobody complains."""
    clients = [cluster.client(number) for number in cluster.nodes]
    end = cluster.now + ms
    while cluster.now < end:
        for client in clients:
            client.post(rng.choice(_DEEDS) % b"k%d" % rng.randrange(keys))
        if rng.random() < 0.002:
            rng.choice(clients).post(b"flush_all %d\r\n" % rng.randrange(3))
        cluster.advance(50)
        if cluster.now % 1_000 < 50:
            _nobody_complains(cluster)


def _views(cluster: Cluster) -> set[int]:
    return {node.replica.state.view.vid for node in cluster.nodes.values()}


@pytest.fixture
def low_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call different what differs in two comparisons in succession."""
    monkeypatch.setattr(sameness, "LASTING_MS", 60_000)


def test_nodes_that_hold_the_same_say_so_and_how_much_was_compared() -> None:
    cluster = serving_cluster(3)
    cluster.client(1).send(b"set k 0 0 1\r\nx\r\n")
    cluster.advance(_ROUND_MS)
    found = report(cluster.nodes[2].report.status(), ["digests"])
    assert found.text.startswith("3 nodes hold the same: 1,024 of 1,024 buckets compared, the oldest ")
    assert found.result == "ok"


def test_a_part_that_was_compared_is_told_as_a_part() -> None:
    cluster = serving_cluster(3)
    cluster.advance(_ROUND_MS // 8)
    found = report(cluster.nodes[2].report.status(), ["digests"])
    assert found.text.startswith("no difference so far: ")
    assert found.result == "ok"


def test_nothing_is_known_before_anything_was_compared() -> None:
    cluster = Cluster(3)
    assert _verdict(cluster, 1) == "unknown"


@pytest.mark.parametrize("busy", [False, True])
def test_a_store_that_lacks_a_key_is_found_even_while_others_are_written(busy: bool) -> None:
    cluster = serving_cluster(3)
    client = cluster.client(1)
    client.send(b"set lost 0 0 1\r\nx\r\n")
    cluster.nodes[2].store.remove(b"lost")
    # Neighbours in the same bucket, so that no sum stands still.
    near = [key for key in (b"n%d" % n for n in range(20_000)) if bucket_of(key) == bucket_of(b"lost")]
    assert near
    for n in range(_FOUND_MS // 500):
        if busy:
            client.send(b"set %s 0 0 1\r\nx\r\n" % near[n % len(near)])
        cluster.advance(500)
    assert [_verdict(cluster, number) for number in (1, 2, 3)] == ["critical"] * 3
    (problem,) = cluster.nodes[1].report.status().problems
    assert problem.kind == "data-differs" and "differs from" in problem.text
    client.send(b"set lost 0 0 1\r\ny\r\n")
    cluster.advance(_ROUND_MS)
    assert _verdict(cluster, 1) == "ok"


def test_a_difference_is_told_only_when_it_has_lasted() -> None:
    cluster = serving_cluster(2)
    cluster.client(1).send(b"set lost 0 0 1\r\nx\r\n")
    cluster.nodes[2].store.remove(b"lost")
    _calm(cluster, LASTING_MS)
    cluster.advance(2 * _ROUND_MS)
    assert cluster.nodes[1].report.status().sameness.differing == {cluster.names[1]: 1}
    assert cluster.nodes[2].report.status().sameness.differing == {cluster.names[0]: 1}


@pytest.mark.usefixtures("low_bar")
def test_a_busy_site_is_never_called_different_in_a_long_view() -> None:
    # Little memory, so much is evicted; clocks an hour apart; tombstones that are purged all the time.
    cluster = serving_cluster(3, tombstone_ms=40_000, memory=1 << 17)
    cluster.ahead = {2: 3_600_000, 3: -7_000}
    view = _views(cluster)
    _write(cluster, Random(1), 420_000)
    assert _views(cluster) == view and len(view) == 1
    evictions = [cluster.nodes[number].report._engine.counters.evictions for number in cluster.nodes]
    assert min(evictions) > 20, evictions
    _calm(cluster, 30_000)
    assert _sums(cluster, 1) == _sums(cluster, 2) == _sums(cluster, 3), "what differs is over with the load"
    _calm(cluster, 2 * _ROUND_MS)
    for number in cluster.nodes:
        assert _verdict(cluster, number) == "ok"


@pytest.mark.usefixtures("low_bar")
def test_who_joins_a_busy_site_is_not_called_different_then_or_when_its_tombstones_go() -> None:
    rng = Random(2)
    cluster = serving_cluster(3, tombstone_ms=200_000, memory=1 << 19)
    _write(cluster, rng, 60_000, keys=600)
    cluster.kill(3)
    _write(cluster, rng, 5_000)
    cluster.start(3)
    _write(cluster, rng, 420_000, keys=600)
    assert cluster.members(1) == [1, 2, 3]
    _calm(cluster, 260_000)
    assert _sums(cluster, 1) == _sums(cluster, 2) == _sums(cluster, 3)


@pytest.mark.usefixtures("low_bar")
def test_what_a_change_of_view_settles_is_called_different_by_nobody() -> None:
    rng = Random(3)
    cluster = serving_cluster(3, tombstone_ms=100_000)
    _write(cluster, rng, 20_000)
    for gone in (3, 1):
        client = cluster.client(gone)
        cluster.hold_all()
        for n in range(60):
            client.post(rng.choice(_DEEDS) % b"k%d" % n)
            cluster.step(*[(gone, other) for other in cluster.nodes if other != gone and rng.random() < 0.5])
        cluster.kill(gone)
        cluster.release()
        _write(cluster, rng, 10_000)
        cluster.start(gone)
        _write(cluster, rng, 160_000)
    _calm(cluster, 2 * _ROUND_MS)
    assert _sums(cluster, 1) == _sums(cluster, 2) == _sums(cluster, 3)
    assert [_verdict(cluster, number) for number in cluster.nodes] == ["ok"] * 3


@pytest.mark.usefixtures("low_bar")
def test_sides_that_have_parted_and_met_again_are_not_called_different() -> None:
    rng = Random(4)
    cluster = serving_cluster(3, tombstone_ms=300_000)
    _write(cluster, rng, 20_000)
    cluster.hold((1, 3), (3, 1), (2, 3), (3, 2))
    _write(cluster, rng, 150_000)
    assert cluster.members(3) == [3], "it has gone on by itself, with other data"
    cluster.release()
    for other in (1, 2):
        cluster.dial(3, other)
        cluster.dial(other, 3)
    _write(cluster, rng, 160_000)
    assert cluster.members(1) == cluster.members(3) == [1, 2, 3]
    _calm(cluster, 300_000)
    assert _sums(cluster, 1) == _sums(cluster, 2) == _sums(cluster, 3)
    assert [_verdict(cluster, number) for number in cluster.nodes] == ["ok"] * 3


@pytest.mark.usefixtures("low_bar")
def test_very_many_keys_that_end_at_once_or_are_flushed_alarm_nobody() -> None:
    cluster = serving_cluster(3, tombstone_ms=30_000)
    for batch in range(16):
        sets = [b"set m%d 0 %d 1\r\nx\r\n" % (n, 60 * (n % 2)) for n in range(batch * 500, batch * 500 + 500)]
        cluster.client(1 + batch % 3).send(b"".join(sets))
    assert len(cluster.nodes[3].store) == 8_000
    _calm(cluster, 200_000)
    assert len(cluster.nodes[3].store) == 4_000
    cluster.client(2).send(b"flush_all\r\n")
    _calm(cluster, 2 * _ROUND_MS)
    assert [_verdict(cluster, number) for number in cluster.nodes] == ["ok"] * 3


@pytest.mark.usefixtures("low_bar")
def test_who_was_stopped_purges_much_later_and_is_not_called_different() -> None:
    cluster = serving_cluster(3, tombstone_ms=400_000)
    cluster.client(1).send(b"set k 0 5 1\r\nx\r\nset stays 0 0 1\r\nx\r\n")
    cluster.freeze(3)
    cluster.advance(200_000)
    cluster.thaw(3)
    for other in (1, 2):
        cluster.dial(3, other)
        cluster.dial(other, 3)
    late = 0
    for _ in range(450):
        _calm(cluster, 1_000)
        late += b"k" in cluster.nodes[3].store.tombstones and b"k" not in cluster.nodes[1].store.tombstones
    assert late * 1_000 > 60_000 and cluster.members(1) == [1, 2, 3]
    assert [_verdict(cluster, number) for number in cluster.nodes] == ["ok"] * 3


@pytest.mark.usefixtures("low_bar")
def test_who_is_short_of_memory_purges_early_and_is_not_called_different_nor_who_joins_from_it() -> None:
    cluster = serving_cluster(3, memory=1 << 19)
    client = cluster.client(1)
    for n in range(600):
        client.send(b"set d%d 0 0 1\r\nx\r\ndelete d%d\r\n" % (n, n))
    client.send(b"set v 0 0 1\r\nx\r\n")
    one, two = cluster.nodes[1].store, cluster.nodes[2].store
    assert one.purge(100_000) > 0
    assert 0 < len(one.tombstones) < len(two.tombstones)
    cluster.kill(3)
    cluster.advance(5_000)
    cluster.start(3)
    cluster.advance(10_000)
    assert len(cluster.nodes[3].store.tombstones) == len(one.tombstones)
    _calm(cluster, 3 * _ROUND_MS)
    assert len(one.tombstones) < len(two.tombstones), "it is still so"
    assert [_verdict(cluster, number) for number in cluster.nodes] == ["ok"] * 3


def test_digests_are_no_matter_of_the_status() -> None:
    cluster = serving_cluster(3)
    cluster.advance(5_000)
    told = msgspec.to_builtins(cluster.nodes[1].report.status())
    assert [node["about"]["digests"] for node in told["nodes"]] == [""] * 3
