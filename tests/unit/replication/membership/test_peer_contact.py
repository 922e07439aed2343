"""Contact: what a peer has really said is no matter of what counts as heard; each direction is by itself."""

from __future__ import annotations

import pytest

from memrep.replication.membership.peer_contact import PeerContact

NOW = 10_000
SILENCE = 600


def _heard() -> PeerContact:
    """It has spoken just now, and not after a silence."""
    return PeerContact(heard=NOW, spoke=NOW)


@pytest.mark.parametrize(("ms", "returned"), [(599, 0), (600, NOW + 600), (5_000, NOW + 5_000)])
def test_who_speaks_after_the_failure_timeout_has_returned(ms: int, returned: int) -> None:
    contact = _heard()
    contact.spoken(NOW + ms, SILENCE)
    assert contact.returned == returned
    contact.spoken(NOW + ms + 1, SILENCE)
    assert contact.returned == returned, "it goes on speaking"


def test_that_somebody_counts_as_heard_is_no_word_of_its() -> None:
    """Or who was silent would not have returned when it does speak."""
    contact = _heard()
    contact.counts_as_heard(NOW + 599, both_ways=True)
    assert (contact.heard, contact.heard_directly, contact.heard_us) == (NOW + 599,) * 3
    contact.spoken(NOW + 600, SILENCE)
    assert contact.returned == NOW + 600


def test_what_counts_as_heard_in_a_new_view_tells_nothing_of_the_links() -> None:
    contact = _heard()
    contact.counts_as_heard(NOW + 599)
    assert (contact.heard, contact.heard_directly, contact.heard_us) == (NOW + 599, 0, 0)


def test_the_two_directions_of_the_direct_way_are_two_things() -> None:
    contact = PeerContact()
    contact.spoke_directly(NOW)
    assert (contact.heard_directly, contact.heard_us) == (NOW, 0)
    contact.hears_our_link(NOW + 1)
    assert (contact.heard_directly, contact.heard_us) == (NOW, NOW + 1)


def test_no_way_of_a_former_process_is_its_successors() -> None:
    contact = _heard()
    contact.had_direct_way()
    contact.reach_over(3)
    contact.restarted()
    assert (contact.had_direct, contact.via) == (False, 0)
