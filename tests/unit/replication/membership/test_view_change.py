"""View change: who proposes the next view and when, who votes and who does not (rules M2, M3, M5, M6)."""

from __future__ import annotations

from itertools import pairwise

import attrs
import pytest
from msgspec import structs

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.history import WRITTEN
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import View
from memrep.replication.membership.view_change import ViewChange
from memrep.replication.membership.view_id import make_vid, number_of, proposer_of
from memrep.replication.message import Heartbeat, Install, Past, Propose, Refuse, Vote
from memrep.storage.version import ZERO, Clock
from tests.harness.cluster import Cluster, serving_cluster
from tests.harness.lone_node import WALL

VID = make_vid(1, 1)
TIMING = Timing()


@attrs.define(eq=False)
class Room:
    """The election of one node whose peers are what the test says they are."""

    me: int
    full: bool
    members: tuple[int, ...]
    count: int = 3
    sent: list[tuple[int, Propose | Vote | Refuse | Install]] = attrs.Factory(list)
    installed: list[Install] = attrs.Factory(list)
    clock: Clock = attrs.field(init=False)
    state: ReplicaState = attrs.field(init=False)
    detector: FailureDetector = attrs.field(init=False)
    election: ViewChange = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock = Clock(self.me, 1_000, WALL)
        view = (
            View(vid=VID, gen=1, members=dict.fromkeys(self.members, 7), quorate=True)
            if self.members
            else View()
        )
        self.state = ReplicaState(self.me, 7, self.count, view=view, promised=view.vid, full=self.full)
        names = [f"10.0.0.{n}:11211" for n in range(1, self.count + 1)]
        membership = Membership(names, self.state, TIMING, self.clock)
        self.detector = membership.detector
        self.election = ViewChange(
            membership,
            self.vote,
            lambda node, message: self.sent.append((node, message)),
            self.installed.append,
        )

    def vote(self, vid: int) -> Vote:
        return Vote(vid, 1, self.state.view.vid, self.state.full, [], 0, ZERO, 0)

    def hear(self, node: int, *, full: bool = True, view_change_reason: str = "") -> None:
        """A heartbeat of this peer."""
        peer = self.detector.peers[node]
        peer.process.inc, peer.process.gone, peer.contact.heard = 7, "", self.clock.now
        peer.process.linked = True
        vid = self.state.view.vid
        peer.beat = Heartbeat(vid, vid, full, view_change_reason, False, 0, 0, 0, 0, 0b1110, 0b1110)

    def after(self, ms: int) -> None:
        """Let time pass in which the peers that were heard stay so."""
        self.clock.turn(self.clock.now + ms, self.clock.wall + ms)
        for peer in self.detector.here(self.clock.now - ms):
            peer.contact.heard = self.clock.now
        self.election.consider()

    @property
    def proposals(self) -> list[tuple[int, Propose]]:
        return [(node, message) for node, message in self.sent if isinstance(message, Propose)]


def _room(
    me: int = 1, *, full: bool = True, members: tuple[int, ...] = (1, 2, 3), others_full: bool = True
) -> Room:
    """Node `me` of three, which hears both others."""
    room = Room(me, full, members)
    for node in (1, 2, 3):
        if node != me:
            room.hear(node, full=others_full)
    return room


def test_while_the_members_are_within_reach_nobody_proposes() -> None:
    room = _room()
    room.after(50)
    room.after(10_000)
    assert room.sent == []


@pytest.mark.parametrize(("caught_up", "proposes"), [(True, True), (False, False)])
def test_a_node_that_has_caught_up_makes_a_majority_in_the_next_view(caught_up: bool, proposes: bool) -> None:
    room = _room(members=(1, 2))
    room.detector.peers[3].process.gone = "its process is gone"
    room.state.view = attrs.evolve(room.state.view, quorate=False)
    room.hear(2, full=caught_up)
    room.election.consider()
    assert bool(room.proposals) is proposes


@pytest.mark.parametrize(
    ("vid", "full", "other_full", "proposes"),
    [
        (make_vid(2, 3), True, False, False),
        (make_vid(2, 3), True, True, True),
        (make_vid(2, 3), False, False, True),
        (VID, True, False, False),
        (VID, True, True, True),
        (VID, False, False, True),
    ],
)
def test_no_view_is_formed_without_a_deaf_node_with_data_but_by_a_majority_that_has_stayed_together(
    vid: int, full: bool, other_full: bool, proposes: bool
) -> None:
    room = _room()
    room.hear(2, full=other_full)
    beat = room.detector.peers[3].beat
    assert beat is not None
    room.detector.peers[3].beat = structs.replace(beat, vid=vid, full=full, hears=0, direct=0)
    room.election.consider()
    assert bool(room.proposals) is proposes


@pytest.mark.parametrize(("hears", "votes"), [(0b1110, True), (0, False)])
def test_nobody_votes_for_a_view_beside_a_deaf_node_with_data_that_only_the_voter_hears(
    hears: int, votes: bool
) -> None:
    """Node 2 lacks data: it and the voter are no majority that has stayed together."""
    room = _room(members=(1, 2))
    room.hear(2, full=False)
    room.hear(3)
    beat = room.detector.peers[3].beat
    assert beat is not None
    room.detector.peers[3].beat = structs.replace(beat, hears=hears, direct=hears)
    room.election.on_propose(2, Propose(make_vid(2, 2), {1: 7, 2: 7}))
    ((node, answer),) = room.sent
    assert (node, isinstance(answer, Vote)) == (2, votes)


@pytest.mark.parametrize("met", [True, False])
@pytest.mark.parametrize("parted", [True, False])
def test_no_view_is_formed_beside_a_deaf_node_that_has_gone_on_from_what_was_written_here(
    met: bool, parted: bool
) -> None:
    """What this node has written for clients node 3 has as well, if it has parted since."""
    room = _room(members=(1, 2))
    room.state.view = attrs.evolve(room.state.view, quorate=False)
    room.state.happened(WRITTEN)
    room.state.view_change_reason = "a test"
    room.detector.installed(room.clock.now, {1: 7, 2: 7, 3: 7})
    room.state.met = met
    room.hear(2, full=False)
    room.hear(3)
    beat = room.detector.peers[3].beat
    assert beat is not None
    vid = make_vid(2, 3)
    room.detector.peers[3].beat = structs.replace(
        beat, vid=vid, hears=0, direct=0, past=Past(parted=parted and vid)
    )
    room.election.consider()
    assert bool(room.proposals) is not parted


def test_the_lowest_full_node_proposes_at_once_to_all_within_reach() -> None:
    room = _room()
    room.detector.peers[3].process.gone = "its process is gone"
    room.election.consider()
    ((node, proposal),) = room.proposals
    assert node == 2
    assert proposal.members == {1: 7, 2: 7}
    assert proposer_of(proposal.vid) == 1
    assert room.state.promised == proposal.vid > VID


def test_the_next_one_proposes_after_the_delay_of_its_rank() -> None:
    room = _room(2)
    room.detector.peers[3].process.gone = "its process is gone"
    room.election.consider()
    room.after(TIMING.propose - 1)
    assert room.proposals == []
    room.after(1)
    assert [node for node, _ in room.proposals] == [1]


def test_rank_counts_the_full_ones_only() -> None:
    room = _room(2)
    room.hear(1, full=False)
    room.detector.peers[3].process.gone = "its process is gone"
    room.election.consider()
    assert [node for node, _ in room.proposals] == [1]


def test_a_node_without_data_never_proposes_beside_a_full_one() -> None:
    room = _room(1, full=False, members=(), others_full=False)
    room.hear(3, full=True)
    room.election.consider()
    room.after(TIMING.cold_start * 3)
    assert room.sent == []


def test_where_nobody_is_full_they_begin_when_all_configured_nodes_are_there() -> None:
    room = _room(1, full=False, members=(), others_full=False)
    room.election.consider()
    assert [node for node, _ in room.proposals] == [2, 3]


def test_where_nobody_is_full_and_one_is_missing_they_wait_for_the_cold_start_time() -> None:
    room = Room(1, False, ())
    room.hear(2, full=False)
    room.election.consider()
    room.after(TIMING.cold_start - 1)
    assert room.sent == []
    room.after(1)
    assert [node for node, _ in room.proposals] == [2]


def test_there_is_no_cold_start_while_a_living_node_turns_this_one_away() -> None:
    room = Room(1, False, ())
    room.hear(2, full=False)
    room.detector.peers[3].process.disagrees = "its --nodes list is another one"
    room.after(TIMING.cold_start * 5)
    assert room.sent == []
    room.detector.peers[3].process.disagrees = ""
    room.after(50)
    assert [node for node, _ in room.proposals] == [2]


@pytest.mark.parametrize("mine", [True, False])
def test_trouble_of_any_member_of_the_view_asks_for_a_new_one(mine: bool) -> None:
    room = _room()
    if mine:
        room.state.view_change_reason = "a frame was lost"
    else:
        room.hear(3, view_change_reason="a frame was lost")
    room.election.consider()
    assert [node for node, _ in room.proposals] == [2, 3]


def test_a_proposals_number_is_above_everything_that_anybody_is_known_to_have_promised() -> None:
    room = _room()
    high = make_vid(WALL // 1000 + 500, 3)
    room.election.saw_promise(high)
    room.state.view_change_reason = "x"
    room.election.consider()
    assert number_of(room.proposals[0][1].vid) == WALL // 1000 + 501


# --- votes


def test_the_view_stands_with_the_last_vote_and_is_sent_to_every_member_first() -> None:
    room = _room()
    room.state.view_change_reason = "x"
    room.election.consider()
    vid = room.state.promised
    room.election.on_vote(2, room.vote(vid))
    assert room.installed == []
    room.election.on_vote(3, room.vote(vid))
    (install,) = room.installed
    assert install.members == {1: 7, 2: 7, 3: 7}
    assert room.sent[-2:] == [(2, install), (3, install)] or room.sent[-2:] == [(3, install), (2, install)]


def test_votes_for_another_view_and_of_nodes_that_are_not_in_it_do_not_count() -> None:
    room = _room()
    room.detector.peers[3].process.gone = "x"
    room.election.consider()
    vid = room.state.promised
    room.election.on_vote(2, room.vote(vid - 64))
    room.election.on_vote(3, room.vote(vid))
    assert room.installed == []
    room.election.on_vote(2, room.vote(vid))
    assert len(room.installed) == 1


def test_a_vote_is_given_for_a_later_view_that_includes_this_node() -> None:
    room = _room(2)
    vid = make_vid(9, 1)
    room.detector.peers[3].process.gone = "x"
    room.election.on_propose(1, Propose(vid, {1: 7, 2: 7}))
    assert room.sent == [(1, room.vote(vid))]
    assert room.state.promised == vid
    assert room.state.paused


def test_a_view_that_leaves_out_a_member_which_is_still_heard_is_refused_with_its_name() -> None:
    room = _room(2)
    vid = make_vid(9, 1)
    room.election.on_propose(1, Propose(vid, {1: 7, 2: 7}))
    assert room.sent == [(1, Refuse(vid, VID, [3]))]
    assert not room.state.paused


def test_a_view_not_above_the_promise_is_refused() -> None:
    room = _room(2)
    room.state.promised = make_vid(9, 3)
    vid = make_vid(9, 1)
    room.election.on_propose(1, Propose(vid, {1: 7, 2: 7, 3: 7}))
    assert room.sent == [(1, Refuse(vid, make_vid(9, 3), []))]


@pytest.mark.parametrize("members", [{1: 7, 3: 7}, {1: 7, 2: 6, 3: 7}])
def test_a_view_without_this_node_or_with_a_former_process_of_it_gets_no_answer(
    members: dict[int, int],
) -> None:
    room = _room(2)
    room.election.on_propose(1, Propose(make_vid(9, 1), members))
    assert room.sent == []
    assert not room.state.paused


# --- when the votes do not come


def _restless(room: Room) -> Room:
    """With a newcomer, node 3, beside the members 1 and 2; node 1 has just proposed all three."""
    room.election.consider()
    assert [node for node, _ in room.proposals] == [2, 3]
    room.sent.clear()
    return room


def test_a_newcomer_that_is_silent_is_left_out_of_the_next_proposal() -> None:
    room = _restless(_room(members=(1, 2)))
    room.election.on_vote(2, room.vote(room.state.promised))
    room.after(TIMING.propose)
    assert [(node, sorted(proposal.members)) for node, proposal in room.proposals] == [(2, [1, 2])]


def test_a_newcomer_that_refuses_is_not_left_out() -> None:
    room = _restless(_room(members=(1, 2)))
    vid = room.state.promised
    room.election.on_vote(2, room.vote(vid))
    promised = make_vid(number_of(vid) + 7, 3)
    room.election.on_refuse(3, Refuse(vid, promised, []))
    room.after(TIMING.propose)
    assert [node for node, _ in room.proposals] == [2, 3]
    assert room.proposals[0][1].vid > promised


def test_a_member_that_is_silent_is_not_left_out_before_its_failure_timeout() -> None:
    room = _restless(_room(members=(1, 2)))
    room.election.on_vote(3, room.vote(room.state.promised))
    room.after(TIMING.propose)
    assert [node for node, _ in room.proposals] == [2, 3]


def test_who_was_ignored_and_is_heard_by_a_refuser_is_not_ignored_any_longer() -> None:
    room = _room()
    room.detector.ignore([3], room.clock.now + 1_000)
    room.election.consider()
    vid = room.state.promised
    room.election.on_refuse(2, Refuse(vid, VID, [3]))
    room.after(TIMING.propose)
    assert sorted(room.proposals[-1][1].members) == [1, 2, 3]


def test_each_further_proposal_waits_twice_as_long() -> None:
    room = _room()
    room.state.view_change_reason = "x"
    room.election.consider()
    moments = [room.clock.now]
    for _ in range(200):
        before = room.state.promised
        room.after(10)
        if room.state.promised != before:
            moments.append(room.clock.now)
    gaps = [b - a for a, b in pairwise(moments)]
    assert gaps == [150, 300, 600]


def test_a_promise_that_has_waited_too_long_asks_for_a_new_view() -> None:
    room = _room(2)
    room.election.on_propose(1, Propose(make_vid(9, 1), {1: 7, 2: 7, 3: 7}))
    room.sent.clear()
    room.after(TIMING.promise)
    assert room.sent == []
    room.after(1)
    room.after(TIMING.propose)
    assert [node for node, _ in room.proposals] == [1, 3]


def test_the_patience_of_a_proposer_is_bounded() -> None:
    room = _room()
    room.state.view_change_reason = "x"
    room.election.consider()
    moments = []
    for _ in range(3_000):
        before = room.state.promised
        room.after(10)
        if room.state.promised != before:
            moments.append(room.clock.now)
    assert {b - a for a, b in pairwise(moments[-4:])} == {32 * TIMING.propose}


def test_a_first_refusal_by_one_who_hears_a_node_left_out_is_followed_by_another_try_soon() -> None:
    room = _room()
    room.detector.peers[3].process.gone = "its process is gone"
    room.election.consider()
    room.sent.clear()
    room.election.on_refuse(2, Refuse(room.state.promised, VID, [3]))
    room.after(TIMING.propose // 8 - 1)
    assert room.proposals == []
    room.after(1)
    assert [sorted(proposal.members) for _, proposal in room.proposals] == [[1, 2]]


def test_a_second_refusal_is_followed_by_another_try_in_the_usual_time() -> None:
    room = _room()
    room.detector.peers[3].process.gone = "its process is gone"
    room.election.consider()
    room.election.on_refuse(2, Refuse(room.state.promised, VID, [3]))
    room.after(TIMING.propose // 8)
    room.sent.clear()
    room.election.on_refuse(2, Refuse(room.state.promised, VID, [3]))
    room.after(2 * TIMING.propose - 1)
    assert room.proposals == []
    room.after(1)
    assert [node for node, _ in room.proposals] == [2]


def test_a_proposer_does_not_wait_for_a_vote_of_whom_it_has_given_up() -> None:
    room = _room()
    room.state.view_change_reason = "x"
    room.election.consider()
    for _ in range(3):
        room.after(TIMING.propose)
    room.detector.peers[3].process.gone = "its process is gone"
    room.sent.clear()
    room.after(10)
    assert [sorted(proposal.members) for _, proposal in room.proposals] == [[1, 2]]


# --- after a stop


def test_who_was_stopped_forms_no_view_without_those_it_hears_until_they_had_time_to_speak() -> None:
    room = _room()
    beat = room.detector.peers[2].beat
    assert beat is not None
    room.detector.peers[2].beat = structs.replace(beat, hears=0b1000)  # what it said before: deaf to us
    room.election.was_stopped()
    room.after(TIMING.promise - 1)
    assert room.proposals == []
    room.after(1)
    assert [sorted(proposal.members) for _, proposal in room.proposals] == [[1, 3]]


def test_who_was_stopped_forms_a_view_at_once_with_all_those_it_hears() -> None:
    room = _room()
    room.state.view_change_reason = "it was stopped for 400 ms"
    room.election.was_stopped()
    room.election.consider()
    assert [node for node, _ in room.proposals] == [2, 3]


def test_who_was_stopped_and_hears_nobody_goes_on_alone_only_after_a_while() -> None:
    room = Room(1, True, (1, 2, 3))
    room.election.was_stopped()
    room.after(TIMING.promise - 1)
    assert room.state.promised == VID
    room.after(1)
    assert len(room.installed) == 1
    assert room.installed[0].members == {1: 7}


def test_who_was_stopped_has_proposed_nothing() -> None:
    room = _room()
    room.state.view_change_reason = "x"
    room.election.consider()
    vid = room.state.promised
    room.election.was_stopped()
    for node in (2, 3):
        room.election.on_vote(node, room.vote(vid))
    assert room.installed == []


# --- where a majority is demanded


def _strict(me: int = 1, *, full: bool = True, members: tuple[int, ...] = (1, 2, 3)) -> Room:
    room = Room(me, full, members)
    room.state.strict = True
    return room


def test_no_view_is_formed_without_a_majority_and_nothing_is_promised() -> None:
    room = _strict()
    room.after(TIMING.cold_start * 2)
    assert room.sent == []
    assert room.state.promised == VID
    room.hear(2)
    room.after(50)
    assert [node for node, _ in room.proposals] == [2]


def test_an_empty_node_does_not_count_towards_the_majority() -> None:
    room = _strict()
    room.state.view_change_reason = "x"
    room.hear(2, full=False)
    room.after(TIMING.cold_start * 2)
    assert room.sent == []
    room.hear(3)
    room.after(50)
    assert [node for node, _ in room.proposals] == [2, 3]


def test_all_configured_nodes_together_may_begin_however_many_are_empty() -> None:
    room = _strict(full=False, members=())
    room.hear(2, full=False)
    room.after(TIMING.cold_start * 2)
    assert room.sent == []
    room.hear(3, full=False)
    room.after(50)
    assert [node for node, _ in room.proposals] == [2, 3]


def test_votes_of_nodes_that_turn_out_to_be_empty_make_no_view() -> None:
    room = _strict()
    room.hear(2)
    room.after(50)
    vote = room.vote(room.state.promised)
    room.election.on_vote(2, structs.replace(vote, full=False))
    assert room.installed == []
    assert not any(isinstance(message, Install) for _, message in room.sent)


# --- whole nodes


def test_three_empty_nodes_begin_when_the_last_of_them_is_there() -> None:
    cluster = Cluster(3, start=[2, 3])
    cluster.advance(5_000)
    assert cluster.serving() == []
    cluster.start(1)
    cluster.advance(300)
    assert sorted(cluster.serving()) == [1, 2, 3]


def test_two_of_three_empty_nodes_begin_after_the_cold_start_time() -> None:
    cluster = Cluster(3, start=[2, 3])
    cluster.advance(9_900)
    assert cluster.serving() == []
    cluster.advance(500)
    assert cluster.serving() == [2, 3]


def test_an_empty_newcomer_with_the_lowest_number_does_not_take_the_data_away() -> None:
    cluster = serving_cluster()
    cluster.client(1).send(b"set k 0 0 1\r\nv\r\n")
    cluster.kill(1)
    cluster.advance(100)
    cluster.start(1)
    cluster.advance(500)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert [cluster.value(n, b"k") for n in (1, 2, 3)] == [b"v"] * 3


@pytest.mark.parametrize("killed", [1, 2, 3])
def test_whoever_is_killed_the_others_agree_on_one_view(killed: int) -> None:
    cluster = serving_cluster()
    cluster.kill(killed)
    cluster.advance(400)
    views = {node.replica.state.view.vid for node in cluster.nodes.values()}
    assert len(views) == 1
    assert len(cluster.serving()) == 2
