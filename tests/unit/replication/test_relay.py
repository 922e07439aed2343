"""Relay: a single link that is cut, one way or both, parts nobody; one hop, and nothing is believed blindly."""

from __future__ import annotations

import pytest

from memrep.node.node import Node
from memrep.replication.membership.view_id import make_vid
from memrep.replication.message import ChunkRequest, Heartbeat, Install, PeerMessage, Refuse, Relay
from memrep.replication.wire import encode
from tests.harness.cluster import Cluster, Pair, serving_cluster

CUTS: list[list[Pair]] = [[(1, 2)], [(2, 1)], [(1, 2), (2, 1)], [(2, 3)], [(3, 2), (2, 3)], [(1, 3), (3, 1)]]


def _set(value: bytes) -> bytes:
    return b"set k 0 0 %d\r\n%b\r\n" % (len(value), value)


def _views(cluster: Cluster) -> list[set[int]]:
    """The members of every view that was sent to anybody."""
    return [set(message.members) for _, _, message in cluster.said if isinstance(message, Install)]


def _vias(cluster: Cluster) -> dict[Pair, int]:
    """Which node reaches which peer over which third one."""
    return {
        (number, peer.node): peer.contact.via
        for number, node in cluster.nodes.items()
        for peer in node.replica.detector.peers.values()
        if peer.contact.via
    }


def _cut(*ways: Pair, count: int = 3, ms: int = 800) -> Cluster:
    """A cluster some of whose ways have been cut for this long."""
    cluster = serving_cluster(count)
    cluster.said.clear()
    cluster.hold(*ways)
    cluster.advance(ms)
    return cluster


def _tell(cluster: Cluster, sender: int, number: int, message: PeerMessage) -> None:
    """A node says this to another one, whatever it would have said; what follows stays in the queues."""
    link = cluster.links[sender, number]

    def receive(node: Node) -> None:
        node.links.receive(link, encode(message))

    cluster.turn(number, receive)


# --- a cut parts nobody


@pytest.mark.parametrize("ways", CUTS)
def test_a_cut_link_excludes_nobody_however_long_it_lasts(ways: list[Pair]) -> None:
    cluster = _cut(*ways, ms=5_000)
    assert all(members == {1, 2, 3} for members in _views(cluster))
    assert sorted(cluster.serving()) == [1, 2, 3]


@pytest.mark.parametrize("ways", CUTS)
@pytest.mark.parametrize("writer", [1, 2, 3])
def test_writes_go_on_over_the_third_node(ways: list[Pair], writer: int) -> None:
    cluster = _cut(*ways)
    for value in (b"a", b"b"):
        assert cluster.client(writer).send(_set(value)) == b"STORED\r\n"
        assert [cluster.value(number, b"k") for number in (1, 2, 3)] == [value] * 3
    assert cluster.client(writer).send(b"delete k\r\n") == b"DELETED\r\n"


@pytest.mark.parametrize("ways", CUTS)
def test_a_write_that_the_cut_met_on_its_way_is_answered_in_time(ways: list[Pair]) -> None:
    cluster = serving_cluster()
    cluster.hold(*ways)
    clients = [cluster.client(number) for number in (1, 2, 3)]
    for client in clients:
        client.post(_set(b"v"))
    cluster.advance(700)
    assert [client.take() for client in clients] == [b"STORED\r\n"] * 3
    assert not any(client.closed for client in clients)
    assert all(members == {1, 2, 3} for members in _views(cluster))


def test_both_ends_of_the_cut_go_round_and_nobody_else_does() -> None:
    cluster = _cut((1, 2))
    vias = _vias(cluster)
    assert vias[1, 2] == 3
    assert all(pair in ((1, 2), (2, 1)) for pair in vias)
    cluster = _cut((1, 2), (2, 1))
    assert _vias(cluster) == {(1, 2): 3, (2, 1): 3}


def test_a_cut_that_is_shorter_than_the_relay_takes_no_detour() -> None:
    cluster = _cut((1, 2), (2, 1), ms=100)
    assert _vias(cluster) == {}
    cluster.release()
    cluster.advance(500)
    assert _views(cluster) == []
    assert sorted(cluster.serving()) == [1, 2, 3]


def test_with_four_nodes_two_cuts_can_both_be_gone_round() -> None:
    cluster = _cut((1, 2), (2, 1), (3, 4), (4, 3), count=4)
    assert all(members == {1, 2, 3, 4} for members in _views(cluster))
    assert _vias(cluster).keys() == {(1, 2), (2, 1), (3, 4), (4, 3)}
    assert cluster.client(1).send(_set(b"v")) == b"STORED\r\n"


# --- the way back


@pytest.mark.parametrize("ways", CUTS)
def test_when_the_cut_has_healed_the_direct_way_is_taken_again(ways: list[Pair]) -> None:
    cluster = _cut(*ways)
    assert _vias(cluster)
    cluster.release()
    cluster.advance(1_500)
    assert _vias(cluster) == {}
    cluster.said.clear()
    cluster.advance(300)
    assert not any(isinstance(message, Relay) for _, _, message in cluster.said)
    assert cluster.client(2).send(_set(b"w")) == b"STORED\r\n"
    assert all(members == {1, 2, 3} for members in _views(cluster))


def test_heartbeats_on_the_cut_link_do_not_speak_of_frames_that_go_round() -> None:
    cluster = _cut((1, 2), (2, 1))
    for i in range(5):
        assert cluster.client(1).send(_set(b"%d" % i)) == b"STORED\r\n"
    cluster.said.clear()
    cluster.advance(200)
    beats = [m for a, b, m in cluster.said if (a, b) == (1, 2) and isinstance(m, Heartbeat)]
    assert beats
    assert all(beat.sent == 0 for beat in beats)


# --- the bridge


def test_a_detour_vanishes_when_its_bridge_dies() -> None:
    cluster = _cut((1, 2), (2, 1))
    cluster.kill(3)
    cluster.advance(50)
    assert _vias(cluster) == {}
    cluster.advance(1_050)
    assert (cluster.members(1), cluster.members(2)) == ([1], [2])


def test_another_bridge_is_taken_when_the_first_dies() -> None:
    cluster = _cut((1, 2), (2, 1), count=4)
    assert _vias(cluster) == {(1, 2): 3, (2, 1): 3}
    cluster.kill(3)
    cluster.advance(1_000)
    assert _vias(cluster) == {(1, 2): 4, (2, 1): 4}
    assert cluster.members(1) == cluster.members(2) == [1, 2, 4]
    assert cluster.client(2).send(_set(b"v")) == b"STORED\r\n"


def test_a_node_whose_both_links_are_cut_is_gone_for_there_is_no_bridge() -> None:
    cluster = _cut((1, 3), (3, 1), (2, 3), (3, 2), ms=1_000)
    assert _vias(cluster) == {}
    assert cluster.members(1) == [1, 2]


# --- one hop, and belief


def _beat_of(cluster: Cluster, number: int) -> bytes:
    state = cluster.nodes[number].replica.state
    return encode(Heartbeat(state.view.vid, state.promised, True, "", False, 0, 0, 0, 0, 0b1110, 0b1110))


def _relays(cluster: Cluster, *, since: int) -> list[tuple[int, int]]:
    return [(a, b) for a, b, message in cluster.said[since:] if isinstance(message, Relay)]


def test_what_is_for_another_node_is_passed_on_once_and_by_its_originators_word_only() -> None:
    cluster = serving_cluster()
    cluster.hold_all()
    inc = cluster.nodes[1].replica.state.inc
    beat = _beat_of(cluster, 1)
    said = len(cluster.said)
    _tell(cluster, 1, 3, Relay(2, 1, inc, beat))
    assert _relays(cluster, since=said) == [(3, 2)]
    said = len(cluster.said)
    _tell(cluster, 2, 3, Relay(2, 1, inc, beat))  # not its originator, so it has made its hop
    _tell(cluster, 1, 3, Relay(9, 1, inc, beat))  # there is no such node
    assert _relays(cluster, since=said) == []


def test_the_last_words_of_a_node_that_is_known_to_be_gone_are_not_believed() -> None:
    cluster = serving_cluster()
    inc, beat = cluster.nodes[2].replica.state.inc, _beat_of(cluster, 2)
    cluster.kill(2)
    cluster.deliver()
    _tell(cluster, 3, 1, Relay(1, 2, inc, beat))
    assert cluster.nodes[1].replica.detector.peers[2].process.gone
    assert cluster.members(1) == [1, 3]


def test_the_last_words_of_a_former_process_are_not_believed_of_its_successor() -> None:
    cluster = serving_cluster()
    former, beat = cluster.nodes[2].replica.state.inc, _beat_of(cluster, 2)
    cluster.kill(2)
    cluster.advance(100)
    cluster.start(2)
    cluster.advance(500)
    peer = cluster.nodes[1].replica.detector.peers[2]
    before = peer.process.inc, peer.beat, peer.contact.heard
    _tell(cluster, 3, 1, Relay(1, 2, former, beat))
    assert (peer.process.inc, peer.beat, peer.contact.heard) == before
    assert former != peer.process.inc


def test_a_member_that_others_brought_in_is_believed_though_it_was_never_heard_directly() -> None:
    cluster = serving_cluster()
    cluster.kill(2)
    cluster.advance(200)
    cluster.hold((1, 2), (2, 1))
    cluster.start(2)
    cluster.hold((1, 2), (2, 1))
    cluster.advance(2_000)
    assert cluster.members(1) == [1, 2, 3]
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert cluster.client(2).send(_set(b"v")) == b"STORED\r\n"


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 20, b"\0\0\0\x02hi", b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x01\xc1", b"\0\0", b""]
)
def test_garbage_in_a_relay_costs_the_bridge_nothing(garbage: bytes) -> None:
    cluster = serving_cluster()
    inc = cluster.nodes[2].replica.state.inc
    _tell(cluster, 3, 1, Relay(1, 2, inc, garbage))
    assert not cluster.links[3, 1].closing
    assert cluster.client(1).send(_set(b"v")) == b"STORED\r\n"
    cluster.advance(500)
    assert _views(cluster)[-1] == {1, 2, 3}
    assert sorted(cluster.serving()) == [1, 2, 3]


def test_a_relay_within_a_relay_is_not_unpacked() -> None:
    cluster = serving_cluster()
    inc = cluster.nodes[2].replica.state.inc
    inner = Relay(1, 2, inc, encode(Refuse(1, make_vid(1 << 40, 2), [])))
    _tell(cluster, 3, 1, Relay(1, 2, inc, encode(inner)))
    cluster.nodes[1].replica.state.view_change_reason = "x"
    cluster.advance(100)
    assert cluster.nodes[1].replica.state.view.vid < make_vid(1 << 40, 2)


def test_who_claims_to_relay_for_this_very_node_or_for_none_is_not_heard() -> None:
    cluster = serving_cluster()
    said = len(cluster.said)
    for origin in (0, 1, 9):
        _tell(cluster, 3, 1, Relay(1, origin, 7, encode(ChunkRequest(0, 0))))
    assert _relays(cluster, since=said) == []
    assert sorted(cluster.serving()) == [1, 2, 3]
