"""The door: who has not served for a second refuses, and says why; where one way is left one of two goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from memrep.node.node import Node
from memrep.replication.membership.view_id import make_vid
from memrep.replication.message import LeaseGrant
from memrep.replication.replica import Replica
from tests.harness.cluster import TICK_MS, Client, Cluster, serving_cluster
from tests.harness.lone_node import WALL

#: A second, and what a tick or two add to it.
REFUSES_MS: Final = 1_000 + 2 * TICK_MS


def _set(value: bytes) -> bytes:
    return b"set k 0 0 %d\r\n%b\r\n" % (len(value), value)


class Watch:
    """How long each node of a cluster has been open without serving, at most, virtual ms."""

    def __init__(self, cluster: Cluster) -> None:
        self.longest = dict.fromkeys(cluster.nodes, 0)
        self._since = dict.fromkeys(cluster.nodes, cluster.now)
        self._cluster = cluster
        cluster.after_turn = self._look

    def _look(self, number: int) -> None:
        node, now = self._cluster.nodes[number], self._cluster.now
        if node.serving or not node.open:
            self._since[number] = now
        self.longest[number] = max(self.longest[number], now - self._since[number])


def _states(cluster: Cluster) -> dict[int, str]:
    def state(node: Node) -> str:
        return "refuses" if not node.open else "serves" if node.serving else "neither"

    return {number: state(node) for number, node in cluster.nodes.items()}


def _one_way(count: int, third: str, strict: bool) -> tuple[Cluster, Watch]:
    """What node 1 says to node 2 is lost, and a third node is frozen or killed; for five seconds."""
    cluster = serving_cluster(count, strict=strict)
    watch = Watch(cluster)
    cluster.hold((1, 2))
    if third == "frozen":
        cluster.freeze(3)
    elif third == "killed":
        cluster.kill(3)
    cluster.advance(5_000)
    return cluster, watch


# --- one way only


@pytest.mark.parametrize(("count", "third"), [(2, ""), (3, "frozen"), (3, "killed")])
def test_where_one_way_is_left_who_is_heard_goes_on_and_who_hears_refuses(count: int, third: str) -> None:
    cluster, watch = _one_way(count, third, strict=False)
    states = _states(cluster)
    assert (states[1], states[2]) == ("refuses", "serves")
    assert watch.longest[1] <= REFUSES_MS
    assert watch.longest[2] < 1_000
    (line,) = (line for line in cluster.logs[1] if line.startswith("serves no clients"))
    assert line.startswith("serves no clients: it could not for 1.0 s: 10.0.0.2:11211 is heard but does not")
    assert "has gone on without it" in line


@pytest.mark.parametrize(("count", "third"), [(2, ""), (3, "frozen"), (3, "killed")])
def test_where_one_way_is_left_and_a_majority_demanded_both_refuse(count: int, third: str) -> None:
    cluster, watch = _one_way(count, third, strict=True)
    states = _states(cluster)
    assert (states[1], states[2]) == ("refuses", "refuses")
    assert max(watch.longest[1], watch.longest[2]) <= REFUSES_MS


@pytest.mark.parametrize(("count", "third"), [(2, ""), (3, "frozen"), (3, "killed")])
def test_when_both_ways_work_again_who_refused_joins_and_shows_what_was_written_meanwhile(
    count: int, third: str
) -> None:
    cluster = serving_cluster(count)
    assert cluster.client(1).send(_set(b"old")) == b"STORED\r\n"
    cluster.hold((1, 2))
    if third:
        cluster.freeze(3) if third == "frozen" else cluster.kill(3)
    cluster.advance(3_000)
    assert cluster.client(2).insist(_set(b"new")) == b"STORED\r\n"
    cluster.release()
    cluster.advance(1_000)
    assert _states(cluster)[1] == "serves"
    assert cluster.client(1).send(b"get k\r\n") == b"VALUE k 0 3\r\nnew\r\nEND\r\n"
    assert any(line.startswith("serves clients again, after ") for line in cluster.logs[1])


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_node_that_hears_nobody_does_not_stop_the_majority_that_hears_it(count: int) -> None:
    cluster = serving_cluster(count)
    watch = Watch(cluster)
    cluster.hold(*[(number, 2) for number in cluster.nodes if number != 2])
    cluster.advance(5_000)
    rest = [number for number in cluster.nodes if number != 2]
    assert set(rest) <= set(cluster.serving())
    assert cluster.members(1) == rest
    assert max(watch.longest.values()) < 1_000
    assert cluster.client(1).send(_set(b"v")) == b"STORED\r\n"


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_node_that_nobody_hears_refuses_and_the_rest_goes_on(count: int) -> None:
    cluster = serving_cluster(count)
    watch = Watch(cluster)
    cluster.hold(*[(2, number) for number in cluster.nodes if number != 2])
    cluster.advance(5_000)
    states = _states(cluster)
    assert states.pop(2) == "refuses"
    assert set(states.values()) == {"serves"}
    assert watch.longest[2] <= REFUSES_MS


def test_who_hears_nobody_any_more_goes_on_alone_as_ever() -> None:
    cluster, _ = _one_way(2, "", strict=False)
    cluster.hold((2, 1))
    cluster.advance(1_000)
    assert _states(cluster) == {1: "serves", 2: "serves"}


# --- one way only, in the beginning


def _begins_one_way(count: int, *ways: tuple[int, int]) -> Cluster:
    """Empty nodes that have never met on these ways."""
    cluster = Cluster(count, start=[1])
    for number in range(2, count + 1):
        cluster.hold(*ways)
        cluster.start(number)
    cluster.hold(*ways)
    cluster.advance(15_000)
    return cluster


def test_in_the_beginning_too_who_hears_leaves_it_to_who_is_heard() -> None:
    cluster = _begins_one_way(2, (1, 2))
    assert _states(cluster) == {1: "refuses", 2: "serves"}
    lines = [line for line in cluster.logs[1] if line.startswith("does not begin")]
    assert lines[0].startswith("does not begin: 10.0.0.2:11211 is heard but does not hear this node")
    cluster.release()
    cluster.advance(1_000)
    assert _states(cluster) == {1: "serves", 2: "serves"}


def test_in_the_beginning_a_majority_does_not_wait_for_who_hears_nobody() -> None:
    cluster = _begins_one_way(3, (1, 3), (2, 3))
    assert cluster.members(1) == cluster.members(2) == [1, 2]
    assert _states(cluster)[1] == _states(cluster)[2] == "serves"


def test_in_the_beginning_who_is_let_in_by_a_majority_that_it_does_not_hear_waits_for_it() -> None:
    cluster = Cluster(3, start=[3])
    for number in (1, 2):
        cluster.turn(3, lambda node, number=number: node.links.let_in(number, stands=True))  # type: ignore[misc]
    cluster.advance(15_000)
    assert _states(cluster) == {3: "refuses"}
    (line,) = (line for line in cluster.logs[3] if line.startswith("does not begin"))
    assert "10.0.0.1:11211 is not heard, but lets this one in: it cannot reach this node" in line
    cluster.turn(3, lambda node: node.links.let_in(1, stands=False))
    cluster.advance(900)
    assert _states(cluster) == {3: "refuses"}
    cluster.advance(200)
    assert _states(cluster) == {3: "serves"}


# --- whatever the reason


def _promised(node: Node) -> None:
    node.replica.state.promised = make_vid(1 << 40, 1)


def _slept(node: Node) -> None:
    node.replica.state.was_stopped = True


def _unconfirmed(node: Node) -> None:
    for peer in node.replica.detector.peers.values():
        peer.installed = 0


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_promised, "it waits for view 1099511627776 of 10.0.0.1:11211"),
        (_slept, "it was stopped, and has had no view since"),
        (_unconfirmed, "10.0.0.2:11211 has not shown that it has view"),
    ],
)
def test_whatever_keeps_a_node_from_serving_makes_it_refuse_after_a_second_and_say_so(
    spoil: Callable[[Node], None], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = serving_cluster()
    node = cluster.nodes[1]
    monkeypatch.setattr(node.replica._view_change, "consider", lambda: None)
    watch = Watch(cluster)
    idle = cluster.client(1)
    before = cluster.now
    hooked = cluster.after_turn

    def keep_spoilt(number: int) -> None:
        if number == 1:
            spoil(node)
            node.replica.leases.weigh()
        hooked(number)

    cluster.after_turn = keep_spoilt
    while node.open:
        assert cluster.now <= before + 2 * REFUSES_MS
        cluster.advance(TICK_MS)
    assert cluster.now - before >= 1_000
    assert watch.longest[1] <= REFUSES_MS
    assert idle.closed
    assert any(
        line.startswith("serves no clients: it could not for") and reason in line for line in cluster.logs[1]
    )


def test_who_gets_no_lease_while_its_view_stands_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = serving_cluster()
    watch = Watch(cluster)
    monkeypatch.setitem(Replica._on, LeaseGrant, lambda replica, node, message: None)
    cluster.advance(3_000)
    assert set(_states(cluster).values()) == {"refuses"}
    assert max(watch.longest.values()) <= REFUSES_MS
    assert any("10.0.0.2:11211 has given no lease for" in line for line in cluster.logs[1])


# --- it does not flap


def _was_always_open(cluster: Cluster, number: int, ms: int) -> bool:
    shut: list[int] = []
    cluster.after_turn = lambda turned: shut.append(turned) if not cluster.nodes[number].open else None
    cluster.advance(ms)
    return number not in shut


def test_a_change_of_view_leaves_the_door_open_and_idle_connections_alone() -> None:
    cluster = serving_cluster()
    idle = cluster.client(1)
    cluster.hold((3, 1), (3, 2), (1, 3), (2, 3))
    assert _was_always_open(cluster, 1, 3_000)
    assert cluster.members(1) == [1, 2]
    assert not idle.closed


def test_after_a_stop_a_node_has_a_second_to_meet_the_others_before_it_refuses() -> None:
    cluster = serving_cluster(strict=True)
    idle = cluster.client(1)
    cluster.freeze(1)
    cluster.advance(10_000)
    cluster.hold((1, 2), (1, 3), (2, 1), (3, 1))
    cluster.frozen.remove(1)
    node = cluster.nodes[1]
    assert node.turn(cluster.now, WALL + cluster.now, unread=lambda connection: False)
    node.tick()
    assert list(node.end_turn())
    assert node.open
    assert not idle.closed


def test_the_door_opens_when_the_node_serves_and_not_before() -> None:
    cluster = serving_cluster(strict=True)
    cluster.hold((2, 1), (3, 1))
    cluster.advance(2_000)
    assert not cluster.nodes[1].open
    opened_serving: list[bool] = []

    def look(number: int) -> None:
        if number == 1 and cluster.nodes[1].open:
            opened_serving.append(cluster.nodes[1].serving)

    cluster.after_turn = look
    cluster.release()
    cluster.advance(1_000)
    assert opened_serving
    assert opened_serving[0]


# --- clients and their locks


def _granted(cluster: Cluster, number: int, host: str = "10.0.0.50") -> Client:
    client = cluster.client(number, host)
    assert client.send(b"add memc.sess.lock.k 0 30 1\r\n1\r\n") == b"STORED\r\n"
    return client


def test_who_refuses_has_closed_all_connections_and_the_locks_of_its_clients_are_nobodys() -> None:
    cluster = serving_cluster(2)
    owner = _granted(cluster, 1)
    waiting = cluster.client(1)
    cluster.hold((1, 2))
    cluster.advance(700)
    waiting.post(b"get k\r\n")
    cluster.advance(1_500)
    assert owner.closed
    assert waiting.closed
    assert waiting.take() == b""
    # Its client goes on at the other node, where its release counts; nobody else can take it before.
    rival = cluster.client(2, "10.0.0.51")
    for host in ("10.0.0.50", "10.0.0.51"):
        cluster.client(2, host).insist(b"get other\r\n")
    assert rival.send(b"add memc.sess.lock.k 0 30 1\r\n1\r\n") == b"NOT_STORED\r\n"
    assert cluster.client(2, "10.0.0.50").send(b"delete memc.sess.lock.k\r\n") == b"DELETED\r\n"
    assert rival.send(b"add memc.sess.lock.k 0 30 1\r\n1\r\n") == b"STORED\r\n"
