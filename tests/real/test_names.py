"""Names that stand for several addresses, or wrong ones, or change; and links of which one direction works.

Each story runs in network and mount namespaces of its own (tests/faults/named.py).
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.faults.named import CASES
from tests.faults.network import forbidden
from tests.real.processes import missing

pytestmark = pytest.mark.real

TIMEOUT_S = 120


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    why = forbidden()
    if why is not None:
        missing(f"the right to make network namespaces ({why})")


#: What waits for a node that gives up takes over ten seconds.
_SLOW = ("one_way", "listens_elsewhere")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.long) if case in _SLOW else case for case in CASES]
)
def test_nodes_that_know_each_other_by_name_never_part_without_a_word(case: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.named", case],
        capture_output=True, timeout=TIMEOUT_S, check=False, env=os.environ,
    )  # fmt: skip
    told = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    assert done.returncode == 0, told
