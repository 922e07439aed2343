"""pymemcache's own integration tests, as its package ships them, against a node of three.

They run in a pytest of their own, because they bring a conftest with options and settings that are not ours.
What they ask for that memrep leaves out on purpose is named here; the rest must pass, and must be there.
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

#: `stats cachedump` and `cache_memlimit`: memrep has no slabs, and no limit that changes while it runs.
LEFT_OUT = "not test_misc"


def run_suite(cluster: Cluster, directory: Path, selection: str) -> Mapping[str, int]:
    """How many tests passed, failed and so on; fails with what pytest says if any did."""
    options = ["-q", "-c", os.devnull, "--rootdir", str(directory), "-p", "no:cacheprovider", "-p", "no:xdist"]
    server = ["--server", HOST, "--port", str(cluster.ports[0])]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(SUITE), "-k", selection, *server],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {kind: int(count) for count, kind in re.findall(r"(\d+) (\w+)", run.stdout.splitlines()[-1])}


def test_memcached_passes_what_memrep_is_not_asked(tmp_path: Path) -> None:
    with Unreplicated(1, tmp_path) as memcached:
        assert run_suite(memcached, tmp_path, "test_misc")["passed"] >= 6


def test_memrep_passes_all_that_it_is_asked(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster:
        assert run_suite(cluster, tmp_path, LEFT_OUT)["passed"] >= 90
