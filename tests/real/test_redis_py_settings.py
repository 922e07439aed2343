"""What redis-py and Django do by themselves when a node fails, and so what the files of deploy/ are for.

Each sentence of deploy/README.md on it is a test here, in test_redis_py_locks.py or in
frameworks/test_python_redis_story.py. A node that ends with a command on its way is played by a listener that
hangs up on the first one.
"""

import ast
import importlib.util
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import redis
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.retry import Retry

from .named import NamedNodes
from .processes import CHECKOUT, HOST
from .redis_py_source import source

pytestmark = pytest.mark.real

DEPLOY = CHECKOUT / "deploy"


def deployed(name: str) -> ModuleType:
    """This file of deploy/, as a module."""
    spec = importlib.util.spec_from_file_location(Path(name).stem, DEPLOY / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OPTIONS: dict[str, Any] = deployed("python/memrep_redis.py").OPTIONS


ANSWERS = {b"GET": b"$1\r\nv\r\n", b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n"}


@contextmanager
def dying_once() -> Iterator[int]:
    """The port of a server that hangs up on the first GET, and answers the next."""
    listener = socket.create_server((HOST, 0))
    deaths = iter([True])

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as said:
            while line := said.readline():
                words = []
                for _ in range(int(line[1:])):
                    said.readline()
                    words.append(said.readline().strip())
                if words[0] == b"GET" and next(deaths, False):
                    return
                said.write(ANSWERS.get(words[0], b"+OK\r\n"))
                said.flush()

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def from_pool(port: int, **options: Any) -> Any:
    return redis.Redis(connection_pool=redis.ConnectionPool.from_url(f"redis://{HOST}:{port}", **options))


def test_a_client_that_is_made_with_a_host_says_a_command_again() -> None:
    with dying_once() as port, redis.Redis(HOST, port) as client:
        assert client.get("k") == b"v"


@pytest.mark.parametrize("options", [{}, {"socket_timeout": 1}], ids=["nothing", "a timeout"])
def test_a_client_that_is_made_with_a_url_or_a_pool_does_not(options: dict[str, Any]) -> None:
    for make in (from_pool, lambda port, **how: redis.Redis.from_url(f"redis://{HOST}:{port}", **how)):
        with dying_once() as port, make(port, **options) as client, pytest.raises(redis.ConnectionError):
            client.get("k")


@pytest.mark.parametrize("options", [OPTIONS, {"retry": Retry(NoBackoff(), 1)}], ids=["deploy", "retry"])
def test_it_does_with_retry(options: dict[str, Any]) -> None:
    with dying_once() as port, from_pool(port, **options) as client:
        assert client.get("k") == b"v"


@pytest.mark.long
@pytest.mark.parametrize(
    ("version", "failing"),
    [
        (
            "5.2.1",
            {"test_a_client_that_is_made_with_a_host_says_a_command_again", "test_it_does_with_retry[retry]"},
        ),
        ("8.1.0", set()),
    ],
)
def test_how_that_is_in_other_versions(version: str, failing: set[str], tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rA",
        "--tb=no",
        f"--basetemp={tmp_path}/of",
        str(Path(__file__)),
    ]
    argv += ["-k", "test_a_client or test_it_does", "-p", "no:cacheprovider", "-m", "", "-W", "ignore"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = f"{source(version)}{os.pathsep}{CHECKOUT}"
    done = subprocess.run(
        argv, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    outcomes = re.findall(r"^(PASSED|FAILED) \S+::(\S+(?: \w+\])?)", done.stdout, re.MULTILINE)
    assert len(outcomes) == 5, done.stdout
    assert {name for outcome, name in outcomes if outcome == "FAILED"} == failing


def test_of_a_list_django_writes_to_the_first_only(tmp_path: Path) -> None:
    with NamedNodes(2, tmp_path) as nodes:
        places = [f"redis://{nodes.redis_address(i)}:{nodes.redis_port}" for i in range(2)]
        cache = RedisCache(places, {"OPTIONS": OPTIONS})
        cache.set("k", "v")
        nodes.kill(0)
        assert cache.get("k") == "v"
        with pytest.raises(redis.ConnectionError):
            cache.set("k", "w")
        for pool in cache._cache._pools.values():
            pool.disconnect()


def test_the_lines_in_the_readme_are_those_of_deploy() -> None:
    """What they leave out is what Django does by default."""
    (lines,) = re.findall(
        r"^    (from memrep_redis .*\n    .*\n    .*)$", (CHECKOUT / "README.md").read_text(), re.M
    )
    settings = (DEPLOY / "django/redis/memrep_settings.py").read_text()

    def assigned(source: str) -> dict[str, str]:
        body = ast.parse(source).body
        return {
            ast.unparse(each.targets[0]): ast.unparse(each.value)
            for each in body
            if isinstance(each, ast.Assign)
        }

    told, whole = assigned(re.sub(r"^    ", "", lines, flags=re.M)), assigned(settings)
    assert told == {name: whole[name] for name in ("CACHES", "SESSION_ENGINE")}
    assert whole.keys() - told.keys() == {"SESSION_CACHE_ALIAS"}
