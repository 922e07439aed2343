"""Redis' own tests, in Tcl, with memrep in redis-server's place.

They are Debian's source package of the installed version, fetched by tools/debian-source, and run in their mode
for a server that is up already. Which of them lie within memrep's commands is measured: each unit runs beside
that on a redis-server that has no other ones (redis_reference.py). What passes there has to pass here, but for
what is named below with the reason; and what is named must still differ.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import attrs
import pytest

from .processes import CHECKOUT, HOST, NODE_LINK_OFFSET, Child, Family, PortLease, find_program, missing
from .redis_reference import RestrictedRedis
from .test_redis_clients import RedisNodes

pytestmark = [pytest.mark.real, pytest.mark.long]

TOOL: Final = CHECKOUT / "tools" / "debian-source"

#: Seconds that one unit may take on either server; the longest needs a fifth of them.
UNIT_TIMEOUT_S: Final = 120

#: Those that write too often to wait for other nodes each time: they are run against a lone node.
MANY_WRITES: Final = frozenset(["unit/type/string", "unit/other"])

#: Many tests count milliseconds, and a node that was stopped hangs up: a busy machine fails them. So many
#: times at most is a unit run until each of its tests has passed once.
RUNS_MAX: Final = 3

#: The units, and how many of their tests pass on redis-server with memrep's commands alone.
UNITS: Final = {
    "unit/type/string": 57,
    "unit/type/incr": 22,
    "unit/expire": 56,
    "unit/keyspace": 32,
    "unit/scan": 5,
    "unit/multi": 23,
    "unit/quit": 3,
    "unit/protocol": 15,
    "unit/introspection": 17,
    "unit/introspection-2": 38,
    "unit/pubsub": 15,
    "unit/other": 13,
    "unit/querybuf": 2,
    "unit/slowlog": 2,
    "unit/info-command": 3,
}

_NOT_OURS = "it asks COMMAND for a command that memrep has not"
_NO_BUFFERS = "CLIENT LIST has no figures of buffers"
_NO_COMMAND_STATS = "INFO counts no single commands"

#: Where memrep differs: the names of tests, and why.
DIFFERENCES: Final[dict[str, dict[str, str]]] = {
    "unit/type/string": {"trim on SET with big value": "it is for a server with jemalloc"},
    "unit/type/incr": {"INCR uses shared objects in the 0-9999 range": "no two keys share a value"},
    "unit/keyspace": {
        "Regression for pattern matching very long nested loops": "a pattern has at most 1,024 bytes",
    },
    "unit/multi": {
        "MULTI with SAVE": "SAVE is unknown, which is what it is told",
        "MULTI with SHUTDOWN": "SHUTDOWN is unknown, which is what it is told",
    },
    "unit/introspection": {
        "CLIENT LIST": _NO_BUFFERS,
        "CLIENT INFO": _NO_BUFFERS,
        "CONFIG GET hidden configs": "memrep has no such setting",
        "CONFIG GET multiple args": "memrep has no such settings",
    },
    "unit/introspection-2": {
        "command stats for EXPIRE": _NO_COMMAND_STATS,
        "COMMAND GETKEYSANDFLAGS": "COMMAND GETKEYSANDFLAGS is unknown",
        "COMMAND GETKEYS XGROUP": _NOT_OURS,
        "COMMAND GETKEYS LCS": _NOT_OURS,
        "COMMAND GETKEYS MORE THAN 256 KEYS": _NOT_OURS,
        "COMMAND LIST FILTERBY ACLCAT - list all commands/subcommands": "there are no categories of ACLs",
        "COMMAND LIST FILTERBY PATTERN - list all commands/subcommands": _NOT_OURS,
        **{
            f"{name} command is marked with movablekeys": _NOT_OURS
            for name in ("ZUNIONSTORE", "XREAD", "SORT", "SORT_RO", "MIGRATE", "GEORADIUS")
        },
    },
    "unit/other": {"FLUSHDB": "DBSIZE counts what was flushed until it is swept"},
    "unit/querybuf": {
        "query buffer resized correctly": _NO_BUFFERS,
        "query buffer resized correctly when not idle": _NO_BUFFERS,
    },
    "unit/info-command": {
        "info command with at most one sub command": _NO_COMMAND_STATS,
        "info command with one sub-section": _NO_COMMAND_STATS,
        "info command with multiple sub-sections": _NO_COMMAND_STATS,
    },
}

#: A test that failed leaves its MULTI or its RESP3 behind: the next one begins on another connection.
EACH_ALONE: Final = """
rename test their_test
proc test {name code {okpattern undefined} {tags {}}} {
    set failed $::num_failed
    uplevel 1 [list their_test $name $code $okpattern $tags]
    if {$::num_failed > $failed} {catch {reconnect}}
}
"""


@attrs.frozen
class Suite:
    """The suite, unpacked for one server: it keeps files of its own."""

    name: str
    folder: Path
    host: str
    port: int

    def begin(self, unit: str, family: Family, own_port: int) -> Child:
        """Run a unit, which listens on this port itself."""
        options = ["--host", self.host, "--port", self.port, "--baseport", own_port + _BELOW_ITS_BASEPORT]
        what = ["--durable", "--ignore-encoding", "--ignore-digest", "--single", unit]
        argv = [find_program("tclsh"), "tests/test_helper.tcl", *map(str, options), *what]
        return family.add(Child(f"{self.name}-{unit.replace('/', '-')}", argv, self.folder))


#: The suite looks for a port to listen on so far below the one that it is told.
_BELOW_ITS_BASEPORT: Final = 32


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """Two copies of the suite."""
    where = subprocess.run([TOOL, "where", "redis-server"], capture_output=True, text=True, check=True)
    source = Path(where.stdout.strip(), "tests")
    if not source.is_dir():
        missing("Redis' source (tools/debian-source build redis-server)")
    folders = [tmp_path_factory.mktemp(name) for name in ("redis", "memrep")]
    for folder in folders:
        shutil.copytree(source, folder / "tests")
        with (folder / "tests/support/util.tcl").open("a") as last_read:
            last_read.write(EACH_ALONE)
        # Functions and settings are none of memrep's commands, and it must be possible to do without them.
        server = folder / "tests/support/server.tcl"
        text = server.read_text().replace("    r function flush\n", "")
        server.write_text(text.replace("r config set $param $val", "catch {r config set $param $val}"))
    return folders


@pytest.fixture(scope="module")
def redis(unpacked: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """The suite for redis-server with memrep's commands."""
    with RestrictedRedis(tmp_path_factory.mktemp("server")) as server:
        yield Suite("redis", unpacked[0], HOST, server.port)


@pytest.fixture(scope="module")
def memrep(
    request: pytest.FixtureRequest, unpacked: Sequence[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Suite]:
    """The suite for memrep, so many nodes of it."""
    with RedisNodes(request.param, tmp_path_factory.mktemp("nodes"), "-I", "16m", "-m", "256") as nodes:
        yield Suite("memrep", unpacked[1], nodes.host(0), nodes.redis_port)


def verdicts(log: Path) -> Counter[str]:
    """Read how often a test of each name has passed."""
    text = re.sub(r"\x1b\[[\d;]*m", "", log.read_text(errors="replace"))
    return Counter(re.findall(r"^\[ok\]: (.*) \(\d+ ms\)$", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("memrep", "unit"), [(1 if unit in MANY_WRITES else 3, unit) for unit in UNITS], indirect=["memrep"]
)
def test_what_passes_on_redis_server_with_memreps_commands_passes_on_memrep(
    unit: str, redis: Suite, memrep: Suite
) -> None:
    there, here = Counter[str](), Counter[str]()
    for _ in range(RUNS_MAX):
        with Family() as family, closing(PortLease(2, offsets=(0, NODE_LINK_OFFSET))) as lease:
            ports = zip((redis, memrep), lease.ports, strict=True)
            runs = [suite.begin(unit, family, port) for suite, port in ports]
            for run in runs:
                run.wait(UNIT_TIMEOUT_S)
            there |= verdicts(runs[0].log)
            here |= verdicts(runs[1].log)
        differences = sorted(there - here)
        print(f"{unit}: {there.total()} on redis-server, {here.total()} on memrep; {differences}")
        if there.total() >= UNITS[unit] and differences == sorted(DIFFERENCES.get(unit, {})):
            return
    assert there.total() >= UNITS[unit]
    assert differences == sorted(DIFFERENCES.get(unit, {}))
