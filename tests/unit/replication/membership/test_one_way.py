"""One way only: who hears a node with data and is not heard by it gives way, unless a majority is with it."""

from __future__ import annotations

import pytest

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.history import ANSWERED, NOTHING, WRITTEN, happened
from memrep.replication.membership.one_way import deaf_rival, gives_way_to, leaves_beginning_to
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import View
from memrep.replication.membership.view_id import make_vid
from memrep.replication.message import Heartbeat, Past
from memrep.storage.entry import NEVER

NOW = 10_000
VID = make_vid(9, 1)
LATER = make_vid(10, 2)
HEARS_US, DEAF = 0b1111_1110, 0b1111_1100

#: What all have behind them that have been in the view.
PAST = Past({VID: [7, 7, 7, 7, 7]})


class _Node:
    """Node 1 of so many, full, in a view with all of them; it has heard nobody yet."""

    def __init__(self, count: int = 2, *, full: bool = True, past: Past = PAST) -> None:
        members = dict.fromkeys(range(1, count + 1), 7)
        view = View(vid=VID, gen=9, members=members, full=frozenset(members), quorate=True)
        self.state = ReplicaState(1, 7, count, view=view if full else View(), full=full, past=past)
        self.detector = FailureDetector(self.state, [f"10.0.0.{n}:11211" for n in members], Timing())

    def hears(
        self, node: int, hears: int = HEARS_US, *, vid: int = VID, full: bool = True, past: Past = PAST
    ) -> Peer:
        peer = self.detector.peers[node]
        peer.opened_link(7, NOW)
        self.detector.heard(node, NOW)
        peer.took(Heartbeat(vid, vid, full, "", False, 0, 0, 0, 0, hears, hears, past), NOW, 0, 1)
        return peer

    def gives_way_to(self, now: int = NOW) -> Peer | None:
        """As it asks before it proposes."""
        return gives_way_to(self.state, self.detector, self.detector.reach(now), now)

    def rival(self, *members: int) -> Peer | None:
        """As it asks before it votes for a view of these."""
        return deaf_rival(self.state, self.detector, dict.fromkeys(members, 7), NOW)


# --- with data


def test_where_all_hear_each_other_nobody_gives_way() -> None:
    node = _Node(3)
    node.hears(2)
    node.hears(3)
    assert node.gives_way_to() is None


@pytest.mark.parametrize("vid", [VID, LATER])
def test_a_node_gives_way_to_a_deaf_one_with_data_that_has_its_view_or_a_later_one(
    vid: int,
) -> None:
    node = _Node()
    deaf = node.hears(2, DEAF, vid=vid)
    assert node.gives_way_to() is deaf
    assert node.rival(1) is deaf


def test_it_does_not_give_way_to_one_that_is_silent_or_gone_or_has_no_data_or_only_older_ones() -> None:
    silent, gone, empty, older = (_Node() for _ in range(4))
    silent.hears(2, DEAF)
    assert silent.gives_way_to(NOW + 599) is not None
    assert silent.gives_way_to(NOW + 600) is None
    gone.hears(2, DEAF).ended("its port refuses", NOW)
    empty.hears(2, DEAF, full=False)
    older.hears(2, DEAF, vid=make_vid(8, 2), past=Past({make_vid(8, 2): [7]}))
    assert [node.rival(1) for node in (gone, empty, older)] == [None] * 3


def test_who_is_in_the_view_that_is_to_be_formed_is_no_rival() -> None:
    node = _Node()
    node.hears(2, DEAF)
    assert node.rival(1, 2) is None


@pytest.mark.parametrize(
    ("mate", "stands"),
    [
        ({}, True),
        ({"full": False}, False),  # it has forgotten what it acknowledged
        ({"vid": LATER}, False),  # it has not stayed with this node
    ],
)
def test_who_stands_with_a_majority_with_data_in_its_view_does_not_give_way(
    mate: dict[str, int], stands: bool
) -> None:
    node = _Node(3)
    node.hears(2, **mate)  # type: ignore[arg-type]
    deaf = node.hears(3, DEAF)
    assert node.rival(1, 2) is (None if stands else deaf)


def test_half_of_the_nodes_are_no_majority_to_stand_with() -> None:
    node = _Node(4)
    node.hears(2)
    deaf = node.hears(4, DEAF)
    assert node.rival(1, 2) is deaf


def test_who_has_missed_a_later_view_waits_for_one_that_was_in_it_though_both_hear_each_other() -> None:
    """It may be kept out of reach, as it falls silent too often; it holds what this node has missed."""
    node = _Node(3)
    node.hears(2)
    peer = node.hears(3, vid=LATER, past=Past({LATER: [7, 7]}))
    peer.ignore(NOW + 1_000)
    assert node.gives_way_to() is peer
    node.hears(3, vid=LATER, past=Past({LATER: [7, 7]}), full=False)
    assert node.gives_way_to() is None, "it lacks what it has missed itself"
    node.hears(3, vid=LATER, past=Past({LATER: [7, 7]}))
    peer.ignore(0)
    assert node.gives_way_to() is None, "it is in the view that is to be formed"


def test_whether_a_later_view_is_one_to_wait_for_is_a_matter_of_what_has_happened_on_its_side() -> None:
    """Of two sides without a majority view numbers say nothing."""
    parted = Past({VID: [7, 7]}, parted=VID + 1)
    for mine, theirs, waits in ((WRITTEN, NOTHING, False), (NOTHING, ANSWERED, True), (NOTHING, NOTHING, True)):
        node = _Node(2, past=happened(parted, mine))
        peer = node.hears(2, vid=LATER, past=happened(parted, theirs))
        peer.ignore(NOW + 1_000)
        assert node.gives_way_to() is (peer if waits else None)


# --- a missed node is heard again


def _met(mine: Past) -> _Node:
    """Node 1 has gone on alone, and hears node 2 again, maybe what a kernel has kept since the cut."""
    node = _Node(2, past=mine)
    node.state.view = View(vid=LATER, gen=9, members={1: 7}, full=frozenset({1}))
    node.detector.installed(NOW - 5_000, {1: 7, 2: 7})
    node.state.meet("10.0.0.2:11211")
    return node


@pytest.mark.parametrize(
    ("wrote", "written", "waits"),
    [(False, False, True), (False, True, True), (True, True, True), (True, False, False)],
)
def test_who_hears_a_missed_node_waits_for_it_unless_it_alone_has_clients(
    wrote: bool, written: bool, waits: bool
) -> None:
    """Though that one said that it hears this node: it may have said so before the cut."""
    side = Past({VID: [7, 7]}, parted=LATER)
    node = _met(happened(side, WRITTEN) if wrote else side)
    peer = node.hears(2, vid=LATER + 1, past=happened(side, WRITTEN) if written else side)
    assert node.rival(1) is (peer if waits else None)


def test_a_missed_node_that_has_said_nothing_yet_is_waited_for() -> None:
    node = _met(PAST)
    peer = node.detector.peers[2]
    peer.opened_link(7, NOW)
    node.detector.heard(2, NOW)
    assert node.rival(1) is peer
    assert node.rival(1, 2) is None


@pytest.mark.parametrize("wrote", [True, False])
def test_what_a_missed_node_tells_of_the_time_before_they_parted_is_no_claim_but_it_may_have_gone_on(
    wrote: bool,
) -> None:
    """It has written for clients, but so had this node by then: it was the same view."""
    node = _met(happened(Past({VID: [7, 7]}, parted=LATER), WRITTEN if wrote else NOTHING))
    peer = node.hears(2, past=happened(Past({VID: [7, 7]}), WRITTEN))
    assert node.rival(1) is (None if wrote else peer)


# --- in the beginning


def _begins(node: _Node) -> list[int]:
    left_to = leaves_beginning_to(node.state, node.detector, node.detector.reach(NOW), NOW)
    return [peer.node for peer in left_to]


def test_in_the_beginning_who_hears_leaves_it_to_those_by_whom_it_is_not_heard() -> None:
    node = _Node(5, full=False)
    node.hears(2, DEAF, vid=0, full=False)
    node.hears(3, vid=0, full=False)
    assert _begins(node) == [2]
    node.hears(2, vid=0, full=False)
    node.detector.peers[2].ignore(NOW + 1)
    assert _begins(node) == [], "they have met, though they are not enough"


def test_in_the_beginning_a_majority_that_has_met_leaves_it_to_nobody() -> None:
    node = _Node(3, full=False)
    node.hears(2, vid=0, full=False)
    node.hears(3, DEAF, vid=0, full=False)
    assert _begins(node) == []


@pytest.mark.parametrize(("mute", "waits"), [((2,), False), ((2, 3), True)])
def test_in_the_beginning_who_is_let_in_by_a_majority_that_it_does_not_hear_leaves_it_to_them(
    mute: tuple[int, ...], waits: bool
) -> None:
    """They live, and cannot reach this node; a minority of them would not begin either."""
    node = _Node(3, full=False)
    for number in mute:
        node.detector.peers[number].process.let_us_in(NEVER)
    assert _begins(node) == (list(mute) if waits else [])
    for number in mute:
        node.detector.peers[number].process.let_us_in(NOW)
    assert _begins(node) == [], "that link is closed, and was so for a while"
