"""memcached's own tests, in perl, with memrep in memcached's place.

They are Debian's source package of the installed version, fetched by tools/debian-source; perl's harness
starts `memcached-debug`, which here is memcached_wrapper.py. Run are those on what an operator sees and on who
is hung up on. Of their assertions these are left out, which speak of what memrep has not:

- stats.t: how many statistics there are (a number that each version of memcached has another of), and two that
  `lrutail_reflocked`, an accident of its LRU lists, is 0;
- stats.t: `stats cachedump` lists a key. memrep never lists any;
- stats-conns.t: the port for UDP, which memrep has not.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from .processes import CHECKOUT, find_program, missing

pytestmark = pytest.mark.real

TOOL = CHECKOUT / "tools" / "debian-source"
WRAPPER = Path(__file__).with_name("memcached_wrapper.py")

#: The assertions that are left out, by file: the names of those that fail.
LEFT_OUT = {
    "stats.t": [
        "expected count of stats values",
        "initial lrutail_reflocked is zero",
        "got foo from cachedump",
        "",  # $stats->{lrutail_reflocked} after a reset; perl gives it no name
    ],
    "stats-conns.t": ["udp port number is correct"],
}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like one in which memcached was built."""
    where = subprocess.run(
        [TOOL, "where", "memcached"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(where, "t").is_dir():
        missing("memcached's source (tools/debian-source build memcached)")
    folder = tmp_path_factory.mktemp("memcached")
    shutil.copytree(Path(where, "t"), folder / "t")
    script(folder / "memcached-debug", f'exec {sys.executable} {WRAPPER} "$@"')
    script(folder / "timedrun", 'shift\nexec "$@"')
    return folder


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@attrs.frozen
class Outcome:
    """What perl's Test::More told: the names of the assertions that held and of those that did not."""

    planned: int
    passed: list[str]
    failed: list[str]


def run(build: Path, name: str) -> Outcome:
    """Run one file, and read its verdicts."""
    done = subprocess.run(
        [find_program("perl"), f"t/{name}"],
        cwd=build,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    plan = re.search(r"^1\.\.(\d+)$", done.stdout, re.MULTILINE)
    assert plan is not None, done.stdout + done.stderr
    verdicts = re.findall(r"^(not )?ok \d+(?: - (.*))?$", done.stdout, re.MULTILINE)
    passed = [text for wrong, text in verdicts if not wrong]
    failed = [text for wrong, text in verdicts if wrong]
    assert len(verdicts) == int(plan[1]), done.stdout + done.stderr
    return Outcome(int(plan[1]), passed, failed)


@pytest.mark.parametrize(
    ("name", "planned"),
    [
        ("stats.t", 113),
        ("malicious-commands.t", 3),
        ("strtol-testing.t", 2),
        ("issue_41.t", 691),
        ("stats-detail.t", 24),
        ("stats-conns.t", 12),
    ],
)
def test_memcacheds_own_tests_pass(build: Path, name: str, planned: int) -> None:
    outcome = run(build, name)
    assert outcome.failed == LEFT_OUT.get(name, [])
    assert outcome.planned == planned
    assert len(outcome.passed) == planned - len(outcome.failed)
