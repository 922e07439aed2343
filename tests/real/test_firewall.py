"""deploy/'s firewall files, on three nodes in network namespaces: the pool gets in, a stranger does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.network import forbidden, namespaces, with_sbin

from .processes import CHECKOUT, find_program, missing

pytestmark = pytest.mark.real


def inside(directory: Path, name: str) -> None:
    """Run firewalled.py in namespaces of its own."""
    for program in ("nft", "iptables-restore"):
        find_program(program)
    why = forbidden()
    if why is not None:
        missing(f"the right to make namespaces ({why})")
    done = subprocess.run(
        [*namespaces(), sys.executable, "-m", "tests.real.firewalled", str(directory), name],
        cwd=CHECKOUT,
        env=with_sbin(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    logs = "".join(f"== {path.name}\n{path.read_text()}" for path in sorted(directory.glob("node*.log")))
    assert done.returncode == 0, done.stdout + done.stderr + logs


@pytest.mark.parametrize("name", ["nftables.conf", "iptables.rules"])
def test_the_pool_gets_in_and_a_stranger_does_not(name: str, tmp_path: Path) -> None:
    inside(tmp_path, name)


def test_without_rules_the_stranger_gets_in(tmp_path: Path) -> None:
    inside(tmp_path, "none")


def test_without_the_lines_for_the_nodes_port_each_node_is_alone(tmp_path: Path) -> None:
    inside(tmp_path, "tutorial")
