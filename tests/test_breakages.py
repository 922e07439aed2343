"""The search is worth something: each rule that is broken on purpose is noticed, and only then."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.breakages import BREAKAGES, Breakage
from tests.simulator import simulate

#: By then some seed must have noticed.
SEEDS = range(1, 1001)


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=lambda b: b.name)
def test_a_broken_rule_is_noticed(breakage: Breakage) -> None:
    seeds = chain([breakage.seed], SEEDS)
    caught = next((seed for seed in seeds if breakage.caught(seed) is not None), None)
    assert caught is not None, f"nobody noticed in {len(SEEDS)} seeds: {breakage.why}"
    simulate(caught, breakage.kind)  # where nothing is broken, that seed has nothing to say
