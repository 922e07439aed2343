"""Timing: the inequalities that the rules rest on hold for any failure timeout that an operator may give."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from memrep.replication.membership.timing import Timing

#: Between two ticks of the daemon, ms (memrep/node/node.py).
TICK_MS = 50

#: All that --failure-timeout takes, ms.
timeouts = st.integers(200, 60_000)


def _round_trip(timing: Timing) -> int:
    """Nodes that take longer than this for it are too far apart for such a failure timeout, ms."""
    return timing.silence // 10


@given(timeouts)
def test_who_was_given_up_serves_no_more_though_it_looks_at_the_clock_but_once_a_tick(timeout: int) -> None:
    timing = Timing.scaled(timeout)
    assert timing.lease + TICK_MS < timing.silence


@given(timeouts)
def test_a_lease_is_renewed_before_it_ends_even_if_one_heartbeat_is_late(timeout: int) -> None:
    timing = Timing.scaled(timeout)
    assert 2 * timing.beat + _round_trip(timing) < timing.lease


@given(timeouts)
def test_the_first_proposers_votes_are_in_before_the_next_one_proposes(timeout: int) -> None:
    timing = Timing.scaled(timeout)
    assert 2 * _round_trip(timing) < timing.propose < timing.promise


@given(timeouts)
def test_who_was_stopped_notices_before_its_leases_can_have_run_out_unseen(timeout: int) -> None:
    timing = Timing.scaled(timeout)
    assert timing.fence < timing.lease


@given(timeouts)
def test_a_detour_begins_after_two_heartbeats_and_carries_two_before_anybody_is_given_up(timeout: int) -> None:
    timing = Timing.scaled(timeout)
    assert 2 * timing.beat < timing.relay
    assert timing.relay + 2 * timing.beat < timing.silence


@given(timeouts, timeouts)
def test_with_more_patience_nothing_becomes_shorter(one: int, other: int) -> None:
    less, more = Timing.scaled(min(one, other)), Timing.scaled(max(one, other))
    for field in attrs.fields(Timing):
        assert getattr(less, field.name) <= getattr(more, field.name), field.name


@given(timeouts)
def test_whatever_the_nodes_patience_that_of_a_client_who_knocks_is_below_a_second(timeout: int) -> None:
    timing = Timing.scaled(timeout)
    assert timing.redial < timing.knock <= 600
    assert timing.redial <= 100
