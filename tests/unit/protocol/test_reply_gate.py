"""Nothing waits at the gate for ever, nothing held goes alone, and replies keep their order there."""

from __future__ import annotations

import pytest

from memrep.protocol.command import OTHER, Said
from tests.unit.protocol.test_connection import BIG, Line


@pytest.fixture
def line() -> Line:
    return Line()


# --- what is said behind a command


def test_a_command_that_waits_for_what_is_behind_it_is_executed_once_when_that_comes(line: Line) -> None:
    connection = line.connection
    assert connection.receive(b"a wait ") == b"a "
    assert connection.waiting
    assert not connection.blocked  # else what it waits for would not be read
    assert connection.receive(b"b") == b""
    assert connection.receive(b" ") == b"wait b "
    assert line.words.executed == [b"a", b"wait", b"b"]
    assert not connection.waiting


def test_a_command_behind_which_nothing_comes_is_executed_after_so_many_ticks_and_no_sooner(
    line: Line,
) -> None:
    connection = line.connection
    for _ in range(2):  # each has its own time
        assert connection.receive(b"wait ") == b""
        assert connection.busy
        for _ in range(2):
            line.gate.tick()
            assert connection.resume() == b""
        assert line.gate.tick()
        assert connection.resume() == b"wait "
        assert not line.gate.tick()


def test_a_judge_is_shown_what_comes_until_it_knows_and_nothing_afterwards(line: Line) -> None:
    connection = line.connection
    connection.receive(b"watch ")
    connection.receive(b"a")
    connection.receive(b" b ")
    connection.receive(b"c ")
    assert line.words.seen == [[None], [Said(b"a"), Said(b"b"), None]]


def test_a_judge_is_told_when_nothing_more_is_waited_for(line: Line) -> None:
    connection = line.connection
    connection.receive(b"watch ")
    assert not line.gate.tick()
    assert line.gate.tick()
    assert line.words.seen == [[OTHER]]
    assert not line.gate.tick()


# --- replies that must not go alone


def test_a_command_behind_one_whose_judge_has_waited_in_vain_has_its_own_time(line: Line) -> None:
    connection = line.connection
    connection.receive(b"watch ")
    line.gate.tick()
    line.gate.tick()
    connection.receive(b"wait ")
    for executed in (False, False, True):
        assert line.gate.tick()
        connection.resume()
        assert (b"wait" in line.words.executed) == executed


def test_a_reply_that_is_held_goes_with_the_retrieval_behind_it(line: Line) -> None:
    connection = line.connection
    assert connection.receive(b"alone ") == b""
    assert line.gate.holding
    assert connection.waiting
    assert connection.receive(b"b ") == b""
    assert connection.receive(b"later read c ") == b""
    line.words.futures[0].resolve(b"ended ")
    assert connection.resume() == b"alone b ended read c "
    assert not line.gate.holding
    assert not connection.waiting


def test_a_reply_that_is_released_is_told_without_a_retrieval_and_with_all_behind_it(line: Line) -> None:
    connection = line.connection
    assert connection.receive(b"alone b ") == b""
    line.gate.release()
    assert connection.resume() == b"alone b "
    assert connection.receive(b"c ") == b"c "


def test_who_says_the_end_is_told_what_was_held(line: Line) -> None:
    assert line.connection.receive(b"alone quit ") == b"alone "


def test_who_has_too_much_to_say_is_told_what_was_held(line: Line) -> None:
    assert line.connection.receive(b"later alone " + b"big " * 20) == b""
    assert line.gate.holding
    line.words.futures[0].resolve(b"ended ")
    told = [line.connection.resume()]
    while line.connection.blocked:
        told.append(line.connection.resume())
    assert b"".join(told) == b"ended alone " + BIG * 20
    assert not line.gate.waiting


# --- time, and the end


def test_no_time_passes_at_the_gate_while_the_cluster_is_waited_for(line: Line) -> None:
    line.connection.receive(b"watch later ")
    line.words.seen.clear()
    for _ in range(10):
        assert not line.gate.tick()
    assert line.words.seen == []


def test_a_judge_that_is_not_asked_any_more_is_shown_nothing(line: Line) -> None:
    line.connection.receive(b"watch ")
    line.gate.unwatch()
    line.connection.receive(b"a ")
    assert line.words.seen == []
    assert not line.gate.tick()


def test_what_is_taken_in_for_later_is_shown_to_a_judge_at_once(line: Line) -> None:
    line.connection.receive(b"watch ")
    line.connection.take_in(b"a ")
    assert line.words.seen == [[Said(b"a"), None]]


def test_of_who_has_gone_nothing_is_held_and_nothing_judged(line: Line) -> None:
    line.connection.receive(b"watch ")
    line.connection.abandon()
    assert not line.gate.waiting
    line.connection.take_in(b"a ")
    assert line.words.seen == []
    assert line.connection.resume() == b""


def test_when_what_is_executed_had_to_wait_is_told_at_the_gate(line: Line) -> None:
    assert line.gate.asked is None
    line.connection.waits_since, line.connection.heard = 7, 9
    assert line.gate.asked == 7
    line.connection.heard = 5
    assert line.gate.asked == 5, "it waited for something else first"
