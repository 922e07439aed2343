"""What a node has to be told, and that the constants of membership keep to their inequalities."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.node.options import NodeOptions
from memrep.php.options import PhpOptions
from memrep.replication.membership.timing import Timing

#: Between two ticks of the daemon, ms (memrep/node/node.py).
TICK_MS = 50

#: All that --failure-timeout takes, ms.
timeouts = st.integers(200, 60_000)


def test_a_node_that_is_told_nothing_is_alone_and_as_large_as_memcached() -> None:
    options = NodeOptions()
    assert (options.nodes, options.me) == (["127.0.0.1:11211"], 1)
    assert (options.memory, options.item_max) == (64 << 20, 1 << 20)


def test_two_nodes_do_not_share_a_list() -> None:
    assert NodeOptions().nodes is not NodeOptions().nodes


def test_options_cannot_be_changed_afterwards() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        NodeOptions().me = 2  # type: ignore[misc]


def test_the_default_timeout_scales_to_the_default_constants() -> None:
    assert Timing.scaled(600, 10_000) == Timing()


@given(timeouts)
def test_a_lease_ends_a_tick_before_its_holder_is_given_up(timeout: int) -> None:
    timing = Timing.scaled(timeout)
    assert timing.lease + TICK_MS < timing.silence


@given(timeouts)
def test_two_heartbeats_fit_into_a_lease(timeout: int) -> None:
    timing = Timing.scaled(timeout)
    assert 2 * timing.beat < timing.lease


@given(timeouts, st.integers(100, 3_600_000))
def test_what_an_operator_gives_is_taken_as_it_is(timeout: int, cold_start: int) -> None:
    timing = Timing.scaled(timeout, cold_start)
    assert (timing.silence, timing.cold_start) == (timeout, cold_start)
    assert min(attrs.astuple(timing)) > 0


def test_the_terms_are_what_all_nodes_must_share_and_nothing_else() -> None:
    here = NodeOptions(nodes=["a:1", "b:1"], me=1, memory=1 << 26, php_options=PhpOptions(on=False))
    there = NodeOptions(nodes=["a:1", "b:1"], me=2, memory=1 << 30, item_max=1 << 10)
    assert here.terms == there.terms == "--partition available --failure-timeout 0.6"
    assert NodeOptions(strict=True).terms == "--partition majority --failure-timeout 0.6"
    assert NodeOptions(timing=Timing.scaled(2_500)).terms == "--partition available --failure-timeout 2.5"
