"""Power cuts in virtual time: no promise is broken, and each rule that is taken away is missed."""

from __future__ import annotations

import pytest

from tests.simulation.power import simulate_power
from tests.simulation.power_mutations import BREAKAGES

#: By then some seed must have noticed.
SEEDS = range(1, 61)


@pytest.mark.parametrize("seed", range(1, 13))
def test_a_seed_runs_without_a_broken_promise(seed: int) -> None:
    assert simulate_power(seed) > 0


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_broken_rule_is_noticed(name: str) -> None:
    breakage = BREAKAGES[name]
    caught = next((seed for seed in (breakage.seed, *SEEDS) if breakage.caught(seed) is not None), None)
    assert caught is not None, f"nobody noticed in {len(SEEDS)} seeds: {breakage.why}"
    simulate_power(caught)  # where nothing is broken, that seed has nothing to say
