"""The reactor: nobody starves, links come first, and what is left goes on without anybody knocking.

With real descriptors; time is up when a handler says so.
"""

from __future__ import annotations

import time

import pytest

from memrep.replication.membership.timing import Timing
from tests.unit.daemon.workbench import Bench, bench

#: How long a stop is after which a node does not answer what has come meanwhile.
FENCE_MS = Timing().fence


def test_who_had_no_turn_comes_first_in_the_next() -> None:
    with bench() as one:
        for name in "abcde":
            one.handler(name, greedy=True)
        one.run(lambda: len(one.called) >= 50)
        counts = [one.called.count(name) for name in "abcde"]
        assert max(counts) - min(counts) <= 1
        for start in range(0, 45, 5):
            assert sorted(one.called[start : start + 5]) == list("abcde")


def test_who_takes_little_time_is_served_together_with_others() -> None:
    with bench() as one:
        for name in "abcde":
            one.handler(name, greedy=False)
        one.run(lambda: one.reactor.turns >= 3)
        assert len(one.called) >= 15
        assert one.reactor.cut_short == 0


def test_links_are_served_in_every_turn_and_before_clients() -> None:
    with bench() as one:
        for name in "abcde":
            one.handler(name, greedy=True)
        one.handler("L", greedy=True, urgent=True)
        one.handler("M", greedy=True, urgent=True)
        one.run(lambda: len(one.called) >= 30)
        turns = [one.called[start : start + 3] for start in range(0, 30, 3)]
        assert all(sorted(turn[:2]) == ["L", "M"] and turn[2] in "abcde" for turn in turns)
        assert {turn[2] for turn in turns} == set("abcde")


def test_links_that_take_all_their_time_leave_clients_theirs() -> None:
    with bench() as one:
        one.handler("L", greedy=True, urgent=True)
        for name in "abc":
            one.handler(name, greedy=False)
        one.run(lambda: one.reactor.turns >= 5)
        assert one.called.count("a") >= 5


def test_a_link_that_has_something_left_is_asked_again_though_nothing_comes() -> None:
    with bench() as one:
        link = one.handler("L", greedy=False, urgent=True, again=20)
        one.reactor.again(link.fd)
        one.run(lambda: not link.again)
        assert one.called.count("L") >= 20


def test_a_turn_of_clients_ends_if_the_node_has_something_to_say_and_one_of_links_unless_they_say_no() -> None:
    with bench() as one:
        one.handler("a", greedy=False)
        one.run(lambda: one.reactor.turns >= 3)
        assert one.ended == 0
        one.node.clients.close(one.node.clients.connect())
        one.reactor.serve(10)
        assert one.ended == 1
        one.handler("L", greedy=False, urgent=True, quiet=True)
        one.run(lambda: one.reactor.turns >= 10)
        assert one.ended == 1
        one.handler("M", greedy=False, urgent=True)
        one.run(lambda: one.reactor.turns >= 16)
        assert one.ended == 7


def test_a_turn_in_which_a_stop_shows_ends_whoever_is_served() -> None:
    with bench(FENCE_MS) as one:
        one.handler("a", greedy=False)
        one.reactor.turn(lambda: None)
        time.sleep(0.3)
        one.reactor.serve(10)
        assert (one.fenced, one.ended) == (1, 2)


def _work(seconds: float) -> None:
    """Use the CPU for this long, whatever else the machine does."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def _kept_waiting(one: Bench) -> bool:
    """Whether other programs kept it from the CPU for so long, in a turn of 0.3 s, that it was stopped, too."""
    took_ms = one.reactor.longest_turn * 1_000
    return took_ms > Timing().silence or took_ms - 300 > FENCE_MS


def test_a_turn_in_which_the_node_itself_works_is_no_stop() -> None:
    with bench(FENCE_MS) as one:
        one.reactor.turn(lambda: None)
        one.reactor.turn(lambda: _work(0.3))
        one.reactor.turn(lambda: None)
        assert one.fenced == _kept_waiting(one)
        assert one.reactor.longest_turn >= 0.3


@pytest.mark.parametrize("where", ["in a turn", "between turns"])
def test_to_wait_is_a_stop(where: str) -> None:
    with bench(FENCE_MS) as one:
        one.reactor.turn(lambda: None)
        if where == "in a turn":
            one.reactor.turn(lambda: time.sleep(0.3))
        else:
            time.sleep(0.3)
        one.reactor.turn(lambda: None)
        assert one.fenced == 1


def test_a_stop_within_a_turn_shows_before_what_was_read_is_executed() -> None:
    with bench(FENCE_MS) as one:
        seen: list[bool] = []

        def act() -> None:
            seen.append(one.reactor.stopped())
            time.sleep(0.3)
            seen.append(one.reactor.stopped())
            seen.append(one.reactor.stopped())

        one.reactor.turn(act)
        assert seen == [False, True, False]
        assert one.fenced == 1


def test_to_work_within_a_turn_shows_as_no_stop_but_ends_the_slice() -> None:
    with bench(FENCE_MS) as one:
        seen: list[bool] = []

        def act() -> None:
            _work(0.3)
            seen.append(one.reactor.stopped())
            seen.append(one.reactor.spent())

        one.reactor.turn(act)
        assert seen[1]
        assert seen[0] == _kept_waiting(one)
