"""Who misses others is wary of each client's host; a side is one with clients when these know of it."""

from __future__ import annotations

import pytest

from memrep.node.node import Node
from memrep.node.staleness import StalenessGuard
from memrep.replication.membership.history import ANSWERED, NOTHING, TOLD_HERE, WRITTEN
from memrep.replication.membership.timing import Timing
from memrep.storage.entry import NEVER
from tests.harness.cluster import Client, Cluster, serving_cluster

GET = b"get k\r\n"
MISS = b"END\r\n"
SET = b"set k 0 0 1\r\nx\r\n"
STORED = b"STORED\r\n"

HOST = "10.1.0.1"


def _cut(cluster: Cluster, *side: int) -> None:
    """Cut these nodes off from the others."""
    others = [number for number in cluster.nodes if number not in side]
    cluster.hold(*[pair for a in side for b in others for pair in ((a, b), (b, a))])


def _alone(count: int = 3) -> tuple[Cluster, Node]:
    """A cluster whose first node has gone on without the others, which may live."""
    cluster = serving_cluster(count)
    _cut(cluster, 1)
    cluster.advance(2_000)
    node = cluster.nodes[1]
    assert cluster.members(1) == [1]
    assert node.serving
    return cluster, node


def _guard(node: Node) -> StalenessGuard:
    return node.staleness


def _activity(node: Node) -> int:
    return node.replica.state.activity


def _delivered(cluster: Cluster, client: Client) -> None:
    """The client's machine has acknowledged the answer."""
    cluster.turn(1, lambda node: node.staleness.delivered(client.connection))


# --- when it is wary


def test_who_is_with_a_majority_is_not_wary_whoever_comes() -> None:
    cluster = serving_cluster()
    _cut(cluster, 3)
    cluster.advance(2_000)
    guard, client = _guard(cluster.nodes[1]), cluster.client(1, HOST)
    assert client.send(GET) == MISS
    _delivered(cluster, client)
    assert _activity(cluster.nodes[1]) == NOTHING
    assert not guard.wary
    assert not guard.waiting
    assert guard.dials_afresh() == []
    assert guard.grace == guard.wary_for == 0


def test_who_misses_others_dials_all_of_them_while_somebody_waits_and_not_longer() -> None:
    cluster, node = _alone()
    guard = _guard(node)
    assert guard.dials_afresh() == []
    client = cluster.client(1, HOST)
    assert client.send(GET) == b""
    assert guard.wary
    assert guard.waiting
    assert guard.dials_afresh() == [2, 3]
    assert client.wait(750) == MISS
    assert not guard.waiting
    assert guard.dials_afresh() == []
    assert guard.wary_for == 750


def test_who_has_waited_before_the_doubt_is_given_the_time_of_the_dials_on_top() -> None:
    cluster, node = _alone()
    guard, timing = _guard(node), Timing()
    assert guard.patience == timing.hold
    cluster.client(1, HOST).send(GET)
    assert guard.patience == timing.hold + guard.grace > timing.hold


def test_with_the_others_back_the_doubt_is_over_and_the_hosts_are_forgotten() -> None:
    cluster, node = _alone()
    guard = _guard(node)
    client = cluster.client(1, HOST)
    client.insist(GET)
    assert guard.serves(client.connection)
    cluster.release()
    cluster.advance(1_000)
    assert cluster.members(1) == [1, 2, 3]
    assert not guard.wary
    assert not guard.waiting
    assert not guard.serves(cluster.client(1, HOST).connection)
    assert cluster.client(1, HOST).send(GET) == MISS


def test_while_a_missed_node_is_heard_again_somebody_waits_and_nobody_is_answered() -> None:
    cluster, node = _alone()
    client = cluster.client(1, HOST)
    assert client.insist(GET) == MISS
    cluster.turn(1, lambda node: node.links.called(2))
    assert _guard(node).waiting
    client.post(GET)
    cluster.advance(300)
    assert client.take() == b""


# --- whom it serves


def test_a_host_that_was_served_in_one_view_has_to_knock_again_in_the_next() -> None:
    cluster = serving_cluster(5)
    _cut(cluster, 1, 2)
    cluster.advance(2_000)
    client = cluster.client(1, HOST)
    assert client.insist(GET) == MISS
    assert client.send(GET) == MISS
    _cut(cluster, 1)
    cluster.advance(1_000)  # it would be known for longer
    assert cluster.members(1) == [1]
    assert cluster.client(1, HOST).send(GET) == b""


@pytest.mark.parametrize(("asks", "known"), [(GET, True), (b"version\r\n", False)])
def test_a_host_stays_known_by_asking_for_keys_and_by_nothing_else(asks: bytes, known: bool) -> None:
    cluster, _ = _alone()
    client = cluster.client(1, HOST)
    assert client.insist(GET) == MISS
    assert client.send(GET) == MISS
    for _ in range(5):
        cluster.advance(1_000)
        client.send(asks)
    assert (cluster.client(1, HOST).send(GET) == MISS) is known


def test_an_answer_that_does_not_arrive_costs_its_own_host_only() -> None:
    cluster, node = _alone()
    clients = {host: cluster.client(1, host) for host in (HOST, "10.1.0.2")}
    for client in clients.values():
        assert client.insist(GET) == MISS
    _guard(node).undelivered(clients[HOST].connection)
    assert cluster.client(1, "10.1.0.2").send(GET) == MISS
    assert cluster.client(1, HOST).send(GET) == b""


# --- how much has happened on this side


def test_who_only_reads_makes_no_side_one_with_clients_until_the_answer_has_arrived() -> None:
    cluster, node = _alone()
    client = cluster.client(1, HOST)
    assert client.insist(GET) == MISS
    assert _activity(node) == NOTHING
    _delivered(cluster, client)
    assert _activity(node) == ANSWERED


@pytest.mark.parametrize("host", ["", "127.0.0.1", "::1"])
def test_an_answer_on_the_nodes_own_machine_shows_less_than_one_elsewhere(host: str) -> None:
    """Nothing has gone through any network."""
    cluster, node = _alone()
    client = cluster.client(1, host)
    client.insist(GET)
    _delivered(cluster, client)
    assert _activity(node) == TOLD_HERE
    assert TOLD_HERE < ANSWERED


@pytest.mark.parametrize("host", ["", HOST])
def test_a_write_for_a_host_that_is_known_to_be_on_this_side_counts_at_once(host: str) -> None:
    cluster, node = _alone()
    assert cluster.client(1, host).insist(SET) == STORED
    assert _activity(node) == WRITTEN


def _wrote_for_who_may_be_cut_off(host: str = HOST) -> tuple[Cluster, Node, Client]:
    """A node alone that has executed a write which lay unheard when the others fell silent."""
    cluster = serving_cluster()
    _cut(cluster, 1)
    node = cluster.nodes[1]
    node.replica.state.need_view("a test")
    cluster.advance(200)
    client = cluster.client(1, host)
    assert client.send(SET) == b""
    assert node.clients.unheard(client.connection)
    assert client.wait(900) == STORED
    assert cluster.members(1) == [1]
    return cluster, node, client


def test_a_write_for_who_may_be_cut_off_as_well_counts_when_its_answer_has_arrived() -> None:
    cluster, node, client = _wrote_for_who_may_be_cut_off()
    assert _activity(node) == NOTHING
    _delivered(cluster, client)
    assert _activity(node) == WRITTEN


def test_a_write_for_the_nodes_own_machine_counts_at_once_for_nothing_can_be_cut_there() -> None:
    _, node, _ = _wrote_for_who_may_be_cut_off("127.0.0.1")
    assert _activity(node) == WRITTEN


def test_a_write_whose_client_has_left_meanwhile_does_not_count_whoever_is_told_something() -> None:
    cluster, node, client = _wrote_for_who_may_be_cut_off()
    client.hang_up()
    reader = cluster.client(1, HOST)
    assert reader.insist(GET).startswith(b"VALUE")
    for one in (client, reader):
        _delivered(cluster, one)
    assert _activity(node) == ANSWERED


@pytest.mark.parametrize(("known", "counts"), [(True, WRITTEN), (False, NOTHING)])
def test_a_command_that_has_waited_in_its_midst_counts_as_one_of_those_that_wait(
    known: bool, counts: int
) -> None:
    cluster, node = _alone()
    client = cluster.client(1, HOST)
    if known:
        assert client.insist(GET) == MISS

    def act() -> None:
        node._engine.set(b"k", 0, NEVER, b"x")

    cluster.turn(1, lambda node: node.staleness.go_on([client.connection], act))
    assert _activity(node) == counts
    _delivered(cluster, client)
    assert _activity(node) == WRITTEN
