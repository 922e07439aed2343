"""Who may be served while a node may have been left behind: nobody sees old data, and few wait for long."""

from __future__ import annotations

import pytest

from memrep.node.host_gate import HostGate
from memrep.replication.membership.timing import Timing
from memrep.storage.version import Clock
from tests.harness.cluster import Client, Cluster, Pair, serving_cluster

GET = b"get k\r\n"
OLD = b"VALUE k 0 3\r\nold\r\nEND\r\n"
NEW = b"VALUE k 0 3\r\nnew\r\nEND\r\n"
STORED = b"STORED\r\n"

#: PHP gives up after a second; of that nothing here may take more than this, ms.
PATIENCE_MS = 800


def _set(value: bytes) -> bytes:
    return b"set k 0 0 %d\r\n%b\r\n" % (len(value), value)


def _ways(cluster: Cluster, side: list[int]) -> list[Pair]:
    """All ways between these nodes and the others."""
    rest = [n for n in cluster.nodes if n not in side]
    return [pair for a in side for b in rest for pair in ((a, b), (b, a))]


def _cut(cluster: Cluster, *side: int) -> list[Pair]:
    """Cut these nodes off, until both sides have noticed."""
    ways = _ways(cluster, list(side))
    cluster.hold(*ways)
    cluster.advance(2_000)
    return ways


def _heal(cluster: Cluster, ways: list[Pair]) -> None:
    """New connections get through; what old ones had in them is lost."""
    for a, b in ways:
        cluster.lose((a, b))
        cluster.held.discard((a, b))
    for a, b in ways:
        cluster.dial(a, b)


def _isolated(count: int = 3) -> tuple[Cluster, list[Pair]]:
    """A cluster whose last node is cut off and has old data, while the others have gone on."""
    cluster = serving_cluster(count)
    assert cluster.client(1).send(_set(b"old")) == STORED
    ways = _cut(cluster, count)
    cluster.client(1, "10.1.0.1").insist(b"version\r\n")
    assert cluster.client(1, "10.1.0.1").send(_set(b"new")) == STORED
    return cluster, ways


def _waited(cluster: Cluster, client: Client, data: bytes) -> int:
    """How long a client waits for its answer, ms."""
    begin = cluster.now
    reply = client.send(data)
    while not reply and not client.closed:
        reply += client.wait(50)
        assert cluster.now - begin < 2_000
    assert reply, "it was hung up on"
    return cluster.now - begin


# --- what was cut off shows nothing old


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("gate", ["before", "after"])
def test_who_knocks_when_the_cut_heals_is_shown_nothing_old(count: int, gate: str) -> None:
    cluster, ways = _isolated(count)
    client = cluster.client(count, "10.1.0.1")
    if gate == "before":
        assert client.send(GET) == b""
    _heal(cluster, ways)
    if gate == "after":
        client.post(GET)
    cluster.advance(1_000)
    assert client.take() in (b"", NEW)
    assert cluster.client(count, "10.1.0.1").send(GET) == NEW


def test_a_write_for_who_knocks_when_the_cut_heals_is_not_acknowledged_and_thrown_away() -> None:
    cluster, ways = _isolated()
    client = cluster.client(3, "10.1.0.1")
    assert client.send(_set(b"bad")) == b""
    _heal(cluster, ways)
    cluster.advance(1_000)
    assert client.take() == b""
    assert client.closed
    assert cluster.client(3).send(GET) == NEW


def test_a_host_that_was_answered_before_the_cut_is_none_that_was_heard_in_it() -> None:
    """Its last command had to wait for the others; it gets its answer, which may never reach it."""
    cluster = serving_cluster()
    ways = _ways(cluster, [3])
    cluster.hold(*ways)
    waiting = cluster.client(3, "10.1.0.1")
    waiting.post(_set(b"old"))
    cluster.advance(1_000)
    assert waiting.take() == STORED
    client = cluster.client(3, "10.1.0.1")
    assert client.send(GET) == b""
    assert client.wait(500) == b""
    assert client.wait(250) == OLD


def test_a_host_whose_answer_is_not_acknowledged_is_none_that_was_heard_in_a_cut() -> None:
    """The others were stopped, so it asked while they were silent; then came the cut, for its machine, too."""
    cluster = serving_cluster()
    for node in (1, 2):
        cluster.freeze(node)
    cluster.advance(400)
    client = cluster.client(3, "10.1.0.1")
    client.post(_set(b"old"))
    ways = _ways(cluster, [3])
    cluster.hold(*ways)
    for node in (1, 2):
        cluster.thaw(node)
    cluster.advance(1_000)
    assert client.take() == STORED
    cluster.turn(3, lambda node: node.staleness.undelivered(client.connection))
    cluster.client(1, "10.1.0.1").insist(b"version\r\n")
    assert cluster.client(1, "10.1.0.1").send(_set(b"new")) == STORED
    _heal(cluster, ways)
    late = cluster.client(3, "10.1.0.1")
    late.post(GET)
    cluster.advance(1_000)
    assert late.take() in (b"", NEW)


def test_who_is_served_when_the_others_are_back_waits_for_the_view_with_them() -> None:
    cluster, ways = _isolated()
    served = cluster.client(3, "10.1.0.9")
    assert served.insist(GET) == OLD  # this host is on its side, for all that it knows
    _heal(cluster, ways)
    cluster.deliver()
    served.post(GET)
    assert served.take() == b""
    cluster.advance(1_000)
    assert served.take() in (b"", NEW)


def test_while_the_others_are_heard_and_do_not_hear_it_a_node_serves_nobody() -> None:
    cluster, ways = _isolated()
    towards = [(a, b) for a, b in ways if b == 3]
    for pair in towards:
        cluster.lose(pair)
        cluster.held.discard(pair)
        cluster.dial(*pair)
    client = cluster.client(3, "10.1.0.1")
    client.post(GET)
    for _ in range(60):
        cluster.advance(50)
        assert client.take() == b""
    assert client.closed
    assert not cluster.nodes[3].open


def test_a_view_from_before_a_stop_lets_nobody_serve_who_hears_those_that_it_leaves_out() -> None:
    """Node 5 is stopped right after its vote. Meanwhile the others have gone on, and the cut heals."""
    cluster = serving_cluster(5)
    ways = _ways(cluster, [4, 5])
    cluster.hold(*ways)
    state = cluster.nodes[5].replica.state

    def stop(number: int) -> None:
        if number == 5 and state.promised > state.view.vid:
            cluster.freeze(5)
            cluster.after_turn = lambda number: None

    cluster.after_turn = stop
    cluster.advance(1_200)
    assert {1, 2, 3} <= set(cluster.serving())
    cluster.hold(*[(5, other) for other in (1, 2, 3, 4)])
    cluster.release(*[(other, 5) for other in (1, 2, 3)])
    cluster.thaw(5)
    cluster.deliver()
    assert cluster.members(5) == [4, 5]
    assert state.paused


def test_a_call_that_has_come_and_cannot_be_answered_is_a_sign_of_life() -> None:
    cluster, _ = _isolated()
    client = cluster.client(3, "10.1.0.1")
    assert client.send(GET) == b""
    view = cluster.nodes[3].replica.state.view
    for _ in range(80):
        cluster.turn(3, lambda node: node.links.called(1))
        cluster.advance(50)
    assert client.take() == b""
    assert client.closed
    assert cluster.nodes[3].replica.state.view is view  # whomever node 1 said that it hears, before the cut


def test_who_asks_for_statistics_all_the_time_keeps_no_host_known() -> None:
    """A monitor on the machine that was cut off, say: PHP beside it is shown nothing old for its sake."""
    cluster, ways = _isolated()
    monitor = cluster.client(3, "127.0.0.1")
    for _ in range(12):
        monitor.send(b"stats\r\n")
        monitor.wait(10_000)
    client = cluster.client(3, "127.0.0.1")
    assert client.send(GET) == b""
    _heal(cluster, ways)
    cluster.advance(1_000)
    assert client.take() in (b"", NEW)


# --- what it costs


@pytest.mark.parametrize("count", [2, 3])
def test_a_last_survivor_lets_each_host_wait_once(count: int) -> None:
    cluster = serving_cluster(count)
    assert cluster.client(1).send(_set(b"old")) == STORED
    for node in range(2, count + 1):
        cluster.freeze(node)
    cluster.advance(1_000)
    for host in ("10.1.0.1", "10.1.0.2", ""):
        assert 500 < _waited(cluster, cluster.client(1, host), GET) < PATIENCE_MS
        assert _waited(cluster, cluster.client(1, host), GET) == 0
        assert _waited(cluster, cluster.client(1, host), _set(b"old")) == 0


def test_who_waits_for_an_answer_when_the_others_fall_silent_waits_less_than_a_second() -> None:
    cluster = serving_cluster(2)
    cluster.freeze(2)
    assert 600 < _waited(cluster, cluster.client(1, "10.1.0.1"), _set(b"old")) <= 900


def test_a_majority_lets_nobody_wait() -> None:
    cluster, _ = _isolated()
    assert _waited(cluster, cluster.client(1, "10.1.0.7"), GET) == 0


def test_where_the_others_are_known_to_be_gone_nobody_waits() -> None:
    cluster = serving_cluster()
    cluster.kill(2)
    cluster.kill(3)
    cluster.advance(1_000)
    assert _waited(cluster, cluster.client(1, "10.1.0.1"), _set(b"old")) == 0


def test_a_node_whose_port_refuses_at_last_is_missed_no_longer() -> None:
    cluster = serving_cluster(2)
    cluster.freeze(2)
    cluster.advance(1_000)
    assert cluster.nodes[1].replica.missed == [2]
    cluster.frozen.discard(2)
    cluster.kill(2)
    cluster.advance(50)
    assert cluster.nodes[1].replica.missed == []
    assert _waited(cluster, cluster.client(1, "10.1.0.1"), _set(b"old")) == 0


def test_a_peer_that_was_never_heard_and_whose_port_refuses_lets_nobody_wait() -> None:
    cluster = Cluster(2, start=[1])
    cluster.advance(12_000)
    assert _waited(cluster, cluster.client(1, "10.1.0.1"), _set(b"old")) > 500
    cluster.turn(1, lambda node: node.links.unreachable(2, "its port refuses", refuses=True))
    cluster.advance(100)
    assert _waited(cluster, cluster.client(1, "10.1.0.2"), GET) == 0


def test_however_patient_the_nodes_are_with_each_other_phps_patience_is_a_second() -> None:
    for timeout in (200, 600, 5_000, 60_000):
        timing = Timing.scaled(timeout)
        assert timing.knock <= 600
        assert timing.knock < timing.hold
        assert timing.redial <= 100


# --- for how long a host is known


def _doubt(age: int = 0) -> tuple[Clock, HostGate]:
    clock = Clock(1, 10_000, 10_000)
    gate = HostGate(clock, Timing(), 7, 10_000 - 600)
    _pass(clock, gate, age)
    return clock, gate


def _pass(clock: Clock, gate: HostGate, ms: int) -> None:
    end = clock.now + ms
    while clock.now < end:
        clock.turn(clock.now + min(50, end - clock.now), 0)
        gate.take_dial()
        gate.tick()


@pytest.mark.parametrize(("age", "quiet"), [(0, 2_000), (40_000, 10_000), (3_600_000, 60_000)])
def test_a_host_has_to_knock_again_when_it_was_quiet_for_long(age: int, quiet: int) -> None:
    clock, gate = _doubt(age)
    assert not gate.lets_in("h")
    _pass(clock, gate, 700)
    assert gate.lets_in("h")
    gate.heard("h")
    _pass(clock, gate, quiet - 100)
    assert gate.lets_in("h")
    gate.heard("h")
    _pass(clock, gate, 2 * quiet)
    assert not gate.lets_in("h")


def test_hosts_that_have_been_quiet_are_forgotten() -> None:
    clock, gate = _doubt()
    for host in range(10_000):
        gate.lets_in(str(host))
    _pass(clock, gate, 5_000)
    assert not gate.waiting
    assert not any(gate.serves(str(host)) for host in range(10_000))


def test_nobody_is_served_before_the_others_have_had_time_to_answer_the_last_dial() -> None:
    clock, gate = _doubt()
    gate.lets_in("h")
    clock.turn(clock.now + 1_000, 0)
    assert gate.take_dial()
    gate.tick()
    assert not gate.serves("h")
    clock.turn(clock.now + 50, 0)
    gate.tick()
    assert gate.serves("h")


def test_the_missed_are_dialled_while_somebody_waits_and_not_for_ever() -> None:
    clock, gate = _doubt()
    assert not gate.take_dial()
    gate.lets_in("h")
    dials = 0
    for _ in range(40):
        clock.turn(clock.now + 50, 0)
        dials += gate.take_dial()
        gate.tick()
    assert 5 <= dials <= 8


# --- two sides without a majority


@pytest.mark.parametrize("active", [1, 2])
def test_of_two_sides_the_one_that_has_written_for_a_client_goes_on(active: int) -> None:
    cluster = serving_cluster(2)
    assert cluster.client(1).send(_set(b"old")) == STORED
    ways = _cut(cluster, 2)
    assert cluster.client(active, "10.1.0.1").insist(_set(b"new")) == STORED
    idle = cluster.client(active, "10.1.0.1")
    _heal(cluster, ways)
    cluster.advance(1_000)
    assert not idle.closed  # its node has not had to fetch anything
    assert cluster.client(3 - active, "10.1.0.1").send(GET) == NEW


@pytest.mark.parametrize("active", [1, 2])
def test_what_was_in_flight_on_the_side_without_clients_gives_way(active: int) -> None:
    """Both sides have incremented the same number when the cut begins; one has clients later."""
    cluster = serving_cluster(2)
    assert cluster.client(1).send(b"set k 0 0 1\r\n5\r\n") == STORED
    ways = _ways(cluster, [2])
    cluster.hold(*ways)
    clients = {n: cluster.client(n, "10.1.0.1") for n in (1, 2)}
    for number, client in clients.items():
        client.post(b"incr k 1\r\n" if number == active else b"incr k 10\r\n")
    cluster.advance(1_000)
    assert clients[active].take() == b"6\r\n"
    assert cluster.client(active, "10.1.0.1").insist(b"set other 0 0 1\r\nx\r\n") == STORED
    _heal(cluster, ways)
    cluster.advance(1_000)
    assert cluster.client(1).send(b"incr k 1\r\n") == b"7\r\n"
    assert {cluster.value(n, b"k") for n in (1, 2)} == {b"7"}


def test_a_clock_that_was_behind_goes_on_from_what_it_has_seen() -> None:
    clock = Clock(1, 1_000, 1_000)
    other = Clock(2, 1_000, 61_000)
    clock.observe(other.stamp(1))
    clock.turn(2_000, 2_000)
    other.turn(1_500, 61_500)
    assert clock.stamp(1) > other.stamp(1)
