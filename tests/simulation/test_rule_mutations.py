"""The search is worth something: each rule that is broken on purpose is noticed, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from tests.simulation.refinements import REFINEMENTS, TAKES_AWAY
from tests.simulation.rule_mutations import BREAKAGES, Breakage
from tests.simulation.simulator import simulate

ROOT = Path(__file__).resolve().parents[2]

#: By then some seed must have noticed.
SEEDS = range(1, 1001)


@pytest.mark.parametrize("breakage", [b for b in BREAKAGES.values() if b.seed], ids=lambda b: b.name)
def test_a_broken_rule_is_noticed(breakage: Breakage) -> None:
    seeds = chain([breakage.seed or 1], SEEDS)
    caught = next((seed for seed in seeds if breakage.caught(seed) is not None), None)
    assert caught is not None, f"nobody noticed in {len(SEEDS)} seeds: {breakage.why}"
    simulate(
        caught, breakage.kind, redis=breakage.redis
    )  # where nothing is broken, that seed has nothing to say


def test_a_rule_of_which_no_seed_is_known_has_a_story_that_misses_it() -> None:
    unknown = {breakage.name for breakage in BREAKAGES.values() if breakage.seed is None}
    assert unknown <= REFINEMENTS.keys()
    assert all(REFINEMENTS[name].breaks is BREAKAGES[name].breaks for name in unknown)


@pytest.mark.parametrize("name", REFINEMENTS)
def test_a_refinement_that_is_taken_away_turns_its_story_red(name: str) -> None:
    pytest_itself = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", REFINEMENTS[name].story]
    run = subprocess.run(
        [*pytest_itself, "-p", "tests.simulation.refinements"],
        cwd=ROOT,
        env=os.environ | {TAKES_AWAY: name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    assert "AssertionError" in run.stdout, run.stdout  # and no other fault
