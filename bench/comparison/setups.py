"""The set-ups that are compared: what runs on the servers, and what PHP is told of it.

pecl-memcache always locks sessions, and phpredis where it is told to, which descriptions leave out; so the
first of Redis' two is without. What PHP is told stays the same through all stories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs

from bench.comparison.sentinel import REDIS_PORT, NamedRedisServers, RedisServers
from bench.comparison.servers import HAPROXY_PORT, BalancedServers, MemcachedServers, Servers
from tests.real.named import in_order
from tests.real.php import pecl_memcache, phpredis
from tests.real.processes import HOST


@attrs.frozen
class Client:
    """How a PHP finds the sessions: its settings, and the command within which it runs."""

    settings: dict[str, str]
    within: list[str] = attrs.field(factory=list)


@attrs.frozen
class Setup:
    """A set-up.

    Attributes:
        label: what it is, for the table.
        servers: starts them, in a directory.
        client: what the PHP of this number is told of them.
    """

    label: str
    servers: Callable[[Path], Servers]
    client: Callable[[Servers, int], Client]


#: One request at a time for each session; a lock is longer than any page, and a page waits as long as that.
_LOCKS: Final = {
    "redis.session.locking_enabled": "1",
    "redis.session.lock_expire": "30",
    "redis.session.lock_retries": "600",
    "redis.session.lock_wait_time": "50000",
}


def _pecl(servers: Servers, redundancy: int) -> Client:
    nodes = [f"{host}:{port}" for host, port in servers.addresses]
    # With the default of 20 draws it misses a server now and then.
    return Client(pecl_memcache(nodes, redundancy) | {"memcache.max_failover_attempts": "1000"})


def _redundant_memcacheds(servers: Servers, _number: int) -> Client:
    """One more than there are servers, as one reads everywhere: some versions took it for one less."""
    client = _pecl(servers, redundancy=4)
    consistent = {"memcache.allow_failover": "1", "memcache.hash_strategy": "consistent"}
    return attrs.evolve(client, settings=client.settings | consistent)


def _memrep_by_pecl(servers: Servers, _number: int) -> Client:
    return _pecl(servers, redundancy=servers.count)


def _memrep_by_phpredis(servers: Servers, number: int) -> Client:
    """One name for all nodes; each web server has its own first, so a third of the PHPs begins at each."""
    hosts = [host for host, _ in servers.addresses]
    first = number % len(hosts)
    within = in_order(servers.directory, [*hosts[first:], *hosts[:first]])
    return Client(phpredis(REDIS_PORT) | _LOCKS, within)


def _by_haproxy(_servers: Servers, _number: int) -> Client:
    path = f"tcp://{HOST}:{HAPROXY_PORT}?timeout=1&read_timeout=2"
    return Client(phpredis(HAPROXY_PORT) | {"session.save_path": path})


def _by_haproxy_with_locks(servers: Servers, number: int) -> Client:
    client = _by_haproxy(servers, number)
    return attrs.evolve(client, settings=client.settings | _LOCKS)


SETUPS: Final[Mapping[str, Setup]] = {
    "memcached": Setup("memcached x 3, session_redundancy", MemcachedServers, _redundant_memcacheds),
    "redis": Setup("Redis + Sentinel, as in tutorials", RedisServers, _by_haproxy),
    "redis-named": Setup("Redis + Sentinel, careful, with locks", NamedRedisServers, _by_haproxy_with_locks),
    "memrep-memcache": Setup("memrep x 3, pecl-memcache", Servers, _memrep_by_pecl),
    "memrep-phpredis": Setup("memrep x 3, phpredis", Servers, _memrep_by_phpredis),
    "memrep-haproxy": Setup("memrep x 3, phpredis by haproxy", BalancedServers, _by_haproxy_with_locks),
}
