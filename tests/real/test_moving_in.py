"""Sessions that real PHP has made elsewhere go on at memrep: same cookie, same count, same time left."""

from __future__ import annotations

import base64
import subprocess
import time
from pathlib import Path

import pytest
from redis import Redis

from .cluster import Unreplicated
from .generation import both_generations
from .moving import (
    LIFETIME_S,
    SESSIONS,
    RedisServer,
    assert_all_go_on,
    at,
    begin,
    files,
    memrep,
    settings_at,
    visitors,
)
from .named import NamedNodes
from .php import find_php, pecl_memcache, php_memcached_text, session_ids
from .processes import CHECKOUT, HOST, missing

pytestmark = [pytest.mark.real, both_generations]

each_target = pytest.mark.parametrize("handler", ["memcache", "memcached", "redis"])


def assert_moved(nodes: NamedNodes, directory: Path, origin: str, handler: str, *more: str) -> None:
    """The sessions that are there go on at memrep; and what goes on there is not undone by a second run."""
    order = ["import", origin, "--as", handler, *at(nodes), *more]
    dry = memrep(*order, "--dry-run")
    assert (dry.code, dry.figure("would be written")) == (0, SESSIONS), dry
    moved = memrep(*order)
    assert (moved.code, moved.figure("written")) == (0, SESSIONS), moved
    with visitors(settings_at(nodes, handler), directory, "after", nodes) as php:
        assert_all_go_on(php, 2)
        again = memrep(*order, "--only-missing")
        assert (again.code, again.figure("written"), again.figure("there already")) == (0, 0, SESSIONS), again
        assert_all_go_on(php, 3)


@each_target
def test_sessions_in_phps_files_go_on(handler: str, tmp_path: Path) -> None:
    kept = tmp_path / "sessions"
    for name in ("", *"0123456789abcdef"):
        (kept / name).mkdir()
    with NamedNodes(2, tmp_path) as nodes:
        begin(files(kept, 1), tmp_path)
        assert_moved(nodes, tmp_path, f"files:1;{kept}", handler)


@each_target
def test_sessions_in_a_pool_of_memcacheds_go_on(handler: str, tmp_path: Path) -> None:
    """pecl-memcache writes each to two of the three, and compresses large ones."""
    (tmp_path / "pool").mkdir()
    with Unreplicated(3, tmp_path / "pool") as pool, NamedNodes(2, tmp_path) as nodes:
        settings = pecl_memcache(pool.ports, 2)
        begin(settings, tmp_path)
        assert_moved(nodes, tmp_path, f"memcache:{settings['session.save_path']}", handler)


def test_of_several_copies_in_a_pool_the_one_that_was_written_last_is_taken(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    with Unreplicated(2, tmp_path / "pool") as pool, NamedNodes(1, tmp_path) as nodes:
        servers = ",".join(f"tcp://{HOST}:{port}" for port in pool.ports)
        for i, value, seconds in ((0, b"new", 1440), (1, b"old", 900)):
            pool.talk(i, b"set 0123456789abcdef0123456789 0 %d 3\r\n%b" % (seconds, value), b"STORED\r\n")
        moved = memrep("import", f"memcache:{servers}", *at(nodes))
        assert "1 older or equal copies" in moved.line
        assert b"\r\nnew\r\n" in nodes.stored(0, "0123456789abcdef0123456789")


def test_sessions_of_php_memcached_go_on(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    with Unreplicated(3, tmp_path / "pool") as pool, NamedNodes(2, tmp_path) as nodes:
        settings = php_memcached_text(pool.ports)
        begin(settings, tmp_path)
        assert_moved(nodes, tmp_path, f"memcached:{settings['session.save_path']}", "memcached")


@each_target
def test_sessions_in_redis_go_on(handler: str, tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--requirepass", "secret") as server, NamedNodes(2, tmp_path) as nodes:
        settings = server.settings("&database=3&auth=secret")
        begin(settings, tmp_path)
        with Redis(HOST, server.port, db=3, password="secret") as client:
            assert client.set("PHPREDIS_SESSION:mine_LOCK", "host|1")
            assert client.set("another", "thing")
        origin = f"redis:{settings['session.save_path']}"
        if handler != "redis":
            assert_moved(nodes, tmp_path, origin, handler)
            return
        moved = memrep("import", origin, *at(nodes))
        assert (moved.code, moved.figure("written")) == (0, SESSIONS), moved
        path = "&database=3"  # a site that goes on in its own database
        settings = settings_at(nodes, "redis")
        settings["session.save_path"] += path
        with visitors(settings, tmp_path, "after", nodes) as php:
            assert_all_go_on(php, 2)


def test_a_session_keeps_the_time_that_it_has_left_and_no_lock_is_taken_along(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server, NamedNodes(1, tmp_path) as nodes:
        begin(server.settings(), tmp_path)
        keys = ["PHPREDIS_SESSION:" + name for name in session_ids(SESSIONS, "visitor")]
        with Redis(HOST, server.port) as client:
            client.expire(keys[0], 300)
            client.persist(keys[1])
            client.set(f"{keys[0]}_LOCK", "host|1")
        assert memrep("import", f"redis:{HOST}:{server.port}", *at(nodes)).code == 0
        with Redis(nodes.redis_address(0), nodes.redis_port) as client:
            left = [client.ttl(key) for key in keys]
            assert not client.exists(f"{keys[0]}_LOCK")
        assert 290 < left[0] <= 300
        assert left[1] == -1
        assert all(LIFETIME_S - 60 < each <= LIFETIME_S for each in left[2:])


def test_what_a_database_tells_by_lines_is_taken_in_as_laravel_keeps_it(tmp_path: Path) -> None:
    payload = b'a:1:{s:6:"_token";s:3:"abc";}'
    ends = int(time.time()) + 600
    line = b"%b\t%b\t%d\n" % (b"x" * 40, base64.b64encode(payload), ends)
    with NamedNodes(1, tmp_path) as nodes:
        order = ["import", "lines:-", "--as", "laravel", "--prefix", "app_database_app_cache:", *at(nodes)]
        moved = memrep(*order, told=line + b"no line\n")
        assert (moved.code, moved.figure("written"), moved.figure("left out")) == (1, 1, 1), moved
        with Redis(nodes.redis_address(0), nodes.redis_port) as client:
            key = "app_database_app_cache:" + "x" * 40
            assert client.get(key) == b's:%d:"%b";' % (len(payload), payload)
            assert 590 < client.ttl(key) <= 600


def visit(*where: str) -> str:
    """Let a visitor of a Laravel site come; return his count."""
    script = CHECKOUT / "tests/real/laravel_visit.php"
    argv = [*find_php("redis"), "-d", "error_reporting=E_ALL & ~E_DEPRECATED", str(script), *where]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_a_visitor_of_laravels_goes_on_in_its_cache_that_came_from_its_files(tmp_path: Path) -> None:
    if not Path("/usr/share/php/Illuminate/Session").exists():
        missing("php-laravel-framework")
    kept = tmp_path / "sessions"
    kept.mkdir()
    assert [visit("files", str(kept)) for _ in range(2)] == ["1", "2"]
    with NamedNodes(1, tmp_path) as nodes:
        order = ["import", f"laravel-files:{kept}", "--as", "laravel", "--prefix", "site_database_site_cache:"]
        moved = memrep(*order, "--lifetime", "7200", *at(nodes))
        assert (moved.code, moved.figure("written")) == (0, 1), moved
        assert visit("redis", f"{nodes.redis_address(0)}:{nodes.redis_port}") == "3"


def test_who_cannot_be_asked_is_told_of_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    with NamedNodes(1, tmp_path) as nodes, Unreplicated(1, tmp_path / "pool") as pool:
        (port,) = pool.ports
        pool.kill(0)
        lines = [
            memrep("import", f"memcache:{HOST}:{port}", *at(nodes)),
            memrep("import", f"redis:{HOST}:{port}", *at(nodes)),
            memrep("import", f"memcache:{HOST}:{nodes.ports[0]}", *at(nodes)),
            memrep("import", f"files:{tmp_path}/nothing", "--as", "redis", *at(nodes)),
        ]
    assert [(moved.code, moved.line.count("\n")) for moved in lines] == [(3, 0), (3, 0), (2, 0), (2, 0)], lines
    assert "is a memrep node" in lines[2].line
