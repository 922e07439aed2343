"""The checker of the checkers: histories that are known to be right, and known to be wrong."""

from __future__ import annotations

import math

import pytest

from tests import linearizability
from tests.linearizability import IMPOSSIBLE, Impossible, Operation, State, Undecided, explain


def _write(begin: float, end: float, value: bytes) -> Operation:
    return Operation(begin, end, lambda state: value, f"write {value!r} at {begin}")


def _read(begin: float, end: float, value: bytes | None) -> Operation:
    def step(state: State) -> State | Impossible:
        return state if state == value else IMPOSSIBLE

    return Operation(begin, end, step, f"read {value!r} at {begin}")


def _add_one(begin: float, end: float, result: bytes | None) -> Operation:
    """An increment; `result` is None if it was not answered."""

    def step(state: State) -> State | Impossible:
        new = b"%d" % (int(state or b"0") + 1)
        return new if result in (None, new) else IMPOSSIBLE

    return Operation(begin, end, step, f"increment to {result!r} at {begin}")


def test_an_empty_history_is_linearizable() -> None:
    assert explain([]) is None


def test_one_after_the_other_is_linearizable() -> None:
    assert explain([_read(0, 1, None), _write(2, 3, b"a"), _read(4, 5, b"a")]) is None


def test_the_state_before_the_first_operation_may_be_given() -> None:
    assert explain([_read(0, 1, b"a")], b"a") is None
    assert explain([_read(0, 1, b"a")]) == "read b'a' at 0"


def test_a_stale_read_is_found() -> None:
    assert explain([_write(0, 1, b"a"), _write(2, 3, b"b"), _read(4, 5, b"a")]) == "read b'a' at 4"


def test_a_read_during_a_write_may_see_either_value() -> None:
    for seen in (b"a", b"b"):
        assert explain([_write(0, 1, b"a"), _write(2, 9, b"b"), _read(3, 4, seen)]) is None


def test_once_a_new_value_was_read_the_old_one_may_not_be_read_any_more() -> None:
    history = [_write(0, 1, b"a"), _write(2, 9, b"b"), _read(3, 4, b"b"), _read(5, 6, b"a")]
    assert explain(history) == "read b'a' at 5"


def test_the_order_in_which_a_history_is_written_down_does_not_matter() -> None:
    history = [_read(4, 5, b"b"), _write(2, 3, b"b"), _write(0, 1, b"a")]
    assert explain(history) is None


def test_a_lost_update_is_found() -> None:
    assert explain([_add_one(0, 5, b"1"), _add_one(1, 6, b"1")]) == "increment to b'1' at 1"


def test_two_increments_at_once_may_take_effect_in_either_order() -> None:
    assert explain([_add_one(0, 5, b"2"), _add_one(1, 6, b"1")]) is None


def test_an_increment_that_began_after_the_other_ones_answer_comes_after_it() -> None:
    assert explain([_add_one(0, 5, b"2"), _add_one(6, 7, b"1")]) is not None


def test_a_write_without_an_answer_may_have_happened() -> None:
    assert explain([_write(0, 1, b"a"), _write(2, math.inf, b"b"), _read(5, 6, b"b")]) is None


def test_a_write_without_an_answer_may_not_have_happened() -> None:
    assert explain([_write(0, 1, b"a"), _write(2, math.inf, b"b"), _read(5, 6, b"a")]) is None


def test_a_write_without_an_answer_may_happen_late() -> None:
    history = [_write(0, 1, b"a"), _write(2, math.inf, b"b"), _read(5, 6, b"a"), _read(50, 51, b"b")]
    assert explain(history) is None


def test_a_write_without_an_answer_happens_once_at_most() -> None:
    history = [_write(0, math.inf, b"b"), _read(1, 2, b"b"), _write(3, 4, b"a"), _read(5, 6, b"b")]
    assert explain(history) == "read b'b' at 5"


def test_an_unanswered_increment_may_count_but_not_twice() -> None:
    assert explain([_add_one(0, math.inf, None), _add_one(1, 2, b"2")]) is None
    assert explain([_add_one(0, math.inf, None), _add_one(1, 2, b"3")]) is not None


def test_a_write_does_not_take_effect_before_it_was_sent() -> None:
    assert explain([_read(0, 1, b"a"), _write(2, 3, b"a")]) == "read b'a' at 0"


def test_a_history_that_is_too_large_is_undecided_and_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linearizability, "CONFIGURATIONS_MAX", 100)
    with pytest.raises(Undecided):
        explain([_write(0, 100 + i, b"%d" % i) for i in range(12)])
