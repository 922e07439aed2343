"""A cluster as one node sees it: the same facts from any node, and the reason why one does not serve."""

from __future__ import annotations

import re

import msgspec
import pytest

from memrep import __version__
from memrep.node.shell import ProcessInfo
from memrep.node.status import state_of
from memrep.replication.donor import CHUNK_KEYS
from memrep.status.facts import (
    DIRECT,
    DOWN,
    JOINING,
    LEAVING,
    SERVING,
    SILENT,
    STARTING,
    WAITING,
    AboutOnWire,
    NodeStatus,
    Status,
    read_about,
)
from tests.harness.cluster import TICK_MS, Cluster, serving_cluster
from tests.harness.lone_node import lone_node

#: What a node says of itself has reached the others.
TOLD_MS = 2_500


def _told(cluster: Cluster, asked: int = 1) -> Status:
    return cluster.nodes[asked].report.status()


def _node(status: Status, number: int) -> NodeStatus:
    return status.nodes[number - 1]


def _kinds(status: Status) -> list[str]:
    return [problem.kind for problem in status.problems]


def test_any_node_tells_the_same_of_all() -> None:
    cluster = serving_cluster(3)
    assert cluster.client(1).send(b"set k 0 0 1\r\nx\r\n") == b"STORED\r\n"
    cluster.advance(TOLD_MS)
    for asked in cluster.nodes:
        status = _told(cluster, asked)
        assert [node.state for node in status.nodes] == [SERVING] * 3
        assert [node.asked for node in status.nodes] == [number == asked for number in cluster.nodes]
        for number, node in enumerate(status.nodes, start=1):
            assert node.about is not None
            assert (node.about.version, node.about.items) == (__version__, 1)
            assert node.path == ("" if number == asked else DIRECT)
            assert node.hears is not None
            assert sorted(node.hears) == [other.name for other in status.nodes if other is not node]
        assert status.problems == []


def test_a_node_without_peers_tells_of_itself() -> None:
    status = lone_node().node.report.status()
    (node,) = status.nodes
    assert (node.asked, node.state, node.why) == (True, SERVING, "")
    assert status.problems == []


def test_what_a_node_does_is_told_by_the_others() -> None:
    cluster = serving_cluster(3)
    client = cluster.client(2)
    for _ in range(100):
        client.send(b"get k\r\n" * 5)
        cluster.advance(100)
    about = _node(_told(cluster, 1), 2).about
    assert about is not None
    assert 40 <= about.ops <= 60


def test_a_node_that_comes_back_knows_of_the_others_what_they_know_of_themselves() -> None:
    cluster = serving_cluster(3)
    cluster.advance(10_000)
    cluster.kill(3)
    cluster.advance(1_000)
    cluster.start(3)
    cluster.advance(2 * TICK_MS)
    for node in _told(cluster, 3).nodes[:2]:
        assert node.about is not None
        assert node.since_s is not None and node.since_s > 10


def test_since_when_another_node_serves_does_not_waver_between_what_it_says() -> None:
    cluster = serving_cluster(3)
    cluster.advance(TOLD_MS)
    began = set()
    for _ in range(25):
        cluster.advance(100)
        since = _node(_told(cluster), 2).since_s
        assert since is not None
        began.add(round(cluster.now - since * 1_000))
    assert max(began) - min(began) <= TICK_MS


def test_what_a_dead_node_said_is_not_told_any_more() -> None:
    cluster = serving_cluster(3)
    cluster.advance(TOLD_MS)
    cluster.kill(3)
    cluster.advance(3_000)
    dead = _node(_told(cluster), 3)
    assert (dead.state, dead.about, dead.hears, dead.path, dead.member) == (DOWN, None, None, "", False)
    assert dead.why and dead.since_s is not None and 1 <= dead.since_s <= 3
    assert _kinds(_told(cluster)) == ["down"]


def test_a_frozen_node_is_silent() -> None:
    cluster = serving_cluster(3)
    cluster.freeze(3)
    cluster.advance(3_000)
    assert _node(_told(cluster), 3).state == SILENT


def test_the_last_one_says_that_it_is_the_last() -> None:
    cluster = serving_cluster(3)
    cluster.kill(2)
    cluster.kill(3)
    cluster.advance(3_000)
    assert _kinds(_told(cluster)) == ["last-copy", "down", "down"]


def test_a_detour_is_told_by_both_ends_and_by_the_third() -> None:
    cluster = serving_cluster(3)
    cluster.hold((1, 2))
    cluster.advance(2_000)
    speaker, hearer, third = (_told(cluster, number) for number in (1, 2, 3))
    assert _node(speaker, 2).path == "via 10.0.0.3:11211"
    assert _kinds(speaker) == _kinds(hearer) == _kinds(third) == ["path"]
    for status in (speaker, hearer, third):
        (problem,) = status.problems
        assert problem.text.startswith("10.0.0.1:11211 does not reach 10.0.0.2:11211 directly")
        assert "the other direction works" in problem.text


def test_a_node_that_must_wait_says_for_whom() -> None:
    cluster = serving_cluster(2)
    cluster.hold((1, 2))
    cluster.advance(15_000)
    own = _node(_told(cluster, 1), 1)
    assert own.state == WAITING
    assert "10.0.0.2:11211 is heard but does not hear this node" in own.why
    assert own.since_s is not None and own.since_s > 10
    first = _told(cluster, 1).problems[0]
    assert (first.kind, first.severity) == ("not-serving", "critical")


def test_a_minority_that_may_not_serve_says_so() -> None:
    cluster = serving_cluster(3, strict=True)
    cluster.kill(2)
    cluster.kill(3)
    cluster.advance(3_000)
    own = _node(_told(cluster, 1), 1)
    assert own.state == WAITING
    assert own.why == "only 1 of 3 nodes are in touch, and --partition majority demands 2"


@pytest.mark.parametrize(
    ("strict", "says"),
    [(False, "begins without them in "), (True, "begin only when all of them are there")],
)
def test_a_node_without_data_says_for_whom_it_waits(strict: bool, says: str) -> None:
    cluster = Cluster(3, strict=strict)
    cluster.kill(2)
    cluster.kill(3)
    cluster.advance(1_000)
    own = _node(_told(cluster, 1), 1)
    assert own.state == STARTING
    assert "waits for 10.0.0.2:11211 (" in own.why
    assert says in own.why


def test_a_node_that_leaves_is_leaving_to_itself() -> None:
    cluster = serving_cluster(3)
    cluster.turn(3, lambda node: node.leave())
    assert state_of(cluster.nodes[3].replica) == LEAVING


def test_a_node_that_fetches_says_from_whom_and_how_far_it_is() -> None:
    cluster = serving_cluster(2)
    client = cluster.client(1)
    count = 6 * CHUNK_KEYS
    client.send(b"".join(b"set k%d 0 0 1 noreply\r\nx\r\n" % number for number in range(count)))
    cluster.kill(2)
    cluster.advance(2_000)
    seen: set[tuple[str, str]] = set()

    def look(number: int) -> None:
        own = _node(_told(cluster, number), number)
        seen.add((own.state, own.why))

    cluster.after_turn = look
    cluster.start(2)
    cluster.advance(2_000)
    assert (JOINING, "fetches what it lacks from 10.0.0.1:11211") in seen
    far = [re.search(rf"11211: ([0-9,]+) of {count:,} items$", why) for state, why in seen if state == JOINING]
    taken = [int(found[1].replace(",", "")) for found in far if found]
    assert len([one for one in taken if 0 < one < count]) >= 3
    assert (SERVING, "") in seen


def test_a_line_tells_what_a_node_is_at() -> None:
    cluster = serving_cluster(3)
    cluster.client(1).send(b"set k 0 0 1\r\nx\r\n")
    cluster.advance(200)
    assert cluster.nodes[1].report.line() == "serving: 3 of 3 nodes, 1 items"
    lonely = serving_cluster(3, strict=True)
    lonely.kill(2)
    lonely.kill(3)
    lonely.advance(3_000)
    assert lonely.nodes[1].report.line().startswith("waiting: only 1 of 3 nodes are in touch")


def test_a_change_of_view_is_no_change_of_state() -> None:
    cluster = serving_cluster(3)
    cluster.advance(10_000)
    cluster.kill(3)
    cluster.advance(1_000)
    own = _node(_told(cluster, 1), 1)
    assert own.state == SERVING
    assert own.since_s is not None and own.since_s > 10


def test_what_cannot_be_read_of_a_peer_is_left_out() -> None:
    cluster = serving_cluster(2)
    cluster.nodes[2].replica.heartbeats.about = lambda: b"\xc1"
    cluster.advance(TOLD_MS)
    two = _node(_told(cluster, 1), 2)
    assert (two.state, two.about) == (SERVING, None)


def test_what_a_node_says_of_itself_is_small() -> None:
    """It goes to each peer each second."""
    about = serving_cluster(3).nodes[1].report.about()
    assert len(about) < 120
    assert msgspec.msgpack.decode(about, type=AboutOnWire).state == SERVING


def test_an_old_store_that_is_silent_is_told_to_the_others_and_nothing_is_told_of_none() -> None:
    lone = lone_node(process=ProcessInfo(old_store_silent=lambda: "why " * 1_000))
    about = lone.node.report.about()
    assert read_about(about) is not None
    told = msgspec.msgpack.decode(about, type=AboutOnWire)
    assert told.old_store_silent.startswith("why why") and len(told.old_store_silent) == 300
    assert "old-store" in {problem.kind for problem in lone.node.report.status().problems}
    usual = msgspec.msgpack.decode(lone_node().node.report.about())
    assert len(usual) == len(AboutOnWire.__struct_fields__) - 2  # nor of a disk


def test_of_why_options_were_refused_a_part_goes_out() -> None:
    lone = lone_node(process=ProcessInfo(reload_refused=lambda: "why " * 1_000))
    told = msgspec.msgpack.decode(lone.node.report.about(), type=AboutOnWire)
    assert told.reload_refused.startswith("why why") and len(told.reload_refused) == 300
    (problem,) = lone.node.report.status().problems
    assert problem.kind == "reload-refused"


def test_figures_are_those_of_the_counters_the_store_and_the_last_join() -> None:
    cluster = serving_cluster(3)
    client = cluster.client(1)
    client.send(b"set k 0 0 1\r\nx\r\nset l 0 0 1\r\nx\r\n")
    client.send(b"get k\r\nget m\r\ndelete l\r\n")
    cluster.advance(TOLD_MS)
    figures = cluster.nodes[1].report.figures()
    assert (figures.counters["cmd_set"], figures.counters["get_hits"], figures.counters["get_misses"]) == (
        2,
        1,
        1,
    )
    assert figures.tombstones == 1
    assert figures.views == cluster.nodes[1].replica.state.views > 0
    assert figures.policy["lock_grants"] == 0
    assert (figures.fetched, figures.to_fetch) == (0, 0)
    cluster.kill(2)
    cluster.start(2)
    cluster.advance(TOLD_MS)
    figures = cluster.nodes[2].report.figures()
    assert figures.fetched == figures.to_fetch > 0
    assert figures.started > cluster.nodes[1].report.figures().started


def test_a_node_that_has_left_rests_and_says_nothing_of_others_that_it_does_not_hear() -> None:
    cluster = serving_cluster(3)
    node = cluster.nodes[1]
    cluster.turn(1, lambda node: node.leave())
    cluster.turn(1, lambda node: node.rest())
    cluster.advance(120_000)
    told = _told(cluster, 1)
    own, two = _node(told, 1), _node(told, 2)
    assert (own.state, two.state, two.about, told.problems) == (LEAVING, SILENT, None, [])
    assert "memrep resume" in own.why
    assert own.since_s is not None and own.since_s > 100
    assert not node.open
