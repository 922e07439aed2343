"""Redis clients are told of a node that serves, and of the loss of each that they may have been told of."""

from __future__ import annotations

from memrep.protocol.resp.topology import NAMES_MAX, RedisNode, Topology


def _node(number: int) -> RedisNode:
    return RedisNode(b"%040d" % number, b"10.0.0.%d" % number, 6379)


ONE, TWO, THREE = _node(1), _node(2), _node(3)


class _View:
    def __init__(self, me: RedisNode, *serving: RedisNode) -> None:
        self.serving = list(serving)
        self.topology = Topology(me, lambda: self.serving)

    def becomes(self, *serving: RedisNode) -> list[bytes]:
        """The switches that this makes known."""
        self.serving = list(serving)
        return list(self.topology.switches())


def test_over_loopback_the_node_that_is_asked_is_the_master_and_else_the_first_that_serves() -> None:
    topology = _View(TWO, ONE, TWO, THREE).topology
    for local in ("127.0.0.1", "::1", "::ffff:127.0.0.1", ""):
        assert topology.master_for(local) == TWO
    assert topology.master_for("10.0.0.9") == ONE


def test_a_node_that_is_in_no_view_knows_of_itself() -> None:
    topology = _View(TWO).topology
    assert list(topology.serving) == [TWO]
    assert topology.master_for("10.0.0.9") == TWO
    assert not topology.others


def test_the_others_are_those_that_serve_beside_this_one() -> None:
    assert _View(TWO, ONE, TWO).topology.others == [ONE]


def test_the_loss_of_the_first_is_told_with_the_one_that_is_the_first_now() -> None:
    view = _View(THREE)
    assert view.becomes(ONE, TWO, THREE) == []
    assert view.becomes(TWO, THREE) == [b"mymaster 10.0.0.1 6379 10.0.0.2 6379"]
    assert view.becomes(TWO, THREE) == []


def test_the_loss_of_one_that_nobody_was_told_of_is_not_told() -> None:
    view = _View(ONE)
    view.becomes(ONE, TWO, THREE)
    assert view.becomes(ONE, TWO) == []


def test_one_that_was_the_first_is_told_of_when_it_is_lost_though_an_earlier_one_has_come_back() -> None:
    view = _View(THREE)
    view.becomes(TWO, THREE)
    assert view.becomes(ONE, TWO, THREE) == []  # it serves on, and nobody need leave it
    assert view.becomes(ONE, THREE) == [b"mymaster 10.0.0.2 6379 10.0.0.1 6379"]


def test_whom_a_client_was_told_of_is_told_when_it_is_lost_however_short_it_was_the_first() -> None:
    view = _View(THREE, ONE, TWO, THREE)
    view.topology.master_for("10.0.0.9")
    assert view.becomes(TWO, THREE) == [b"mymaster 10.0.0.1 6379 10.0.0.2 6379"]


def test_without_a_view_nobody_is_lost() -> None:
    view = _View(ONE)
    view.becomes(ONE, TWO)
    assert view.becomes() == []
    assert view.becomes(TWO) == [b"mymaster 10.0.0.1 6379 10.0.0.2 6379"]


def test_a_switch_is_told_under_each_name_that_was_asked_for() -> None:
    view = _View(THREE)
    view.becomes(ONE, TWO)
    view.topology.asked_for(b"shop")
    view.topology.asked_for(b"shop")
    assert [switch.split()[0] for switch in view.becomes(TWO)] == [b"mymaster", b"shop"]


def test_names_are_remembered_up_to_a_bound_the_latest_ones() -> None:
    topology = _View(ONE).topology
    for number in range(NAMES_MAX + 5):
        topology.asked_for(b"%d" % number)
    names = topology.all_names
    assert len(names) == 1 + NAMES_MAX
    assert b"mymaster" in names and b"4" not in names and b"5" in names
