"""What a node brings back from its disk: all there is where nobody is full, a hint beside who is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import pytest

from memrep.replication.membership.view_id import number_of
from memrep.replication.message import Chunk, ColdInstall, ColdVote, Install, TransferRequest
from memrep.replication.recovery import LOOKED_AT, Recovery
from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner
from memrep.storage.snapshot import Snapshot
from memrep.storage.version import generation, make
from tests.harness.brought import Brings, saved_of
from tests.harness.cluster import Cluster, serving_cluster
from tests.harness.lone_node import WALL


def _filled(**options: Any) -> Cluster:
    cluster = serving_cluster(**options)
    cluster.client(1).send(b"".join(b"set key%d 0 0 1\r\nx\r\n" % i for i in range(10)))
    return cluster


def _snapshot(cluster: Cluster, bring: Brings) -> Snapshot:
    return bring(cluster.now, WALL + cluster.now)


def _power_cut(cluster: Cluster) -> None:
    for number in list(cluster.nodes):
        cluster.kill(number)
    cluster.said.clear()


def _come_back(cluster: Cluster, disks: dict[int, Brings | None], ms: int = 1_000) -> None:
    for number, bring in disks.items():
        cluster.start(number, None if bring is None else _snapshot(cluster, bring))
    cluster.advance(ms)


def _records(cluster: Cluster) -> set[bytes]:
    chunks = [message for _, _, message in cluster.said if isinstance(message, Chunk)]
    return {write.key for chunk in chunks for write in chunk.records}


def _everywhere(cluster: Cluster, key: bytes, nodes: Iterable[int] = (1, 2, 3)) -> set[bytes | None]:
    return {cluster.value(number, key) for number in nodes}


# --- where nobody is full


def test_after_a_power_cut_all_nodes_hold_what_they_held() -> None:
    cluster = _filled()
    disks: dict[int, Brings | None] = {n: saved_of(node) for n, node in cluster.nodes.items()}
    _power_cut(cluster)
    _come_back(cluster, disks)
    assert sorted(cluster.serving()) == [1, 2, 3]
    for i in range(10):
        assert _everywhere(cluster, b"key%d" % i) == {b"x"}
    sums = [node.store.digest.sums for node in cluster.nodes.values()]
    assert sums[0] == sums[1] == sums[2]


def test_the_log_says_that_a_node_begins_with_its_disk() -> None:
    cluster = _filled()
    disks: dict[int, Brings | None] = {n: saved_of(node) for n, node in cluster.nodes.items()}
    _power_cut(cluster)
    for lines in cluster.logs.values():
        lines.clear()
    _come_back(cluster, disks)
    told = [line for lines in cluster.logs.values() for line in lines if "of its disk" in line]
    assert len(told) == 1
    assert "10 entries" in told[0]
    assert not [line for lines in cluster.logs.values() for line in lines if "begins with no data" in line]


def test_one_disk_is_enough() -> None:
    cluster = _filled()
    bring = saved_of(cluster.nodes[3])
    _power_cut(cluster)
    _come_back(cluster, {1: None, 2: None, 3: bring})
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert _everywhere(cluster, b"key7") == {b"x"}


def test_the_latest_disk_of_the_latest_view_is_what_the_view_starts_from() -> None:
    cluster = _filled()
    old = saved_of(cluster.nodes[1])
    cluster.client(1).send(b"delete key3\r\nset key4 0 0 1\r\ny\r\nset key5 0 0 1\r\ny\r\n")
    cluster.advance(200)
    late = saved_of(cluster.nodes[2])
    _power_cut(cluster)
    _come_back(cluster, {1: old, 2: late, 3: old})
    assert _everywhere(cluster, b"key3") == {None}
    assert _everywhere(cluster, b"key4") == {b"y"}
    (first,) = {tuple(m.full) for _, _, m in cluster.said if isinstance(m, ColdInstall)}
    assert first == (2,)


def test_a_disk_of_a_former_view_is_not_what_it_starts_from_though_it_has_more() -> None:
    cluster = _filled()
    stale = saved_of(cluster.nodes[3])
    cluster.kill(3)
    cluster.advance(1_000)
    cluster.client(1).send(b"".join(b"delete key%d\r\n" % i for i in range(9)))
    late = saved_of(cluster.nodes[1])
    _power_cut(cluster)
    _come_back(cluster, {1: late, 2: None, 3: stale})
    assert _everywhere(cluster, b"key0") == {None}
    assert _everywhere(cluster, b"key9") == {b"x"}


def test_what_another_disk_has_that_is_newer_or_unknown_goes_round() -> None:
    cluster = _filled()
    first, second = saved_of(cluster.nodes[1]), saved_of(cluster.nodes[2])
    _power_cut(cluster)
    cluster.start(1, _snapshot(cluster, first))
    apart = _snapshot(cluster, second)
    gen = generation(apart.store.version(b"key1"))
    for i, key in enumerate((b"key1", b"only")):
        late = make(gen, (apart.clock + i) << 6 | 2)
        apart.store.put(key, Entry(late, b"apart", 0, NEVER), cluster.now)
    cluster.start(2, attrs.evolve(apart, at=apart.at - 1))
    cluster.start(3)
    cluster.advance(1_000)
    assert _everywhere(cluster, b"key1") == {b"apart"}
    assert _everywhere(cluster, b"only") == {b"apart"}


def test_what_was_deleted_so_long_ago_that_it_is_forgotten_does_not_come_back() -> None:
    cluster = _filled(tombstone_ms=2_000)
    stale = saved_of(cluster.nodes[3])
    cluster.client(1).send(b"delete key3\r\n")
    cluster.advance(20_000)
    late = saved_of(cluster.nodes[1])
    assert cluster.nodes[1].store.peek(b"key3") is None, "the tombstone has gone"
    _power_cut(cluster)
    _come_back(cluster, {1: late, 2: stale, 3: stale})
    assert _everywhere(cluster, b"key3") == {None}
    assert _everywhere(cluster, b"key4") == {b"x"}


def test_what_ran_out_while_it_was_dark_has_run_out() -> None:
    cluster = serving_cluster()
    cluster.client(1).send(b"set short 0 5 1\r\nx\r\nset long 0 500 1\r\nx\r\n")
    disks: dict[int, Brings | None] = {n: saved_of(node) for n, node in cluster.nodes.items()}
    _power_cut(cluster)
    cluster.now += 10_000
    _come_back(cluster, disks)
    assert _everywhere(cluster, b"short") == {None}
    assert _everywhere(cluster, b"long") == {b"x"}


def test_all_nodes_take_the_end_of_a_value_from_the_same_disk() -> None:
    """Their clocks tell different things of how long it was dark, and equal versions would hide that."""
    cluster = serving_cluster()
    cluster.client(1).send(b"set key 0 500 1\r\nx\r\n")
    first, second = saved_of(cluster.nodes[1]), saved_of(cluster.nodes[2])
    _power_cut(cluster)
    cluster.start(1, first(cluster.now, WALL + cluster.now))
    cluster.start(2, second(cluster.now, WALL + cluster.now + 900_000))
    cluster.start(3)
    cluster.advance(1_000)
    ends = {node.store.values[b"key"].expires for node in cluster.nodes.values()}
    assert max(ends) - min(ends) < 100


def test_what_is_new_stays_above_what_is_old_though_clocks_were_set_back() -> None:
    cluster = _filled()
    disks = {n: saved_of(node) for n, node in cluster.nodes.items()}
    view = cluster.nodes[1].replica.state.view
    _power_cut(cluster)
    cluster.ahead = dict.fromkeys((1, 2, 3), -86_400_000)
    _come_back(cluster, {1: None, 2: None, 3: disks[3]}, 2_000)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert number_of(cluster.nodes[1].replica.state.view.vid) > number_of(view.vid)
    assert cluster.client(1).send(b"set key1 0 0 1\r\ny\r\n") == b"STORED\r\n"
    assert _everywhere(cluster, b"key1") == {b"y"}


def test_locks_come_back_as_nobodys() -> None:
    cluster = serving_cluster()
    cluster.client(1).send(b"add memc.sess.key.a.lock 768 15 1\r\n1\r\n")
    entry = Entry(make(1 << 40, 64), b"1", 768, cluster.now + 15_000, owner=Owner(1, 15_000))
    for node in cluster.nodes.values():
        node.store.put(b"lock", entry, cluster.now)
    bring = saved_of(cluster.nodes[1])
    _power_cut(cluster)
    _come_back(cluster, {1: bring, 2: None, 3: None})
    assert {node.store.values[b"lock"].owner for node in cluster.nodes.values()} == {Owner(0, 15_000)}


def test_who_is_not_full_when_the_first_one_dies_begins_with_its_own_disk() -> None:
    cluster = _filled()
    disks = {n: saved_of(node) for n, node in cluster.nodes.items()}
    _power_cut(cluster)
    for number in (1, 2, 3):
        cluster.start(number, _snapshot(cluster, disks[number]))
    cluster.hold((1, 2), (1, 3))
    cluster.deliver()
    cluster.kill(1)
    cluster.advance(12_000)
    assert sorted(cluster.serving()) == [2, 3]
    assert _everywhere(cluster, b"key7", (2, 3)) == {b"x"}


def test_a_node_without_peers_begins_with_its_disk_at_once() -> None:
    cluster = Cluster(1)
    cluster.advance(100)
    cluster.client(1).send(b"set key 0 0 1\r\nx\r\n")
    bring = saved_of(cluster.nodes[1])
    _power_cut(cluster)
    cluster.start(1, _snapshot(cluster, bring))
    assert cluster.client(1).send(b"get key\r\n") == b"VALUE key 0 1\r\nx\r\nEND\r\n"


# --- beside a node that is full


def _restarted(cluster: Cluster, bring: Brings) -> None:
    cluster.said.clear()
    cluster.start(3, _snapshot(cluster, bring))
    cluster.advance(1_500)
    assert sorted(cluster.serving()) == [1, 2, 3]


def test_a_restarted_node_fetches_only_what_differs() -> None:
    cluster = _filled()
    bring = saved_of(cluster.nodes[3])
    cluster.kill(3)
    cluster.advance(1_000)
    cluster.client(1).send(b"set new 0 0 1\r\ny\r\ndelete key2\r\n")
    _restarted(cluster, bring)
    assert _records(cluster) == {b"new", b"key2"}
    assert cluster.value(3, b"key1") == b"x"
    assert cluster.value(3, b"key2") is None
    assert cluster.nodes[3].store.digest.sums == cluster.nodes[1].store.digest.sums


def test_nothing_that_only_the_disk_has_counts_whatever_its_version() -> None:
    cluster = _filled()
    bring = saved_of(cluster.nodes[3])
    cluster.kill(3)
    cluster.advance(1_000)
    snapshot = _snapshot(cluster, bring)
    for i, key in enumerate((b"only", b"key1")):
        snapshot.store.put(key, Entry(make(1 << 50, 64 + i), b"mine", 0, NEVER), cluster.now)
    cluster.said.clear()
    cluster.start(3, snapshot)
    cluster.advance(1_500)
    assert _everywhere(cluster, b"only") == {None}
    assert _everywhere(cluster, b"key1") == {b"x"}
    assert b"only" not in cluster.nodes[3].store.values


def test_who_does_not_know_how_long_it_was_away_fetches_everything() -> None:
    cluster = _filled()
    bring = saved_of(cluster.nodes[3])
    cluster.kill(3)
    cluster.advance(1_000)
    cluster.said.clear()
    cluster.start(3, bring(cluster.now, WALL + cluster.now + 60_000))
    cluster.advance(1_500)
    assert {len(m.sums) for _, _, m in cluster.said if isinstance(m, TransferRequest)} == {0}
    assert len(_records(cluster)) == 10


def test_whose_a_lock_is_is_fetched_for_no_version_tells() -> None:
    cluster = _filled()
    entry = Entry(make(1 << 40, 64), b"1", 768, cluster.now + 60_000, owner=Owner(1, 60_000))
    for node in cluster.nodes.values():
        node.store.put(b"lock", entry, cluster.now)
    bring = saved_of(cluster.nodes[3])
    cluster.kill(3)
    cluster.advance(1_000)
    _restarted(cluster, bring)
    owner = cluster.nodes[3].store.values[b"lock"].owner
    assert owner is not None
    assert owner == cluster.nodes[1].store.values[b"lock"].owner


def test_who_hears_a_node_that_is_full_votes_as_one_without_a_disk() -> None:
    cluster = _filled()
    bring = saved_of(cluster.nodes[3])
    cluster.kill(3)
    cluster.advance(1_000)
    _restarted(cluster, bring)
    kinds = {type(message) for _, _, message in cluster.said}
    assert Install in kinds
    assert not kinds & {ColdVote, ColdInstall}


def test_a_node_that_was_full_and_is_gone_when_the_view_is_settled_takes_no_disk_with_it() -> None:
    cluster = _filled()
    bring = saved_of(cluster.nodes[3])
    _power_cut(cluster)
    cluster.start(1)
    cluster.advance(11_000)
    assert cluster.serving() == [1], "it has begun alone, with nothing"
    cluster.hold_all()
    cluster.start(2)
    cluster.start(3, _snapshot(cluster, bring))
    cluster.hold((1, 2), (1, 3), (2, 1), (3, 1), (2, 3), (3, 2))
    cluster.step((1, 3), (1, 2))
    assert cluster.nodes[3].replica.detector.hears_full(cluster.now)
    cluster.kill(1)
    cluster.held.clear()
    cluster.advance(12_000)
    assert sorted(cluster.serving()) == [2, 3]
    assert _everywhere(cluster, b"key7", (2, 3)) == {b"x"}


@pytest.mark.parametrize("dies", [1, 3])
def test_a_transfer_that_was_broken_off_begins_anew(dies: int) -> None:
    cluster = _filled()
    bring = saved_of(cluster.nodes[3])
    cluster.kill(3)
    cluster.advance(1_000)
    cluster.start(3, _snapshot(cluster, bring))
    cluster.hold((1, 3))
    cluster.deliver()
    cluster.kill(dies)
    cluster.advance(1_500)
    if dies == 3:
        _restarted(cluster, bring)
    assert _everywhere(cluster, b"key7", (2, 3)) == {b"x"}
    assert {2, 3} <= set(cluster.serving())


def test_very_many_keys_are_looked_at_a_piece_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memrep.replication.recovery.LOOKED_AT", 3)
    assert LOOKED_AT > 3
    looks: list[int] = []
    confirm = Recovery._confirm

    def counted(self: Recovery, pairs: list[tuple[bytes, Entry]]) -> Any:
        looks.append(len(pairs))
        return confirm(self, pairs)

    monkeypatch.setattr(Recovery, "_confirm", counted)
    cluster = _filled()
    bring = saved_of(cluster.nodes[3])
    cluster.kill(3)
    cluster.advance(1_000)
    _restarted(cluster, bring)
    assert (max(looks), sum(looks)) == (3, 10)
    assert cluster.value(3, b"key9") == b"x"
