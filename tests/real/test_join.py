"""A node restarts among many sessions: it answers nobody before it holds them all, and the others serve on.

The measuring is bench/join.py, which ends with a failure if the restarted node answered early.
"""

import re
import subprocess
import sys

import pytest

from .processes import CHECKOUT

pytestmark = pytest.mark.real


def test_a_restarted_node_answers_nobody_before_it_holds_every_session() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench.join", "--sessions", "30000", "--size", "1000"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    print(run.stdout)
    assert run.returncode == 0, run.stdout + run.stderr
    held = re.search(r"holding (\d+) of (\d+) items", run.stdout)
    assert held is not None
    assert held[1] == held[2]
