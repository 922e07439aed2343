"""pymemcache's own integration tests, as its package ships them, against a node of three.

They run in a pytest of their own, because they bring a conftest with options and settings that are not ours.
All of them must pass, and must be there.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pymemcache.test
import pytest

from .cluster import Cluster, Unreplicated
from .processes import HOST

pytestmark = pytest.mark.real

SUITE = Path(pymemcache.test.__file__).with_name("test_integration.py")


def run_suite(cluster: Cluster, directory: Path) -> Mapping[str, int]:
    """How many tests passed, failed and so on; fails with what pytest says if any did."""
    options = ["-q", "-c", os.devnull, "--rootdir", str(directory), "-p", "no:cacheprovider", "-p", "no:xdist"]
    server = ["--server", HOST, "--port", str(cluster.ports[0])]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(SUITE), *server],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {kind: int(count) for count, kind in re.findall(r"(\d+) (\w+)", run.stdout.splitlines()[-1])}


@pytest.mark.parametrize("kind", [Unreplicated, Cluster])
def test_it_passes_whole(kind: type[Cluster], tmp_path: Path) -> None:
    with kind(3, tmp_path) as cluster:
        assert run_suite(cluster, tmp_path)["passed"] >= 96
