"""The mistakes that are easy to make in replication, each as the schedule of messages that shows it.

Each of them was made once, by a model of these rules or by an earlier design, and found by a search. Most are
told as stories (stories/*.txt: "Mistake 5" and so on). Here are those whose schedule a story cannot tell, or
not as shortly: a message that no node would send, a moment that is waited for, a read every 50 ms. A test here
fails if its rule is taken out; where several rules cover one mistake its docstring says so. The names of the
rules are those of docs/replication.md.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memrep.node.node import Node
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view_id import make_vid, number_of
from memrep.replication.message import Chunk, Frame, Install, Nack, PeerMessage, Propose, Write
from memrep.replication.wire import encode
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import make
from tests.harness.cluster import Cluster, Pair, serving_cluster

INCR = b"incr n 1\r\n"


def _set(value: bytes, key: bytes = b"n") -> bytes:
    return b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value)


def _counting() -> Cluster:
    """Three nodes with a number, 0; from now on nothing arrives by itself."""
    cluster = serving_cluster()
    assert cluster.client(3).send(_set(b"0")) == b"STORED\r\n"
    cluster.hold_all()
    return cluster


def _values(cluster: Cluster, key: bytes = b"n") -> set[bytes | None]:
    return {cluster.value(number, key) for number in cluster.nodes}


def _turn(cluster: Cluster, number: int, act: Callable[[Node], object]) -> None:
    cluster.turn(number, act)


def _say(cluster: Cluster, pair: Pair, message: PeerMessage) -> None:
    """A node says this to another one, and at once."""
    link = cluster.links[pair]
    _turn(cluster, pair[1], lambda node: node.links.receive(link, encode(message)))


def _installs(cluster: Cluster) -> list[tuple[int, set[int]]]:
    """The views that were sent to anybody: number and members, each once."""
    views = {m.vid: set(m.members) for _, _, m in cluster.said if isinstance(m, Install)}
    return [(number_of(vid), members) for vid, members in sorted(views.items())]


def _agree(cluster: Cluster) -> None:
    """Everything arrives, and in the end all nodes serve and have nothing on its way."""
    cluster.release()
    cluster.advance(1_500)
    assert sorted(cluster.serving()) == sorted(cluster.nodes)
    assert not any(node.replica.rounds.pending(b"n") for node in cluster.nodes.values())
    assert len(_values(cluster)) == 1


def test_1_who_has_voted_does_not_count_the_acknowledgement_behind_an_objection_it_ignores() -> None:
    """Two read-modify-writes on one base; the same number must not be handed out twice (K1).

    An acknowledgement also counts only if all frames before it were taken; see 13b. Either rule alone is enough
    here, so this goes red if both are gone; test_rounds.py has K1 by itself.
    """
    cluster = _counting()
    one, two = cluster.client(1), cluster.client(2)
    one.post(INCR)
    two.post(INCR)
    cluster.step((1, 3), (3, 1), (1, 2))  # node 3 agrees with node 1, node 2 objects
    incs = dict(cluster.nodes[1].replica.state.view.members)
    _say(cluster, (3, 1), Propose(make_vid(1 << 40, 3), incs))
    assert cluster.nodes[1].replica.state.paused
    cluster.step((2, 1))  # the objection, and the acknowledgement behind it
    assert one.take() == b""
    _agree(cluster)
    assert sorted([one.take(), two.take()]) == [b"1\r\n", b"2\r\n"]
    assert _values(cluster) == {b"2"}


def test_2_a_member_objects_to_a_base_that_is_not_what_it_has() -> None:
    """The same without the node's own insight: a frame says what a node that lags might have computed."""
    cluster = _counting()
    cluster.release()
    old = cluster.nodes[3].store.version(b"n")
    assert cluster.client(2).send(_set(b"10")) == b"STORED\r\n"
    cluster.hold_all()
    said = len(cluster.said)
    state = cluster.nodes[1].replica.state
    late = Write(b"n", make(1 << 40, 1), old, False, b"1", 0, -1)
    _say(cluster, (1, 3), Frame(state.view.vid, 1, [late]))
    assert not cluster.nodes[3].replica.rounds.pending(b"n")
    objections = [
        i for a, b, m in cluster.said[said:] if (a, b) == (3, 1) and isinstance(m, Frame) for i in m.items
    ]
    assert objections == [Nack(b"n", make(1 << 40, 1))]


# --- joining


def _away() -> Cluster:
    """Node 3 was left out while it was cut off, and has a key that nobody else has."""
    cluster = serving_cluster()
    cluster.hold((3, 1), (3, 2), (1, 3), (2, 3))
    cluster.advance(900)
    assert cluster.members(1) == [1, 2]
    cluster.nodes[3].store.put(b"mine", Entry(make(1 << 40, 5), b"mine", 0, NEVER), cluster.now)
    for pair in list(cluster.held):
        cluster.lose(pair)
    return cluster


def _hold_when(cluster: Cluster, happened: Callable[[], bool], *pairs: Pair) -> list[bool]:
    """Hold these directions as soon as this has happened; the answer becomes non-empty then."""
    done: list[bool] = []

    def look(number: int) -> None:
        if not done and happened():
            done.append(True)
            cluster.hold(*pairs)

    cluster.after_turn = look
    return done


def test_6_a_newcomer_opens_after_the_last_chunk_and_not_before() -> None:
    """Its first chunk is here and the next is on its way (J4)."""
    cluster = serving_cluster()
    cluster.client(1).send(b"".join(b"set key%d 0 0 1 noreply\r\nx\r\n" % i for i in range(4_500)))
    cluster.kill(3)
    cluster.deliver()
    held = _hold_when(cluster, lambda: 3 in cluster.nodes and len(cluster.nodes[3].store) > 0, (1, 3))
    cluster.start(3)
    cluster.advance(200)
    assert held
    assert 0 < len(cluster.nodes[3].store) < 4_500
    assert not cluster.nodes[3].open
    cluster.release()
    cluster.advance(500)
    assert cluster.nodes[3].open
    assert len(cluster.nodes[3].store) == 4_500


def test_6_a_newcomer_opens_after_all_have_acknowledged_what_only_it_has() -> None:
    """Or it would count as full in a view that has cut its announcements short (J4)."""
    cluster = _away()

    def announced() -> bool:
        return any(
            isinstance(item, Write) and item.key == b"mine"
            for a, _, message in cluster.said
            if a == 3 and isinstance(message, Frame)
            for item in message.items
        )

    held = _hold_when(cluster, announced, (2, 3))
    cluster.release()
    cluster.advance(200)
    assert held
    assert cluster.members(3) == [1, 2, 3]
    assert not cluster.nodes[3].replica.state.full
    assert not cluster.nodes[3].open
    cluster.release()
    cluster.advance(500)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert _values(cluster, b"mine") == {b"mine"}


# --- what is lost on the way


def test_9_what_belongs_to_a_view_that_is_not_installed_yet_is_kept_for_it() -> None:
    """The newcomer announces what it has before one member has the view (F1)."""
    cluster = _away()
    began = len(cluster.said)
    held = _hold_when(
        cluster,
        lambda: any(isinstance(m, Install) and len(m.members) == 3 for *_, m in cluster.said[began:]),
        (1, 2),
    )
    cluster.release()
    while not held:
        cluster.advance(50)
    assert any(a == 3 and b == 2 and isinstance(m, Frame) for a, b, m in cluster.said[began:])
    assert cluster.members(2) == [1, 2]
    cluster.release()
    cluster.advance(500)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert _values(cluster, b"mine") == {b"mine"}
    assert len([1 for _, members in _installs(cluster) if members == {1, 2, 3}]) == 2  # the first, and this


@pytest.mark.parametrize("lost", [(3, 1), (1, 3)])
def test_9_a_newcomer_whose_question_or_whose_chunks_are_lost_asks_again(lost: Pair) -> None:
    """In a new view, for nothing is sent twice in one (J2)."""
    cluster = serving_cluster()
    cluster.client(1).send(b"".join(b"set key%d 0 0 1 noreply\r\nx\r\n" % i for i in range(50)))
    cluster.kill(3)
    cluster.advance(100)
    done: list[bool] = []

    def lose(number: int) -> None:
        asked = 3 in cluster.nodes and cluster.nodes[3].replica.state.view.vid > 0
        chunks = any(isinstance(message, Chunk) for *_, message in cluster.said)
        if not done and asked and (chunks or lost == (3, 1)):
            done.append(True)
            cluster.lose(lost)

    cluster.said.clear()
    cluster.after_turn = lose
    cluster.start(3)
    cluster.advance(2_000)
    assert done
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert len(cluster.nodes[3].store) == 50


# --- who is cut off


@pytest.mark.parametrize("ways", [[(3, 1), (3, 2)], [(3, 1), (3, 2), (1, 3), (2, 3)]])
def test_14_a_node_that_is_cut_off_stops_reading_before_the_others_go_on_without_it(ways: list[Pair]) -> None:
    """It asks for its lease at every read; who was answered elsewhere is never contradicted here (S1)."""
    cluster = serving_cluster(strict=True)
    assert cluster.client(1).send(_set(b"old")) == b"STORED\r\n"
    cluster.hold(*ways)
    writer = cluster.client(1)
    before = after = answered = b""
    for _ in range(40):
        cluster.advance(50)
        if cluster.members(1) == [1, 2] and not answered:
            answered = writer.send(_set(b"new"))
        reader = cluster.client(3)
        reader.post(b"get n\r\n")
        if answered:
            after += reader.take()
        else:
            before += reader.take()
    assert answered == b"STORED\r\n"
    assert before.startswith(b"VALUE n 0 3\r\nold\r\n")
    assert after == b""


@pytest.mark.parametrize("beat", [50, 100, 150])
def test_14_what_comes_late_is_no_lease(beat: int) -> None:
    """A lease counts from what was answered in time, not from when the other one was heard last (S1).

    The ways to node 3 are jammed: what was said before the cut comes half a second later. So it hears the
    others, who say that they hear it, when they are about to go on without it; only its leases tell it.
    """
    cluster = serving_cluster(strict=True, timing=Timing(beat=beat))
    assert cluster.client(1).send(_set(b"old")) == b"STORED\r\n"
    jammed = [(1, 3), (2, 3)]
    cluster.hold(*jammed)
    cluster.advance(150)
    late = [(cluster.links[pair], cluster.queued(pair)) for pair in jammed]
    cluster.hold((3, 1), (3, 2))
    cluster.advance(400)
    for link, data in late:
        cluster.turn(3, lambda node, link=link, data=data: node.links.receive(link, data))  # type: ignore[misc]
    cluster.advance(200)
    assert cluster.members(1) == cluster.members(2) == [1, 2]
    assert cluster.client(1).send(_set(b"new")) == b"STORED\r\n"
    reader = cluster.client(3)
    reader.post(b"get n\r\n")
    assert reader.take() == b""
    assert cluster.members(3) == [1, 2, 3], "it knows of no other view"
    assert cluster.nodes[3].open, "nor that it hears nobody"
