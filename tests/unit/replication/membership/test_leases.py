"""Leases: until when a node serves, and that it never serves who has no right to (rule S1)."""

from __future__ import annotations

import pytest

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.history import NOTHING, WRITTEN
from memrep.replication.membership.leases import Leases
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import View
from memrep.storage.entry import NEVER

VID = 64
NOW = 10_000


class _Holder:
    """Node 1 of `count`, full, in a view that all these members have installed, with no lease yet."""

    def __init__(self, count: int = 3, members: tuple[int, ...] = (1, 2, 3), *, quorate: bool = True) -> None:
        view = View(vid=VID, gen=1, members=dict.fromkeys(members, 7), full=frozenset(members), quorate=quorate)
        self.state = ReplicaState(1, 7, count, view=view, promised=VID, full=True)
        names = [f"10.0.0.{n}:11211" for n in range(1, count + 1)]
        self.detector = FailureDetector(self.state, names, Timing())
        self.leases = Leases(self.state, self.detector, Timing())
        for node in members:
            if node != 1:
                self.peers[node].opened_link(7, NOW)
                self.detector.heard(node, NOW)
                self.peers[node].stands_in(VID)

    @property
    def peers(self) -> dict[int, Peer]:
        return self.detector.peers

    def end(self) -> int:
        return self.leases.end()


def test_in_a_view_with_a_majority_the_leases_of_a_majority_count_this_node_included() -> None:
    node = _Holder(5, (1, 2, 3, 4, 5))
    assert node.end() == 0
    node.peers[2].lease = 500
    assert node.end() == 0
    node.peers[4].lease = 300
    assert node.end() == 300
    node.peers[5].lease = 400
    assert node.end() == 400


def test_two_of_three_need_each_others_lease() -> None:
    node = _Holder(3, (1, 2))
    assert node.end() == 0
    node.peers[2].lease = 500
    assert node.end() == 500


def test_in_a_view_without_a_majority_the_leases_of_all_members_count() -> None:
    node = _Holder(5, (1, 2), quorate=False)
    assert node.end() == 0
    node.peers[2].lease = 500
    assert node.end() == 500
    larger = _Holder(7, (1, 2, 3), quorate=False)
    larger.peers[2].lease, larger.peers[3].lease = 500, 200
    assert larger.end() == 200


def test_who_is_alone_in_its_view_serves_without_an_end() -> None:
    assert _Holder(3, (1,), quorate=False).end() == NEVER
    assert _Holder(1, (1,)).end() == NEVER


def test_a_lease_of_a_node_that_is_no_member_does_not_count() -> None:
    node = _Holder(3, (1, 2))
    node.peers[3].lease = 500
    assert node.end() == 0


@pytest.mark.parametrize("members", [(1,), (1, 2, 3)])
def test_who_is_not_full_serves_nobody(members: tuple[int, ...]) -> None:
    node = _Holder(3, members, quorate=len(members) > 1)
    for peer in node.peers.values():
        peer.lease = 500
    assert node.end() > 0
    node.state.full = False
    assert node.end() == 0


def test_who_has_promised_a_later_view_serves_nobody() -> None:
    node = _Holder()
    node.peers[2].lease = 500
    node.state.promised = VID + 64
    assert node.end() == 0


def test_nobody_serves_before_every_member_has_installed_the_view() -> None:
    node = _Holder()
    node.peers[2].lease = 500
    node.peers[3].installed = 0
    assert not node.leases.confirmed
    assert node.end() == 0
    node.peers[3].installed = VID + 64
    assert not node.leases.confirmed, "it may have skipped this one"
    node.peers[3].installed = VID
    assert node.leases.confirmed
    assert node.end() == 500


def test_before_the_first_view_nothing_is_confirmed() -> None:
    node = _Holder(3, (1,))
    node.state.view = View()
    assert not node.leases.confirmed


@pytest.mark.parametrize(
    ("vid", "gone", "granted"), [(VID, "", True), (VID - 64, "", False), (VID, "dead", False)]
)
def test_a_lease_counts_from_when_the_heartbeat_was_sent_in_this_view_by_a_process_that_lives(
    vid: int, gone: str, granted: bool
) -> None:
    node = _Holder(3, (1, 2))
    node.peers[2].process.gone = gone
    node.leases.granted(node.peers[2], vid, NOW - 30)
    assert node.end() == (NOW - 30 + Timing().lease if granted else 0)


def test_until_when_a_node_serves_is_weighed_when_it_is_told_so_and_not_in_between() -> None:
    node = _Holder(3, (1, 2))
    node.peers[2].grant_lease(NOW + 400)
    assert node.leases.serves_until == 0
    node.leases.weigh()
    assert (node.leases.serves_until, node.leases.serves_all_until) == (NOW + 400,) * 2


def test_who_misses_nobody_in_a_view_without_a_majority_serves_all_and_is_taken_for_one_with_clients() -> None:
    node = _Holder(3, (1,), quorate=False)
    node.leases.weigh()
    assert (node.leases.serves_all_until, node.state.activity) == (NEVER, WRITTEN)
    majority = _Holder(3, (1, 2))
    majority.peers[2].grant_lease(NOW)
    majority.leases.weigh()
    assert (majority.leases.serves_all_until, majority.state.activity) == (NOW, NOTHING)


def test_who_misses_another_node_serves_but_not_everybody() -> None:
    node = _Holder(3, (1,), quorate=False)
    node.detector.missed.installed({1: 7, 2: 7})
    node.leases.weigh()
    assert (node.leases.serves_until, node.leases.serves_all_until) == (NEVER, 0)
    assert node.state.activity == NOTHING
