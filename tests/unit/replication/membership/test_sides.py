"""Two sides of a cut without a majority: which one stays, and what becomes of what the other one has."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from memrep.replication.membership.history import ANSWERED, NOTHING, WRITTEN
from memrep.replication.message import Chunk
from memrep.storage.entry import Entry
from memrep.storage.version import logical
from tests.harness.cluster import Client, Cluster, serving_cluster
from tests.harness.lone_node import WALL

HALVES = [(a, b) for a in (1, 2) for b in (3, 4)] + [(b, a) for a in (1, 2) for b in (3, 4)]
GET = b"get k\r\n"
OLD = b"VALUE k 0 3\r\nold\r\nEND\r\n"


def _set(value: bytes, key: bytes = b"k") -> bytes:
    return b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value)


def _cut_off(cluster: Cluster, node: int, ms: int = 1_000) -> None:
    """Nothing gets from this node to the others, nor to it, for so long."""
    cluster.hold(*_ways(cluster, node))
    cluster.advance(ms)


def _ways(cluster: Cluster, node: int) -> list[tuple[int, int]]:
    return [way for other in cluster.nodes if other != node for way in ((node, other), (other, node))]


def _heal(cluster: Cluster) -> None:
    """The cuts end; what was said meanwhile is lost."""
    for way in list(cluster.held):
        cluster.lose(way)
    cluster.release()


def _later_view(cluster: Cluster, node: int) -> None:
    """A node that is alone makes another view, with a higher number than any."""
    cluster.nodes[node].replica.state.view_change_reason = "a test"
    cluster.advance(2_000)


@pytest.mark.parametrize("idle", [1, 2])
def test_a_side_in_which_nobody_wrote_gives_way_whatever_its_views_number(idle: int) -> None:
    busy = 3 - idle
    cluster = serving_cluster(2)
    cluster.client(1).send(_set(b"old"))
    _cut_off(cluster, 2)
    assert cluster.client(busy, "web").insist(_set(b"new")) == b"STORED\r\n"
    assert cluster.client(idle, "monitor").insist(GET) == OLD
    _later_view(cluster, idle)
    views = {number: node.replica.state.view.vid for number, node in cluster.nodes.items()}
    assert views[idle] > views[busy]
    _heal(cluster)
    cluster.advance(1_500)
    assert {cluster.value(number, b"k") for number in (1, 2)} == {b"new"}


def test_what_was_in_flight_on_an_idle_side_yields_to_what_the_other_side_went_on_from() -> None:
    for busy in (1, 2):
        idle = 3 - busy
        cluster = serving_cluster(2)
        cluster.client(busy).send(_set(b"0"))
        cluster.hold((1, 2), (2, 1))
        cluster.client(idle, "gone").post(b"append k 0 0 4\r\nlost\r\n")
        cluster.client(idle, "gone").post(b"set only 0 0 4\r\nlost\r\n")
        _go_on(cluster, busy, idle)
        assert {cluster.value(number, b"only") for number in (1, 2)} == {None}


def _go_on(cluster: Cluster, busy: int, idle: int) -> None:
    """Of two nodes that are cut apart one has a client, and its number is what both have in the end."""
    cluster.advance(1_000)
    assert cluster.client(busy, "web").insist(b"append k 0 0 1\r\n1\r\n") == b"STORED\r\n"
    _later_view(cluster, idle)
    _heal(cluster)
    cluster.advance(1_500)
    assert sorted(cluster.serving()) == [1, 2]
    assert {cluster.value(number, b"k") for number in (1, 2)} == {b"01"}


def test_what_a_node_settled_for_nobody_while_it_was_cut_off_does_not_come_up_at_the_others() -> None:
    """They have a majority and have gone on without it, and it may undo what they did."""
    cluster = serving_cluster(3)
    cluster.client(1).send(_set(b"before", b"old"))
    cluster.hold(*_ways(cluster, 3))
    cluster.client(3, "gone").post(_set(b"lost"))
    cluster.nodes[3].store.put(b"only", _entry_of(cluster, 3), cluster.now)
    cluster.advance(1_000)
    assert cluster.nodes[3].store.get(b"k", cluster.now) is not None
    assert cluster.nodes[1].replica.state.view.quorate
    assert cluster.client(1, "web").insist(GET) == b"END\r\n"
    _heal(cluster)
    cluster.advance(1_500)
    assert sorted(cluster.serving()) == [1, 2, 3]
    for number in cluster.nodes:
        assert [cluster.value(number, key) for key in (b"k", b"only")] == [None, b"before"]


def test_what_a_majority_wrote_outranks_what_a_node_that_was_cut_off_wrote_later_by_its_clock() -> None:
    cluster = serving_cluster(3)
    cluster.client(1).send(_set(b"old"))
    cluster.ahead[3] = 60_000
    _cut_off(cluster, 3)
    assert cluster.client(1, "web").insist(_set(b"new")) == b"STORED\r\n"
    cluster.advance(1_000)
    assert cluster.client(3, "web").insist(_set(b"alone")) == b"STORED\r\n"
    _heal(cluster)
    cluster.advance(1_500)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert {cluster.value(number, b"k") for number in cluster.nodes} == {b"new"}


def test_what_yields_does_so_though_its_transfer_is_broken_off_and_begins_anew() -> None:
    cluster = serving_cluster(3)
    cluster.hold(*_ways(cluster, 3))
    cluster.client(3, "gone").post(_set(b"lost"))
    cluster.advance(1_000)
    node = cluster.nodes[3]

    def keep_the_chunk(number: int) -> None:
        if number == 3 and cluster.members(3) == [1, 2, 3] and not node.replica.state.full:
            cluster.hold((1, 3))

    cluster.after_turn = keep_the_chunk
    _heal(cluster)
    cluster.advance(200)
    assert (1, 3) in cluster.held
    begun = node.replica.state.view
    cluster.after_turn = lambda number: None
    cluster.lose((1, 3))
    cluster.release()
    cluster.advance(2_500)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert node.replica.state.view is not begun
    assert [cluster.value(number, b"k") for number in (1, 2, 3)] == [None] * 3


def _entry_of(cluster: Cluster, number: int) -> Entry:
    """What this node has had for long; the others have lost their copy of it."""
    entry = cluster.nodes[number].store.get(b"old", cluster.now)
    assert entry is not None
    return replace(entry)


def _write_for_who_has_waited(cluster: Cluster, *nodes: int) -> list[Client]:
    """Writes that lay unheard at these nodes when the others fell silent; the last node's is the newest."""
    cluster.hold(*_ways(cluster, 1))
    for node in nodes:
        cluster.nodes[node].replica.state.view_change_reason = "a test"
    cluster.nodes[nodes[-1]].turn(cluster.now, WALL + cluster.now + 5_000)  # its clock is ahead
    cluster.advance(200)
    clients = [cluster.client(node, "gone") for node in nodes]
    for node, client in zip(nodes, clients, strict=True):
        assert client.send(b"append k 0 0 1\r\n%d\r\n" % node) == b""
        assert cluster.nodes[node].clients.unheard(client.connection)
    cluster.advance(900)
    assert [cluster.value(node, b"k") for node in nodes] == [b"0%d" % node for node in nodes]
    assert all(client.take() == b"STORED\r\n" for client in clients)
    return clients


@pytest.mark.parametrize("busy", [1, 2])
def test_a_write_for_who_may_be_cut_off_as_well_makes_a_side_none_with_clients(busy: int) -> None:
    """It lay in the node when the cut began, so the other side has never heard of it."""
    idle = 3 - busy
    cluster = serving_cluster(2)
    cluster.client(busy).send(_set(b"0"))
    _write_for_who_has_waited(cluster, idle)
    assert cluster.client(busy, "web").insist(b"append k 0 0 1\r\n!\r\n") == b"STORED\r\n"
    _later_view(cluster, idle)
    _heal(cluster)
    cluster.advance(1_500)
    assert {cluster.value(number, b"k") for number in (1, 2)} == {b"0!"}


@pytest.mark.parametrize("busy", [1, 2])
def test_a_write_for_who_was_there_to_hear_of_it_makes_a_side_one_with_clients(busy: int) -> None:
    """The other side has shown something to somebody, and has a newer write for who was not there."""
    idle = 3 - busy
    cluster = serving_cluster(2)
    cluster.client(idle).send(_set(b"0"))
    told, _ = _write_for_who_has_waited(cluster, busy, idle)
    cluster.turn(busy, lambda node: node.staleness.delivered(told.connection))
    monitor = cluster.client(idle, "monitor")
    assert monitor.insist(GET)
    cluster.turn(idle, lambda node: node.staleness.delivered(monitor.connection))
    _later_view(cluster, idle)
    _heal(cluster)
    cluster.advance(1_500)
    assert {cluster.value(number, b"k") for number in (1, 2)} == {b"0%d" % busy}


def test_what_the_donor_has_lost_meanwhile_is_not_yielded_to_and_both_have_the_same() -> None:
    cluster = serving_cluster(2)
    cluster.client(1).send(_set(b"0"))
    cluster.hold((1, 2), (2, 1))
    cluster.client(2, "gone").post(_set(b"1"))
    cluster.advance(1_000)
    assert cluster.client(1, "web").insist(_set(b"v", b"other")) == b"STORED\r\n"

    def purge(number: int) -> None:
        if number == 1 and any(isinstance(message, Chunk) for _, _, message in cluster.said[seen:]):
            cluster.after_turn = lambda number: None
            cluster.nodes[1].store.remove(b"k")

    seen = len(cluster.said)
    cluster.after_turn = purge
    _heal(cluster)
    cluster.advance(1_500)
    assert sorted(cluster.serving()) == [1, 2]
    assert {cluster.value(number, b"k") for number in (1, 2)} == {b"1"}


def test_what_only_one_half_wrote_stays_though_one_of_its_nodes_had_no_clients() -> None:
    for writer in (1, 2):
        cluster = serving_cluster(4)
        cluster.hold(*HALVES)
        cluster.advance(1_000)
        assert cluster.client(writer, "web").insist(_set(b"v", b"one")) == b"STORED\r\n"
        assert cluster.client(3, "web").insist(_set(b"v", b"two")) == b"STORED\r\n"
        _heal(cluster)
        cluster.advance(2_500)
        assert sorted(cluster.serving()) == [1, 2, 3, 4]
        for number in cluster.nodes:
            assert [cluster.value(number, key) for key in (b"one", b"two")] == [b"v", b"v"]


def test_what_a_half_wrote_stays_though_the_node_that_took_it_is_killed() -> None:
    cluster = serving_cluster(4)
    cluster.hold(*HALVES)
    cluster.advance(1_000)
    assert cluster.client(1, "web").insist(_set(b"v", b"one")) == b"STORED\r\n"
    assert cluster.client(3, "web").insist(_set(b"v", b"two")) == b"STORED\r\n"
    cluster.advance(500)
    cluster.kill(1)
    cluster.advance(500)
    _heal(cluster)
    cluster.advance(2_500)
    for number in cluster.nodes:
        assert [cluster.value(number, key) for key in (b"one", b"two")] == [b"v", b"v"]


def _two_of(count: int) -> Cluster:
    """The others are known to be gone: nobody looks who writes at nodes 1 and 2, which are no majority."""
    cluster = serving_cluster(count)
    assert cluster.client(1).send(_set(b"old")) == b"STORED\r\n"
    for number in range(3, count + 1):
        cluster.kill(number)
        cluster.advance(200)
    assert cluster.client(1, "web").send(_set(b"0")) == b"STORED\r\n"
    assert [node.replica.state.activity for node in cluster.nodes.values()] == [WRITTEN] * 2
    return cluster


@pytest.mark.parametrize("busy", [1, 2])
def test_what_was_written_before_the_cut_makes_neither_side_one_with_clients(busy: int) -> None:
    idle = 3 - busy
    cluster = _two_of(4)
    cluster.hold((1, 2), (2, 1))
    cluster.nodes[idle].turn(cluster.now, WALL + cluster.now + 5_000)  # its clock is ahead
    cluster.client(idle, "gone").post(b"append k 0 0 4\r\nlost\r\n")
    _go_on(cluster, busy, idle)


def test_what_was_written_before_the_cut_does_not_yield() -> None:
    """Both sides have it, and one of them may lose it."""
    cluster = _two_of(4)
    _cut_off(cluster, 2)
    for node in cluster.nodes.values():
        assert node.replica.state.activity == 0
        assert logical(node.store.version(b"k")) <= node.replica.state.apart


def test_a_side_that_is_cut_once_more_stays_one_with_clients() -> None:
    """What it wrote before that the side from which it had parted has not."""
    cluster = serving_cluster(4)
    cluster.hold(*HALVES)
    cluster.advance(1_000)
    assert cluster.client(1, "web").insist(_set(b"v", b"one")) == b"STORED\r\n"
    cluster.advance(200)
    _cut_off(cluster, 1)
    assert [cluster.members(number) for number in (1, 2)] == [[1], [2]]
    assert [cluster.nodes[number].replica.state.activity for number in (1, 2)] == [WRITTEN] * 2


@pytest.mark.parametrize("parted", [True, False])
def test_who_joins_a_side_knows_whether_there_is_another_one(parted: bool) -> None:
    cluster = _two_of(6)
    if parted:
        _cut_off(cluster, 2)
    cluster.start(3)
    cluster.hold((2, 3), (3, 2))
    cluster.advance(500)
    assert 3 in cluster.members(1)
    state = cluster.nodes[3].replica.state
    assert (bool(state.past.parted), state.activity == WRITTEN) == (parted, not parted)


def test_that_a_client_was_answered_is_told_at_once_for_the_node_may_be_killed() -> None:
    cluster = serving_cluster(4)
    cluster.hold(*HALVES)
    cluster.advance(1_000)
    monitor = cluster.client(1, "monitor")
    assert monitor.insist(GET)
    assert cluster.nodes[2].replica.state.activity == NOTHING
    cluster.turn(1, lambda node: node.staleness.delivered(monitor.connection))
    cluster.deliver()
    cluster.kill(1)
    cluster.advance(500)
    assert cluster.members(2) == [2]
    assert cluster.nodes[2].replica.state.activity == ANSWERED


@pytest.mark.parametrize("busy", [1, 2])
def test_a_command_that_waited_for_another_write_makes_its_side_one_with_clients_as_well(busy: int) -> None:
    """It lay in the node, executed half, when the cut began; and what it then wrote has been acknowledged."""
    idle = 3 - busy
    cluster = serving_cluster(2)
    cluster.client(busy).send(_set(b"0"))
    cluster.hold(*_ways(cluster, 1))
    cluster.client(busy, "gone").post(_set(b"1"))
    waiting = cluster.client(busy, "web")
    waiting.post(b"append k 0 0 1\r\n!\r\n")
    cluster.advance(1_000)
    assert waiting.take() == b"STORED\r\n"
    state = cluster.nodes[busy].replica.state
    assert state.activity == NOTHING, "it may be cut off as well"
    cluster.turn(busy, lambda node: node.staleness.delivered(waiting.connection))
    assert state.activity == WRITTEN
    _later_view(cluster, idle)
    _heal(cluster)
    cluster.advance(1_500)
    assert {cluster.value(number, b"k") for number in (1, 2)} == {b"1!"}


@pytest.mark.parametrize("lives", [True, False])
@pytest.mark.parametrize("calls", [True, False])
def test_who_was_out_of_touch_believes_no_older_death(calls: bool, lives: bool) -> None:
    """Node 2 was dead before the cut. It has come back, and only it holds what was written meanwhile.

    Of node 3 a SYN comes, for the cable is being plugged in, and then its end; or nothing but its end.
    """
    cluster = serving_cluster(3)
    cluster.client(1).send(_set(b"old"))
    cluster.kill(2)
    cluster.advance(200)
    _cut_off(cluster, 1, 2_000)
    if calls:
        cluster.turn(1, lambda node: node.links.called(3))
    cluster.kill(3)
    if not lives:
        cluster.turn(1, lambda node: node.links.unreachable(2, "its port refuses", refuses=True))
    cluster.advance(400)
    client = cluster.client(1, "web")
    assert client.send(GET) == (b"" if lives else OLD)
    assert cluster.nodes[1].staleness.dials_afresh() == ([2] if lives else [])


def _cut_as_the_next_view_is_formed(cluster: Cluster) -> None:
    """By node 1, of all; but nodes 3 and 4 never hear of it."""

    def cut(number: int) -> None:
        if cluster.nodes[1].replica.state.view is not before:
            cluster.after_turn = lambda number: None
            cluster.hold(*HALVES)
            for way in HALVES:
                cluster.lose(way)

    before = cluster.nodes[1].replica.state.view
    gen = cluster.nodes[3].replica.state.view.gen
    cluster.after_turn = cut
    cluster.advance(1_500)
    assert cluster.nodes[2].replica.state.view.gen > gen == cluster.nodes[4].replica.state.view.gen
    assert [cluster.members(number) for number in (2, 4)] == [[1, 2], [3, 4]]


def test_a_majoritys_view_that_was_cut_in_two_makes_no_side_one_without_clients() -> None:
    """Nodes 1 and 2 have written for clients when the cut heals, for that very moment."""
    cluster = serving_cluster(4)
    cluster.client(1).send(_set(b"0"))
    cluster.hold(*HALVES)
    cluster.client(3, "gone").post(b"append k 0 0 4\r\nlost\r\n")
    cluster.advance(1_000)
    assert cluster.client(1, "web").insist(b"append k 0 0 1\r\n!\r\n") == b"STORED\r\n"
    _heal(cluster)
    _cut_as_the_next_view_is_formed(cluster)
    _later_view(cluster, 3)
    _heal(cluster)
    cluster.advance(2_500)
    assert sorted(cluster.serving()) == [1, 2, 3, 4]
    assert {cluster.value(number, b"k") for number in cluster.nodes} == {b"0!"}


@pytest.mark.parametrize("busy", [3, 4])
def test_of_a_majoritys_view_that_was_cut_in_two_those_who_stand_in_it_are_not_newer(busy: int) -> None:
    """Nodes 3 and 4 have voted for it and never been in it. They have clients, the others have none."""
    cluster = serving_cluster(4)
    cluster.client(1).send(_set(b"0"))
    cluster.client(1, "gone").post(b"append k 0 0 4\r\nlost\r\n")
    cluster.nodes[1].replica.state.view_change_reason = "a test"
    _cut_as_the_next_view_is_formed(cluster)
    assert cluster.client(busy, "web").insist(b"append k 0 0 1\r\n!\r\n") == b"STORED\r\n"
    _later_view(cluster, 1)
    _heal(cluster)
    cluster.advance(2_500)
    assert sorted(cluster.serving()) == [1, 2, 3, 4]
    assert {cluster.value(number, b"k") for number in cluster.nodes} == {b"0lost!"}


@pytest.mark.parametrize("survivors", [(1, 3), (1, 4), (2, 3), (2, 4)])
def test_a_majoritys_view_that_was_cut_in_two_makes_nobody_newer_though_its_processes_are_gone(
    survivors: tuple[int, int],
) -> None:
    """Nodes 3 and 4 only vote for it. On each side one is restarted and takes over from the other."""
    cluster = serving_cluster(4)
    cluster.client(1).send(_set(b"old"))

    cluster.client(1, "gone").post(_set(b"lost"))
    cluster.nodes[1].replica.state.view_change_reason = "a test"
    _cut_as_the_next_view_is_formed(cluster)
    for number in survivors:
        cluster.kill(number)
        cluster.start(number)
        cluster.hold(*HALVES)
        cluster.advance(1_000)
    for number in {1, 2, 3, 4} - {*survivors}:
        cluster.kill(number)
    idle, busy = survivors
    assert cluster.client(busy, "web").insist(_set(b"new")) == b"STORED\r\n"
    _later_view(cluster, idle)
    _heal(cluster)
    cluster.dial(idle, busy)
    cluster.dial(busy, idle)
    cluster.advance(1_500)
    assert cluster.members(idle) == [idle, busy]
    assert {cluster.value(number, b"k") for number in survivors} == {b"new"}


def test_who_was_started_in_a_cut_forms_no_view_beside_a_node_that_calls_it() -> None:
    """Nodes 1 and 2 have nobody to write for, and their present processes have never heard the others."""
    cluster = serving_cluster(4)
    cluster.hold(*HALVES)
    cluster.advance(1_000)
    for number in (2, 1):
        cluster.kill(number)
        cluster.start(number)
        cluster.hold(*HALVES)
        cluster.advance(1_000)
    view = cluster.nodes[2].replica.state.view
    assert sorted(view.members) == [1, 2]
    for number in (1, 2):
        cluster.turn(number, lambda node: node.links.called(3))
    cluster.advance(300)
    assert cluster.nodes[2].replica.state.view is view
    assert set(cluster.serving()).isdisjoint({1, 2})


def test_who_serves_all_and_looks_for_nobody_may_have_written_for_somebody() -> None:
    """Node 2 is known to be gone, so nobody looks who writes at node 1: it must not yield as an idle side."""
    cluster = serving_cluster(2)
    assert cluster.nodes[1].replica.state.activity == 0
    cluster.kill(2)
    cluster.advance(200)
    assert cluster.serving() == [1]
    assert cluster.nodes[1].replica.state.activity == WRITTEN
