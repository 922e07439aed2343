"""What is wrong with names and between nodes is read in `memrep status` (stories of tests/faults/asked.py)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.faults.asked import CASES
from tests.faults.network import forbidden
from tests.real.processes import missing

pytestmark = pytest.mark.real

TIMEOUT_S = 120


@pytest.mark.parametrize("case", CASES)
def test_who_is_apart_and_why_is_told_by_each_node(case: str) -> None:
    why = forbidden()
    if why is not None:
        missing(f"the right to make network namespaces ({why})")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.asked", case],
        capture_output=True, timeout=TIMEOUT_S, check=False, env=os.environ,
    )  # fmt: skip
    told = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    assert done.returncode == 0, told
