"""Faults, briefly: `make faults` goes on for longer, and with more kinds of them.

The checks themselves are checked too: plain memcacheds lose and age what they hold, and must be found wanting.
"""

from __future__ import annotations

import pytest

from tests.faults.faults import run_fault
from tests.faults.nodes import Memcacheds
from tests.real.processes import find_program

pytestmark = pytest.mark.real

SECONDS = 6.0


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_no_answer_is_wrong(fault: str) -> None:
    outcome = run_fault(fault, seconds=SECONDS, seed=1)
    assert outcome.rounds
    assert not outcome.world.findings.counts, outcome.evidence()


def test_plain_memcacheds_are_found_wanting() -> None:
    find_program("memcached")
    outcome = run_fault("freeze", seconds=2.0, seed=1, kind=Memcacheds)
    counts = outcome.world.findings.counts
    for kind in ("lost", "stale", "resurrected", "double", "queued"):
        assert counts[kind], f"nothing was {kind}: {counts}"
