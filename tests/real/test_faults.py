"""Faults, briefly: `make faults` goes on for longer, and with more kinds of them.

The checks themselves are checked too: plain memcacheds and redis-servers lose and age what they hold, and must
be found wanting.
"""

from __future__ import annotations

import pytest

from tests.faults.faults import run_fault
from tests.faults.nodes import Memcacheds, Nodes, Redises
from tests.real.processes import find_program

pytestmark = pytest.mark.real

SECONDS = 6.0


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_no_answer_is_wrong(fault: str) -> None:
    outcome = run_fault(fault, seconds=SECONDS, seed=1)
    assert outcome.rounds
    assert not outcome.world.findings.counts, outcome.evidence()


@pytest.mark.parametrize(
    ("program", "nodes"),
    [("memcached", Memcacheds), pytest.param("redis-server", Redises, marks=pytest.mark.long)],
)
def test_what_does_not_replicate_is_found_wanting(program: str, nodes: type[Nodes]) -> None:
    find_program(program)
    outcome = run_fault("freeze", seconds=2.0, seed=1, kind=nodes)
    counts = outcome.world.findings.counts
    for kind in ("lost", "stale", "resurrected", "double", "queued"):
        assert counts[kind], f"nothing was {kind}: {counts}"
