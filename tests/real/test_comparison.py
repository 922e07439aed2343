"""`make compare` sees what it is there to see: what memcached loses, and that memrep does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.comparison.table import load
from tests.faults.network import forbidden

from .processes import CHECKOUT, missing

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.alone]


def test_a_memcached_that_returns_empty_costs_sessions_and_a_memrep_none(tmp_path: Path) -> None:
    if os.geteuid() != 0 or forbidden():
        missing("the right to make network namespaces")
    wanted = ["--setup", "memcached", "--setup", "memrep-memcache", "--setup", "memrep-phpredis"]
    command = [sys.executable, "-m", "bench.comparison", "--quick", "--story", "kill", *wanted]
    subprocess.run([*command, "--into", str(tmp_path)], cwd=CHECKOUT, check=True, timeout=180)
    memcached, *memreps = load(tmp_path / "comparison.json").found
    assert memcached.lost > 0
    assert [(memrep.lost, memrep.stale) for memrep in memreps] == [(0, 0)] * 2
