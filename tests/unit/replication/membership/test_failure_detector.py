"""Presence: who is heard, who may be in a view, and until when a node serves (rule S1)."""

from __future__ import annotations

import pytest

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import View
from memrep.replication.message import Heartbeat
from memrep.storage.entry import NEVER

VID = 64
NOW = 10_000


def _beat(vid: int = VID, hears: int = 0b1111_1110) -> Heartbeat:
    """A heartbeat of a node that hears everybody, unless told otherwise."""
    return Heartbeat(vid, vid, True, "", False, 0, 0, 0, 0, hears, hears)


def _detector(count: int = 3, members: tuple[int, ...] = (1, 2, 3), quorate: bool = True) -> FailureDetector:
    """Node 1 of `count`, full, in a view that all these members have installed, with no lease yet."""
    view = View(vid=VID, gen=1, members=dict.fromkeys(members, 7), full=frozenset(members), quorate=quorate)
    state = ReplicaState(1, 7, count, view=view, promised=VID, full=True)
    detector = FailureDetector(state, [f"10.0.0.{n}:11211" for n in range(1, count + 1)], Timing())
    for node in members:
        if node != 1:
            peer = detector.peers[node]
            peer.inc, peer.installed, peer.heard, peer.gone = 7, VID, NOW, ""
            peer.spoke = NOW
            peer.linked = True
            peer.beat = _beat()
    return detector


def _state(detector: FailureDetector) -> ReplicaState:
    return detector._state  # the very object that was handed in


def test_in_a_view_with_a_majority_the_leases_of_a_majority_count_this_node_included() -> None:
    detector = _detector(5, (1, 2, 3, 4, 5))
    assert detector.serves_until() == 0
    detector.peers[2].lease = 500
    assert detector.serves_until() == 0
    detector.peers[4].lease = 300
    assert detector.serves_until() == 300
    detector.peers[5].lease = 400
    assert detector.serves_until() == 400


def test_two_of_three_need_each_others_lease() -> None:
    detector = _detector(3, (1, 2))
    assert detector.serves_until() == 0
    detector.peers[2].lease = 500
    assert detector.serves_until() == 500


def test_in_a_view_without_a_majority_the_leases_of_all_members_count() -> None:
    detector = _detector(5, (1, 2), quorate=False)
    assert detector.serves_until() == 0
    detector.peers[2].lease = 500
    assert detector.serves_until() == 500
    larger = _detector(7, (1, 2, 3), quorate=False)
    larger.peers[2].lease, larger.peers[3].lease = 500, 200
    assert larger.serves_until() == 200


def test_who_is_alone_in_its_view_serves_without_an_end() -> None:
    assert _detector(3, (1,), quorate=False).serves_until() == NEVER
    assert _detector(1, (1,)).serves_until() == NEVER


def test_a_lease_of_a_node_that_is_no_member_does_not_count() -> None:
    detector = _detector(3, (1, 2))
    detector.peers[3].lease = 500
    assert detector.serves_until() == 0


@pytest.mark.parametrize("members", [(1,), (1, 2, 3)])
def test_who_is_not_full_serves_nobody(members: tuple[int, ...]) -> None:
    detector = _detector(3, members, quorate=len(members) > 1)
    for peer in detector.peers.values():
        peer.lease = 500
    assert detector.serves_until() > 0
    _state(detector).full = False
    assert detector.serves_until() == 0


def test_who_has_promised_a_later_view_serves_nobody() -> None:
    detector = _detector()
    detector.peers[2].lease = 500
    _state(detector).promised = VID + 64
    assert detector.serves_until() == 0


def test_nobody_serves_before_every_member_has_installed_the_view() -> None:
    detector = _detector()
    detector.peers[2].lease = 500
    detector.peers[3].installed = 0
    assert not detector.confirmed
    assert detector.serves_until() == 0
    detector.peers[3].installed = VID + 64
    assert not detector.confirmed, "it may have skipped this one"
    detector.peers[3].installed = VID
    assert detector.confirmed
    assert detector.serves_until() == 500


def test_before_the_first_view_nothing_is_confirmed() -> None:
    detector = _detector(3, (1,))
    _state(detector).view = View()
    assert not detector.confirmed


# --- who is heard


def test_who_is_silent_for_the_failure_timeout_is_not_within_reach() -> None:
    detector = _detector()
    detector.heard(2, NOW + 100)
    assert detector.reach(NOW + 599) == {1: 7, 2: 7, 3: 7}
    assert detector.reach(NOW + 600) == {1: 7, 2: 7}
    assert detector.reach(NOW + 700) == {1: 7}


def test_who_is_known_to_be_gone_is_not_within_reach_whenever_it_was_heard() -> None:
    detector = _detector()
    detector.peers[2].gone = "its process is gone"
    assert detector.reach(NOW) == {1: 7, 3: 7}


def test_a_newcomer_is_within_reach_only_when_it_says_that_it_hears_us() -> None:
    detector = _detector(3, (1, 2))
    joiner = detector.peers[3]
    joiner.inc, joiner.gone, joiner.heard = 8, "", NOW
    joiner.linked = True
    assert detector.reach(NOW) == {1: 7, 2: 7}
    joiner.beat = _beat(0, hears=0b100)
    assert detector.reach(NOW) == {1: 7, 2: 7}
    joiner.beat = _beat(0)
    assert detector.reach(NOW) == {1: 7, 2: 7, 3: 8}


def test_a_member_that_says_it_does_not_hear_us_is_out_of_reach_as_if_it_were_silent() -> None:
    detector = _detector()
    detector.peers[2].beat = _beat(hears=0b1000)
    assert detector.reach(NOW) == {1: 7, 3: 7}


def test_what_a_member_said_before_it_had_the_view_is_not_held_against_it() -> None:
    detector = _detector()
    detector.peers[2].beat = _beat(VID - 64, hears=0)
    assert detector.reach(NOW) == {1: 7, 2: 7, 3: 7}


def test_a_restarted_member_counts_as_a_newcomer() -> None:
    detector = _detector()
    detector.peers[2].restarted(8, NOW)
    assert detector.reach(NOW) == {1: 7, 3: 7}


def test_who_is_ignored_is_heard_but_not_within_reach_until_the_time_is_over() -> None:
    detector = _detector()
    detector.ignore([2], NOW + 100)
    assert 2 not in detector.reach(NOW + 99)
    assert {peer.node for peer in detector.here(NOW)} == {2, 3}
    assert 2 in detector.reach(NOW + 100)


# --- a view begins


def test_at_a_new_view_no_lease_is_left_and_nobody_is_ignored() -> None:
    detector = _detector()
    detector.peers[2].lease = NOW + 400
    detector.ignore([3], NOW + 1_000)
    detector.installed(NOW, {})
    assert detector.serves_until() == 0
    assert detector.reach(NOW) == {1: 7, 2: 7, 3: 7}


def test_at_a_new_view_every_member_counts_as_heard_now() -> None:
    detector = _detector()
    detector.installed(NOW + 10_000, {})
    assert detector.reach(NOW + 10_599) == {1: 7, 2: 7, 3: 7}


def test_a_member_that_was_known_as_gone_and_has_restarted_gets_the_usual_time_to_show() -> None:
    detector = _detector()
    detector.peers[3].gone = "its process is gone"
    detector.peers[3].lease = NOW
    _state(detector).view = View(vid=2 * VID, members={1: 7, 2: 7, 3: 8}, quorate=True)
    detector.installed(NOW, {})
    assert detector.peers[3].installed == 0
    assert detector.reach(NOW + 599) == {1: 7, 2: 7, 3: 8}
    assert 3 not in detector.reach(NOW + 600)


def test_a_member_that_is_known_as_gone_and_has_not_restarted_stays_gone() -> None:
    detector = _detector()
    detector.peers[3].gone = "its process is gone"
    detector.installed(NOW, {})
    assert detector.reach(NOW) == {1: 7, 2: 7}


# --- who comes and goes


def test_who_is_kept_out_is_not_within_reach_until_the_time_is_over() -> None:
    detector = _detector(5, (1, 2, 3, 4))
    joiner = detector.peers[5]
    joiner.inc, joiner.gone, joiner.heard, joiner.beat = 7, "", NOW, _beat(0)
    joiner.kept_out = NOW + 100
    assert detector.reach(NOW + 99) == {1: 7, 2: 7, 3: 7, 4: 7}
    assert 5 in detector.reach(NOW + 100)


def test_who_is_a_member_is_not_kept_out_but_its_successor_is() -> None:
    detector = _detector(5, (1, 2, 3, 4))
    detector.peers[2].kept_out = NOW + 100
    assert detector.reach(NOW) == {1: 7, 2: 7, 3: 7, 4: 7}
    detector.peers[2].restarted(8, NOW)
    detector.peers[2].beat = _beat(0)
    assert detector.reach(NOW) == {1: 7, 3: 7, 4: 7}


def test_nobody_is_kept_out_where_it_is_needed_for_a_majority() -> None:
    detector = _detector(3, (1,), quorate=False)
    peer = detector.peers[2]
    peer.inc, peer.gone, peer.heard, peer.beat = 7, "", NOW, _beat(0)
    peer.kept_out = NOW + 10_000
    assert detector.reach(NOW) == {1: 7, 2: 7}
    enough = _detector(3, (1, 3))
    peer = enough.peers[2]
    peer.inc, peer.gone, peer.heard, peer.beat = 7, "", NOW, _beat(0)
    peer.kept_out = NOW + 10_000
    assert enough.reach(NOW) == {1: 7, 3: 7}


def test_leaving_a_view_that_has_just_begun_counts_as_a_false_start_and_staying_in_the_next_does_not() -> None:
    detector = _detector()
    state = _state(detector)
    two = detector.peers[2]
    two.joined = NOW - 500
    members = {1: 7, 2: 7, 3: 7}
    detector.installed(NOW, members)
    assert (two.false_starts, two.joined) == (0, NOW - 500)
    state.view = View(vid=2 * VID, members={1: 7, 3: 7}, quorate=True)
    detector.installed(NOW, members)
    assert two.false_starts == 1
    assert detector.peers[3].false_starts == 0


# --- majorities, and who is deaf


def test_a_majority_is_met_by_members_that_are_heard() -> None:
    detector = _detector(5, (1, 2, 3))
    assert detector.meets_majority(NOW)
    assert not detector.meets_majority(NOW + 600)
    detector.peers[3].gone = "its process is gone"
    assert not detector.meets_majority(NOW)


def test_who_is_heard_but_is_no_member_does_not_make_a_majority() -> None:
    detector = _detector(5, (1, 2))
    for node in (3, 4, 5):
        peer = detector.peers[node]
        peer.inc, peer.gone, peer.heard, peer.beat = 7, "", NOW, _beat()
    assert not detector.meets_majority(NOW)
    restarted = _detector(3, (1, 2))
    restarted.peers[2].inc = 8
    assert not restarted.meets_majority(NOW)


def test_all_were_heard_when_the_last_of_them_was() -> None:
    detector = _detector(3, (1, 2, 3))
    detector.peers[2].heard, detector.peers[3].heard = NOW - 70, NOW - 20
    assert detector.all_heard(NOW) == NOW - 70
    assert _detector(1, (1,)).all_heard(NOW) == NOW


def test_one_of_one_is_a_majority() -> None:
    assert _detector(1, (1,)).meets_majority(NOW)


def test_a_peer_is_deaf_that_has_not_said_for_the_failure_timeout_that_our_link_works() -> None:
    detector = _detector()
    peer = detector.peers[2]
    peer.heard_us = NOW
    assert not detector.deaf(2, NOW + 599)
    assert detector.deaf(2, NOW + 600)
    peer.restarted(8, NOW + 600)
    assert not detector.deaf(2, NOW + 1_199)
    assert detector.deaf(2, NOW + 1_200)


# --- this process was stopped


def test_after_a_stop_no_lease_counts_and_nobody_was_silent() -> None:
    detector = _detector()
    detector.peers[2].lease = NOW + 5_000
    detector.peers[3].gone = "its process is gone"
    detector.was_stopped(NOW + 5_000)
    assert detector.serves_until() == 0
    assert detector.reach(NOW + 5_599) == {1: 7, 2: 7}
    assert not detector.deaf(2, NOW + 5_599)
    assert detector.hears_directly(NOW + 5_000) == 0b100


def test_who_is_heard_again_while_a_view_is_formed_without_it_has_returned() -> None:
    detector = _detector()
    _state(detector).view = View(vid=VID, members={1: 7, 2: 7}, full=frozenset({1, 2}))
    detector.installed(NOW + 700, {1: 7, 2: 7, 3: 7})
    assert detector.returned(0) == []
    detector.heard(3, NOW + 800)
    assert [peer.node for peer in detector.returned(NOW + 700)] == [3]
    assert detector.returned(NOW + 800) == []


@pytest.mark.parametrize("view_comes_first", [True, False])
def test_that_nobody_counts_as_silent_after_a_stop_brings_nobody_back(view_comes_first: bool) -> None:
    """Node 3 was silent, and is heard first after this node was stopped; the view is from before the stop."""
    detector = _detector()
    _state(detector).view = View(vid=VID, members={1: 7, 2: 7}, full=frozenset({1, 2}))
    detector.was_stopped(NOW + 5_000)
    if view_comes_first:
        detector.installed(NOW + 5_000, {1: 7, 2: 7, 3: 7})
        assert detector.is_back(3, NOW + 5_100)
    detector.heard(3, NOW + 5_100)
    if not view_comes_first:
        detector.installed(NOW + 5_100, {1: 7, 2: 7, 3: 7})
        assert [peer.node for peer in detector.returned(NOW + 600)] == [3]
    assert not detector.is_back(3, NOW + 5_200)
