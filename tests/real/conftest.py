"""What all tests with real programs have at hand; and that a run in which the machine stood still is none."""

from __future__ import annotations

import sys
from typing import Final

import pytest
from _pytest.runner import runtestprotocol

from .generation import debian_13, generation
from .witness import Witness

__all__ = ["debian_13", "generation"]

#: So often at most is a test run that fails while the machine stands still.
RUNS_MAX: Final = 3

_WITNESS: Final = pytest.StashKey[Witness]()


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test; once more if it has failed and the machine itself has stood still meanwhile (witness.py)."""
    witness = item.config.stash.get(_WITNESS, None)
    if witness is None:
        witness = item.config.stash[_WITNESS] = Witness()
        witness.__enter__()
        item.config.add_cleanup(witness.over)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for run in range(1, RUNS_MAX + 1):
        witness.seen()
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        stood_still = witness.seen()
        if run == RUNS_MAX or not stood_still or not any(report.failed for report in reports):
            break
        print(f"{item.nodeid}: run {run} says nothing:", *stood_still, sep="\n", file=sys.stderr)
        item._initrequest()  # type: ignore[attr-defined]
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
