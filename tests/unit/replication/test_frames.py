"""Frames: numbers without gaps, acknowledgements that count, and those that are said again."""

from __future__ import annotations

from itertools import permutations

import pytest

from memrep.replication.frames import FRAME_BYTES, FRAME_ITEMS, FrameStream, Item
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.view import View
from memrep.replication.message import Abort, Ack, Commit, Frame, Nack, Write, describe
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import make

VID = 64


def _stream(*members: int) -> tuple[ReplicaState, FrameStream]:
    view = View(vid=VID, members=dict.fromkeys(members or (1, 2, 3), 7))
    state = ReplicaState(1, 7, 3, view=view, promised=VID, full=True)
    stream = FrameStream(state)
    stream.reset()
    return state, stream


def _commit(n: int = 1) -> Commit:
    return Commit(b"k", make(1, n))


def _write(n: int = 1) -> Write:
    return describe(b"k", Entry(make(1, n), b"v", 0, NEVER), None, False, 0)


def _say(stream: FrameStream) -> int:
    """Say something and end the turn; the number of the frame."""
    number = stream.add(_commit())
    stream.take_frames()
    return number


def test_all_that_is_said_in_one_turn_is_one_frame() -> None:
    _, stream = _stream()
    assert [stream.add(_commit(1)), stream.add(_commit(2))] == [1, 1]
    assert stream.take_frames() == [Frame(VID, 1, [_commit(1), _commit(2)])]
    assert stream.take_frames() == []
    assert stream.add(_commit(3)) == 2


def test_a_frame_is_closed_when_its_values_are_large() -> None:
    _, stream = _stream()
    write = describe(b"k", Entry(make(1, 1), b"x" * FRAME_BYTES, 0, NEVER), None, False, 0)
    assert [stream.add(write), stream.add(write), stream.add(_commit())] == [1, 2, 3]
    assert [(frame.n, len(frame.items)) for frame in stream.take_frames()] == [(1, 1), (2, 1), (3, 1)]


def test_a_frame_is_closed_when_it_says_many_things() -> None:
    _, stream = _stream()
    for number in range(FRAME_ITEMS + 1):
        assert stream.add(_commit(number + 1)) == 1 + number // FRAME_ITEMS
    assert [len(frame.items) for frame in stream.take_frames()] == [FRAME_ITEMS, 1]


def test_a_frame_is_held_by_all_when_the_last_member_has_acknowledged_it() -> None:
    _, stream = _stream()
    _say(stream)
    assert stream.acknowledged(2, Ack(VID, 1, 0))
    assert stream.held_by_all() == 0
    assert stream.acked == {2: 1, 3: 0}
    assert stream.acknowledged(3, Ack(VID, 1, 0))
    assert stream.held_by_all() == 1


def test_alone_everything_is_held_by_all_at_once() -> None:
    _, stream = _stream(1)
    assert stream.add(_commit()) <= stream.held_by_all()


def test_an_acknowledgement_counts_only_when_the_frames_before_it_have_been_seen() -> None:
    _, stream = _stream()
    _say(stream)
    assert not stream.acknowledged(2, Ack(VID, 1, 1))
    assert stream.acked[2] == 0
    assert stream.accept(2, Frame(VID, 1, []))
    assert stream.acknowledged(2, Ack(VID, 1, 1))
    assert stream.acked[2] == 1


def test_an_older_acknowledgement_that_comes_late_takes_nothing_back() -> None:
    _, stream = _stream()
    _say(stream)
    _say(stream)
    stream.acknowledged(2, Ack(VID, 2, 0))
    stream.acknowledged(2, Ack(VID, 1, 0))
    assert stream.acked[2] == 2


def test_an_acknowledgement_of_a_stranger_does_not_count() -> None:
    _, stream = _stream(1, 2)
    _say(stream)
    assert not stream.acknowledged(3, Ack(VID, 1, 0))
    assert stream.held_by_all() == 0


def test_frames_in_order_are_taken_and_acknowledged_once() -> None:
    state, stream = _stream()
    assert stream.accept(2, Frame(VID, 1, [_write(1)]))
    assert stream.accept(2, Frame(VID, 2, [_write(2)]))
    assert stream.take_acks() == [(2, Ack(VID, 2, 0))]
    assert stream.take_acks() == []
    assert state.view_change_reason == ""


def test_that_something_is_committed_is_acknowledged_with_what_follows_or_after_a_heartbeat() -> None:
    _, stream = _stream()
    assert stream.accept(2, Frame(VID, 1, [_commit(1), _commit(2)]))
    assert stream.accept(3, Frame(VID, 1, [_commit(3)]))
    assert stream.take_acks() == []
    assert stream.accept(2, Frame(VID, 2, [_write()]))
    stream.owe(3)
    assert stream.take_acks() == [(2, Ack(VID, 2, 0)), (3, Ack(VID, 1, 0))]


@pytest.mark.parametrize("item", [_write(), Abort(b"k", make(1, 1)), Nack(b"k", make(1, 1))], ids=type)
def test_what_is_said_beside_commits_is_acknowledged_at_once(item: Item) -> None:
    beside: list[Item] = [item, _commit(), _commit()]
    for items in [[item], *map(list, permutations(beside))]:
        _, stream = _stream()
        stream.accept(2, Frame(VID, 1, items))
        assert stream.take_acks() == [(2, Ack(VID, 1, 0))]


@pytest.mark.parametrize("number", [1, 3, 9, 0])
def test_a_gap_or_a_repetition_breaks_the_view_and_nothing_more_is_taken_of_that_member(number: int) -> None:
    state, stream = _stream()
    stream.accept(2, Frame(VID, 1, []))
    stream.take_acks()
    assert not stream.accept(2, Frame(VID, number, []))
    assert state.view_change_reason == f"from node 2 frame {number} came after frame 1"
    assert not stream.accept(2, Frame(VID, 2, []))
    assert not stream.acknowledged(2, Ack(VID, 0, 0))
    stream.owe(2)
    assert stream.take_acks() == []
    assert stream.accept(3, Frame(VID, 1, []))


def test_a_frame_of_a_stranger_is_not_taken() -> None:
    state, stream = _stream(1, 2)
    assert not stream.accept(3, Frame(VID, 1, []))
    assert state.view_change_reason == ""


def test_frames_that_a_heartbeat_tells_of_and_that_never_came_break_the_view() -> None:
    state, stream = _stream()
    stream.accept(2, Frame(VID, 1, []))
    stream.heard_of(2, 1)
    assert state.view_change_reason == ""
    stream.heard_of(2, 3)
    assert state.view_change_reason == "from node 2 2 frames were lost"


def test_the_first_trouble_is_the_one_that_is_told() -> None:
    state, stream = _stream()
    stream.heard_of(2, 1)
    stream.heard_of(3, 5)
    assert state.view_change_reason == "from node 2 1 frames were lost"


def test_a_lost_acknowledgement_is_owed_again() -> None:
    _, stream = _stream()
    stream.accept(2, Frame(VID, 1, [_write()]))
    assert stream.take_acks() == [(2, Ack(VID, 1, 0))]  # and is lost
    stream.owe(2)
    assert stream.take_acks() == [(2, Ack(VID, 1, 0))]


def test_nothing_is_owed_to_who_has_said_nothing() -> None:
    _, stream = _stream()
    stream.owe(2)
    stream.owe(9)
    assert stream.take_acks() == []


def test_an_acknowledgement_tells_how_many_frames_were_sent_before_it() -> None:
    _, stream = _stream()
    stream.accept(2, Frame(VID, 1, [_write()]))
    _say(stream)
    assert stream.take_acks() == [(2, Ack(VID, 1, 1))]


def test_who_has_something_to_say_or_to_acknowledge_is_not_silent() -> None:
    _, stream = _stream()
    assert stream.silent
    _say(stream)
    assert stream.silent, "it is said"
    stream.add(_commit())
    assert not stream.silent
    stream.take_frames()
    stream.accept(2, Frame(VID, 1, [_commit()]))
    assert stream.silent
    stream.accept(2, Frame(VID, 2, [_write()]))
    assert not stream.silent
    stream.take_acks()
    assert stream.silent


def test_with_a_new_view_everything_starts_anew() -> None:
    state, stream = _stream()
    _say(stream)
    stream.heard_of(2, 1)
    stream.accept(3, Frame(VID, 1, [_write()]))
    state.view = View(vid=2 * VID, members={1: 7, 2: 7})
    stream.reset()
    assert stream.take_acks() == []
    assert stream.sent == 0
    assert stream.accept(2, Frame(2 * VID, 1, []))
    assert stream.add(_commit()) == 1
