"""Tables of states: what they forbid is told at once, and they are drawn as they are."""

from __future__ import annotations

from enum import Enum

import pytest

from memrep.replication.membership import peer, state
from memrep.replication.membership.peer import Liveness, Peer
from memrep.replication.membership.state import ReplicaState, Status
from memrep.replication.membership.transitions import check, mermaid


class Light(Enum):
    RED = "Red"
    GREEN = "Green"


EDGES = {"go": {Light.RED: frozenset([Light.GREEN])}, "stop": {Light.GREEN: frozenset([Light.RED])}}


def test_an_event_in_the_wrong_state_or_with_the_wrong_end_is_told() -> None:
    check(EDGES, "go", Light.RED, Light.GREEN)
    with pytest.raises(AssertionError, match=r"^go led from GREEN to GREEN$"):
        check(EDGES, "go", Light.GREEN, Light.GREEN)
    with pytest.raises(AssertionError, match=r"^go led from RED to RED$"):
        check(EDGES, "go", Light.RED, Light.RED)


def test_a_table_is_drawn_with_an_arrow_for_each_pair() -> None:
    assert mermaid(EDGES, Light.RED).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> Red",
        "    Green --> Red: stop",
        "    Red --> Green: go",
    ]


def test_every_state_of_a_node_and_of_a_peer_can_be_come_by() -> None:
    ends = {after for edges in state.EDGES.values() for afters in edges.values() for after in afters}
    assert ends | {Status.STARTING} == set(Status)
    lives = {after for edges in peer.EDGES.values() for afters in edges.values() for after in afters}
    assert lives == set(Liveness)


def _status(one: ReplicaState) -> Status:
    return one.status


def _liveness(one: Peer) -> Liveness:
    return one.liveness


def test_a_node_that_was_stopped_is_out_of_touch_whatever_it_votes_until_a_view_begins() -> None:
    one = ReplicaState(1, 7, 3)
    assert _status(one) is Status.STARTING
    one.promise(64)
    assert _status(one) is Status.VIEW_CHANGE
    one.stopped(400)
    one.promise(128)
    assert _status(one) is Status.OUT_OF_TOUCH
    assert one.view_change_reason == "it was stopped for 400 ms"


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
