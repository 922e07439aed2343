"""PHP while a node's cable is pulled: the other nodes and PHP are cut off from it, and still wait for it.

Each node has a network of its own here (tests/faults/network.py), so a test runs itself once more in there.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import network
from tests.faults.network import Networked

from .generation import DEBIAN_13, INSTALLED, both_generations
from .parallel import Crowd, pecl
from .processes import missing, pause, until

pytestmark = [pytest.mark.real, both_generations]

# Longer than the other nodes wait for a silent one, and than PHP does.
CUT_S = 3.0
HEALED_S = 15

# Each request that begins at the node that is cut off waits for it for a second first.
PATIENCE_MS = 4_000


class Plugged:
    """Nodes with networks of their own, as a crowd sees them."""

    def __init__(self, nodes: Networked) -> None:
        self.nodes = nodes
        self.count = nodes.count
        self.ports = [f"{host}:{port}" for host, port in nodes.addresses]

    def stats(self, i: int, group: str) -> dict[str, str]:
        """What node i tells in this group of stats, by name."""
        lines = self._talk(i, f"stats {group}").decode().splitlines()[:-1]
        return {name: text for _, name, text in (line.split(" ", 2) for line in lines)}

    def stored(self, i: int, key: str) -> bytes:
        """What node i answers to a plain get."""
        return self._talk(i, f"get {key}")

    def cut_and_heal(self, i: int) -> None:
        """Pull a node's cable for a while; return when nothing is left of that."""
        self.nodes.unplug(i)
        pause(CUT_S)
        self.nodes.heal()
        until(self.nodes.whole, HEALED_S, "all nodes serve again")

    def _talk(self, i: int, command: str) -> bytes:
        with socket.create_connection(self.nodes.addresses[i], timeout=5) as client:
            client.sendall(command.encode() + b"\r\n")
            reply = b""
            while not reply.endswith(b"END\r\n"):
                received = client.recv(65536)
                assert received, f"node {i} closed the connection after {reply!r}"
                reply += received
        return reply


@contextmanager
def plugged(directory: Path) -> Iterator[Plugged]:
    """Three nodes, each behind a cable."""
    with Networked(3, directory) as nodes:
        yield Plugged(nodes)
        assert nodes.misdeeds() == []


def run_inside(test: str, directory: Path) -> None:
    """Run a test once more where it may pull cables."""
    if why := network.forbidden():
        missing(f"a network namespace ({why})")
    again = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-m", "real"]
    done = network.run_inside([*again, "--basetemp", str(directory / "inside"), test], timeout_s=120)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("generation", "path"),
    [
        (INSTALLED, "same path"),
        (DEBIAN_13, "same path"),
        pytest.param(INSTALLED, "own node first", marks=pytest.mark.long),
        pytest.param(DEBIAN_13, "own node first", marks=pytest.mark.long),
    ],
    indirect=["generation"],
    ids=str,
)
def test_a_node_whose_cable_is_pulled_loses_no_increment(
    path: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if not network.inside():
        run_inside(request.node.nodeid, tmp_path)
        return
    with plugged(tmp_path) as nodes, Crowd(nodes, pecl(3), path, tmp_path, patience_ms=PATIENCE_MS) as crowd:
        crowd.loses_nothing_while(nodes.cut_and_heal)
