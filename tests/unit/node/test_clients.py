"""Clients: while a node may not serve it executes nothing, keeps everything in order, and for a while only."""

from __future__ import annotations

import pytest

from memrep.engine.engine import Engine
from memrep.node.clients import Clients
from memrep.node.node import Node
from memrep.node.shell import ProcessInfo
from memrep.protocol.client_policy import ClientPolicy
from memrep.protocol.connection import Connection
from memrep.replication.membership.timing import Timing
from tests.harness.cluster import TICK_MS, Cluster, serving_cluster
from tests.harness.lone_node import lone_node

GET = b"get k\r\n"
MISS = b"END\r\n"
SET = b"set k 0 0 1\r\n5\r\n"
STORED = b"STORED\r\n"

#: The others are silent for longer than any client here waits.
PATIENT = Timing(silence=10_000)


@pytest.fixture
def cluster() -> Cluster:
    """Nodes of which none may serve: no lease gets through."""
    cluster = serving_cluster(timing=PATIENT)
    cluster.hold_all()
    cluster.advance(PATIENT.lease + TICK_MS)
    assert cluster.serving() == []
    return cluster


class Diary(ClientPolicy):
    """Takes clients at their word, and writes down what it is told of them."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.told: list[tuple[str, Connection]] = []

    def left(self, connection: Connection, cut: bool) -> None:
        self.told.append(("cut" if cut else "left", connection))

    def deserted(self, connection: Connection) -> None:
        self.told.append(("deserted", connection))


def _with_diary(node: Node) -> tuple[Clients, Diary]:
    """The clients of a node, with a policy of the test's."""
    diary = Diary(node._engine)
    clients = node.clients
    return Clients(diary, clients._context, node.replica, node.staleness, node._clock), diary


def _heal(cluster: Cluster) -> None:
    cluster.release()
    cluster.advance(4 * TICK_MS)
    assert cluster.serving() == [1, 2, 3]


# --- while the node may not serve


def test_what_comes_in_pieces_meanwhile_is_executed_whole_and_in_order(cluster: Cluster) -> None:
    client = cluster.client(1)
    for piece in (SET[:7], SET[7:] + b"in", b"cr k 1\r\nget", b" k\r\n"):
        assert client.send(piece) == b""
    assert cluster.value(1, b"k") is None
    _heal(cluster)
    assert client.take() == STORED + b"6\r\nVALUE k 0 1\r\n6\r\nEND\r\n"


def test_whose_input_is_kept_is_given_no_more_of_it_until_it_is_heard(cluster: Cluster) -> None:
    clients, client, idle = cluster.nodes[1].clients, cluster.client(1), cluster.client(1)
    client.send(GET)
    assert clients.holds_back(client.connection)
    assert not clients.holds_back(idle.connection)
    _heal(cluster)
    assert client.take() == MISS
    assert not clients.holds_back(client.connection)


def test_who_leaves_unheard_has_said_nothing(cluster: Cluster) -> None:
    client = cluster.client(1)
    client.send(SET)
    client.hang_up()
    assert not cluster.nodes[1].clients.unheard(client.connection)
    _heal(cluster)
    assert {cluster.value(number, b"k") for number in (1, 2, 3)} == {None}


def test_what_comes_from_one_who_has_been_hung_up_on_is_neither_kept_nor_executed(cluster: Cluster) -> None:
    client = cluster.client(1)
    cluster.turn(1, lambda node: node.clients.close(client.connection))
    client.post(SET)
    assert not cluster.nodes[1].clients.unheard(client.connection)
    _heal(cluster)
    client.post(SET)
    cluster.advance(TICK_MS)
    assert client.take() == b""
    assert {cluster.value(number, b"k") for number in (1, 2, 3)} == {None}


def test_a_client_waits_from_its_first_byte_on_and_gains_nothing_by_sending_more(cluster: Cluster) -> None:
    talker, late = cluster.client(1), cluster.client(1)
    talker.send(b"g")
    for _ in range(PATIENT.hold // TICK_MS - 1):
        talker.wait(TICK_MS)
        talker.send(b"x")
    late.send(GET)
    assert not talker.closed
    cluster.advance(TICK_MS)
    assert (talker.closed, late.closed) == (True, False)


def test_who_was_heard_in_time_waits_no_longer_and_is_not_hung_up_on_later(cluster: Cluster) -> None:
    client = cluster.client(1)
    client.send(GET)
    cluster.advance(PATIENT.hold - 4 * TICK_MS)
    _heal(cluster)
    assert client.take() == MISS
    cluster.advance(PATIENT.hold)
    assert not client.closed
    assert client.send(GET) == MISS


def test_an_idle_client_waits_for_nothing_and_is_not_hung_up_on(cluster: Cluster) -> None:
    idle = cluster.client(1)
    cluster.advance(PATIENT.hold)
    assert not idle.closed
    _heal(cluster)
    assert idle.send(GET) == MISS


# --- who is counted


def test_clients_are_those_that_have_come_and_not_gone() -> None:
    clients = lone_node().node.clients
    one, other = clients.connect(), clients.connect("10.1.0.1")
    assert [*clients] == [one, other]
    clients.disconnect(one)
    clients.disconnect(one)
    assert [*clients] == [other]
    assert len(clients) == 1


def test_every_byte_and_every_client_is_counted_also_of_answers_that_had_to_wait() -> None:
    cluster = serving_cluster()
    counters = cluster.nodes[1].counters
    assert cluster.client(1).send(GET) == MISS
    cluster.hold((2, 1))
    client = cluster.client(1)
    assert client.send(SET) == b""
    cluster.release()
    assert client.take() == STORED
    assert counters.total_connections == 2
    assert counters.bytes_read == len(GET + SET)
    assert counters.bytes_written == len(MISS + STORED)


# --- who is hung up on


def test_when_all_are_closed_each_comes_out_as_closing_and_nobody_is_left() -> None:
    lone = lone_node()
    clients = lone.node.clients
    connections = [clients.connect() for _ in range(3)]
    clients.close_all()
    assert len(clients) == 0
    assert list(clients.replies()) == [(connection, b"") for connection in connections]
    assert all(connection.closing for connection in connections)


@pytest.mark.parametrize(("data", "told"), [(SET, "cut"), (b"", "left"), (GET, "left")])
def test_who_hangs_up_before_it_is_answered_is_told_apart_from_who_just_leaves(data: bytes, told: str) -> None:
    cluster = serving_cluster()
    cluster.hold((2, 1))
    clients, diary = _with_diary(cluster.nodes[1])
    connection = clients.connect()
    assert clients.receive(connection, data) == (MISS if data == GET else b"")
    clients.hung_up(connection)
    assert diary.told == []
    clients.disconnect(connection)
    assert diary.told == [(told, connection)]


def test_a_policy_hears_that_a_client_is_deserted_before_it_hears_that_it_has_left() -> None:
    clients, diary = _with_diary(lone_node().node)
    connection = clients.connect()
    clients.close(connection)
    assert diary.told == [("deserted", connection), ("left", connection)]


# --- turns


def test_whom_a_turn_had_no_time_for_has_the_next_one() -> None:
    lone = lone_node(process=ProcessInfo(spent=lambda: True))
    clients = lone.node.clients
    first, second = clients.connect(), clients.connect()
    for connection in (first, second):
        connection.take_in(GET)
        clients.postpone(connection)
    assert list(clients.replies()) == [(first, MISS)]
    assert clients.suspended
    assert clients.can_go_on
    lone.begin()
    assert not clients.suspended
    assert list(clients.replies()) == [(second, MISS)]
    lone.begin()
    assert list(clients.replies()) == []
    assert not clients.can_go_on


def test_those_whose_answers_wait_are_known_until_they_have_them() -> None:
    cluster = serving_cluster()
    cluster.hold((2, 1))
    clients = cluster.nodes[1].clients
    writer, reader = cluster.client(1), cluster.client(1)
    writer.send(SET)
    reader.send(GET)
    assert clients.waiting() == [writer.connection, reader.connection]
    cluster.release()
    assert writer.take() == STORED
    assert clients.waiting() == []
