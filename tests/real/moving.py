"""What people run before they come to memrep, with real sessions in it; and the commands that move them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple, Self

from .named import NamedNodes
from .php import Php, pecl_memcache, php_memcached_binary, phpredis
from .processes import CHECKOUT, HOST, Child, Family, PortLease, accepts, find_program, until

#: Every tenth, or so, is a large one, which pecl-memcache compresses.
SESSIONS: Final = 20

#: session.gc_maxlifetime, if php.ini says nothing.
LIFETIME_S: Final = 1440

_PATIENCE_S: Final = 60


class Moved(NamedTuple):
    """What a command has said: its exit status and its one line."""

    code: int
    line: str

    def figure(self, what: str) -> int:
        """How many, by a word of that line."""
        found = re.search(rf"([\d,]+) {what}", self.line)
        return int(found[1].replace(",", "")) if found else 0


def memrep(*arguments: str, told: bytes | None = None) -> Moved:
    """Run a command as from a shell."""
    env = {name: text for name, text in os.environ.items() if not name.startswith("MEMREP_")}
    done = subprocess.run(
        [sys.executable, "-m", "memrep", *arguments],
        env=env | {"PYTHONPATH": str(CHECKOUT)},
        input=told,
        stdin=None if told is not None else subprocess.DEVNULL,
        capture_output=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    return Moved(done.returncode, (done.stdout + done.stderr).decode().strip())


def at(nodes: NamedNodes, i: int = 0) -> list[str]:
    """The options that name node i."""
    return ["--node", f"{HOST}:{nodes.ports[i]}", "--redis", f"{nodes.redis_address(i)}:{nodes.redis_port}"]


class RedisServer(Family):
    """A redis-server, which knows no name but its address."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__()
        self._lease = PortLease(1)
        (self.port,) = self._lease.ports
        argv = [find_program("redis-server"), "--bind", HOST, "--port", str(self.port), "--save", "", *options]
        self.add(Child("redis-server", argv, directory))

    def __enter__(self) -> Self:
        until(lambda: accepts(self.port), 10, "redis-server accepts clients")
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self._lease.close()

    def settings(self, more: str = "") -> dict[str, str]:
        """What php.ini says of it."""
        return {
            "session.save_handler": "redis",
            "session.save_path": f"tcp://{HOST}:{self.port}?timeout=5{more}",
        }


def files(directory: Path, depth: int = 0) -> dict[str, str]:
    """What php.ini says of PHP's files."""
    before = f"{depth};" if depth else ""
    return {"session.save_handler": "files", "session.save_path": f"{before}{directory}"}


def settings_at(nodes: NamedNodes, handler: str) -> dict[str, str]:
    """What php.ini says of memrep, for each handler."""
    return {
        "memcache": lambda: pecl_memcache(nodes.ports, len(nodes.ports)),
        "memcached": lambda: php_memcached_binary(nodes.ports),
        "redis": lambda: phpredis(nodes.redis_port),
    }[handler]()


def visitors(settings: dict[str, str], directory: Path, name: str, nodes: NamedNodes | None = None) -> Php:
    """The same visitors each time, at a PHP with these settings."""
    within = nodes.beginning_at(0) if nodes is not None else ()
    return Php(settings, directory, name, SESSIONS, "visitor", within=within)


def assert_all_go_on(php: Php, count: int) -> None:
    """Every visitor's session holds this count, and gets the next."""
    php.ask("expect", n=count)
    outcome = php.ask("round")
    assert (outcome.ok, outcome.anomalies, outcome.notices) == (SESSIONS, {}, {})


def begin(settings: dict[str, str], directory: Path) -> None:
    """Let all visitors come twice."""
    with visitors(settings, directory, "before") as php:
        assert_all_go_on(php, 0)
        assert_all_go_on(php, 1)
