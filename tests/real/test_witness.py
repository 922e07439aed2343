"""A test that fails while the machine stands still is run again, and no other one is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .busy import spinning
from .processes import CHECKOUT, until
from .witness import Witness, standing_still

pytestmark = [
    pytest.mark.real,
    pytest.mark.long,
    pytest.mark.alone,  # it stops this machine, and nobody else should be tested meanwhile
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may come before other programs"),
]

STORY = """
import pytest
from tests.real.witness import standing_still

runs = []

@pytest.fixture
def fresh():
    return []

def test_fails_while_it_stands_still(fresh):
    runs.append(1)
    fresh.append(1)
    assert len(fresh) == 1, "each run has its own fixtures"
    if len(runs) == 1:
        standing_still(0.3)
        raise AssertionError("the first time")

def test_fails_by_itself():
    runs.append(2)
    raise AssertionError("always")

def test_it_was_run_once():
    assert runs == [1, 1, 2]
"""


def test_a_machine_that_stands_still_is_told_from_one_that_has_much_to_do() -> None:
    with Witness() as witness, spinning(8, 60):
        time.sleep(1)  # the time in which they would be taken for a stop
        assert witness.seen() == []
    with Witness() as witness:
        standing_still(0.3)
        lines: list[str] = []

        def all_told() -> bool:
            lines.extend(witness.seen())
            return len(lines) >= len(os.sched_getaffinity(0))

        until(all_told, 5, "each CPU is told of")
    assert all("stood still for" in line for line in lines)


def test_who_fails_meanwhile_is_run_again_and_who_fails_by_himself_is_not(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.real.conftest import pytest_runtest_protocol\n")
    (tmp_path / "test_story.py").write_text(STORY)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "test_story.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 2 passed" in run.stdout, run.stdout + run.stderr
    assert "test_fails_by_itself" in run.stdout.splitlines()[-2]
