"""Missed nodes: who may have gone on is missed until it is known to be gone, and its first word is noticed."""

from __future__ import annotations

import pytest

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import View

VID = 64
NOW = 10_000
ALL = {1: 7, 2: 7, 3: 7}


def _detector(count: int = 3) -> FailureDetector:
    """Node 1 of so many, which has heard all of them just now; no view yet."""
    detector = FailureDetector(ReplicaState(1, 7, count), [f"web{n}" for n in range(1, count + 1)], Timing())
    for node, peer in detector.peers.items():
        peer.opened_link(7, NOW)
        detector.heard(node, NOW)
    return detector


def _install(
    detector: FailureDetector,
    *members: int,
    before: dict[int, int] | None = None,
    now: int = NOW,
    quorate: bool = False,
) -> None:
    view = View(vid=VID, members=dict.fromkeys(members, 7), full=frozenset(members), quorate=quorate)
    detector._state.view = view  # the very object that was handed in
    detector.installed(now, ALL if before is None else before)


def test_who_fell_silent_is_missed_in_a_view_without_a_majority_and_in_no_other() -> None:
    detector = _detector()
    _install(detector, 1, now=NOW + 700)
    assert sorted(detector.missed.nodes) == [2, 3]
    _install(detector, 1, 2, before={1: 7}, quorate=True)
    assert detector.missed.nodes == []


def test_who_is_known_to_be_gone_is_not_missed_and_who_was_never_heard_is() -> None:
    detector = FailureDetector(ReplicaState(1, 7, 4), ["web1", "web2", "web3", "web4"], Timing())
    detector.peers[2].opened_link(7, NOW)
    detector.peers[2].ended("it was stopped", NOW)
    detector.peers[3].process.cannot_be_dialled("connection refused", refuses=True)
    _install(detector, 1, before={})
    assert detector.missed.nodes == [4]


def test_who_is_missed_stays_so_in_the_views_that_follow_until_it_is_a_member_again() -> None:
    detector = _detector(5)
    _install(detector, 1, 2, before=dict.fromkeys(range(1, 6), 7), now=NOW + 700)
    _install(detector, 1, before={1: 7, 2: 7}, now=NOW + 800)
    assert sorted(detector.missed.nodes) == [2, 3, 4, 5]
    _install(detector, 1, 3, before={1: 7}, now=NOW + 900)
    assert sorted(detector.missed.nodes) == [2, 4, 5]


def test_an_older_death_is_doubted_when_this_node_was_out_of_touch_and_a_fresh_one_is_not() -> None:
    detector = _detector()
    detector.peers[2].ended("its port refuses", NOW)
    detector.peers[3].ended("its port refuses", NOW + 500)
    _install(detector, 1, now=NOW + 500)
    assert detector.missed.nodes == []
    detector.missed.doubt_deaths(NOW + 600)
    assert detector.missed.nodes == [2]
    detector.ended(detector.peers[2], "its port refuses", NOW + 700)
    assert detector.missed.nodes == [], "its port has refused again"


def test_that_a_missed_nodes_process_has_ended_shows_that_the_news_comes_through_again() -> None:
    detector = _detector()
    detector.peers[2].ended("its port refuses", NOW)
    _install(detector, 1, now=NOW + 700)
    assert detector.missed.nodes == [3]
    detector.ended(detector.peers[3], "its port refuses", NOW + 800)
    assert detector.missed.nodes == [2], "it may have been started meanwhile, and have met node 3"


def test_the_first_word_of_one_that_was_silent_brings_it_back_and_no_further_one() -> None:
    detector = _detector()
    _install(detector, 1, 2, now=NOW + 700)
    assert detector.missed.is_back(3, NOW + 700)
    assert not detector.missed.is_back(2, NOW + 700), "it is a member"
    detector.heard(3, NOW + 700)
    assert not detector.missed.is_back(3, NOW + 750)


def test_who_is_heard_again_while_a_view_is_formed_without_it_has_returned() -> None:
    detector = _detector()
    _install(detector, 1, 2, now=NOW + 700)
    assert [peer.node for peer in detector.missed.returned(NOW)] == []
    detector.heard(3, NOW + 800)
    assert [peer.node for peer in detector.missed.returned(NOW + 700)] == [3]
    assert detector.missed.returned(NOW + 800) == []


@pytest.mark.parametrize("view_comes_first", [True, False])
def test_that_nobody_counts_as_silent_after_a_stop_brings_nobody_back(view_comes_first: bool) -> None:
    """Node 3 was silent, and is heard first after this node was stopped; the view is from before the stop."""
    detector = _detector()
    _install(detector, 1, 2)
    detector.was_stopped(NOW + 5_000)
    if view_comes_first:
        _install(detector, 1, 2, now=NOW + 5_000)
        assert detector.missed.is_back(3, NOW + 5_100)
    detector.heard(3, NOW + 5_100)
    if not view_comes_first:
        _install(detector, 1, 2, now=NOW + 5_100)
        assert [peer.node for peer in detector.missed.returned(NOW + 600)] == [3]
    assert not detector.missed.is_back(3, NOW + 5_200)
