"""Presence: who is heard, who may be in a view, and until when a node serves (rule S1)."""

from __future__ import annotations

import pytest

from memrep.replication.membership.failure_detector import Peer, Presence, Timing
from memrep.replication.membership.view import Standing, View
from memrep.replication.message import Beat
from memrep.storage.entry import NEVER

VID = 64
NOW = 10_000


def _beat(vid: int = VID, hears: int = 0b1111_1110) -> Beat:
    """A heartbeat of a node that hears everybody, unless told otherwise."""
    return Beat(vid, vid, True, "", False, 0, 0, 0, 0, hears, hears)


def _presence(count: int = 3, members: tuple[int, ...] = (1, 2, 3), quorate: bool = True) -> Presence:
    """Node 1 of `count`, full, in a view that all these members have installed, with no lease yet."""
    view = View(vid=VID, gen=1, members=dict.fromkeys(members, 7), full=frozenset(members), quorate=quorate)
    standing = Standing(1, 7, count, view=view, promised=VID, full=True)
    presence = Presence(standing, [f"10.0.0.{n}:11211" for n in range(1, count + 1)], Timing())
    for node in members:
        if node != 1:
            peer = presence.peers[node]
            peer.inc, peer.installed, peer.heard, peer.gone = 7, VID, NOW, ""
            peer.spoke = NOW
            peer.linked = True
            peer.beat = _beat()
    return presence


def _standing(presence: Presence) -> Standing:
    return presence._standing  # the very object that was handed in


def test_in_a_view_with_a_majority_the_leases_of_a_majority_count_this_node_included() -> None:
    presence = _presence(5, (1, 2, 3, 4, 5))
    assert presence.serves_until() == 0
    presence.peers[2].lease = 500
    assert presence.serves_until() == 0
    presence.peers[4].lease = 300
    assert presence.serves_until() == 300
    presence.peers[5].lease = 400
    assert presence.serves_until() == 400


def test_two_of_three_need_each_others_lease() -> None:
    presence = _presence(3, (1, 2))
    assert presence.serves_until() == 0
    presence.peers[2].lease = 500
    assert presence.serves_until() == 500


def test_in_a_view_without_a_majority_the_leases_of_all_members_count() -> None:
    presence = _presence(5, (1, 2), quorate=False)
    assert presence.serves_until() == 0
    presence.peers[2].lease = 500
    assert presence.serves_until() == 500
    larger = _presence(7, (1, 2, 3), quorate=False)
    larger.peers[2].lease, larger.peers[3].lease = 500, 200
    assert larger.serves_until() == 200


def test_who_is_alone_in_its_view_serves_without_an_end() -> None:
    assert _presence(3, (1,), quorate=False).serves_until() == NEVER
    assert _presence(1, (1,)).serves_until() == NEVER


def test_a_lease_of_a_node_that_is_no_member_does_not_count() -> None:
    presence = _presence(3, (1, 2))
    presence.peers[3].lease = 500
    assert presence.serves_until() == 0


@pytest.mark.parametrize("members", [(1,), (1, 2, 3)])
def test_who_is_not_full_serves_nobody(members: tuple[int, ...]) -> None:
    presence = _presence(3, members, quorate=len(members) > 1)
    for peer in presence.peers.values():
        peer.lease = 500
    assert presence.serves_until() > 0
    _standing(presence).full = False
    assert presence.serves_until() == 0


def test_who_has_promised_a_later_view_serves_nobody() -> None:
    presence = _presence()
    presence.peers[2].lease = 500
    _standing(presence).promised = VID + 64
    assert presence.serves_until() == 0


def test_nobody_serves_before_every_member_has_installed_the_view() -> None:
    presence = _presence()
    presence.peers[2].lease = 500
    presence.peers[3].installed = 0
    assert not presence.confirmed
    assert presence.serves_until() == 0
    presence.peers[3].installed = VID + 64
    assert not presence.confirmed, "it may have skipped this one"
    presence.peers[3].installed = VID
    assert presence.confirmed
    assert presence.serves_until() == 500


def test_before_the_first_view_nothing_is_confirmed() -> None:
    presence = _presence(3, (1,))
    _standing(presence).view = View()
    assert not presence.confirmed


# --- who is heard


def test_who_is_silent_for_the_failure_timeout_is_not_within_reach() -> None:
    presence = _presence()
    presence.heard(2, NOW + 100)
    assert presence.reach(NOW + 599) == {1: 7, 2: 7, 3: 7}
    assert presence.reach(NOW + 600) == {1: 7, 2: 7}
    assert presence.reach(NOW + 700) == {1: 7}


def test_who_is_known_to_be_gone_is_not_within_reach_whenever_it_was_heard() -> None:
    presence = _presence()
    presence.peers[2].gone = "its process is gone"
    assert presence.reach(NOW) == {1: 7, 3: 7}


def test_a_newcomer_is_within_reach_only_when_it_says_that_it_hears_us() -> None:
    presence = _presence(3, (1, 2))
    newcomer = presence.peers[3]
    newcomer.inc, newcomer.gone, newcomer.heard = 8, "", NOW
    newcomer.linked = True
    assert presence.reach(NOW) == {1: 7, 2: 7}
    newcomer.beat = _beat(0, hears=0b100)
    assert presence.reach(NOW) == {1: 7, 2: 7}
    newcomer.beat = _beat(0)
    assert presence.reach(NOW) == {1: 7, 2: 7, 3: 8}


def test_a_member_that_says_it_does_not_hear_us_is_out_of_reach_as_if_it_were_silent() -> None:
    presence = _presence()
    presence.peers[2].beat = _beat(hears=0b1000)
    assert presence.reach(NOW) == {1: 7, 3: 7}


def test_what_a_member_said_before_it_had_the_view_is_not_held_against_it() -> None:
    presence = _presence()
    presence.peers[2].beat = _beat(VID - 64, hears=0)
    assert presence.reach(NOW) == {1: 7, 2: 7, 3: 7}


def test_a_restarted_member_counts_as_a_newcomer() -> None:
    presence = _presence()
    presence.peers[2].restarted(8, NOW)
    assert presence.reach(NOW) == {1: 7, 3: 7}


def test_who_is_ignored_is_heard_but_not_within_reach_until_the_time_is_over() -> None:
    presence = _presence()
    presence.ignore([2], NOW + 100)
    assert 2 not in presence.reach(NOW + 99)
    assert {peer.node for peer in presence.here(NOW)} == {2, 3}
    assert 2 in presence.reach(NOW + 100)


# --- a view begins


def test_at_a_new_view_no_lease_is_left_and_nobody_is_ignored() -> None:
    presence = _presence()
    presence.peers[2].lease = NOW + 400
    presence.ignore([3], NOW + 1_000)
    presence.installed(NOW, {})
    assert presence.serves_until() == 0
    assert presence.reach(NOW) == {1: 7, 2: 7, 3: 7}


def test_at_a_new_view_every_member_counts_as_heard_now() -> None:
    presence = _presence()
    presence.installed(NOW + 10_000, {})
    assert presence.reach(NOW + 10_599) == {1: 7, 2: 7, 3: 7}


def test_a_member_that_was_known_as_gone_and_has_restarted_gets_the_usual_time_to_show() -> None:
    presence = _presence()
    presence.peers[3].gone = "its process is gone"
    presence.peers[3].lease = NOW
    _standing(presence).view = View(vid=2 * VID, members={1: 7, 2: 7, 3: 8}, quorate=True)
    presence.installed(NOW, {})
    assert presence.peers[3].installed == 0
    assert presence.reach(NOW + 599) == {1: 7, 2: 7, 3: 8}
    assert 3 not in presence.reach(NOW + 600)


def test_a_member_that_is_known_as_gone_and_has_not_restarted_stays_gone() -> None:
    presence = _presence()
    presence.peers[3].gone = "its process is gone"
    presence.installed(NOW, {})
    assert presence.reach(NOW) == {1: 7, 2: 7}


# --- who comes and goes


def _comes_and_goes(peer: Peer, now: int, stays: int) -> int:
    """It becomes a member now and is left out after so long; for how long it is kept out then."""
    peer.joined = now
    peer.left(now + stays)
    return max(0, peer.kept_out - now - stays)


def test_the_first_false_start_is_free_and_each_further_one_costs_twice_as_long_up_to_five_seconds() -> None:
    peer = Peer(2, "10.0.0.2:11211")
    kept_out = []
    now = NOW
    for _ in range(9):
        kept_out.append(_comes_and_goes(peer, now, 249))
        now += 100_000
    assert kept_out == [0, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000]


def test_however_many_false_starts_there_were_the_wait_is_bounded() -> None:
    peer = Peer(2, "10.0.0.2:11211")
    peer.false_starts = 1_000_000
    assert _comes_and_goes(peer, NOW, 0) == 5_000


def test_a_steady_membership_makes_up_for_all_false_starts() -> None:
    peer = Peer(2, "10.0.0.2:11211")
    for _ in range(3):
        _comes_and_goes(peer, NOW, 100)
    now = NOW + 100_000
    assert _comes_and_goes(peer, now, 2_000) == 0
    assert _comes_and_goes(peer, now + 50_000, 100) == 0
    assert _comes_and_goes(peer, now + 90_000, 100) == 1_000


def test_who_is_kept_out_is_not_within_reach_until_the_time_is_over() -> None:
    presence = _presence(5, (1, 2, 3, 4))
    newcomer = presence.peers[5]
    newcomer.inc, newcomer.gone, newcomer.heard, newcomer.beat = 7, "", NOW, _beat(0)
    newcomer.kept_out = NOW + 100
    assert presence.reach(NOW + 99) == {1: 7, 2: 7, 3: 7, 4: 7}
    assert 5 in presence.reach(NOW + 100)


def test_who_is_a_member_is_not_kept_out_but_its_successor_is() -> None:
    presence = _presence(5, (1, 2, 3, 4))
    presence.peers[2].kept_out = NOW + 100
    assert presence.reach(NOW) == {1: 7, 2: 7, 3: 7, 4: 7}
    presence.peers[2].restarted(8, NOW)
    presence.peers[2].beat = _beat(0)
    assert presence.reach(NOW) == {1: 7, 3: 7, 4: 7}


def test_nobody_is_kept_out_where_it_is_needed_for_a_majority() -> None:
    presence = _presence(3, (1,), quorate=False)
    peer = presence.peers[2]
    peer.inc, peer.gone, peer.heard, peer.beat = 7, "", NOW, _beat(0)
    peer.kept_out = NOW + 10_000
    assert presence.reach(NOW) == {1: 7, 2: 7}
    enough = _presence(3, (1, 3))
    peer = enough.peers[2]
    peer.inc, peer.gone, peer.heard, peer.beat = 7, "", NOW, _beat(0)
    peer.kept_out = NOW + 10_000
    assert enough.reach(NOW) == {1: 7, 3: 7}


def test_leaving_a_view_that_has_just_begun_counts_as_a_false_start_and_staying_in_the_next_does_not() -> None:
    presence = _presence()
    standing = _standing(presence)
    two = presence.peers[2]
    two.joined = NOW - 500
    members = {1: 7, 2: 7, 3: 7}
    presence.installed(NOW, members)
    assert (two.false_starts, two.joined) == (0, NOW - 500)
    standing.view = View(vid=2 * VID, members={1: 7, 3: 7}, quorate=True)
    presence.installed(NOW, members)
    assert two.false_starts == 1
    assert presence.peers[3].false_starts == 0


# --- majorities, and who is deaf


def test_a_majority_is_met_by_members_that_are_heard() -> None:
    presence = _presence(5, (1, 2, 3))
    assert presence.meets_majority(NOW)
    assert not presence.meets_majority(NOW + 600)
    presence.peers[3].gone = "its process is gone"
    assert not presence.meets_majority(NOW)


def test_who_is_heard_but_is_no_member_does_not_make_a_majority() -> None:
    presence = _presence(5, (1, 2))
    for node in (3, 4, 5):
        peer = presence.peers[node]
        peer.inc, peer.gone, peer.heard, peer.beat = 7, "", NOW, _beat()
    assert not presence.meets_majority(NOW)
    restarted = _presence(3, (1, 2))
    restarted.peers[2].inc = 8
    assert not restarted.meets_majority(NOW)


def test_all_were_heard_when_the_last_of_them_was() -> None:
    presence = _presence(3, (1, 2, 3))
    presence.peers[2].heard, presence.peers[3].heard = NOW - 70, NOW - 20
    assert presence.all_heard(NOW) == NOW - 70
    assert _presence(1, (1,)).all_heard(NOW) == NOW


def test_one_of_one_is_a_majority() -> None:
    assert _presence(1, (1,)).meets_majority(NOW)


def test_a_peer_is_deaf_that_has_not_said_for_the_failure_timeout_that_our_link_works() -> None:
    presence = _presence()
    peer = presence.peers[2]
    peer.heard_us = NOW
    assert not presence.deaf(2, NOW + 599)
    assert presence.deaf(2, NOW + 600)
    peer.restarted(8, NOW + 600)
    assert not presence.deaf(2, NOW + 1_199)
    assert presence.deaf(2, NOW + 1_200)


# --- this process was stopped


def test_after_a_stop_no_lease_counts_and_nobody_was_silent() -> None:
    presence = _presence()
    presence.peers[2].lease = NOW + 5_000
    presence.peers[3].gone = "its process is gone"
    presence.slept(NOW + 5_000)
    assert presence.serves_until() == 0
    assert presence.reach(NOW + 5_599) == {1: 7, 2: 7}
    assert not presence.deaf(2, NOW + 5_599)
    assert presence.hears_directly(NOW + 5_000) == 0b100


def test_who_is_heard_again_while_a_view_is_formed_without_it_has_returned() -> None:
    presence = _presence()
    _standing(presence).view = View(vid=VID, members={1: 7, 2: 7}, full=frozenset({1, 2}))
    presence.installed(NOW + 700, {1: 7, 2: 7, 3: 7})
    assert presence.returned(0) == []
    presence.heard(3, NOW + 800)
    assert [peer.node for peer in presence.returned(NOW + 700)] == [3]
    assert presence.returned(NOW + 800) == []


@pytest.mark.parametrize("view_comes_first", [True, False])
def test_that_nobody_counts_as_silent_after_a_stop_brings_nobody_back(view_comes_first: bool) -> None:
    """Node 3 was silent, and is heard first after this node was stopped; the view is from before the stop."""
    presence = _presence()
    _standing(presence).view = View(vid=VID, members={1: 7, 2: 7}, full=frozenset({1, 2}))
    presence.slept(NOW + 5_000)
    if view_comes_first:
        presence.installed(NOW + 5_000, {1: 7, 2: 7, 3: 7})
        assert presence.is_back(3, NOW + 5_100)
    presence.heard(3, NOW + 5_100)
    if not view_comes_first:
        presence.installed(NOW + 5_100, {1: 7, 2: 7, 3: 7})
        assert [peer.node for peer in presence.returned(NOW + 600)] == [3]
    assert not presence.is_back(3, NOW + 5_200)
