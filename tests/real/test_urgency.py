"""Nodes under test are as urgent as on real servers, whoever starts them and however patient he is himself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.faults.nodes import Nodes

from .cluster import Cluster
from .urgency import as_the_unit_runs, unit_nice

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may come before other programs"),
]


@pytest.mark.parametrize("kind", [Cluster, Nodes])
def test_the_nodes_of_tests_have_the_nice_of_the_unit_wherever_the_kernel_looks(
    kind: type[Cluster] | type[Nodes], tmp_path: Path
) -> None:
    with kind(1, tmp_path) as nodes:
        pid = nodes.node(0).process.pid
        assert os.getpriority(os.PRIO_PROCESS, pid) == int(unit_nice())
        autogroup = Path(f"/proc/{pid}/autogroup")
        if autogroup.exists():
            assert autogroup.read_text().split()[-2:] == ["nice", unit_nice()]


def test_tests_that_are_run_with_a_nice_of_their_own_do_not_hand_it_on() -> None:
    command = ["nice", "-n", "19", *as_the_unit_runs(["nice"])]
    told = subprocess.run(
        command, capture_output=True, text=True, timeout=20, check=True, start_new_session=True
    )
    assert told.stdout == f"{unit_nice()}\n"
