"""Tables of states: what they forbid is told at once, and they are drawn as they are."""

from __future__ import annotations

from enum import Enum

import pytest

from memrep.replication.membership import peer_process, state
from memrep.replication.membership.peer_process import Liveness
from memrep.replication.membership.state import Status
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
    lives = {after for edges in peer_process.EDGES.values() for afters in edges.values() for after in afters}
    assert lives == set(Liveness)
