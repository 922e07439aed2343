"""Where a node stands: a promise binds it, a view sets it free, and what it may do follows from the fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.replication.membership.history import NOTHING, WRITTEN, happened
from memrep.replication.membership.state import ReplicaState, Status
from memrep.replication.membership.view import View
from memrep.replication.message import Install, Past
from memrep.storage.version import ZERO
from tests.unit.replication.membership.test_settlement import _settle, _vote

VID = 64


def _view(vid: int = VID, full: tuple[int, ...] = (1, 2, 3), silent: tuple[int, ...] = ()) -> Install:
    members = {node: 7 for node in (1, 2, 3) if node not in silent}
    return Install(vid, 1, members, list(full), len(members) > 1, [], ZERO, silent=list(silent))


def _member(full: tuple[int, ...] = (1, 2, 3)) -> ReplicaState:
    """Node 1 of three in its first view."""
    state = ReplicaState(1, 7, 3)
    state.install(_view(full=full))
    return state


def _status(one: ReplicaState) -> Status:
    return one.status


def test_a_node_that_was_stopped_is_out_of_touch_whatever_it_votes_until_a_view_begins() -> None:
    one = ReplicaState(1, 7, 3)
    assert _status(one) is Status.STARTING
    one.promise(64)
    assert _status(one) is Status.VIEW_CHANGE
    one.stopped(400)
    one.promise(128)
    assert _status(one) is Status.OUT_OF_TOUCH
    assert one.view_change_reason == "it was stopped for 400 ms"


def test_a_promise_above_the_view_pauses_and_the_views_installation_ends_that() -> None:
    state = ReplicaState(1, 1, 3, view=View(vid=64, members={1: 1, 2: 1}), promised=64)
    assert not state.paused
    state.promised = 128
    assert state.paused
    assert state.others == [2]


def test_sides_end_when_every_member_of_a_majoritys_view_is_in_it_and_not_before() -> None:
    """Such a view may have begun nothing (rule N6): whoever stands in it is on a side still."""
    state = ReplicaState(1, 7, 2, past=happened(Past(parted=64), WRITTEN))
    state.install(_settle(_vote(parted=True), _vote(parted=True), configured=2))
    assert state.past.parted
    assert state.activity == NOTHING
    state.confirmed()
    assert not state.past.parted


@pytest.mark.parametrize(("full", "status"), [((1, 2), Status.NORMAL), ((2, 3), Status.JOINING)])
def test_a_member_that_lacks_data_joins_until_it_holds_everything(
    full: tuple[int, ...], status: Status
) -> None:
    state = _member(full)
    assert _status(state) is status
    state.become_full()
    assert _status(state) is Status.NORMAL


def test_nobody_installs_a_view_before_the_one_that_it_has_promised() -> None:
    state = _member()
    state.promise(3 * VID)
    with pytest.raises(AssertionError, match=r"^install led from"):
        state.install(_view(2 * VID))
    assert state.paused


@pytest.mark.parametrize("trouble", ["stopped", "met", "clients"])
def test_a_view_ends_every_trouble_and_what_was_asked_for_first_is_the_reason_that_is_told(
    trouble: str,
) -> None:
    state = _member()
    acts = {
        "stopped": lambda: state.stopped(400),
        "met": lambda: state.meet("web2"),
        "clients": state.lose_clients,
    }
    acts.pop(trouble)()
    reason = state.view_change_reason
    assert reason
    assert state.paused == (trouble != "clients"), "without clients it may go on acknowledging"
    for act in acts.values():
        act()
    state.need_view("another reason")
    assert state.view_change_reason == reason
    state.install(_view(2 * VID))
    assert (state.view_change_reason, state.paused, state.closed_clients) == ("", False, False)


def test_a_side_begins_with_the_first_view_that_leaves_out_a_node_that_may_live() -> None:
    state = _member()
    assert state.past.parted == 0
    state.install(_view(2 * VID, silent=(3,)))
    assert state.past.parted == 2 * VID
    together = _member()
    together.install(Install(2 * VID, 1, {1: 7, 2: 7, 3: 7}, [1], True, [], ZERO, silent=[2]))
    assert together.past.parted == 0, "who is a member again is on this side"


def test_who_is_paused_does_not_take_its_view_for_one_that_has_begun_a_generation() -> None:
    """It may have been left out of a later one meanwhile."""
    state = _member()
    state.meet("web2")
    state.confirmed()
    assert state.past.begun == {}
    state.install(_view(2 * VID))
    state.confirmed()
    assert state.past.begun == {2 * VID: [7, 7, 7]}


def test_what_has_happened_on_a_side_never_becomes_less() -> None:
    state = _member()
    for activity in (WRITTEN, NOTHING):
        state.happened(activity)
        assert state.activity == WRITTEN


@given(st.integers(1, 63))
def test_two_majorities_have_a_node_in_common_and_two_halves_are_none(configured: int) -> None:
    majority = ReplicaState(1, 7, configured).majority
    assert 2 * majority > configured
    assert 2 * (majority - 1) <= configured


EVENTS = ["promise", "install", "join", "stopped", "meet", "full", "clients", "confirmed"]


@given(st.lists(st.sampled_from(EVENTS)))
def test_whatever_happens_in_whatever_order_a_node_is_paused_if_and_only_if_others_may_go_on(
    events: list[str],
) -> None:
    """And the table of states allows it, or one of these calls would fail."""
    state = ReplicaState(1, 7, 3)
    vid = 0
    for event in events:
        vid += VID
        if event == "promise":
            state.promise(vid)
        elif event in ("install", "join"):
            state.install(_view(vid, full=(1, 2) if event == "install" else (2,)))
        elif event == "stopped":
            state.stopped(400)
        elif event == "meet":
            state.meet("web2")
        elif event == "full":
            state.become_full()
        elif event == "clients":
            state.lose_clients()
        else:
            state.confirmed()
        assert state.paused == (state.status in (Status.VIEW_CHANGE, Status.OUT_OF_TOUCH))
        assert state.promised >= state.view.vid
        assert not (state.paused and event in ("install", "join"))
