"""The replica: what lost bytes and lost links lead to, and the order of what goes out."""

from __future__ import annotations

import pytest

from memrep.replication.message import Ack, Frame, Heartbeat, Install
from tests.harness.cluster import serving_cluster


@pytest.mark.parametrize("pair", [(1, 2), (2, 1), (1, 3)])
def test_a_lost_frame_or_acknowledgement_delays_a_write_and_does_not_lose_it(pair: tuple[int, int]) -> None:
    cluster = serving_cluster()
    cluster.hold(pair)
    client = cluster.client(1)
    assert client.send(b"set k 0 0 1\r\nv\r\n") == b""
    cluster.lose(pair)
    cluster.release()
    cluster.advance(700)
    assert client.take() == b"STORED\r\n"
    assert [cluster.value(n, b"k") for n in (1, 2, 3)] == [b"v"] * 3
    assert sorted(cluster.serving()) == [1, 2, 3]


def test_a_member_that_has_missed_a_view_is_sent_it_again() -> None:
    cluster = serving_cluster()
    before = cluster.nodes[2].replica.state.view.vid
    cluster.kill(3)
    proposal = cluster.queued((1, 2))
    cluster.turn(2, lambda node: node.links.receive(cluster.links[1, 2], proposal))
    cluster.hold((1, 2))
    cluster.deliver()
    cluster.lose((1, 2))  # the view
    assert cluster.nodes[2].replica.state.view.vid == before
    assert cluster.serving() == []
    cluster.release()
    cluster.advance(600)
    assert sorted(cluster.serving()) == [1, 2]


def test_frames_go_before_acknowledgements_and_both_before_heartbeats() -> None:
    cluster = serving_cluster()
    order = {Frame: 0, Ack: 1, Heartbeat: 2, Install: 0}
    cluster.hold_all()
    cluster.client(1).post(b"set c 0 0 1\r\nv\r\n")
    cluster.now += 100
    client = cluster.client(2)
    data = cluster.queued((1, 2))
    cluster.said.clear()
    cluster.turn(
        2,
        lambda node: node.links.receive(cluster.links[1, 2], data),
        lambda node: client.receive(node, b"set d 0 0 1\r\nv\r\n"),
        lambda node: node.tick(),
    )
    kinds = [type(message) for _, to, message in cluster.said if to == 1]
    assert [order[kind] for kind in kinds if kind in order] == [0, 1, 2]


def test_a_view_of_the_same_nodes_is_logged_with_its_reason() -> None:
    cluster = serving_cluster()
    cluster.turn(2, lambda node: node.replica.lost_clients())
    cluster.deliver()
    cluster.advance(200)
    reason = "it has closed its clients' connections"
    assert any(line.endswith(f": 3 of 3 nodes ({reason})") for line in cluster.logs[2])
    assert any(line.endswith(f": 3 of 3 nodes ({cluster.names[1]}: {reason})") for line in cluster.logs[1])
