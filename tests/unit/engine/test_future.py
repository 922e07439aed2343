"""Futures: the outcome becomes known once, and stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.engine.future import Future
from memrep.engine.operations import DELETED, EXISTS, NOT_FOUND, STORED, Outcome, Result

outcomes = st.sampled_from([STORED, EXISTS, NOT_FOUND, DELETED])


def test_who_looks_before_the_outcome_is_known_finds_that_it_is_not() -> None:
    future = Future(outcome=STORED)
    assert not future.settled, "a write that is on its way is no outcome"
    assert future.result is None


def test_a_miss_is_an_outcome_like_any_other() -> None:
    future = Future()
    future.resolve(None)
    assert future.settled
    assert future.result is None


def test_it_is_counted_and_the_outcome_is_there_before_the_client_is_told() -> None:
    seen: list[tuple[str, Result]] = []
    future = Future(lambda result: seen.append(("counted", result)))
    future.callback = lambda: seen.append(("told", future.result if future.settled else EXISTS))
    future.resolve(STORED)
    assert seen == [("counted", STORED), ("told", STORED)]


def test_a_plain_write_that_is_said_to_have_lost_is_not_tried_again() -> None:
    """Nothing outranks it, so that is a change of view that ends it without an answer."""
    future = Future(outcome=STORED)
    future.aborted()
    assert not future.settled


def test_what_is_on_its_way_for_who_is_gone_completes_and_counts() -> None:
    counted: list[Result] = []
    future = Future(counted.append, STORED)
    future.abandoned = True
    future.committed()
    assert (counted, future.result) == ([STORED], STORED)


@pytest.mark.parametrize("late", [True, False])
def test_who_asks_late_for_a_call_is_not_called_and_looks_for_itself(late: bool) -> None:
    calls: list[Result] = []
    future = Future()
    if late:
        future.resolve(STORED)
    future.callback = lambda: calls.append(future.result)
    if not late:
        future.resolve(STORED)
    assert future.settled
    assert calls == ([] if late else [STORED])


@given(st.lists(st.tuples(st.sampled_from(["committed", "aborted", "resolve"]), outcomes)))
def test_whatever_happens_the_first_outcome_stands_and_is_told_and_counted_once(
    steps: list[tuple[str, Outcome]],
) -> None:
    """A change of view may settle a write whose command has been given up and answered since."""
    counted: list[Result] = []
    told: list[Result] = []
    future = Future(counted.append, EXISTS)
    future.callback = lambda: told.append(future.result)
    first: list[Result] = []
    for step, outcome in steps:
        if step == "aborted":
            future.aborted()
        else:
            known = EXISTS if step == "committed" else outcome
            first = first or [known]
            future.committed() if step == "committed" else future.resolve(outcome)
        assert counted == told == first
        assert future.settled == bool(first)
