"""What a page waits for its session: real PHP, with the session handlers that people use, over three nodes.

A cycle is start, write and close, with the lock that the handler takes. The same client with the same
settings over three memcacheds writes as many copies; that these lose sessions when one restarts is another
matter. phpredis does not wait for Redis' replicas.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from bench.asking import HOST
from bench.costs import cpu_s
from bench.peers import THREE_BY_REDIS, THREE_NODES, CannotMeasure, Start
from bench.rounds import Figures, Scale, Shapes, measured
from tests.real.php import CLI_SETTINGS, find_php, pecl_memcache, php_memcached_binary, phpredis

TITLE: Final = "PHP session cycles"
NOTE: Final = (
    "One user at a time, with locks. PHP and all three nodes share the machine's cores, which three web "
    "servers do not. A cycle that finds something else than the one before it wrote ends the run."
)
EXPECTED_S: Final = {True: 15, False: 90}

_SCRIPT: Final = Path(__file__).with_name("php_cycles.php")
_SESSIONS: Final = 20
_CYCLES: Final = {True: 100, False: 400}
_TIMEOUT_S: Final = 120

Client = Callable[[Sequence[int | str]], dict[str, str]]
CLIENTS: Final[dict[str, Client]] = {
    "pecl memcache, redundancy 3": lambda ports: pecl_memcache(ports, 3),
    "pecl memcache, redundancy 4": lambda ports: pecl_memcache(ports, 4),
    "php-memcached, 2 replicas": php_memcached_binary,
}
#: Those of Redis' protocol, over the first of the ports.
CLIENTS_OF_REDIS: Final[dict[str, Client]] = {"phpredis, locks": lambda ports: _phpredis(int(ports[0]))}


def measure(scale: Scale) -> Shapes:
    """Each client over three memreps, and over three memcacheds or a Redis with two replicas."""
    php = _php()

    def turn(start: Start) -> dict[str, Figures]:
        with start(64) as servers:
            clients = CLIENTS if servers.protocol == "memcached" else CLIENTS_OF_REDIS
            return {
                name: _figures(php, client(servers.ports), _CYCLES[scale.quick], servers.pids)
                for name, client in clients.items()
            }

    speak_memcached = {name: start for name, start in THREE_NODES.items() if "redis" not in name}
    return measured(speak_memcached, scale.rounds, turn) | measured(THREE_BY_REDIS, scale.rounds, turn)


def _phpredis(port: int) -> dict[str, str]:
    """A page waits for a lock as long as the lock may last; it looks every 2 ms, which is phpredis' default."""
    return phpredis(
        port,
        session__save_path=f"tcp://{HOST}:{port}?timeout=1&read_timeout=2",
        redis__session__locking_enabled="1",
        redis__session__lock_expire="30",
        redis__session__lock_retries="15000",
    )


def _php() -> list[str]:
    """PHP, with all that the clients need."""
    try:
        php, *_ = [find_php(extension) for extension in ("memcache", "memcached", "redis")]
        return php
    except pytest.skip.Exception as skipped:
        raise CannotMeasure(str(skipped)) from None


def _figures(php: list[str], settings: dict[str, str], cycles: int, pids: list[int]) -> Figures:
    options = [f'-d{key}="{value}"' for key, value in (CLI_SETTINGS | settings).items()]
    before = cpu_s(pids)
    done = subprocess.run(
        [*php, *options, str(_SCRIPT), str(_SESSIONS), str(cycles)],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"php ended with status {done.returncode}: {done.stdout}{done.stderr}")
    spent = cpu_s(pids) - before
    took = sorted(json.loads(done.stdout))
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    return {"p50 ms": p50, "p99 ms": p99, "CPU ms a cycle": spent / (cycles + _SESSIONS) * 1000}
