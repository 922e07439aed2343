"""A view: what a message says of it, and which nodes it is without that may live."""

from __future__ import annotations

import attrs
import pytest

from memrep.replication.membership.history import ANSWERED, NOTHING, TOLD_HERE, WRITTEN
from memrep.replication.membership.view import View, horizon_of, installed, out_of_touch
from memrep.replication.message import Install
from memrep.storage.version import make
from tests.unit.replication.membership.test_settlement import VID, _settle, _vote


def test_the_installed_view_is_what_the_message_says() -> None:
    install = _settle(_vote(), _vote(full=False), _vote())
    members = {1: 7, 2: 7, 3: 7}
    assert installed(install) == View(vid=VID, gen=9, members=members, full=frozenset([1, 3]), quorate=True)


def test_before_the_first_view_nobody_is_a_member() -> None:
    assert (View().vid, View().members, View().full, View().quorate) == (0, {}, frozenset(), False)


def test_a_view_cannot_be_changed_for_all_its_members_have_agreed_on_it() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        View().vid = VID  # type: ignore[misc]


@pytest.mark.parametrize(
    ("lost", "silent", "away"),
    [
        ({}, [], []),
        ({3: 1}, [], []),  # its process is gone
        ({3: 1}, [3], [3]),
        ({2: 1}, [2], []),  # it comes back, and its clients know
        ({2: 1, 3: 1}, [2, 3], [3]),
    ],
)
def test_clients_may_be_waiting_at_those_who_may_live_and_are_left_out(
    lost: dict[int, int], silent: list[int], away: list[int]
) -> None:
    message = Install(VID, 1, {1: 7, 2: 7}, [1], True, [], make(1, 5), lost=lost, silent=silent)
    assert out_of_touch(message) == away
    assert horizon_of(message) == make(1, 5)


def test_a_side_that_told_nobody_anything_yields_to_one_of_a_later_generation_and_no_other_does() -> None:
    """How much there was to do in the later one nobody knows, for a view with a majority begins anew."""
    for activity, yields in ((NOTHING, [1]), (TOLD_HERE, []), (ANSWERED, []), (WRITTEN, [])):
        for most in (NOTHING, WRITTEN):
            later = _vote(gen=2, activity=most)
            assert _settle(_vote(gen=1, activity=activity), later, configured=4).yields == yields
