"""Peers: what is known of one is what it showed last, a former process's words are not its successor's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.replication.membership.peer import Liveness, Peer
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


def _liveness(one: Peer) -> Liveness:
    return one.liveness


def test_a_peer_lives_dies_comes_into_doubt_and_lives_again() -> None:
    one = Peer(2, "web2")
    assert _liveness(one) is Liveness.UNKNOWN
    one.opened_link(7, 1_000)
    assert _liveness(one) is Liveness.ALIVE
    one.ended("its port refuses", 2_000)
    assert _liveness(one) is Liveness.GONE
    one.doubt()
    assert _liveness(one) is Liveness.DOUBTED
    one.shows_life()
    assert _liveness(one) is Liveness.ALIVE
    with pytest.raises(AssertionError):
        one.doubt()


@given(
    st.lists(
        st.sampled_from(
            ["opened", "closed", "shows life", "spoken", "ended", "doubt", "refuses", "silent", "turned away"]
        )
    )
)
def test_whatever_is_seen_of_it_in_whatever_order_it_is_alive_or_there_is_a_reason_why_not(
    events: list[str],
) -> None:
    """And the table of states allows it, or one of these calls would fail."""
    peer = Peer(2, "web2")
    for number, event in enumerate(events):
        before = peer.liveness
        if event == "opened":
            peer.opened_link(1 + number, NOW)
        elif event == "closed":
            peer.closed_link()
        elif event == "shows life":
            peer.shows_life()
        elif event == "spoken":
            peer.spoken(NOW, SILENCE)
        elif event == "ended":
            peer.ended("its port refuses", NOW)
        elif event == "doubt" and peer.gone:
            peer.doubt()
        elif event in ("refuses", "silent"):
            peer.cannot_be_dialled("no route to host", event == "refuses")
        else:
            peer.turned_us_away("another list")
        assert (peer.liveness is Liveness.ALIVE) == (not peer.gone)
        if event in ("opened", "shows life"):
            assert peer.liveness is Liveness.ALIVE
        elif event == "ended":
            assert peer.liveness in (Liveness.GONE, Liveness.UNKNOWN)
        elif event in ("closed", "turned away"):
            assert peer.liveness is before, "that alone ends no process"


@pytest.mark.parametrize("again", [True, False])
def test_a_doubt_ends_when_the_end_is_seen_again_or_a_word_has_come(again: bool) -> None:
    peer = Peer(2, "web2", inc=7, gone="its port refuses")
    peer.doubt()
    peer.ended("its port refuses", NOW) if again else peer.spoken(NOW, SILENCE)
    assert _liveness(peer) is Liveness.GONE


def test_a_process_that_has_ended_hears_nobody_and_has_granted_nothing() -> None:
    peer = _member()
    assert (peer.hears(1), peer.hears_directly(1), peer.lease) == (True, True, NOW + 400)
    peer.ended("its port refuses", NOW)
    assert (peer.hears(1), peer.hears_directly(1), peer.lease) == (False, False, 0)


def test_nothing_that_a_former_process_said_is_its_successors() -> None:
    peer = _member()
    peer.note_whether_heard_directly(1)
    peer.became_full(NOW)
    peer.reach_over(3)
    peer.opened_link(8, NOW + 100)
    assert (peer.inc, peer.met, peer.liveness) == (8, NOW + 100, Liveness.ALIVE)
    assert (peer.hears(1), peer.lease, peer.installed, peer.synced) == (False, 0, 0, 0)
    assert (peer.had_direct, peer.via) == (False, 0)


def test_the_same_process_may_link_itself_anew_and_is_still_known() -> None:
    peer = _member()
    peer.closed_link()
    peer.opened_link(7, NOW + 100)
    assert (peer.hears(1), peer.lease, peer.installed) == (True, NOW + 400, VID)


@pytest.mark.parametrize(("ms", "returned"), [(599, 0), (600, NOW + 600), (5_000, NOW + 5_000)])
def test_who_speaks_after_the_failure_timeout_has_returned(ms: int, returned: int) -> None:
    peer = _member()
    peer.returned = 0
    peer.spoken(NOW + ms, SILENCE)
    assert peer.returned == returned
    peer.spoken(NOW + ms + 1, SILENCE)
    assert peer.returned == returned, "it goes on speaking"


def test_that_somebody_counts_as_heard_is_no_word_of_its() -> None:
    """Or who was silent would not have returned when it does speak."""
    peer = _member()
    peer.counts_as_heard(NOW + 599, both_ways=True)
    assert (peer.heard, peer.heard_directly, peer.heard_us) == (NOW + 599,) * 3
    peer.spoken(NOW + 600, SILENCE)
    assert peer.returned == NOW + 600


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
    assert (peer.heard_us, peer.offset, peer.beat_at) == (heard_us, 1_000, NOW + 50)


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


@pytest.mark.parametrize(("gone", "steady_ms"), [("it was stopped", 250), ("", 5_000)])
def test_who_fell_silent_must_have_stayed_longer_than_whose_process_ended_to_be_steady(
    gone: str, steady_ms: int
) -> None:
    """For the others have waited for the failure timeout."""
    for ms, starts in ((steady_ms - 1, 4), (steady_ms, 0)):
        peer = Peer(2, "web2", gone=gone, false_starts=3)
        peer.entered(NOW)
        peer.left(NOW + ms)
        assert peer.false_starts == starts


def test_false_starts_are_remembered_of_the_successors_too() -> None:
    """It is one machine that comes and goes, under another incarnation each time."""
    peer = Peer(2, "web2", gone="")
    for inc in (7, 8, 9):
        peer.restarted(inc, NOW)
        peer.entered(NOW)
        peer.left(NOW)
    assert peer.kept_out == NOW + 2_000
