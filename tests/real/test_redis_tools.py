"""Redis' own tools on a node: redis-cli in all its ways, redis-benchmark, and Prometheus' exporter.

Where that is cheap a redis-server stands beside the node, and both must show the same.
"""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from .cluster import Cluster
from .processes import HOST, Child, Family, PortLease, accepts, find_program, until
from .redis_cli import RedisCli, Terminal

pytestmark = pytest.mark.real

PASSWORD = "secret"
USER = "php"


class RedisNode(Cluster):
    """One node with a port for Redis' clients."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(1, directory)
        self._options = options
        self._redis_lease = PortLease(1)
        self.cli = RedisCli(self._redis_lease.ports[0])

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self._redis_lease.close()

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "--redis", f"{HOST}:{self.cli.port}", *self._options]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisNode]:
    with RedisNode(tmp_path_factory.mktemp("node")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCli]:
    directory = tmp_path_factory.mktemp("redis")
    lease = PortLease(1)
    cli = RedisCli(lease.ports[0])
    server = [find_program("redis-server"), "--bind", HOST, "--port", str(cli.port), "--save", ""]
    with Family() as family:
        family.add(Child("redis-server", server, directory))
        until(partial(accepts, cli.port), 15, "redis-server listens")
        yield cli
    lease.close()


@pytest.fixture
def both(node: RedisNode, redis: RedisCli) -> list[RedisCli]:
    """A node and redis-server, with the same few keys."""
    clis = [node.cli, redis]
    for cli in clis:
        assert cli.run("flushall").stdout == "OK\n"
        for number in range(1, 4):
            assert cli.run("set", f"k{number}", "x" * 10 * number).stdout == "OK\n"
    return clis


def same(both: list[RedisCli], show: Callable[[RedisCli], str]) -> str:
    """What both show, which must be the same."""
    ours, theirs = map(show, both)
    assert ours == theirs
    return ours


CONVERSATION = [
    "ping", "select 3", "set a 1", "get a", "multi", "incr a", "get a", "exec", "multi", "discard", "exec",
    "select 0", "get none", "get", "nonsense a", "hello 3", "config get databases", "reset", "ttl none",
]  # fmt: skip


def test_a_conversation_in_a_terminal_goes_as_with_redis(both: list[RedisCli], tmp_path: Path) -> None:
    def screen(cli: RedisCli) -> str:
        with Terminal(cli, tmp_path) as terminal:
            prompt = rf":{cli.port}\S*> $"
            terminal.sees(prompt)
            for line in CONVERSATION:
                terminal.types(line)
                terminal.sees(prompt)
            terminal.types("subscribe news")
            terminal.sees(r"\(integer\) 1\n")
            assert cli.run("publish", "news", "it rains").stdout == "1\n"
            terminal.sees('"it rains"\n')
            terminal.interrupts()
            terminal.sees(prompt)
            terminal.types("ping")
            terminal.sees(prompt)
            terminal.types("quit")
            terminal.ends()
            return re.sub(r'"id" => \(integer\) \d+', '"id" => 1', terminal.seen.replace(f":{cli.port}", ""))

    shown = same(both, screen)
    for prompt in ("127.0.0.1> ping\nPONG", "127.0.0.1[3]> ", "127.0.0.1[3](TX)> incr a\nQUEUED"):
        assert prompt in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--no-raw", "-3", "config", "get", "databases"],
        ["--no-raw", "-n", "3", "keys", "*"],
        ["--csv", "mget", "k1", "none"],
        ["--json", "mget", "k1", "none"],
        ["-r", "2", "exists", "k1"],
        ["-e", "get"],
        ["-a", PASSWORD, "ping"],
        ["--user", "default", "-a", PASSWORD, "ping"],
        ["--user", "nobody", "-a", PASSWORD, "ping"],
        ["--hotkeys"],
    ],
    ids=" ".join,
)
def test_a_command_shows_what_it_shows_with_redis(both: list[RedisCli], words: list[str]) -> None:
    def outcome(cli: RedisCli) -> str:
        done = cli.run(*words)
        return f"{done.returncode} {done.stdout} {done.stderr}"

    same(both, outcome)


def test_keys_are_scanned_and_measured_as_with_redis(both: list[RedisCli]) -> None:
    assert (
        same(both, lambda cli: " ".join(sorted(cli.run("--scan", "--pattern", "k*").stdout.split())))
        == "k1 k2 k3"
    )
    assert same(both, lambda cli: cli.run("--scan", "--pattern", "none*").stdout) == ""
    summary = same(both, lambda cli: cli.run("--bigkeys").stdout.partition("--- summary ---")[2])
    assert "3 strings with 60 bytes" in summary
    for cli in both:
        measured = cli.run("--memkeys").stdout
        assert re.search(r"Biggest string found '\"k3\"' has \d\d+ bytes", measured), measured
        assert re.search(r"^3 strings with \d\d+ bytes \(100", measured, re.MULTILINE), measured


def test_many_commands_go_through_a_pipe(both: list[RedisCli]) -> None:
    lines = "".join(f"SET many{number} {number}\r\n" for number in range(5_000)) + "INCR k1\r\n"
    shown = same(both, lambda cli: cli.run("--pipe", stdin=lines).stdout)
    assert shown.endswith("errors: 1, replies: 5001\n")
    assert same(both, lambda cli: cli.run("dbsize").stdout) == "5003\n"
    assert same(both, lambda cli: cli.run("-x", "set", "from", stdin=b"a\0b").stdout) == "OK\n"
    assert same(both, lambda cli: cli.shown("get", "from")) == '"a\\x00b"\n'


def test_latency_is_measured(node: RedisNode) -> None:
    least, most, average, samples = node.cli.run("--latency", "-i", "0.3").stdout.split()
    assert 0 <= int(least) <= float(average) <= int(most) and int(samples) > 5


def test_statistics_are_watched_as_they_grow(node: RedisNode, tmp_path: Path) -> None:
    node.cli.run("flushall")
    with Terminal(node.cli, tmp_path, "--stat", "-i", "0.1") as terminal:
        assert "keys       mem      clients blocked requests" in terminal.sees("connections")
        terminal.sees("\n0          ")
        for number in range(3):
            node.cli.run("set", f"seen{number}", "x")
        terminal.sees("\n3          ")
        before = _requests(terminal)
        node.talk(0, b"get seen1")
        until(lambda: _requests(terminal) > before, 10, "another client's command is counted")


def _requests(terminal: Terminal) -> int:
    """The figure in the next whole line."""
    line = r"\n3 +\S+ +\d+ +\d+ +(\d+) \("
    return int(re.findall(line, terminal.sees(line))[-1])


def test_users_come_in_by_their_passwords_only(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.touch(mode=0o600)
    users.write_text(f"{USER}:{PASSWORD}\n")

    class Guarded(RedisNode):
        def healed(self, i: int) -> bool:
            return accepts(self.ports[i]) and accepts(self.cli.port)

    with Guarded(tmp_path, "--auth-file", str(users)) as node:
        cli = node.cli
        assert cli.run("ping").stdout == "NOAUTH Authentication required.\n\n"
        for words in (
            ["--user", USER, "-a", PASSWORD],
            ["-a", PASSWORD],
            ["-3", "--user", USER, "-a", PASSWORD],
        ):
            assert cli.run("--no-auth-warning", *words, "ping").stdout == "PONG\n"
        for words in (["--user", USER, "-a", "wrong"], ["--user", "nobody", "-a", PASSWORD], ["-a", "wrong"]):
            done = cli.run("--no-auth-warning", *words, "ping")
            assert "WRONGPASS" in done.stdout + done.stderr
            assert "PONG" not in done.stdout


def test_redis_benchmark_runs_to_its_end(node: RedisNode) -> None:
    program = find_program("redis-benchmark")
    tests = "ping,set,get,incr,mset"
    done = subprocess.run(
        [program, "-h", HOST, "-p", str(node.cli.port), "-t", tests, "-P", "16", "-n", "1600", "-q"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    rates = re.findall(r"(\w+)(?: \(10 keys\))?: ([\d.]+) requests per second", done.stdout)
    assert [name for name, _ in rates] == ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET"]
    assert all(float(rate) > 0 for _, rate in rates)
    assert node.cli.run("get", "counter:__rand_int__").stdout == "1600\n"


def exported(cli: RedisCli, directory: Path) -> dict[str, float]:
    """The metrics that Debian's exporter tells of this server."""
    lease = PortLease(1)
    (port,) = lease.ports
    exporter = [find_program("prometheus-redis-exporter"), "-redis.addr", f"redis://{HOST}:{cli.port}"]
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with Family() as family:
        family.add(Child("exporter", [*exporter, "-web.listen-address", f"{HOST}:{port}"], directory))
        until(partial(accepts, port), 15, "the exporter listens")
        with browser.open(f"http://{HOST}:{port}/metrics", timeout=20) as response:
            text = response.read().decode()
    lease.close()
    return {name: float(value) for name, value in re.findall(r"^(redis_\S+) (\S+)$", text, re.MULTILINE)}


def test_prometheus_exporter_tells_of_keys_memory_and_hits(both: list[RedisCli], tmp_path: Path) -> None:
    for cli in both:
        cli.run("config", "resetstat")
        cli.run("expire", "k1", "1000")
        cli.run("mget", "k1", "k2", "none")
    ours, theirs = (exported(cli, tmp_path) for cli in both)
    equal = [
        "redis_up", 'redis_db_keys{db="db0"}', 'redis_db_keys_expiring{db="db0"}', "redis_keyspace_hits_total",
        "redis_keyspace_misses_total", "redis_evicted_keys_total",
        "redis_expired_keys_total", "redis_exporter_last_scrape_error{err=\"\"}",
    ]  # fmt: skip
    assert {name: ours[name] for name in equal} == {name: theirs[name] for name in equal}
    assert (ours["redis_up"], ours["redis_keyspace_hits_total"]) == (1, 2)
    assert ours["redis_connected_clients"] >= 1
    assert 0 < ours["redis_memory_used_bytes"] <= ours["redis_memory_max_bytes"]
