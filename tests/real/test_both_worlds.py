"""One session, two protocols: what PHP's handlers for memcached store Redis' clients see, and vice versa.

So a site may go from one handler to another, one web server after the other, and no visitor notices: all three
handlers store PHP's own text, under names that differ by what stands before the session's id. What is done here
with PHP and redis-cli is what docs/redis.md says, whose command line is read from there.
"""

from __future__ import annotations

import re
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from pymemcache.client.base import Client

from .generation import both_generations
from .named import NamedNodes
from .php import (
    MEMCACHED_PREFIX,
    REDIS_PREFIX,
    Php,
    pecl_memcache,
    php_memcached_binary,
    php_memcached_text,
    phpredis,
    session_ids,
)
from .processes import CHECKOUT, HOST
from .redis_cli import RedisCli

pytestmark = [pytest.mark.real, both_generations]

NODES = range(3)

#: Every tenth, or so, is a large one, which pecl-memcache would compress.
SESSIONS = 20

LIFETIME_S = 1440

#: A prefix that a site may have given its sessions.
PREFIX: Final = "app_"


def memcached_settings(kind: str, cluster: NamedNodes) -> tuple[str, dict[str, str]]:
    """What this handler puts before the id of a session, and its settings."""
    match kind:
        case "php-memcached":
            return MEMCACHED_PREFIX, php_memcached_text(cluster.ports)
        case "php-memcached, binary":
            return MEMCACHED_PREFIX, php_memcached_binary(cluster.ports)
        case "pecl-memcache":
            return PREFIX, pecl_memcache(cluster.ports, 3) | {
                "memcache.session_prefix_static_key": PREFIX,
                "memcache.compress_threshold": "0",
            }
    raise AssertionError(kind)


each_kind = pytest.mark.parametrize(
    "kind",
    [
        pytest.param("php-memcached", marks=pytest.mark.long),
        pytest.param("php-memcached, binary", marks=pytest.mark.long),
        "pecl-memcache",
    ],
)


def php_of(
    settings: dict[str, str], cluster: NamedNodes, directory: Path, name: str, label: str = "session"
) -> Php:
    return Php(settings, directory, name, SESSIONS, label, within=cluster.beginning_at(0))


def cli_of(cluster: NamedNodes, i: int) -> RedisCli:
    return RedisCli(cluster.redis_port, cluster.redis_address(i))


def assert_all_go_on(php: Php, count: int) -> None:
    """Every session holds this count, and gets the next."""
    php.ask("expect", n=count)
    outcome = php.ask("round")
    assert (outcome.ok, outcome.anomalies, outcome.notices) == (SESSIONS, {}, {})


@each_kind
def test_redis_cli_shows_what_memcacheds_handlers_store(kind: str, tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster:
        prefix, settings = memcached_settings(kind, cluster)
        with php_of(settings, cluster, tmp_path, "php") as php:
            assert_all_go_on(php, 0)
            assert_all_go_on(php, 1)
        keys = {prefix + session for session in session_ids(SESSIONS)}
        for i in NODES:
            cli = cli_of(cluster, i)
            assert set(cli.run("keys", f"{prefix}*[0-9a-f]").stdout.split()) == keys
            assert int(cli.run("dbsize").stdout) >= SESSIONS
            for key in sorted(keys)[:4]:
                assert cli.run("get", key).stdout.startswith("n|i:2;luggage|s:")
                assert LIFETIME_S - 60 < int(cli.run("ttl", key).stdout) <= LIFETIME_S


def test_memcacheds_clients_see_and_change_what_phpredis_stores(tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        php_of(phpredis(cluster.redis_port), cluster, tmp_path, "php") as php,
    ):
        assert_all_go_on(php, 0)
        one, two, *_ = (REDIS_PREFIX + session for session in session_ids(SESSIONS))
        for i in NODES:
            with closing(Client((HOST, cluster.ports[i]))) as client:
                assert client.get(one).startswith(b"n|i:1;luggage|s:")
        with closing(Client((HOST, cluster.ports[1]))) as client:
            value, unique = client.gets(two)
            assert client.touch(one, 100)
            assert client.cas(two, value.replace(b"n|i:1;", b"n|i:7;"), unique, expire=50)
            assert not client.cas(two, b"", unique)
        cli = cli_of(cluster, 2)
        assert 90 < int(cli.run("ttl", one).stdout) <= 100 and 40 < int(cli.run("ttl", two).stdout) <= 50
        assert cli.run("get", two).stdout.startswith("n|i:7;")
        assert php.ask("look").counts[:3] == [1, 7, 1]
        with closing(Client((HOST, cluster.ports[0]))) as client:
            assert client.delete(one, noreply=False)
        assert php.ask("look").counts[:3] == [None, 7, 1]


# --- from one handler to the other


@each_kind
def test_a_site_goes_to_phpredis_and_back_and_all_visitors_stay(kind: str, tmp_path: Path) -> None:
    """As web servers are switched one by one: in between the same visitor meets the one and the other."""
    with NamedNodes(3, tmp_path) as cluster:
        prefix, settings = memcached_settings(kind, cluster)
        later = phpredis(cluster.redis_port, f"&prefix={prefix}", redis__session__locking_enabled="1")
        with (
            php_of(settings, cluster, tmp_path, "memcached") as before,
            php_of(later, cluster, tmp_path, "redis") as after,
        ):
            for count, php in enumerate([before, after, before, after, after]):
                assert_all_go_on(php, count)


def test_bare_ids_get_the_prefix_of_phpredis_by_redis_cli(tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster:
        settings = pecl_memcache(cluster.ports, 3) | {"memcache.compress_threshold": "0"}
        with php_of(settings, cluster, tmp_path, "pecl") as before:
            assert_all_go_on(before, 0)
        page = (CHECKOUT / "docs/redis.md").read_text()
        (line,) = re.findall(r"^    (redis-cli .*--scan.*)$", page, re.MULTILINE)
        cli = " ".join(cli_of(cluster, 1).argv())
        subprocess.run(["sh", "-c", line.replace("redis-cli -h memrep", cli)], check=True, timeout=30)
        with php_of(phpredis(cluster.redis_port), cluster, tmp_path, "redis") as after:
            assert_all_go_on(after, 1)
        for session in session_ids(SESSIONS)[:3]:
            assert int(cli_of(cluster, 2).run("ttl", REDIS_PREFIX + session).stdout) > LIFETIME_S - 60


@pytest.mark.long
def test_pecl_memcache_compresses_what_is_large_until_it_is_told_not_to(tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster:
        as_it_comes = pecl_memcache(cluster.ports, 3) | {"memcache.session_prefix_static_key": PREFIX}
        told = as_it_comes | {"memcache.compress_threshold": "0"}
        later = phpredis(cluster.redis_port, f"&prefix={PREFIX}")
        for label in ("lost", "kept"):
            with php_of(as_it_comes, cluster, tmp_path, f"pecl-{label}", label) as php:
                assert_all_go_on(php, 0)
        with php_of(later, cluster, tmp_path, "redis-lost", "lost") as php:
            php.ask("expect", n=1)
            outcome = php.ask("round")
            assert 0 < outcome.anomalies.pop("failed start") < SESSIONS
            assert outcome.anomalies == {}
        with php_of(told, cluster, tmp_path, "told", "kept") as php:
            assert_all_go_on(php, 1)
        with php_of(later, cluster, tmp_path, "redis-kept", "kept") as php:
            assert_all_go_on(php, 2)


# --- figures


def test_stats_and_info_tell_the_same(tmp_path: Path) -> None:
    with NamedNodes(2, tmp_path) as cluster:
        prefix, settings = memcached_settings("php-memcached", cluster)
        with (
            php_of(settings, cluster, tmp_path, "memcached") as one,
            php_of(phpredis(cluster.redis_port, f"&prefix={prefix}"), cluster, tmp_path, "redis") as other,
            closing(Client((HOST, cluster.ports[0]))) as idle,
        ):
            assert_all_go_on(one, 0)
            assert_all_go_on(other, 1)
            assert idle.get("none") is None
            cli = cli_of(cluster, 0)
            assert cli.run("get", "none").stdout == "\n"
            told = cli.run("info").stdout
            info = dict(line.split(":", 1) for line in told.split() if ":" in line)
            stats = cluster.stats(0, "")
        assert info["db0"].startswith(f"keys={stats['curr_items']},")
        same = {
            "keyspace_hits": "get_hits", "keyspace_misses": "get_misses", "used_memory": "bytes",
            "maxmemory": "limit_maxbytes", "connected_clients": "curr_connections",
            "maxclients": "max_connections", "evicted_keys": "evictions", "expired_keys": "reclaimed",
        }  # fmt: skip
        assert {name: info[name] for name in same} == {name: stats[ours] for name, ours in same.items()}
        assert int(info["keyspace_hits"]) >= SESSIONS and int(info["keyspace_misses"]) > 0
        assert int(info["connected_clients"]) >= 2
