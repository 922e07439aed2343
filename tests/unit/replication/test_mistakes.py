"""The mistakes that are easy to make in replication, each as the schedule of messages that shows it.

Each of them was made once, by a model of these rules or by an earlier design, and found by a search. A test
here fails if its rule is taken out; where several rules cover one mistake its docstring says so. The names of
the rules are those of docs/replication.md.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memrep.node.node import Node
from memrep.replication.membership.view_id import make_vid, number_of
from memrep.replication.message import Chunk, Frame, Heartbeat, Install, Nack, PeerMessage, Propose, Vote, Write
from memrep.replication.wire import encode
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import make
from tests.harness.cluster import Cluster, Pair, serving_cluster

INCR = b"incr n 1\r\n"


def _set(value: bytes, key: bytes = b"n") -> bytes:
    return b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value)


def _add(value: bytes) -> bytes:
    return b"add n 0 0 %d\r\n%b\r\n" % (len(value), value)


def _counting() -> Cluster:
    """Three nodes with a number, 0; from now on nothing arrives by itself."""
    cluster = serving_cluster()
    assert cluster.client(3).send(_set(b"0")) == b"STORED\r\n"
    cluster.hold_all()
    return cluster


def _values(cluster: Cluster, key: bytes = b"n") -> set[bytes | None]:
    return {cluster.value(number, key) for number in cluster.nodes}


def _deliver(cluster: Cluster, *pairs: Pair) -> None:
    """Let what is in these queues arrive, one after the other; what it gives rise to stays in the queues."""
    for pair in pairs:
        link, data = cluster.links[pair], cluster.queued(pair)
        _turn(cluster, pair[1], lambda node, link=link, data=data: node.links.receive(link, data))  # type: ignore[misc]


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
    _deliver(cluster, (1, 3), (3, 1), (1, 2))  # node 3 agrees with node 1, node 2 objects
    incs = dict(cluster.nodes[1].replica.state.view.members)
    _say(cluster, (3, 1), Propose(make_vid(1 << 40, 3), incs))
    assert cluster.nodes[1].replica.state.paused
    _deliver(cluster, (2, 1))  # the objection, and the acknowledgement behind it
    assert one.take() == b""
    _agree(cluster)
    assert sorted([one.take(), two.take()]) == [b"1\r\n", b"2\r\n"]
    assert _values(cluster) == {b"2"}


def test_2_what_is_computed_from_an_overtaken_base_is_lost_whatever_its_version_says() -> None:
    """A plain write is on its way to the node that computes a newer number from what was before (I2, I3)."""
    cluster = _counting()
    writer, counter, reader = cluster.client(2), cluster.client(1), cluster.client(3)
    writer.post(_set(b"10"))
    cluster.now += 5
    counter.post(INCR)  # 1, and of a higher version
    _deliver(cluster, (2, 3), (2, 1), (3, 2), (1, 2), (2, 3))
    assert writer.take() == b"STORED\r\n"
    reader.post(b"get n\r\n")
    assert reader.take() == b"VALUE n 0 2\r\n10\r\nEND\r\n"
    _agree(cluster)
    assert counter.take() == b"11\r\n"
    assert _values(cluster) == {b"11"}


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


@pytest.mark.parametrize("order", [[(2, 3), (1, 3)], [(1, 3), (2, 3)]])
def test_3_an_older_plain_write_displaces_a_newer_read_modify_write_at_every_node(order: list[Pair]) -> None:
    """Or a third node keeps neither: the plain one's coordinator objects to the other one (I2)."""
    cluster = _counting()
    writer, counter = cluster.client(1), cluster.client(2)
    writer.post(_set(b"10"))
    cluster.now += 5
    counter.post(INCR)
    _deliver(cluster, *order, (2, 1))
    _agree(cluster)
    assert writer.take() == b"STORED\r\n"
    assert counter.take() == b"11\r\n"
    assert _values(cluster) == {b"11"}
    assert _installs(cluster)[-1] == _installs(cluster)[0]  # by the rules of the round, not by a change of view


def test_4_who_has_voted_acknowledges_nothing_that_its_vote_does_not_hold() -> None:
    """A cut-off node's write arrives between the votes of the others and their view (M6).

    It would be committed by them, in a view that has ended. (Answered it would not be: the lease has run out.)
    """
    cluster = serving_cluster()
    client = cluster.client(3)
    cluster.hold((3, 1), (3, 2))
    assert client.send(_set(b"v")) == b""
    cluster.advance(500)
    cluster.hold((1, 2), (2, 1))
    cluster.said.clear()
    cluster.advance(50)
    cluster.release((1, 2))
    assert [(a, b) for a, b, message in cluster.said if isinstance(message, Propose)] == [(1, 2)]
    assert [(a, b) for a, b, message in cluster.said if isinstance(message, Vote)] == [(2, 1)]
    cluster.release((3, 1), (3, 2))  # the write, at last
    assert cluster.value(3, b"n") is None
    assert client.take() == b""
    cluster.release()
    cluster.advance(1_500)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert _installs(cluster)[0][1] == {1, 2}
    assert client.closed
    assert client.take() == b""


def test_5_what_was_answered_and_is_pending_elsewhere_is_settled_by_the_next_view() -> None:
    """The commit is lost with its coordinator; whoever holds the write has it in its vote (M7)."""
    cluster = _counting()
    client = cluster.client(1)
    client.post(_set(b"v"))
    _deliver(cluster, (1, 2), (1, 3), (2, 1), (3, 1))
    assert client.take() == b"STORED\r\n"
    assert [cluster.value(number, b"n") for number in (1, 2, 3)] == [b"v", b"0", b"0"]
    cluster.kill(1)
    readers = [cluster.client(number) for number in (2, 3)]
    for reader in readers:
        reader.post(b"get n\r\n")
    cluster.release()
    cluster.advance(200)
    assert [reader.take() for reader in readers] == [b"VALUE n 0 1\r\nv\r\nEND\r\n"] * 2


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


def test_7_a_base_whose_commit_has_not_arrived_is_certified_by_who_computed_from_it() -> None:
    """No objection, no second try, no view: the number is known in one round (I3)."""
    cluster = _counting()
    writer, counter = cluster.client(2), cluster.client(1)
    writer.post(_set(b"5"))
    _deliver(cluster, (2, 1), (2, 3), (1, 2), (3, 2), (2, 1))  # committed at 2 and 1; not known at 3
    assert writer.take() == b"STORED\r\n"
    assert cluster.value(3, b"n") == b"0"
    said = len(cluster.said)
    counter.post(INCR)
    _deliver(cluster, (1, 2), (1, 3), (2, 1), (3, 1))
    assert counter.take() == b"6\r\n"
    assert not any(
        isinstance(item, Nack) for _, _, m in cluster.said[said:] if isinstance(m, Frame) for item in m.items
    )
    _agree(cluster)
    assert _values(cluster) == {b"6"}


# --- what is lost on the way


def test_8_after_a_lost_frame_no_later_one_of_that_node_is_taken() -> None:
    """Its acknowledgement would cover the lost one (F2)."""
    cluster = _counting()
    client = cluster.client(1)
    client.post(_set(b"a", b"first"))
    cluster.lose((1, 3))
    client.post(_set(b"b", b"second"))
    _deliver(cluster, (1, 2), (2, 1), (1, 3))
    assert cluster.nodes[3].replica.state.view_change_reason
    assert not cluster.nodes[3].replica.rounds.pending(b"second")
    _deliver(cluster, (3, 1))
    assert client.take() == b""
    _agree(cluster)
    assert client.take() == b"STORED\r\n" * 2
    assert (_values(cluster, b"first"), _values(cluster, b"second")) == ({b"a"}, {b"b"})


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


@pytest.mark.parametrize("count", [2, 3])
def test_10_a_view_that_a_member_did_not_get_is_sent_again(count: int) -> None:
    """Or the others wait for it for ever; with two nodes both would be stuck (M9)."""
    cluster = serving_cluster(count)
    done: list[int] = []

    def lose(number: int) -> None:
        for *_, message in cluster.said:
            if isinstance(message, Install) and not done:
                done.append(message.vid)
                cluster.lose((1, 2))

    cluster.said.clear()
    cluster.after_turn = lose
    cluster.nodes[1].replica.state.view_change_reason = "x"
    cluster.advance(400)
    assert {node.replica.state.view.vid for node in cluster.nodes.values()} == set(done)
    assert len(cluster.serving()) == count


# --- who begins


def test_11_a_restarted_empty_node_proposes_nothing_and_the_view_of_the_others_stays_calm() -> None:
    """It has the lowest number, and one of the others it does not hear (M3; test_view_change.py has M4)."""
    cluster = serving_cluster()
    cluster.client(2).send(_set(b"v"))
    cluster.kill(1)
    cluster.advance(200)
    cluster.said.clear()
    cluster.start(1)
    cluster.hold((2, 1))
    cluster.advance(5_000)
    assert not any(a == 1 and isinstance(message, Propose) for a, _, message in cluster.said)
    assert len(_installs(cluster)) <= 3
    cluster.release()
    cluster.advance(2_000)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert cluster.client(1).send(b"get n\r\n") == b"VALUE n 0 1\r\nv\r\nEND\r\n"


def test_11_a_node_without_data_never_begins_while_it_hears_one_that_has_them() -> None:
    """Nothing that it says gets through, for longer than the cold start time (M3)."""
    cluster = serving_cluster()
    cluster.client(2).send(_set(b"v"))
    cluster.kill(1)
    cluster.advance(200)
    cluster.start(1)
    cluster.hold((1, 2), (1, 3))
    cluster.advance(15_000)
    assert sorted(cluster.serving()) == [2, 3]


def test_12_after_a_heal_one_view_of_all_stands_and_nobody_is_held_for_silent() -> None:
    """The only full node had heard nobody for long when it installs the view of all (M3).

    A refusal tells whom its sender hears, and the proposer then ignores none of them: see test_view_change.py.
    """
    cluster = serving_cluster()
    cluster.client(1).send(_set(b"v"))
    for number in (2, 3):
        cluster.kill(number)
        cluster.advance(100)
    cluster.advance(3_000)
    assert cluster.members(1) == [1]
    cluster.said.clear()
    cluster.start(2)
    cluster.start(3)
    cluster.advance(10_000)
    assert sorted(cluster.serving()) == [1, 2, 3]
    together = [members for _, members in _installs(cluster)]
    assert together[-1] == {1, 2, 3}
    assert len(together) <= 2
    assert _values(cluster) == {b"v"}


def test_12_three_that_were_parted_each_from_each_come_together_once() -> None:
    """Each has a view of its own, later than all it knows of the others."""
    cluster = serving_cluster()
    ways = [(a, b) for a in (1, 2, 3) for b in (1, 2, 3) if a != b]
    cluster.hold(*ways)
    cluster.advance(2_000)
    assert [cluster.members(number) for number in (1, 2, 3)] == [[1], [2], [3]]
    for way in ways:
        cluster.lose(way)
    cluster.said.clear()
    cluster.release()
    cluster.advance(5_000)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert len(_installs(cluster)) <= 3
    assert _installs(cluster)[-1][1] == {1, 2, 3}


def test_12_a_member_that_has_not_heard_another_one_for_long_gives_it_time_in_the_new_view() -> None:
    """All were parted; the way between two of them heals a moment after the ways to the third (M8)."""
    cluster = serving_cluster()
    ways = [(a, b) for a in (1, 2, 3) for b in (1, 2, 3) if a != b]
    cluster.hold(*ways)
    cluster.advance(2_000)
    for way in ways:
        cluster.lose(way)
    cluster.said.clear()
    late = [(2, 3), (3, 2)]
    cluster.release(*(way for way in ways if way not in late))
    while (cluster.members(2), cluster.members(3)) != ([1, 2, 3], [1, 2, 3]):
        cluster.advance(50)
    views = len(_installs(cluster))
    cluster.advance(100)
    cluster.release()
    cluster.advance(3_000)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert len(_installs(cluster)) == views


def test_13_without_a_majority_nothing_is_settled_and_nobody_is_answered() -> None:
    """A write waits for two nodes that are gone (S3)."""
    cluster = serving_cluster(strict=True)
    client = cluster.client(1)
    cluster.hold((2, 1), (3, 1))
    assert client.send(_set(b"v")) == b""
    cluster.kill(2)
    cluster.kill(3)
    cluster.advance(2_000)
    assert client.take() == b""
    assert cluster.serving() == []
    assert cluster.members(1) == [1, 2, 3]


def test_13b_an_acknowledgement_counts_only_with_all_that_was_said_before_it() -> None:
    """The write and the objection of the other node are lost, the acknowledgement is repeated."""
    cluster = serving_cluster()
    cluster.hold_all()
    one, two = cluster.client(1), cluster.client(2)
    one.post(_add(b"1"))
    two.post(_add(b"2"))
    _deliver(cluster, (1, 2), (1, 3), (3, 1))  # node 3 agrees with node 1; node 2 objects
    cluster.lose((2, 1))
    cluster.now += 100
    cluster.turn(1, lambda node: node.tick())
    said = len(cluster.said)
    _deliver(cluster, (1, 2))  # a heartbeat, which is answered by the acknowledgement again
    assert not any(isinstance(message, Heartbeat) for a, _, message in cluster.said[said:] if a == 2)
    _deliver(cluster, (2, 1))
    assert one.take() == b""
    _agree(cluster)
    assert sorted([one.take(), two.take()]) == [b"NOT_STORED\r\n", b"STORED\r\n"]


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
