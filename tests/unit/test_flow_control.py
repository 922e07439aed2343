"""Flow: above a limit those wait that would add to what is above it, and nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.flow_control import ROUND_MAX, WRITE_BYTES, FlowControl

MEGABYTE = 1 << 20

sizes = st.integers(0, 2 * MEGABYTE)


def test_where_nothing_is_on_its_way_nobody_waits() -> None:
    flow = FlowControl()
    assert not (flow.tight or flow.writes_wait or flow.reads_wait)


def test_up_to_the_limit_writes_begin_and_above_it_they_wait_until_one_has_ended() -> None:
    flow = FlowControl()
    flow.begin(ROUND_MAX - WRITE_BYTES)
    assert not flow.writes_wait
    flow.begin(0)
    assert flow.writes_wait
    flow.end(0)
    assert not (flow.writes_wait or flow.tight)


def test_many_writes_without_a_value_fill_the_round_as_well() -> None:
    flow = FlowControl()
    for _ in range(ROUND_MAX // WRITE_BYTES):
        flow.begin(0)
        assert not flow.writes_wait
    flow.begin(0)
    assert flow.writes_wait


@pytest.mark.parametrize("memory", [MEGABYTE, 64 * MEGABYTE, 8 << 30])
def test_an_eighth_of_the_memory_may_be_unread_before_nobody_is_shown_more(memory: int) -> None:
    flow = FlowControl(memory)
    flow.keep(memory // 8)
    assert not flow.reads_wait
    flow.keep(1)
    assert flow.reads_wait
    flow.keep(-1)
    assert not (flow.reads_wait or flow.tight)


def test_a_crowd_of_writers_holds_up_no_reader_and_slow_readers_no_writer() -> None:
    writers, readers = FlowControl(), FlowControl()
    writers.begin(ROUND_MAX)
    assert (writers.writes_wait, writers.reads_wait) == (True, False)
    readers.keep(readers.unsent_max + 1)
    assert (readers.writes_wait, readers.reads_wait) == (False, True)


def test_a_change_of_view_ends_all_writes_and_takes_nothing_from_what_is_unread() -> None:
    flow = FlowControl()
    flow.begin(ROUND_MAX)
    flow.clear()
    assert not (flow.writes_wait or flow.tight)
    flow.begin(ROUND_MAX)
    flow.keep(flow.unsent_max + 1)
    flow.clear()
    assert (flow.writes_wait, flow.reads_wait, flow.tight) == (False, True, True)
    flow.keep(-flow.unsent)
    assert not flow.tight


@given(st.lists(st.tuples(st.sampled_from(["begin", "end", "keep", "sent"]), sizes), max_size=60))
def test_whatever_comes_and_goes_one_look_tells_whether_anybody_has_to_wait(
    steps: list[tuple[str, int]],
) -> None:
    flow = FlowControl(8 * MEGABYTE)
    writes: list[int] = []
    kept: list[int] = []
    for step, size in steps:
        if step == "begin":
            flow.begin(size)
            writes.append(size)
        elif step == "end" and writes:
            flow.end(writes.pop(0))
        elif step == "keep":
            flow.keep(size)
            kept.append(size)
        elif step == "sent" and kept:
            flow.keep(-kept.pop(0))
        assert flow.writes_wait == (sum(writes) + WRITE_BYTES * len(writes) > ROUND_MAX)
        assert flow.reads_wait == (sum(kept) > MEGABYTE)
        assert flow.tight == (flow.writes_wait or flow.reads_wait)
    for size in writes:
        flow.end(size)
    for size in kept:
        flow.keep(-size)
    assert (flow.round, flow.unsent, flow.tight) == (0, 0, False)
