"""A request that no node has answered is a fault, but for the few that docs/guarantees.md names."""

from __future__ import annotations

import pytest

from tests.faults.client import CLOSED, REFUSED, SILENT, Attempt, Walk
from tests.faults.faults import _named
from tests.faults.protocols import MEMCACHED
from tests.faults.world import HEALED, World


def _world() -> World:
    world = World([("127.0.0.1", 1, 2)] * 3, seed=1)
    world.start = 0.0
    world.events = [(1.0, "drop all packets of node 0"), (2.0, HEALED), (3.0, "whole")]
    return world


def _walk(*attempts: tuple[str, float]) -> Walk:
    told = [Attempt(node, end - 0.1, end, fate, b"") for node, (fate, end) in enumerate(attempts)]
    return Walk(told[0].begin, told[-1].end, told, None, MEMCACHED)


def test_who_was_hung_up_on_by_all_nodes_while_a_cut_healed_is_named() -> None:
    world = _world()
    world.tally.add(_walk((CLOSED, 2.3), (CLOSED, 2.4), (CLOSED, 2.5)))
    assert _named(world)


@pytest.mark.parametrize(
    "attempts",
    [
        [(CLOSED, 1.9), (CLOSED, 2.4), (CLOSED, 2.5)],
        [(CLOSED, 2.3), (CLOSED, 2.4), (CLOSED, 3.1)],
        [(CLOSED, 2.3), (SILENT, 2.4), (CLOSED, 2.5)],
        [(REFUSED, 2.3), (CLOSED, 2.4), (CLOSED, 2.5)],
    ],
    ids=["before it healed", "when all serve again", "nobody answers", "nobody listens"],
)
def test_nobody_else_is(attempts: list[tuple[str, float]]) -> None:
    world = _world()
    world.tally.add(_walk((CLOSED, 2.3), (CLOSED, 2.4), (CLOSED, 2.5)))
    world.tally.add(_walk(*attempts))
    assert not _named(world)


def test_they_are_few() -> None:
    world = _world()
    for _ in range(5):
        world.tally.add(_walk((CLOSED, 2.3), (CLOSED, 2.4), (CLOSED, 2.5)))
    assert not _named(world)
