"""Whole nodes without I/O: when a client is answered, has to wait, or is closed; links and peers."""

from __future__ import annotations

import pytest

from memrep.node.node import Node
from memrep.node.shell import ProcessInfo
from memrep.replication.handshake import NONCE_BYTES, Identity, Outgoing
from memrep.replication.links import Link
from memrep.replication.membership.timing import Timing
from memrep.replication.message import Frame, Propose
from tests.harness.cluster import Cluster, serving_cluster
from tests.harness.collector import walked
from tests.harness.lone_node import WALL, lone_node


def _set(key: bytes, value: bytes) -> bytes:
    return b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value)


def _value(key: bytes, value: bytes) -> bytes:
    return b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, len(value), value)


# --- writes and reads in a view


@pytest.mark.parametrize("direction", [(3, 1), (1, 3), (2, 1), (1, 2)])
def test_a_write_is_answered_only_after_every_member_has_acknowledged_it(direction: tuple[int, int]) -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    cluster.hold(direction)
    assert client.send(_set(b"k", b"v")) == b""
    assert [cluster.value(n, b"k") for n in (1, 2, 3)] == [None] * 3
    cluster.release()
    assert client.take() == b"STORED\r\n"
    assert [cluster.value(n, b"k") for n in (1, 2, 3)] == [b"v"] * 3


@pytest.mark.parametrize("reader", [1, 2, 3])
def test_a_read_of_a_pending_key_waits_on_every_node_and_others_do_not(reader: int) -> None:
    cluster = serving_cluster()
    assert cluster.client(1).send(_set(b"k", b"old") + _set(b"other", b"o")) == b"STORED\r\n" * 2
    cluster.hold((3, 1))
    assert cluster.client(1).send(_set(b"k", b"new")) == b""
    client = cluster.client(reader)
    assert client.send(b"get k\r\n") == b""
    assert cluster.client(reader).send(b"get other\r\n") == _value(b"other", b"o")
    cluster.release()
    assert client.take() == _value(b"k", b"new")


def test_what_one_node_has_answered_every_other_one_answers_too() -> None:
    cluster = serving_cluster()
    assert cluster.client(2).send(_set(b"k", b"v")) == b"STORED\r\n"
    for number in (1, 2, 3):
        assert cluster.client(number).send(b"get k\r\n") == _value(b"k", b"v")


def test_commands_behind_a_waiting_read_modify_write_are_executed_after_it() -> None:
    cluster = serving_cluster()
    assert cluster.client(1).send(_set(b"session", b"old")) == b"STORED\r\n"
    cluster.hold((2, 1))
    client = cluster.client(1)
    lock = b"incr session.lock 1\r\nadd session.lock 768 2 1\r\n1\r\nget session\r\n"
    assert client.send(lock) == b"NOT_FOUND\r\n"
    assert cluster.client(3).send(_set(b"session", b"new")) == b"STORED\r\n"
    cluster.release()
    assert client.take() == b"STORED\r\nVALUE session 0 3\r\nnew\r\nEND\r\n"


def test_of_two_who_take_a_lock_in_the_same_moment_one_gets_it() -> None:
    cluster = serving_cluster()
    clients = [cluster.client(n) for n in (1, 2, 3)]
    cluster.hold_all()
    for client in clients:
        client.send(b"add session.lock 768 2 1\r\n1\r\n")
    cluster.release()
    cluster.advance(100)  # a grant waits a moment for the reading behind it
    assert sorted(client.take() for client in clients) == [b"NOT_STORED\r\n", b"NOT_STORED\r\n", b"STORED\r\n"]


def test_a_client_that_has_gone_leaves_its_write_to_complete() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    cluster.hold((3, 1))
    client.send(_set(b"k", b"v"))
    cluster.turn(1, lambda node: node.clients.disconnect(client.connection))
    cluster.release()
    assert client.take() == b""
    assert [cluster.value(n, b"k") for n in (1, 2, 3)] == [b"v"] * 3


# --- start and join


def test_a_node_without_peers_is_open_at_once() -> None:
    lone = lone_node()
    assert lone.node.open
    assert lone.connect().receive(b"get k\r\n") == b"END\r\n"


def test_a_node_is_not_open_before_it_holds_everything_of_the_others() -> None:
    cluster = serving_cluster()
    cluster.kill(3)
    cluster.deliver()
    value = b"x" * 100
    sets = b"".join(b"set key%d 0 0 100 noreply\r\n%b\r\n" % (i, value) for i in range(3_000))
    cluster.client(1).send(sets)
    assert len(cluster.nodes[2].store) == 3_000
    seen: list[tuple[int, bool]] = []

    def look(number: int) -> None:
        if number == 3:
            seen.append((len(cluster.nodes[3].store), cluster.nodes[3].open))

    cluster.after_turn = look
    cluster.start(3)
    cluster.advance(500)
    assert {count for count, is_open in seen if is_open} == {3_000}
    assert any(0 < count < 3_000 for count, is_open in seen if not is_open)
    assert cluster.serving() == [1, 2, 3]
    assert cluster.client(3).send(b"get key2999\r\n") == _value(b"key2999", value)


def test_what_is_written_while_a_node_joins_is_there_when_it_opens() -> None:
    cluster = serving_cluster()
    cluster.client(1).send(b"".join(b"set key%d 0 0 1 noreply\r\nx\r\n" % i for i in range(2_500)))
    cluster.kill(3)
    cluster.deliver()
    cluster.start(3)
    writer = cluster.client(2)
    stored: dict[bytes, bytes] = {}

    def write(number: int) -> None:
        if number == 3 and not cluster.nodes[3].open and cluster.members(2) == [1, 2, 3]:
            cluster.after_turn = lambda number: None
            writer.post(_set(b"key2", b"new") + _set(b"key2400", b"new") + _set(b"fresh", b"new"))
            stored.update({b"key2": b"new", b"key2400": b"new", b"fresh": b"new"})

    cluster.after_turn = write
    cluster.advance(500)
    assert writer.take() == b"STORED\r\n" * 3
    assert cluster.nodes[3].open
    assert stored and {key: cluster.value(3, key) for key in stored} == stored


def test_a_node_that_does_not_hold_everything_closes_its_clients() -> None:
    cluster = Cluster(3, start=[1, 2])
    client = cluster.client(1)
    cluster.turn(1, lambda node: client.receive(node, b"get k\r\n"))
    assert client.closed
    assert client.take() == b""


# --- changes of view


def test_a_set_behind_a_vote_in_the_same_turn_waits_for_the_new_view() -> None:
    cluster = serving_cluster()
    client = cluster.client(2)
    cluster.kill(3)
    said = len(cluster.said)
    assert any(isinstance(message, Propose) for _, _, message in cluster.said[said - 4 :])
    link, proposal = cluster.links[1, 2], cluster.queued((1, 2))
    cluster.turn(
        2,
        lambda node: node.links.receive(link, proposal),
        lambda node: client.receive(node, _set(b"k", b"v")),
    )
    assert client.take() == b""
    assert cluster.nodes[2].clients.unheard(client.connection)
    assert len(cluster.nodes[2].replica.rounds) == 0
    assert not any(isinstance(message, Frame) for _, _, message in cluster.said[said:])
    cluster.advance(100)
    assert client.take() == b"STORED\r\n"
    assert [cluster.value(n, b"k") for n in (1, 2)] == [b"v"] * 2


def test_a_killed_peer_leads_to_a_new_view_at_once_and_the_waiting_write_is_answered() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    cluster.hold((3, 1))
    assert client.send(_set(b"k", b"v")) == b""
    moment = cluster.now
    cluster.kill(3)
    cluster.deliver()
    assert cluster.now == moment
    assert client.take() == b"STORED\r\n"
    assert cluster.members(1) == cluster.members(2) == [1, 2]
    assert [cluster.value(n, b"k") for n in (1, 2)] == [b"v"] * 2


def test_a_write_of_a_killed_node_that_a_survivor_holds_stands_everywhere() -> None:
    cluster = serving_cluster()
    cluster.hold((3, 1))
    cluster.client(3).send(_set(b"k", b"v"))
    cluster.kill(3)
    cluster.deliver()
    assert [cluster.value(n, b"k") for n in (1, 2)] == [b"v"] * 2


def test_the_last_survivor_of_three_serves_alone() -> None:
    cluster = serving_cluster()
    cluster.client(1).send(_set(b"k", b"v"))
    cluster.kill(1)
    cluster.advance(200)
    cluster.kill(2)
    cluster.advance(200)
    assert cluster.serving() == [3]
    client = cluster.client(3)
    assert client.send(b"get k\r\n" + _set(b"k", b"w")) == _value(b"k", b"v") + b"STORED\r\n"


def test_a_silent_peer_is_left_out_after_the_failure_timeout_and_not_before() -> None:
    cluster = serving_cluster()
    cluster.hold((3, 1), (3, 2), (1, 3), (2, 3))
    client = cluster.client(1)
    assert client.send(_set(b"k", b"v")) == b""
    cluster.advance(450)
    assert client.take() == b""
    assert cluster.members(1) == [1, 2, 3]
    cluster.advance(300)
    assert cluster.members(1) == cluster.members(2) == [1, 2]
    assert client.take() == b"STORED\r\n"


def test_kept_input_is_closed_unread_after_the_holding_time() -> None:
    timing = Timing(silence=10_000)
    cluster = serving_cluster(timing=timing)
    cluster.hold_all()
    cluster.advance(timing.lease + 50)
    assert cluster.serving() == []
    client = cluster.client(1)
    assert client.send(_set(b"k", b"v")) == b""
    cluster.advance(timing.hold - 50)
    assert not client.closed
    cluster.advance(50)
    assert client.closed
    assert client.take() == b""
    cluster.release()
    cluster.advance(500)
    assert cluster.value(1, b"k") is None


def test_kept_input_is_executed_when_the_node_serves_in_time() -> None:
    timing = Timing(silence=10_000)
    cluster = serving_cluster(timing=timing)
    cluster.hold_all()
    cluster.advance(timing.lease + 50)
    client = cluster.client(1)
    assert client.send(_set(b"k", b"v") + b"get k\r\n") == b""
    cluster.release()
    cluster.advance(200)
    assert client.take() == b"STORED\r\n" + _value(b"k", b"v")


def test_a_write_that_waits_longer_than_the_holding_time_is_closed() -> None:
    timing = Timing(silence=10_000)
    cluster = serving_cluster(timing=timing)
    cluster.hold((3, 1), (3, 2))
    client = cluster.client(1)
    assert client.send(_set(b"k", b"v")) == b""
    cluster.advance(timing.hold + 50)
    assert client.closed
    assert client.take() == b""


def test_leaving_lets_the_others_go_on_without_waiting() -> None:
    cluster = serving_cluster()
    moment = cluster.now
    left: list[bool] = []
    cluster.turn(3, lambda node: left.append(node.leave()))
    cluster.deliver()
    assert left == [True]
    assert cluster.members(1) == cluster.members(2) == [1, 2]
    assert cluster.client(1).send(_set(b"k", b"v")) == b"STORED\r\n"
    assert cluster.now == moment


def test_a_node_does_not_leave_before_its_own_writes_are_done() -> None:
    cluster = serving_cluster()
    cluster.hold((2, 3))
    client = cluster.client(3)
    client.send(_set(b"k", b"v"))
    left: list[bool] = []
    cluster.turn(3, lambda node: left.append(node.leave()))
    assert left == [False]
    cluster.release()
    assert client.take() == b"STORED\r\n"
    cluster.turn(3, lambda node: left.append(node.leave()))
    assert left == [False, True]


def test_a_node_that_alone_holds_everything_does_not_leave_before_another_one_does() -> None:
    cluster = serving_cluster(2)
    assert cluster.client(1).send(_set(b"k", b"v")) == b"STORED\r\n"
    cluster.kill(2)
    cluster.advance(1_000)
    cluster.hold((1, 2))  # what is fetched comes later
    cluster.start(2)
    cluster.advance(200)
    left: list[bool] = []
    cluster.turn(1, lambda node: left.append(node.leave()))
    assert left == [False]
    cluster.release()
    cluster.advance(1_000)
    cluster.turn(1, lambda node: left.append(node.leave()))
    assert left == [False, True]
    cluster.kill(1)
    cluster.advance(1_000)
    assert cluster.client(2).send(b"get k\r\n") == b"VALUE k 0 1\r\nv\r\nEND\r\n"


def test_the_last_node_leaves_at_once() -> None:
    cluster = serving_cluster(2)
    cluster.kill(2)
    cluster.advance(1_000)
    left: list[bool] = []
    cluster.turn(1, lambda node: left.append(node.leave()))
    assert left == [True]


# --- a process that was stopped


def test_a_process_that_was_stopped_closes_all_its_clients_unread() -> None:
    cluster = serving_cluster()
    clients = [cluster.client(1) for _ in range(3)]
    cluster.freeze(1)
    cluster.advance(300)
    cluster.thaw(1, lambda node: clients[0].receive(node, _set(b"k", b"v")))
    assert all(client.closed for client in clients)
    assert cluster.nodes[1].counters.fences == 1
    cluster.advance(1_000)
    assert [client.take() for client in clients] == [b""] * 3
    assert [cluster.value(n, b"k") for n in (1, 2, 3)] == [None] * 3
    assert sorted(cluster.serving()) == [1, 2, 3]


@pytest.mark.parametrize(("gap", "closed"), [(250, False), (251, True)])
def test_a_stop_is_what_lasts_longer_than_the_fence(gap: int, closed: bool) -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    cluster.now += gap
    cluster.turn(1)
    assert client.closed is closed
    assert (cluster.nodes[1].counters.fences == 1) is closed


def test_input_that_was_kept_dies_with_a_stop() -> None:
    cluster = serving_cluster(timing=Timing(silence=10_000))
    cluster.hold_all()
    cluster.advance(450)
    client = cluster.client(1)
    assert client.send(_set(b"k", b"v")) == b""
    assert cluster.nodes[1].clients.unheard(client.connection)
    cluster.freeze(1)
    cluster.advance(300)
    cluster.thaw(1)
    assert client.closed
    assert not cluster.nodes[1].clients.unheard(client.connection)
    cluster.release()
    cluster.advance(1_000)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert [cluster.value(n, b"k") for n in (1, 2, 3)] == [None] * 3


def test_who_was_stopped_serves_nobody_before_the_others_have_a_new_view_with_it() -> None:
    cluster = serving_cluster()
    before = cluster.nodes[1].replica.state.view.vid
    cluster.freeze(1)
    cluster.advance(300)
    cluster.hold_all()
    cluster.thaw(1)
    client = cluster.client(1)
    assert client.send(b"get k\r\n") == b""
    assert cluster.serving() == [2, 3]
    cluster.release()
    cluster.advance(100)
    assert cluster.nodes[1].replica.state.view.vid > before
    assert client.take() == b"END\r\n"


def test_who_slept_through_its_exclusion_does_not_serve_what_it_held() -> None:
    cluster = serving_cluster()
    assert cluster.client(1).send(_set(b"k", b"old")) == b"STORED\r\n"
    cluster.freeze(1)
    cluster.advance(1_000)
    assert cluster.client(2).send(_set(b"k", b"new")) == b"STORED\r\n"
    cluster.hold_all()
    cluster.thaw(1)
    client = cluster.client(1)
    assert client.send(b"get k\r\n") == b""
    cluster.advance(200)
    assert client.take() == b""
    cluster.release()
    cluster.advance(1_500)
    assert cluster.client(1).send(b"get k\r\n") == _value(b"k", b"new")


# --- the order of what was kept, and the last word


def test_what_was_kept_is_executed_before_what_comes_in_the_turn_in_which_it_may_be() -> None:
    cluster = serving_cluster(timing=Timing(silence=10_000))
    cluster.hold_all()
    cluster.advance(450)
    client = cluster.client(1)
    client.post(_set(b"k", b"1") + b"incr k 1\r\n")
    cluster.release((1, 2))
    link, lease = cluster.links[2, 1], cluster.queued((2, 1))
    served: list[bool] = []
    cluster.turn(
        1,
        lambda node: node.links.receive(link, lease),
        lambda node: served.append(node.serving),
        lambda node: client.receive(node, b"incr k 10\r\n"),
    )
    assert served == [True]
    cluster.release()
    cluster.advance(100)
    assert client.take() == b"STORED\r\n2\r\n12\r\n"


def test_a_connection_that_is_closed_for_lateness_says_nothing_more() -> None:
    cluster = serving_cluster(timing=Timing(silence=10_000))
    assert cluster.client(1).send(_set(b"a", b"1") + _set(b"k", b"old")) == b"STORED\r\n" * 2
    cluster.hold((3, 1), (3, 2))
    assert cluster.client(2).send(_set(b"k", b"new")) == b""
    reader = cluster.client(1)
    assert reader.send(b"get k\r\nget a\r\nversion\r\n") == b""
    both = cluster.client(1)
    assert both.send(b"get a k\r\n") == b"VALUE a 0 1\r\n1\r\n"
    cluster.advance(800)
    assert reader.closed
    assert both.closed
    cluster.release()
    cluster.advance(500)
    assert reader.take() == b""
    assert both.take() == b""


# --- links


def _caller(cluster: Cluster, node: int, inc: int, nodes: list[str] | None = None) -> Outgoing:
    """Somebody who calls node 1 and says that he is this node."""
    terms = cluster.nodes[1].options.terms
    identity = Identity(me=node, inc=inc, nodes=nodes or cluster.names, terms=terms)
    return Outgoing(identity, 1, bytes(NONCE_BYTES))


def _greet(cluster: Cluster, link: Link, node: int, inc: int, nodes: list[str] | None = None) -> Outgoing:
    """Somebody greets node 1 on this link, as this node."""
    caller = _caller(cluster, node, inc, nodes)
    hello = caller.receive(link.take())
    cluster.turn(1, lambda node: node.links.receive(link, hello))
    return caller


def _accept(cluster: Cluster, number: int) -> Link:
    return cluster.nodes[number].links.accept("10.0.0.9:40000")


def test_an_older_links_late_greeting_does_not_replace_a_newer_link() -> None:
    cluster = serving_cluster()
    late = _accept(cluster, 1)
    cluster.kill(2)
    cluster.start(2)
    cluster.advance(500)
    inc = cluster.nodes[1].replica.detector.peers[2].process.inc
    _greet(cluster, late, 2, 77)
    assert late.closing
    assert late.take() == b""
    assert cluster.nodes[1].replica.detector.peers[2].process.inc == inc
    assert not cluster.links[2, 1].closing
    assert cluster.client(1).send(_set(b"k", b"v")) == b"STORED\r\n"


def test_a_newer_link_replaces_the_older_one() -> None:
    cluster = serving_cluster()
    older = cluster.links[2, 1]
    cluster.dial(2, 1)
    cluster.deliver()
    assert older.closing
    assert not cluster.links[2, 1].closing
    cluster.advance(200)
    assert cluster.client(1).send(_set(b"k", b"v")) == b"STORED\r\n"


def test_the_end_of_a_replaced_link_does_not_count_as_the_end_of_the_newer_one() -> None:
    cluster = serving_cluster()
    older = cluster.links[2, 1]
    cluster.dial(2, 1)
    cluster.deliver()
    cluster.turn(1, lambda node: node.links.closed(older))
    assert cluster.nodes[1].replica.detector.peers[2].process.linked


def test_a_peer_with_another_list_of_nodes_is_turned_away_with_the_reason() -> None:
    cluster = serving_cluster()
    link = _accept(cluster, 1)
    caller = _greet(cluster, link, 2, 77, ["10.0.0.7:11211", "x:1"])
    assert link.closing
    caller.receive(link.take())
    reason = (
        "--nodes differs: 10.0.0.7:11211, x:1 are missing in that of the called node; "
        f"{', '.join(cluster.names)} are missing in that of the caller"
    )
    assert caller.reason == reason.replace("the called node", "10.0.0.7:11211").replace("the caller", "x:1")
    assert cluster.logs[1][-1] == f"turned away a node's link from 10.0.0.9: {reason}"


def test_the_same_complaint_about_the_same_host_is_logged_once() -> None:
    cluster = serving_cluster()
    lines = len(cluster.logs[1])
    for _ in range(3):
        link = _accept(cluster, 1)
        _greet(cluster, link, 2, 77, ["x:1"])
        assert link.closing
    assert len(cluster.logs[1]) == lines + 1


@pytest.mark.parametrize("garbage", [b"\x00\x00\x00\x02hi", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100])
def test_a_link_that_speaks_garbage_is_closed_and_nothing_else_happens(garbage: bytes) -> None:
    cluster = serving_cluster()
    stranger = _accept(cluster, 1)
    cluster.turn(1, lambda node: node.links.receive(stranger, garbage))
    assert stranger.closing
    assert cluster.client(1).send(_set(b"k", b"v")) == b"STORED\r\n"


@pytest.mark.parametrize("garbage", [b"\x00\x00\x00\x02hi", b"\xff" * 100])
def test_a_peers_link_that_turns_to_garbage_is_closed_without_a_farewell(garbage: bytes) -> None:
    cluster = serving_cluster()
    link = cluster.links[2, 1]
    cluster.turn(1, lambda node: node.links.receive(link, garbage))
    assert link.closing
    assert link.take() == b""
    assert not cluster.nodes[1].replica.detector.peers[2].process.linked


def test_what_stood_behind_an_answer_goes_to_peers_in_the_turn_of_the_answer() -> None:
    cluster = serving_cluster(2)
    client = cluster.client(1)
    cluster.hold((2, 1))
    client.post(b"set a 0 0 1\r\nx\r\nget a\r\nset b 0 0 1\r\ny\r\n")
    cluster.deliver()
    node = cluster.nodes[1]
    node.turn(cluster.now, WALL + cluster.now)
    node.links.receive(cluster.links[2, 1], cluster.queued((2, 1)))
    said = list(node.end_turn())
    (commit, first), (answered, replies), (write, second) = said
    assert (commit, answered, write) == (2, client.connection, 2)
    assert replies == b"STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n"
    assert first and second


def test_a_turn_ends_when_nothing_is_left_to_be_done() -> None:
    lone = lone_node()
    woken = lone.node._writes.woken
    ran: list[int] = []

    def wake(number: int) -> None:
        ran.append(number)
        if number < 5:
            woken.append(lambda: wake(number + 1))

    wake(1)
    lone.end()
    assert ran == [1, 2, 3, 4, 5]
    assert not lone.node.behind


def test_or_when_its_time_is_up_and_then_the_next_one_goes_on() -> None:
    lone = lone_node(process=ProcessInfo(spent=lambda: True))
    ran: list[int] = []
    lone.node._writes.woken.extend([lambda: ran.append(1)] * 3)
    lone.end()
    assert (len(ran), lone.node.behind) == (1, True)
    lone.end()
    lone.end()
    assert (len(ran), lone.node.behind) == (3, False)


def _need_no_end(cluster: Cluster, *pairs: tuple[int, int]) -> list[bool]:
    """Let what is queued arrive, link by link; return which of the turns need not be ended."""
    told: list[bool] = []
    for pair in pairs:
        link, data = cluster.links[pair], cluster.queued(pair)

        def act(node: Node, link: Link = link, data: bytes = data) -> None:
            told.append(node.links.receive(link, data) and node.quiet)

        cluster.turn(pair[1], act)
    return told


def test_a_turn_need_not_be_ended_for_a_commit_nor_for_an_acknowledgement_behind_which_one_more_is_due() -> (
    None
):
    cluster = serving_cluster()
    cluster.hold_all()
    client = cluster.client(1)
    client.post(_set(b"k", b"v"))
    assert _need_no_end(cluster, (1, 2), (1, 3)) == [False, False], "they acknowledge the write"
    assert _need_no_end(cluster, (2, 1), (3, 1)) == [True, False], "the last one commits it"
    assert client.take() == b"STORED\r\n"
    assert _need_no_end(cluster, (1, 2), (1, 3)) == [True, True]


def test_but_for_a_commit_on_which_somebody_has_waited_it_is() -> None:
    cluster = serving_cluster()
    cluster.hold_all()
    cluster.client(1).post(_set(b"k", b"v"))
    cluster.step((1, 2), (1, 3))
    reader = cluster.client(2)
    reader.post(b"get k\r\n")
    cluster.step((2, 1), (3, 1))
    assert _need_no_end(cluster, (1, 2), (1, 3)) == [False, True]
    assert reader.take() == _value(b"k", b"v")


def test_it_is_ended_where_a_peer_says_how_it_is_and_for_anything_while_one_may_be_missed() -> None:
    cluster = serving_cluster()
    cluster.hold_all()
    cluster.advance(100)
    assert _need_no_end(cluster, (1, 2)) == [False]
    cluster.release()
    cluster.hold_all()
    cluster.client(1).post(_set(b"k", b"v"))
    cluster.step((1, 2), (1, 3), (2, 1), (3, 1))
    cluster.nodes[2].replica.leases.serves_all_until = 0
    assert _need_no_end(cluster, (1, 2), (1, 3)) == [False, True]


def test_what_has_to_be_done_for_very_many_keys_is_done_a_piece_a_turn() -> None:
    lone = lone_node()
    client = lone.connect()
    count = 2_000
    for number in range(count):
        client.receive(b"set k%d 0 1 1\r\nx\r\n" % number)
    lone.advance(20)
    left = []
    while lone.node.behind:
        assert not lone.node.quiet, "the turn has an end"
        left.append(len(lone.node.store))
        lone.begin()
        lone.end()
    assert len(left) > 5
    assert left == sorted(set(left), reverse=True), "each turn has got on"
    assert (len(lone.node.store), lone.node.store.expired) == (0, count)


def test_who_waited_is_answered_before_a_piece_of_it_is_done() -> None:
    lone = lone_node()
    client = lone.connect()
    for number in range(2_000):
        client.receive(b"set k%d 0 1 1\r\nx\r\n" % number)
    lone.advance(1_100)
    assert lone.node.behind
    before = lone.node.store.expired
    lone.begin()
    told = []
    lone.node._writes.woken.append(lambda: told.append(lone.node.store.expired))
    lone.end()
    assert told == [before] != [lone.node.store.expired]


def test_so_is_what_a_much_lower_limit_leaves_no_room_for() -> None:
    lone = lone_node()
    client = lone.connect()
    for number in range(2_000):
        client.receive(b"set k%d 0 0 1000\r\n%b\r\n" % (number, bytes(1_000)))
    before = len(lone.node.store)
    lone.node._engine.memory_limit.allow(1 << 20)
    lone.advance(1)
    assert lone.node.behind
    assert before - 1_000 < len(lone.node.store) < before
    while lone.node.behind:
        lone.begin()
        lone.end()
    assert lone.node.store.used <= lone.node.store.limit


def test_a_fault_in_a_command_that_waited_costs_its_client_only() -> None:
    lines: list[str] = []
    node = lone_node().node
    node._log = lines.append
    node._writes.woken.extend([lambda: 1 // 0, lambda: lines.append("the next")])
    list(node.end_turn())
    told, after, *_ = lines
    assert "fault in memrep: ZeroDivisionError" in told
    assert after == "the next"


def test_a_get_of_very_many_keys_that_are_not_there_takes_several_turns() -> None:
    lone = lone_node()
    node, connection = lone.node, lone.node.clients.connect()
    keys = 400_000
    assert node.clients.receive(connection, b"get" + b" a" * keys + b"\r\n") == b""
    turns, told = 0, b""
    while not told and turns < 100:
        turns += 1
        lone.begin()
        told = b"".join(data for _, data in node.end_turn())
    assert told == b"END\r\n"
    assert turns > 5


def test_the_garbage_collector_walks_through_nothing_that_grows_with_the_keys() -> None:
    """A walk through a million keys takes half a second, and comes whenever clients have sent enough."""

    cluster = serving_cluster()
    client = cluster.client(1)
    for first in range(0, 6_000, 100):
        sets = [b"set walked%d 0 3600 1\r\nx\r\n" % number for number in range(first, first + 100)]
        assert client.send(b"".join(sets)) == b"STORED\r\n" * 100
    assert walked(b"walked") == []


# --- ticks


def test_a_node_ticks_less_often_while_nobody_waits_for_the_clock() -> None:
    cluster = serving_cluster(3)
    cluster.advance(200)
    assert [node.pause for node in cluster.nodes.values()] == [100] * 3
    assert lone_node().node.pause == 200


def test_a_node_ticks_soon_while_a_client_waits() -> None:
    cluster = serving_cluster(3)
    cluster.advance(200)
    cluster.hold_all()
    cluster.client(1).send(_set(b"k", b"v"))
    assert (cluster.nodes[1].pause, cluster.nodes[2].pause) == (50, 100)


def test_a_node_ticks_soon_while_a_member_is_late_and_until_a_view_without_it_stands() -> None:
    cluster = serving_cluster(2)
    cluster.advance(200)
    cluster.freeze(2)
    cluster.advance(100)
    assert cluster.nodes[1].pause == 100
    cluster.advance(200)
    assert cluster.nodes[1].pause == 50
    cluster.advance(1_000)
    assert cluster.members(1) == [1]
    cluster.kill(2)
    cluster.advance(1_000)
    assert cluster.nodes[1].pause == 100


def test_a_node_without_peers_has_long_pauses_and_is_not_taken_for_stopped_for_them() -> None:
    cluster = serving_cluster(1, timing=Timing.scaled(60))
    node = cluster.nodes[1]
    now, wall = node._clock.now, node._clock.wall
    late = now + node.pause + 150
    assert not node.turn(late, wall)
    assert node.turn(late + node.pause + 151, wall)


def test_a_node_never_pauses_for_longer_than_the_interval_of_its_heartbeats() -> None:
    assert serving_cluster(2, timing=Timing.scaled(480)).nodes[1].pause == 80
    assert serving_cluster(2, timing=Timing.scaled(60)).nodes[1].pause == 50
