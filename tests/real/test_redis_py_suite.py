"""redis-py's own tests, as its source distribution has them: what needs no more than memrep's commands passes.

Which tests those are is found out, not listed: the same tests run against redis-server with an ACL that allows
memrep's commands only. Each that passes there must pass on memrep; what does not stands in `DIFFERENCES` with
its reason. Some tests wait a tenth of a second, and fail on either server when the machine is busy: those have
to pass when they run by themselves.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest
import redis

from memrep.protocol.resp.table import COMMANDS

from .named import NamedNodes
from .processes import HOST, Child, Family, PortLease, accepts, find_program, until
from .redis_py_source import plugins, source

pytestmark = [pytest.mark.real, pytest.mark.long]

SUITE_TIMEOUT_S: Final = 400

#: So often may tests that have failed among others be run by themselves.
ALONE_MAX: Final = 2

NO_LUA: Final = "memrep knows some scripts by their text, and runs no other"
FEWER: Final = "memrep has fewer commands"
NO_ADDRESSES: Final = "CLIENT LIST tells no addresses, nor the last commands of others"
NO_SETTINGS: Final = "CONFIG GET has what clients ask for, not what each of Redis' data structures is made of"

#: The tests that pass on redis-server and not here, by their names, with the reason.
DIFFERENCES: Final[dict[str, str]] = {
    "test_eval": NO_LUA,
    "test_eval_msgpack": NO_LUA,
    "test_eval_msgpack_pipeline_error_in_lua": NO_LUA,
    "test_eval_multiply": NO_LUA,
    "test_eval_same_slot": NO_LUA,
    "test_evalsha": NO_LUA,
    "test_script_loading": NO_LUA,
    "test_script_object": NO_LUA,
    "test_script_object_in_pipeline": NO_LUA,
    "test_register_script_with_cluster_client": NO_LUA,
    "test_get_moveable_keys": FEWER,
    "test_command": FEWER,
    "test_command_count": FEWER,
    "test_command_list": FEWER,
    "test_command_getkeysandflags": FEWER,
    "test_client_kill": NO_ADDRESSES,
    "test_client_kill_filter_by_addr": NO_ADDRESSES,
    "test_client_kill_filter_by_laddr": NO_ADDRESSES,
    "test_connection_error_raised_when_connection_dies": NO_ADDRESSES,
    "test_config_get": NO_SETTINGS,
    "test_config_get_multi_params": NO_SETTINGS,
}

SYNCHRONOUS: Final = (
    *("commands", "lock", "pipeline", "connection", "connection_pool", "pubsub", "scripting", "encoding"),
    *("multiprocessing", "retry", "command_parser"),
)
ASYNCHRONOUS: Final = ("lock", "pipeline", "pubsub", "scripting", "encoding")
SHORT: Final = ("commands", "lock", "pipeline", "scripting", "encoding")


@attrs.frozen
class Suite:
    """Some of the tests of one version.

    Attributes:
        version: of redis-py.
        protocol: of RESP.
        files: the tests.
        at_least: so many of them need no more than memrep's commands.
    """

    version: str
    protocol: int
    files: Sequence[str]
    at_least: int

    def passed(self, url: str, directory: Path, tests: Sequence[str] = ()) -> set[str]:
        """The tests that pass against this server, of these; of all if none is named."""
        options = [
            "-q",
            "-rA",
            "--tb=no",
            "-c",
            os.devnull,
            "--rootdir",
            str(source(self.version)),
            "-W",
            "ignore",
        ]
        options += ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:trio", "-p", "pytest_asyncio"]
        options += ["-o", "asyncio_mode=auto", f"--basetemp={directory}"]
        options += ["--redis-url", url, "--protocol", str(self.protocol)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment["PYTHONPATH"] = f"{source(self.version)}{os.pathsep}{plugins()}"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *(tests or self.files)],
            cwd=source(self.version),
            env=environment,
            capture_output=True,
            text=True,
            timeout=SUITE_TIMEOUT_S,
            check=False,
        )
        passed = set(re.findall(r"^PASSED (.+)$", done.stdout, re.MULTILINE))
        assert passed or tests, done.stdout[-2000:] + done.stderr[-2000:]
        return passed


def of(kind: str, names: Sequence[str]) -> list[str]:
    return [f"tests/{kind}test_{name}.py" for name in names]


SUITES: Final = {
    "redis-py 6": Suite("6.4.0", 2, of("", SYNCHRONOUS), 500),
    "redis-py 6, asyncio": Suite("6.4.0", 3, of("test_asyncio/", ASYNCHRONOUS), 200),
    "redis-py 8": Suite("8.1.0", 3, of("", SHORT), 250),
}


class Restricted(Family):
    """A redis-server that obeys no command but memrep's."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._lease = PortLease(1)
        (self.port,) = self._lease.ports
        argv = [find_program("redis-server"), "--port", str(self.port), "--save", "", "--bind", HOST]
        self.add(Child("redis-server", argv, directory))

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self._lease.close()

    def restrict(self) -> None:
        """Take all other commands away."""
        until(lambda: accepts(self.port), 10, "redis-server serves")
        client = redis.Redis(HOST, self.port)
        rules = [rule for rule in self._rules() if self._is_known(client, rule)]
        client.execute_command("ACL SETUSER", "default", "reset", "on", "nopass", "~*", "&*", "-@all", *rules)

    @staticmethod
    def _rules() -> Iterator[bytes]:
        for command in COMMANDS.values():
            yield from (b"+%b|%b" % (command.name, name) for name in command.subcommands)
            if not command.subcommands or command.name == b"command":
                yield b"+" + command.name

    @staticmethod
    def _is_known(client: redis.Redis, rule: bytes) -> bool:
        """Whether this version of Redis has the command, too."""
        try:
            client.execute_command("ACL SETUSER", "nobody", rule)
        except redis.ResponseError:
            return False
        return True


@contextmanager
def servers(directory: Path) -> Iterator[list[str]]:
    """Where redis-server is, and where a node of three."""
    with Restricted(directory) as redis_server, NamedNodes(3, directory, ["-I", "8m"]) as nodes:
        redis_server.restrict()
        places = [f"{HOST}:{redis_server.port}", f"{nodes.redis_address(0)}:{nodes.redis_port}"]
        yield [f"redis://{place}/0" for place in places]


@pytest.mark.parametrize("name", SUITES)
def test_what_needs_no_more_than_memreps_commands_passes(name: str, tmp_path: Path) -> None:
    suite = SUITES[name]
    source(suite.version), plugins()
    with servers(tmp_path) as urls:
        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(suite.passed, url, tmp_path / str(i)) for i, url in enumerate(urls)]
            theirs, ours = (each.result() for each in running)
        print(f"{len(theirs)} pass on redis-server, {len(ours)} on memrep")
        assert len(theirs) >= suite.at_least
        missed = {test for test in theirs - ours if short(test) not in DIFFERENCES}
        for i in range(ALONE_MAX):
            if missed:
                print("once more:", missed)
                missed -= suite.passed(urls[1], tmp_path / f"alone{i}", sorted(missed))
        assert missed == set()


def short(test: str) -> str:
    """The name of the function that a test is."""
    return re.sub(r"\[.*", "", test).rpartition("::")[2]
