"""phpredis' own tests, in PHP, with memrep in redis-server's place: its classes, and its session handlers.

They are Debian's source package of the installed php-redis, fetched by tools/debian-source. Which of them lie
within memrep's commands is measured: all run on a redis-server that has no other ones (redis_reference.py).
What passes there has to pass on a node of three, but for what is named below with the reason; and what is named
must still differ.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

import attrs
import pytest

from .processes import CHECKOUT, HOST, Child, Family, find_program, missing
from .redis_reference import RestrictedRedis
from .test_redis_clients import RedisNodes

pytestmark = [pytest.mark.real, pytest.mark.long]

TOOL: Final = CHECKOUT / "tools" / "debian-source"

#: Seconds that one class' tests may take, sessions' or others; sessions' need a fifth of them.
TIMEOUT_S: Final = 120

#: So often at most is a test run until it passes: some measure time, and a node that the machine has stopped
#: for long hangs up.
RUNS_MAX: Final = 3

#: What asks a set for its members until it has seen all of them, and never ends where there are no sets.
ENDLESS: Final = "testsRandMember"

_NO_LUA = "memrep runs no Lua"

#: The classes, and how many of their tests pass on redis-server with memrep's commands alone, at least.
CLASSES: Final = {"Redis": 75, "RedisCluster": 70}

#: Where memrep differs: the names of tests, and why.
DIFFERENCES: Final = {
    "Redis": {
        "testClient": "CLIENT LIST has no addresses, by which a client could be killed",
        "testWait": "WAIT counts the other nodes, and the test expects that there are none",
        "testScript": _NO_LUA,
        "testEvalSHA": _NO_LUA,
        "testReplyLiteral": _NO_LUA,
    },
    "RedisCluster": {
        "testClient": "CLIENT LIST has no addresses, by which a client could be killed",
        "testKeys": "each node lists all keys, and the class asks all of them",
        "testScript": _NO_LUA,
        "testEvalSHA": _NO_LUA,
        "testEvalBulkResponse": _NO_LUA,
        "testEvalBulkResponseMulti": _NO_LUA,
        "testEvalBulkEmptyResponse": _NO_LUA,
        "testEvalBulkEmptyResponseMulti": _NO_LUA,
        "testReplyLiteral": _NO_LUA,
    },
}


def source() -> Path:
    """The folder of the tests."""
    where = subprocess.run([TOOL, "where", "php-redis"], capture_output=True, text=True, check=True)
    versions = Path(where.stdout.strip()).glob("redis-*/tests")
    found = [tests for tests in versions if "redis-4." not in str(tests)]  # that one is for PHP 5
    if not found:
        missing("phpredis' source (tools/debian-source build php-redis)")
    return found[0]


def unpacked(folder: Path, nodes: Collection[tuple[str, int]]) -> Path:
    """A copy of the tests, for a server with these nodes."""
    copy = folder / "tests"
    shutil.copytree(source(), copy)
    # What PHP itself says would stand between the verdicts. An error is no exception: it would end all that
    # follows. And a limit is to be a list of names, not a part of some.
    amend(copy / "TestRedis.php", "error_reporting(E_ALL)", "error_reporting(E_ALL & ~E_DEPRECATED)")
    amend(copy / "TestSuite.php", "catch (Exception $e)", "catch (Throwable $e)")
    amend(
        copy / "TestSuite.php",
        "strstr(strtolower($name), $str_limit)===FALSE",
        "!in_array(strtolower($name), explode(',', $str_limit))",
    )
    (copy / "nodes").mkdir()
    (copy / "nodes" / "nodemap").write_text("".join(f"{host}:{port}\n" for host, port in nodes))
    return copy


def amend(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file} is another one"
    file.write_text(text.replace(old, new))


@attrs.frozen
class Suite:
    """The tests, unpacked for one server."""

    folder: Path
    kind: str
    host: str
    port: int

    def begin(self, family: Family, what: str, names: Collection[str]) -> Child:
        """Run the tests of these names."""
        argv = [find_program("php"), "-d", "log_errors=0", "TestRedis.php", "--nocolors", "--class", self.kind]
        where = ["--host", self.host, "--port", str(self.port), "--test", ",".join(sorted(names))]
        # Without it they look for a phpredis that they have built.
        env = {**os.environ, "TEST_PHP_ARGS": "-d zend.assertions=1"}
        return family.add(Child(f"{self.folder.parent.name}-{what}", [*argv, *where], self.folder, env=env))


def passed(run: Child) -> set[str]:
    """Return the names of the tests that passed, once all are over."""
    run.wait(TIMEOUT_S)
    told = run.log.read_text(errors="replace")
    print(told, file=sys.stderr)
    good, name = set(), ""
    for found in re.finditer(r"^(test\w+)|\[(PASSED|FAILED|SKIPPED)\]$", told, re.MULTILINE):
        name = found[1] or name
        if found[2] == "PASSED":
            good.add(name)
    return good


@pytest.mark.parametrize("kind", CLASSES)
def test_what_passes_on_redis_server_with_memreps_commands_passes_on_memrep(kind: str, tmp_path: Path) -> None:
    cluster = kind == "RedisCluster"
    for name in ("redis", "memrep", "server", "nodes"):
        (tmp_path / name).mkdir()
    files = ["RedisTest.php", "RedisClusterTest.php"]
    text = "".join((source() / file).read_text() for file in files)
    names = set(re.findall(r"public function (test\w+)\(", text)) - {ENDLESS}
    sessions = {name for name in names if name.startswith("testSession")}
    options = ["-I", "16m", "-m", "256", *["--redis-cluster"] * cluster]
    with (
        RestrictedRedis(tmp_path / "server", scripts=True, cluster=cluster) as server,
        RedisNodes(3, tmp_path / "nodes", *options) as nodes,
        Family() as family,
    ):
        here = [(nodes.host(i), nodes.redis_port) for i in range(nodes.count)]
        redis = Suite(unpacked(tmp_path / "redis", [(HOST, server.port)]), kind, HOST, server.port)
        memrep = Suite(unpacked(tmp_path / "memrep", here), kind, *here[0])
        # Those of sessions sleep most of the time; the others flush what is there, sessions among it.
        slept = [suite.begin(family, "sessions", sessions) for suite in (redis, memrep)]
        good_there, good_here = map(passed, slept)
        others = passed(redis.begin(family, "others", names - sessions))
        good_there |= others
        good_here |= passed(memrep.begin(family, "others", others))
        for again in range(1, RUNS_MAX):
            missed = good_there - good_here - set(DIFFERENCES[kind])
            if missed:
                good_here |= passed(memrep.begin(family, f"again{again}", missed))
    differences = sorted(good_there - good_here)
    print(f"{kind}: {len(good_there)} on redis-server, {len(good_here)} on memrep; {differences}")
    assert len(good_there) >= CLASSES[kind]
    assert differences == sorted(DIFFERENCES[kind])


def test_what_the_class_for_sentinels_asks_is_answered_by_every_node(tmp_path: Path) -> None:
    """Against Redis' sentinel all of them pass; memrep has no file of a configuration that it could write."""
    names = set(re.findall(r"public function (test\w+)\(", (source() / "RedisSentinelTest.php").read_text()))
    (tmp_path / "memrep").mkdir()
    (tmp_path / "nodes").mkdir()
    with RedisNodes(3, tmp_path / "nodes") as nodes, Family() as family:
        copy = unpacked(tmp_path / "memrep", [])
        amend(copy / "RedisSentinelTest.php", "($this->getHost())", "($this->getHost(), $this->getPort())")
        for i in range(nodes.count):
            suite = Suite(copy, "RedisSentinel", nodes.host(i), nodes.redis_port)
            assert names - passed(suite.begin(family, f"node{i}", names)) == {"testFlushconfig"}
