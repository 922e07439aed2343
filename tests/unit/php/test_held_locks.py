"""Which locks are held, by whom, and who waits: the same on every node, but for who the clients are."""

from __future__ import annotations

import pytest

from memrep.php.held_locks import HeldLock
from memrep.php.policy import PhpPolicy
from tests.harness.cluster import Cluster, serving_cluster

PECL = b"incr sid.lock 1\r\nadd sid.lock 768 15 1\r\n1\r\nget sid\r\n"
MEMCACHED = b"add memc.sess.key.lock.sid 0 30 1\r\n1\r\n"
REDIS = b"SET sid_LOCK web1|123 NX PX 15000\r\n"
ANYBODYS = b"add shop.lock.0123456789abcdef 0 30 1\r\n1\r\n"


def _held(cluster: Cluster, node: int) -> list[HeldLock]:
    policy = cluster.nodes[node].policy
    assert isinstance(policy, PhpPolicy)
    return [lock for lock in policy.held_locks() if lock is not None]


def _only(cluster: Cluster, node: int) -> HeldLock:
    (lock,) = _held(cluster, node)
    return lock


@pytest.mark.parametrize(
    ("asks", "session", "maybe", "port"),
    [
        (PECL, b"sid", False, ""),
        (MEMCACHED, b"memc.sess.key.sid", False, ""),
        (ANYBODYS, b"shop.0123456789abcdef", True, ""),
        (REDIS, b"sid", False, "redis"),
    ],
)
def test_each_handlers_lock_is_told_by_its_session(asks: bytes, session: bytes, maybe: bool, port: str) -> None:
    cluster = serving_cluster(2)
    holder = cluster.client(1, port=port)
    holder.send(asks)
    cluster.advance(1_000)
    here, there = _only(cluster, 1), _only(cluster, 2)
    assert (here.session, here.node, here.maybe, here.connection) == (session, 1, maybe, holder.connection)
    assert (there.session, there.node, there.connection) == (session, 1, None)
    assert here.age_ms == pytest.approx(1_000, abs=100)
    assert here.left_ms is not None and 0 < here.left_ms <= 30_000 - here.age_ms + 100


@pytest.mark.parametrize(("asks", "port"), [(PECL, ""), (MEMCACHED, ""), (REDIS, "redis")])
def test_who_asks_in_vain_waits_where_he_asks(asks: bytes, port: str) -> None:
    cluster = serving_cluster(2)
    holder, second, third = (cluster.client(node, port=port) for node in (1, 1, 2))
    holder.send(asks)
    other = asks.replace(b"web1|123", b"web1|456")
    for _ in range(3):
        second.send(other)
        third.send(other)
        cluster.advance(100)
    assert [_only(cluster, node).waiting for node in (1, 2)] == [1, 1]
    holder.hang_up()
    cluster.advance(100)
    second.send(other)
    assert _only(cluster, 1).waiting == 0
    assert _only(cluster, 1).connection is second.connection


def test_what_is_released_is_not_told() -> None:
    cluster = serving_cluster(2)
    client = cluster.client(1)
    client.send(PECL)
    client.send(b"set sid.lock 768 15 1\r\n0\r\n")
    assert _held(cluster, 1) == _held(cluster, 2) == []


def test_a_lock_whose_node_has_died_is_nobodys() -> None:
    cluster = serving_cluster(3)
    cluster.client(1).send(MEMCACHED)
    cluster.advance(1_000)
    cluster.kill(1)
    cluster.advance(200)
    lock = _only(cluster, 2)
    assert (lock.node, lock.connection) == (0, None)
