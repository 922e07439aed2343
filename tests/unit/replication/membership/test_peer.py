"""Peers: what one event changes in several parts of one; a former process's words are not its successor's."""

from __future__ import annotations

import pytest

from memrep.replication.membership.peer import Peer
from memrep.replication.membership.peer_process import Liveness
from memrep.replication.message import Heartbeat

VID = 64
NOW = 10_000
SILENCE = 600


def _beat(hears: int = 0b10, direct: int = 0b10, wall: int = 0) -> Heartbeat:
    return Heartbeat(VID, VID, True, "", False, 0, 0, 0, wall, hears, direct)


def _member() -> Peer:
    """Linked, heard, and in the view."""
    peer = Peer(2, "10.0.0.2:11211")
    peer.opened_link(7, NOW)
    peer.spoken(NOW, SILENCE)
    peer.took(_beat(), NOW, 0, 1)
    peer.stands_in(VID)
    peer.grant_lease(NOW + 400)
    return peer


def test_a_word_of_a_peer_whose_end_is_in_doubt_is_heard_and_ends_the_doubt() -> None:
    peer = _member()
    peer.ended("its port refuses", NOW)
    peer.process.doubt()
    peer.spoken(NOW + 50, SILENCE)
    assert (peer.process.liveness, peer.contact.heard) == (Liveness.GONE, NOW + 50)


def test_a_process_that_has_ended_hears_nobody_and_has_granted_nothing() -> None:
    peer = _member()
    assert (peer.hears(1), peer.hears_directly(1), peer.lease) == (True, True, NOW + 400)
    peer.ended("its port refuses", NOW)
    assert (peer.hears(1), peer.hears_directly(1), peer.lease) == (False, False, 0)


def test_nothing_that_a_former_process_said_is_its_successors() -> None:
    peer = _member()
    peer.contact.had_direct_way()
    peer.became_full(NOW)
    peer.contact.reach_over(3)
    peer.opened_link(8, NOW + 100)
    assert (peer.process.inc, peer.process.met, peer.process.liveness) == (8, NOW + 100, Liveness.ALIVE)
    assert (peer.hears(1), peer.lease, peer.installed, peer.synced) == (False, 0, 0, None)
    assert (peer.contact.had_direct, peer.contact.via) == (False, 0)


def test_the_same_process_may_link_itself_anew_and_is_still_known() -> None:
    peer = _member()
    peer.process.closed_link()
    peer.opened_link(7, NOW + 100)
    assert (peer.hears(1), peer.lease, peer.installed) == (True, NOW + 400, VID)


def test_leases_that_overtake_each_other_never_shorten_what_was_granted() -> None:
    peer = _member()
    peer.grant_lease(NOW + 500)
    peer.grant_lease(NOW + 300)
    assert peer.lease == NOW + 500
    peer.revoke_lease()
    assert peer.lease == 0


def test_that_it_stands_in_a_view_is_news_once_and_older_words_take_nothing_back() -> None:
    peer = Peer(2, "web2")
    assert [peer.stands_in(vid) for vid in (VID, VID, VID - 1, 2 * VID, VID)] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert peer.installed == 2 * VID


@pytest.mark.parametrize(("direct", "heard_us"), [(0b10, NOW + 50), (0b100, NOW)])
def test_a_heartbeat_tells_whether_our_own_link_works_and_how_far_its_clock_is_ahead(
    direct: int, heard_us: int
) -> None:
    peer = _member()
    peer.took(_beat(direct=direct, wall=5_000), NOW + 50, 4_000, 1)
    assert (peer.contact.heard_us, peer.offset, peer.beat_at) == (heard_us, 1_000, NOW + 50)


def test_false_starts_are_remembered_of_the_successors_too() -> None:
    """It is one machine that comes and goes, under another incarnation each time."""
    peer = Peer(2, "web2")
    for inc in (7, 8, 9):
        peer.opened_link(inc, NOW)
        peer.damping.entered(NOW)
        peer.damping.left(NOW, ended=False)
    assert peer.damping.kept_out == NOW + 2_000
