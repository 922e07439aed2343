"""The anteroom: few at a time and not for long, and a crowd of one host goes before others."""

from __future__ import annotations

from memrep.daemon.pending_handshakes import PendingHandshakes


def test_nobody_has_to_go_while_there_are_seats() -> None:
    room: PendingHandshakes[str] = PendingHandshakes(2, 3.0)
    assert room.enter("a", "10.0.0.1", 0.0) is None
    assert room.enter("b", "10.0.0.1", 0.0) is None
    room.leave("a")
    assert room.enter("c", "10.0.0.1", 0.0) is None
    assert len(room) == 2
    assert room.all() == ["b", "c"]


def test_the_oldest_goes_for_the_one_who_comes() -> None:
    room: PendingHandshakes[str] = PendingHandshakes(2, 3.0)
    for guest in "ab":
        room.enter(guest, guest, 0.0)
    assert room.enter("c", "c", 0.0) == "a"


def test_a_crowd_of_one_host_keeps_nobody_else_out_nor_in() -> None:
    room: PendingHandshakes[str] = PendingHandshakes(4, 3.0)
    room.enter("node", "10.0.0.1", 0.0)
    gone = []
    for n in range(100):
        one = room.enter(f"stranger {n}", "10.0.0.9", 0.0)
        if one is not None:
            gone.append(one)
            room.leave(one)
    assert gone == [f"stranger {n}" for n in range(97)]
    assert room.enter("other node", "10.0.0.2", 0.0) == "stranger 97"


def test_who_stays_too_long_is_overdue() -> None:
    room: PendingHandshakes[str] = PendingHandshakes(4, 3.0)
    room.enter("a", "10.0.0.1", 10.0)
    room.enter("b", "10.0.0.1", 12.0)
    assert room.overdue(13.0) == []
    assert room.overdue(13.1) == ["a"]
    room.leave("a")
    room.leave("a")
    assert room.overdue(15.1) == ["b"]
