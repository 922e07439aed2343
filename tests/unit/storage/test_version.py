"""Versions order writes on every node alike, and the hybrid clock never makes the same one twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.storage.version import (
    NODE_MAX,
    ZERO,
    Clock,
    cas_unique,
    generation,
    latest_unique,
    make,
    stamped_at,
)
from tests.harness.lone_node import WALL

stamps = st.integers(0, (1 << 62) - 1)
generations = st.integers(0, (1 << 64) - 1)


@given(generations, stamps, generations, stamps)
def test_bytes_compare_as_generation_then_stamp(gen: int, stamp: int, other_gen: int, other: int) -> None:
    assert (make(gen, stamp) < make(other_gen, other)) == ((gen, stamp) < (other_gen, other))


@given(generations, stamps)
def test_generation_and_cas_unique_are_read_back(gen: int, stamp: int) -> None:
    version = make(gen, stamp)
    assert (generation(version), cas_unique(version)) == (gen, stamp)


def test_zero_is_older_than_every_write() -> None:
    assert Clock(1).stamp(0) > ZERO


def test_a_version_travels_as_16_bytes() -> None:
    assert len(Clock(NODE_MAX, wall=WALL).stamp(7)) == len(ZERO) == 16


def test_a_later_generation_outranks_any_wall_clock() -> None:
    fast, slow = Clock(1, wall=2 * WALL), Clock(2, wall=0)
    assert slow.stamp(2) > fast.stamp(1)


def test_within_a_generation_the_later_wall_clock_wins() -> None:
    assert Clock(1, wall=WALL + 1).stamp(1) > Clock(2, wall=WALL).stamp(1)


def test_two_nodes_at_the_same_moment_make_different_versions() -> None:
    versions = {Clock(node, wall=WALL).stamp(1) for node in range(1, NODE_MAX + 1)}
    assert len(versions) == NODE_MAX


def test_stamps_grow_while_time_stands_still() -> None:
    clock = Clock(1, wall=WALL)
    made = [clock.stamp(1) for _ in range(50_000)]  # more than the 14 bits of the counter hold
    assert all(earlier < later for earlier, later in pairwise(made))


def test_stamps_grow_when_the_wall_clock_is_set_back() -> None:
    clock = Clock(1, now=0, wall=WALL)
    before = clock.stamp(1)
    clock.turn(1, WALL - 3_600_000)
    assert clock.stamp(1) > before


def test_stamps_follow_the_wall_clock() -> None:
    clock = Clock(1, wall=WALL)
    before = cas_unique(clock.stamp(1))
    clock.turn(1, WALL + 1_000)
    assert (cas_unique(clock.stamp(1)) >> 20) - (before >> 20) == 1_000


def test_a_version_that_was_seen_is_never_stamped_below() -> None:
    ahead, behind = Clock(9, wall=WALL + 86_400_000), Clock(1, wall=WALL)
    seen = ahead.stamp(1)
    behind.observe(seen)
    assert behind.stamp(1) > seen


def test_an_old_version_that_is_seen_changes_nothing() -> None:
    clock, twin = Clock(1, wall=WALL), Clock(1, wall=WALL)
    clock.stamp(1)
    twin.stamp(1)
    clock.observe(Clock(2, wall=5).stamp(1))
    assert clock.stamp(1) == twin.stamp(1)


def test_a_peers_reading_raises_the_clock_as_its_version_would() -> None:
    ahead, behind = Clock(9, wall=WALL + 86_400_000), Clock(1, wall=WALL)
    seen = ahead.stamp(1)
    behind.observe_logical(ahead.logical)
    assert behind.stamp(1) > seen


@pytest.mark.parametrize("leap", [0, 60_000, -60_000])
def test_a_clock_can_tell_what_it_had_seen_at_a_moment_though_it_was_set_since(leap: int) -> None:
    clock, other = Clock(1, now=0, wall=WALL), Clock(2, now=0, wall=WALL - 3_600_000)
    seen = []
    for now in range(0, 1_000, 50):
        clock.turn(now, WALL + now + (leap if now >= 500 else 0))
        other.turn(now, WALL - 3_600_000 + now)
        seen.append(latest_unique(clock))
        clock.observe(other.stamp(0))
    assert [latest_unique(clock, now) for now in range(100, 1_000, 50)] == seen[2:]
    assert latest_unique(clock, 140) == seen[2]


def test_what_was_seen_before_a_clock_had_seen_anything_is_older_than_the_first_that_it_saw() -> None:
    clock = Clock(1, now=0, wall=WALL)
    clock.stamp(0)
    first = latest_unique(clock)
    clock.turn(1_000, WALL + 1_000)
    assert latest_unique(clock, 1_000) == first
    assert stamped_at(latest_unique(clock, 400)) == stamped_at(first) - 600


@given(st.integers(0, 1 << 41), st.integers(1, NODE_MAX))
def test_a_cas_unique_is_positive_in_every_clients_integers(wall: int, node: int) -> None:
    assert 0 < cas_unique(Clock(node, wall=wall).stamp(1 << 40)) < 1 << 62


@pytest.mark.parametrize("node", [0, NODE_MAX + 1])
def test_a_node_number_out_of_range_is_a_mistake_of_ours(node: int) -> None:
    with pytest.raises(AssertionError):
        Clock(node)


events = st.one_of(
    st.tuples(st.just("wall"), st.integers(0, 1 << 41)),
    st.tuples(st.just("see"), st.integers(0, 1 << 41)),
    st.tuples(st.just("hear"), st.integers(0, 1 << 55)),
    st.tuples(st.just("stamp"), st.just(0)),
)


@given(st.lists(events))
def test_every_stamp_is_above_all_that_were_made_or_seen(history: list[tuple[str, int]]) -> None:
    clock = Clock(3)
    highest = ZERO
    for kind, number in history:
        if kind == "wall":
            clock.turn(0, number)
        elif kind == "see":
            seen = Clock(8, wall=number).stamp(1)
            clock.observe(seen)
            highest = max(highest, seen)
        elif kind == "hear":
            clock.observe_logical(number)
        else:
            made = clock.stamp(1)
            assert made > highest
            highest = made
