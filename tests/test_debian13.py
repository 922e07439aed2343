"""The second generation of PHP is unpacked whole or not at all, by one caller, and nobody misses it unsaid.

mmdebstrap and apt are stand-ins here; what they really unpack is what tests/real runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest

from tests.real.generation import TOOL

pytestmark = pytest.mark.skipif(shutil.which("flock") is None, reason="flock is not installed")

KEYS = Path("/usr/share/keyrings/debian-archive-trixie-stable.gpg")

#: mmdebstrap's last arguments are the suite, the folder and the mirror.
UNPACKS = """
for folder; do last_but_one=${before:-}; before=$folder; done
echo "$last_but_one" >> "$UNPACKED"
sleep 0.3
touch "$last_but_one/is-whole"
"""


@attrs.frozen
class Machine:
    """A machine that has these programs before its own ones in the path."""

    directory: Path

    def program(self, name: str, script: str) -> None:
        """Let this program be that script."""
        path = self.directory / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Call the tool."""
        env = {name: text for name, text in os.environ.items() if name not in ("CI", "DEBIAN_MIRROR")}
        env |= {
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "UNPACKED": str(self.directory / "unpacked"),
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
    """One whose user is root, and which has a mirror and an mmdebstrap that works."""
    machine = Machine(tmp_path)
    machine.program("id", "echo 0")
    machine.program("apt-get", "echo http://mirror.example/debian/")
    machine.program("apt-config", "true")
    machine.program("mmdebstrap", UNPACKS)
    return machine


needs_keys = pytest.mark.skipif(not KEYS.exists(), reason="this system knows no keys of Debian 13")


@needs_keys
def test_of_two_callers_one_unpacks_and_both_find_it_whole(machine: Machine) -> None:
    callers = [machine.start("build") for _ in range(2)]
    for caller in callers:
        caller.communicate(timeout=30)
        assert caller.returncode == 0
    assert (machine.root / "is-whole").exists()
    assert len((machine.directory / "unpacked").read_text().splitlines()) == 1
    assert machine.folders == {machine.root.name}


@needs_keys
def test_what_could_not_be_unpacked_leaves_nothing_behind_and_is_said(machine: Machine) -> None:
    machine.program("mmdebstrap", UNPACKS + "exit 1")
    status, said = machine.says("build")
    assert (status, "LEFT OUT" in said) == (0, True)
    assert machine.folders == set()
    machine.program("mmdebstrap", UNPACKS)
    assert machine.says("build")[0] == 0
    assert machine.folders == {machine.root.name}


@needs_keys
def test_what_a_killed_caller_has_left_is_cleared_away(machine: Machine) -> None:
    leavings = machine.root.parent / "trixie.new.abcdef"
    leavings.mkdir(parents=True)
    assert machine.says("build")[0] == 0
    assert machine.folders == {machine.root.name}


@pytest.mark.parametrize(
    ("program", "script", "why"),
    [("id", "echo 1000", "only root"), ("apt-get", "true", "apt knows no mirror")],
)
def test_who_may_not_unpack_it_is_told_what_is_left_out_and_under_ci_fails(
    program: str, script: str, why: str, machine: Machine
) -> None:
    machine.program(program, script)
    status, said = machine.says("build")
    assert (status, "LEFT OUT" in said, why in said) == (0, True, True), said
    assert machine.says("build", CI="true")[0] == 1


def test_nothing_runs_in_what_is_not_there(machine: Machine) -> None:
    status, said = machine.says("run", "true")
    assert (status, "tools/debian13 build" in said) == (2, True)
