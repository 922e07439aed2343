"""memccapable, libmemcached's own test of a server's protocols, against memcached and against a node of three.

It flushes the server that it is given and asks for the exact replies of 27 commands in each protocol. memcached
passes all of them, which is shown here too: what it would fail could not be asked of memrep.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cluster import Cluster, Unreplicated
from .processes import HOST, find_program

pytestmark = pytest.mark.real

TESTS = 27

each_protocol = pytest.mark.parametrize("option", ["-a", "-b"], ids=["ascii", "binary"])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(3, tmp_path_factory.mktemp("nodes")) as cluster:
        yield cluster


@pytest.fixture
def memcached(tmp_path: Path) -> Iterator[Cluster]:
    with Unreplicated(1, tmp_path) as cluster:
        yield cluster


def passed(cluster: Cluster, option: str) -> int:
    """How many tests the first server passes; fails with what memccapable says if not all do."""
    command = [find_program("memccapable"), "-h", HOST, "-p", str(cluster.ports[0]), "-t", "5", option]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.count("[pass]")


@each_protocol
def test_memcached_passes_every_test(memcached: Cluster, option: str) -> None:
    assert passed(memcached, option) == TESTS


@pytest.mark.parametrize(
    "option",
    [
        "-a",
        "-b",
    ],
    ids=["ascii", "binary"],
)
def test_memrep_passes_every_test(nodes: Cluster, option: str) -> None:
    assert passed(nodes, option) == TESTS
