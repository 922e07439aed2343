"""The failure detector: who is heard, who is gone, and with whom a view can be formed (rules M1, B1)."""

from __future__ import annotations

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import View
from memrep.replication.message import Heartbeat

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
            peer.process.inc, peer.installed, peer.contact.heard, peer.process.gone = 7, VID, NOW, ""
            peer.contact.spoke = NOW
            peer.process.linked = True
            peer.beat = _beat()
    return detector


def _state(detector: FailureDetector) -> ReplicaState:
    return detector._state  # the very object that was handed in


# --- who is heard


def test_who_is_silent_for_the_failure_timeout_is_not_within_reach() -> None:
    detector = _detector()
    detector.heard(2, NOW + 100)
    assert detector.reach(NOW + 599) == {1: 7, 2: 7, 3: 7}
    assert detector.reach(NOW + 600) == {1: 7, 2: 7}
    assert detector.reach(NOW + 700) == {1: 7}


def test_who_is_known_to_be_gone_is_not_within_reach_whenever_it_was_heard() -> None:
    detector = _detector()
    detector.peers[2].process.gone = "its process is gone"
    assert detector.reach(NOW) == {1: 7, 3: 7}


def test_a_newcomer_is_within_reach_only_when_it_says_that_it_hears_us() -> None:
    detector = _detector(3, (1, 2))
    joiner = detector.peers[3]
    joiner.process.inc, joiner.process.gone, joiner.contact.heard = 8, "", NOW
    joiner.process.linked = True
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
    assert detector.peers[2].lease == 0
    assert detector.reach(NOW) == {1: 7, 2: 7, 3: 7}


def test_at_a_new_view_every_member_counts_as_heard_now() -> None:
    detector = _detector()
    detector.installed(NOW + 10_000, {})
    assert detector.reach(NOW + 10_599) == {1: 7, 2: 7, 3: 7}


def test_a_member_that_was_known_as_gone_and_has_restarted_gets_the_usual_time_to_show() -> None:
    detector = _detector()
    detector.peers[3].process.gone = "its process is gone"
    detector.peers[3].lease = NOW
    _state(detector).view = View(vid=2 * VID, members={1: 7, 2: 7, 3: 8}, quorate=True)
    detector.installed(NOW, {})
    assert detector.peers[3].installed == 0
    assert detector.reach(NOW + 599) == {1: 7, 2: 7, 3: 8}
    assert 3 not in detector.reach(NOW + 600)


def test_a_member_that_is_known_as_gone_and_has_not_restarted_stays_gone() -> None:
    detector = _detector()
    detector.peers[3].process.gone = "its process is gone"
    detector.installed(NOW, {})
    assert detector.reach(NOW) == {1: 7, 2: 7}


# --- who comes and goes


def test_who_is_kept_out_is_not_within_reach_until_the_time_is_over() -> None:
    detector = _detector(5, (1, 2, 3, 4))
    joiner = detector.peers[5]
    joiner.process.inc, joiner.process.gone, joiner.contact.heard, joiner.beat = 7, "", NOW, _beat(0)
    joiner.damping.kept_out = NOW + 100
    assert detector.reach(NOW + 99) == {1: 7, 2: 7, 3: 7, 4: 7}
    assert 5 in detector.reach(NOW + 100)


def test_who_is_a_member_is_not_kept_out_but_its_successor_is() -> None:
    detector = _detector(5, (1, 2, 3, 4))
    detector.peers[2].damping.kept_out = NOW + 100
    assert detector.reach(NOW) == {1: 7, 2: 7, 3: 7, 4: 7}
    detector.peers[2].restarted(8, NOW)
    detector.peers[2].beat = _beat(0)
    assert detector.reach(NOW) == {1: 7, 3: 7, 4: 7}


def test_nobody_is_kept_out_where_it_is_needed_for_a_majority() -> None:
    detector = _detector(3, (1,), quorate=False)
    peer = detector.peers[2]
    peer.process.inc, peer.process.gone, peer.contact.heard, peer.beat = 7, "", NOW, _beat(0)
    peer.damping.kept_out = NOW + 10_000
    assert detector.reach(NOW) == {1: 7, 2: 7}
    enough = _detector(3, (1, 3))
    peer = enough.peers[2]
    peer.process.inc, peer.process.gone, peer.contact.heard, peer.beat = 7, "", NOW, _beat(0)
    peer.damping.kept_out = NOW + 10_000
    assert enough.reach(NOW) == {1: 7, 3: 7}


def test_leaving_a_view_that_has_just_begun_counts_as_a_false_start_and_staying_in_the_next_does_not() -> None:
    detector = _detector()
    state = _state(detector)
    two = detector.peers[2]
    two.damping.joined = NOW - 500
    members = {1: 7, 2: 7, 3: 7}
    detector.installed(NOW, members)
    assert (two.damping.false_starts, two.damping.joined) == (0, NOW - 500)
    state.view = View(vid=2 * VID, members={1: 7, 3: 7}, quorate=True)
    detector.installed(NOW, members)
    assert two.damping.false_starts == 1
    assert detector.peers[3].damping.false_starts == 0


# --- majorities, and who is deaf


def test_a_majority_is_met_by_members_that_are_heard() -> None:
    detector = _detector(5, (1, 2, 3))
    assert detector.meets_majority(NOW)
    assert not detector.meets_majority(NOW + 600)
    detector.peers[3].process.gone = "its process is gone"
    assert not detector.meets_majority(NOW)


def test_who_is_heard_but_is_no_member_does_not_make_a_majority() -> None:
    detector = _detector(5, (1, 2))
    for node in (3, 4, 5):
        peer = detector.peers[node]
        peer.process.inc, peer.process.gone, peer.contact.heard, peer.beat = 7, "", NOW, _beat()
    assert not detector.meets_majority(NOW)
    restarted = _detector(3, (1, 2))
    restarted.peers[2].process.inc = 8
    assert not restarted.meets_majority(NOW)


def test_all_were_heard_when_the_last_of_them_was() -> None:
    detector = _detector(3, (1, 2, 3))
    detector.peers[2].contact.heard, detector.peers[3].contact.heard = NOW - 70, NOW - 20
    assert detector.all_heard(NOW) == NOW - 70
    assert _detector(1, (1,)).all_heard(NOW) == NOW


def test_one_of_one_is_a_majority() -> None:
    assert _detector(1, (1,)).meets_majority(NOW)


def test_a_peer_is_deaf_that_has_not_said_for_the_failure_timeout_that_our_link_works() -> None:
    detector = _detector()
    peer = detector.peers[2]
    peer.contact.heard_us = NOW
    assert not detector.deaf(2, NOW + 599)
    assert detector.deaf(2, NOW + 600)
    peer.restarted(8, NOW + 600)
    assert not detector.deaf(2, NOW + 1_199)
    assert detector.deaf(2, NOW + 1_200)


# --- this process was stopped


def test_after_a_stop_no_lease_counts_and_nobody_was_silent() -> None:
    detector = _detector()
    detector.peers[2].lease = NOW + 5_000
    detector.peers[3].process.gone = "its process is gone"
    detector.was_stopped(NOW + 5_000)
    assert detector.peers[2].lease == 0
    assert detector.reach(NOW + 5_599) == {1: 7, 2: 7}
    assert not detector.deaf(2, NOW + 5_599)
    assert detector.hears_directly(NOW + 5_000) == 0b100
