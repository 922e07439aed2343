"""Heartbeats: when one goes out, what it says, and what is made of a member's."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from memrep.replication.frames import FrameStream
from memrep.replication.heartbeat import Heartbeats
from memrep.replication.membership.history import ANSWERED
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import View
from memrep.replication.message import Commit, Frame, Heartbeat, LeaseGrant, Past
from memrep.storage.version import ZERO, Clock

VID = 64
NOW, WALL = 1_000, 1_000_000


class _Node:
    """Node 1 of three, in a view with node 2; node 3 is known, and no member."""

    def __init__(self) -> None:
        view = View(vid=VID, gen=1, members={1: 7, 2: 7}, full=frozenset([1, 2]), quorate=True)
        self.clock = Clock(1, NOW, WALL)
        self.state = ReplicaState(1, 7, 3, view=view, promised=VID, full=True)
        membership = Membership(["web1", "web2", "web3"], self.state, Timing(), self.clock)
        self.peers = membership.detector.peers
        self.stream = FrameStream(self.state)
        self.stream.reset()
        self.sent: list[tuple[int, LeaseGrant]] = []
        self.heartbeats = Heartbeats(membership, self.stream, lambda *sent: self.sent.append(sent))
        for node, peer in self.peers.items():
            peer.opened_link(7, NOW)
            membership.detector.heard(node, NOW)

    def after(self, ms: int) -> Heartbeat | None:
        """What goes out at the end of the turn that comes so much later."""
        self.clock.turn(self.clock.now + ms, self.clock.wall + ms)
        self.heartbeats.tick()
        return self.heartbeats.take()


def _beat(vid: int = VID, *, full: bool = True, sent: int = 0, past: Past | None = None) -> Heartbeat:
    return Heartbeat(vid, vid, full, "", False, 900, sent, 0, WALL + 30, 0b10, 0b10, past or Past())


# --- when, and what


def test_one_goes_out_in_each_interval_and_at_once_when_it_cannot_wait() -> None:
    node = _Node()
    assert node.after(0) is not None, "from the first turn on"
    assert [node.after(50) is not None for _ in range(4)] == [False, True, False, True]
    node.heartbeats.hurry()
    assert node.heartbeats.take() is not None
    assert node.heartbeats.take() is None


def test_one_goes_along_with_a_near_peers_if_half_of_the_interval_is_over() -> None:
    node = _Node()
    node.after(0)
    node.heartbeats.answered(2, NOW - 6)
    node.after(49)
    node.heartbeats.came(node.peers[2], _beat())
    assert not node.heartbeats.join()
    assert node.after(1) is None
    assert not node.heartbeats.join(), "it came in a turn that is over"
    node.heartbeats.came(node.peers[2], _beat())
    assert node.heartbeats.join()
    assert node.heartbeats.take() is not None
    assert not node.heartbeats.join(), "once for each that comes"
    assert [node.after(ms) is not None for ms in (50, 49, 1)] == [False, False, True], "an interval later"


def test_none_goes_along_with_that_of_a_peer_that_is_far_away_or_has_not_answered_yet() -> None:
    node = _Node()
    node.after(0)
    node.after(90)
    node.heartbeats.came(node.peers[2], _beat())
    assert not node.heartbeats.join()
    node.heartbeats.answered(2, node.clock.now - 7)
    node.heartbeats.answered(3, node.clock.now)
    node.heartbeats.came(node.peers[2], _beat())
    assert not node.heartbeats.join()


def _beats(late: tuple[int, ...], way: int) -> list[list[int]]:
    """When nodes beat that have begun so late, and hear each other after so long, ms."""
    nodes = [_Node() for _ in late]
    beats: list[list[int]] = [[] for _ in late]
    for ms in range(1_500):
        for node, own, start in zip(nodes, beats, late, strict=True):
            if ms < start:
                continue
            if any(ms - way in others for others in beats if others is not own):
                node.heartbeats.answered(2, node.clock.now - 2 * way)
                node.heartbeats.came(node.peers[2], _beat())
            due = node.after(0 if ms == start else 1)
            joins = node.heartbeats.join()
            if due is not None or (joins and node.heartbeats.take() is not None):
                own.append(ms)
    return beats


_LATE = [(0, 1, 2), (0, 33, 66), (0, 50, 50), (0, 49, 98), (0, 10, 60), (99, 51, 0)]


@pytest.mark.parametrize("late", _LATE)
@pytest.mark.parametrize("way", [1, 3])
def test_nodes_that_have_begun_at_different_times_come_to_beat_in_step(late: tuple[int, ...], way: int) -> None:
    beats = _beats(late, way)
    for own in beats:
        assert any(abs(beats[0][-2] - ms) <= way for ms in own)
        intervals = [later - sooner for sooner, later in pairwise(own)]
        assert 50 <= min(intervals) <= max(intervals) == 100
        assert set(intervals[-5:]) == {100}


@pytest.mark.parametrize("late", _LATE)
@pytest.mark.parametrize("way", [10, 20, 45, 60])
def test_nodes_that_are_far_from_each_other_beat_no_more_often(late: tuple[int, ...], way: int) -> None:
    for own in _beats(late, way):
        assert {later - sooner for sooner, later in pairwise(own)} == {100}


def test_what_has_happened_on_this_side_is_told_at_once_and_once() -> None:
    node = _Node()
    node.after(0)
    node.state.happened(ANSWERED)
    beat = node.heartbeats.take()
    assert beat is not None
    assert beat.past == node.state.past
    assert node.heartbeats.take() is None


def test_it_tells_where_this_node_stands_whom_it_hears_and_how_many_frames_there_were() -> None:
    node = _Node()
    node.stream.add(Commit(b"k", ZERO))
    node.stream.take_frames()
    node.state.need_view("a test")
    node.state.promise(2 * VID)
    node.heartbeats.leaving = True
    beat = node.after(0)
    assert beat is not None
    assert (beat.vid, beat.promised, beat.full, beat.leaving) == (VID, 2 * VID, True, True)
    assert (beat.view_change_reason, beat.at, beat.sent, beat.wall) == ("a test", NOW, 1, WALL)
    assert (beat.hears, beat.direct) == (0b1100, 0b1100)


# --- a peer's


def test_a_members_heartbeat_in_this_view_is_answered_with_a_lease_that_bears_its_own_time() -> None:
    node = _Node()
    node.heartbeats.came(node.peers[2], _beat())
    node.heartbeats.answer(node.peers[2], _beat())
    assert node.sent == [(2, LeaseGrant(VID, 900))]


def test_who_has_promised_a_later_view_grants_no_lease_in_this_one() -> None:
    node = _Node()
    node.state.promise(2 * VID)
    node.heartbeats.answer(node.peers[2], _beat())
    assert node.sent == []


def test_a_heartbeat_tells_of_frames_that_never_came_and_has_the_last_ones_acknowledged_again() -> None:
    node = _Node()
    node.stream.accept(2, Frame(VID, 1, []))
    node.stream.take_acks()
    node.heartbeats.answer(node.peers[2], _beat(sent=1))
    assert node.state.view_change_reason == ""
    assert [to for to, _ in node.stream.take_acks()] == [2]
    node.heartbeats.answer(node.peers[2], _beat(sent=2))
    assert node.state.view_change_reason == "from node 2 1 frames were lost"


def test_what_has_happened_at_a_member_has_happened_on_this_side() -> None:
    node = _Node()
    node.heartbeats.answer(node.peers[2], _beat(past=Past(activity={0: ANSWERED})))
    assert node.state.activity == ANSWERED


def test_only_a_member_that_stands_in_this_view_is_of_it() -> None:
    node = _Node()
    one, other = node.peers[2], node.peers[3]
    assert node.heartbeats.is_of_this_view(one, _beat())
    assert not node.heartbeats.is_of_this_view(one, _beat(VID - 64))
    assert not node.heartbeats.is_of_this_view(one, _beat(VID + 64))
    assert not node.heartbeats.is_of_this_view(other, _beat())
    one.restarted(8, NOW)
    assert not node.heartbeats.is_of_this_view(one, _beat())


@pytest.mark.parametrize("leaving", [False, True])
def test_since_when_a_member_holds_everything_is_remembered_until_it_says_otherwise(leaving: bool) -> None:
    node = _Node()
    two = node.peers[2]
    node.heartbeats.came(two, _beat(full=False))
    assert two.synced is None
    node.heartbeats.came(two, replace(_beat(), leaving=leaving))
    assert two.synced == (None if leaving else NOW)
    node.clock.turn(NOW + 100, WALL + 100)
    node.heartbeats.came(two, _beat())
    assert two.synced == (None if leaving else NOW)


def test_the_clock_is_raised_above_what_a_peer_has_seen_whether_it_is_a_member_or_not() -> None:
    node = _Node()
    node.heartbeats.came(node.peers[3], replace(_beat(), logical=1 << 60))
    assert node.clock.logical >= 1 << 60


def test_what_a_node_says_of_itself_goes_out_about_once_a_second() -> None:
    node = _Node()
    node.heartbeats.about = lambda: b"about"
    said = []
    for now in range(NOW, NOW + 3_000, 100):
        node.clock.turn(now, WALL)
        node.heartbeats.tick()
        beat = node.heartbeats.take()
        assert beat is not None
        said += [now] if beat.about == b"about" else []
    assert said == [NOW, NOW + 1_000, NOW + 2_000]


def test_who_has_heard_nothing_yet_is_told_all_at_once() -> None:
    node = _Node()
    node.heartbeats.about = lambda: b"about"
    for now, greets, said in [(NOW, False, b"about"), (NOW + 50, False, b""), (NOW + 60, True, b"about")]:
        node.clock.turn(now, WALL)
        node.heartbeats.greet() if greets else node.heartbeats.hurry()
        beat = node.heartbeats.take()
        assert beat is not None
        assert beat.about == said


def test_what_a_peer_said_of_itself_stays_until_it_ends_or_says_something_else() -> None:
    node = _Node()
    two = node.peers[2]
    node.heartbeats.came(two, replace(_beat(), about=b"one"))
    node.heartbeats.came(two, _beat())
    assert two.about == b"one"
    node.heartbeats.came(two, replace(_beat(), about=b"two"))
    assert two.about == b"two"
    two.ended("its port refuses", NOW)
    assert two.about == b""
