"""The examples run, and print what they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

PRINTED = {
    "embed_node.py": ["STORED", "VALUE session 0 5", "hello", "END"],
    "client_policy.py": ["ann: STORED", "bob: NOT_FOUND", "ann: DELETED"],
}


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_an_example_prints_what_it_promises(name: str) -> None:
    run = subprocess.run(
        [sys.executable, EXAMPLES / name], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.splitlines() == PRINTED[name]
