"""Sessions are found by name, by key and by what they hold, and ended on all nodes with their locks."""

from __future__ import annotations

import pytest

from memrep.engine.future import Future
from memrep.engine.operations import DELETED, NOT_FOUND, Result
from memrep.php.policy import PhpPolicy
from memrep.php.session_search import SessionSearch
from tests.harness.cluster import Cluster, serving_cluster

SID = b"0123456789abcdef0123456789"
OTHER = b"fedcba98765432100123456789"
KEYS = {"pecl": SID, "memcached": b"memc.sess.key." + SID, "redis": b"PHPREDIS_SESSION:" + SID}


def _search(cluster: Cluster, number: int = 1) -> SessionSearch:
    policy = cluster.nodes[number].policy
    assert isinstance(policy, PhpPolicy)
    return policy.sessions


def _set(cluster: Cluster, key: bytes, value: bytes = b"user|i:42;") -> None:
    assert cluster.client(1).send(b"set %s 0 1440 %d\r\n%s\r\n" % (key, len(value), value)) == b"STORED\r\n"


def _get(cluster: Cluster, key: bytes, number: int = 2) -> bytes:
    return cluster.client(number).send(b"get %s\r\n" % key)


def _end(cluster: Cluster, key: bytes, needle: bytes = b"") -> tuple[Result, bool]:
    begun: list[tuple[Result | Future, bool]] = []
    cluster.turn(1, lambda node: begun.append(_search(cluster).end(key, needle)))
    cluster.deliver()
    ((outcome, locked),) = begun
    if isinstance(outcome, Future):
        assert outcome.settled
        return outcome.result, locked
    return outcome, locked


@pytest.mark.parametrize("handler", KEYS)
def test_a_session_is_found_by_what_php_calls_it_and_by_its_key(handler: str) -> None:
    cluster = serving_cluster(2)
    key = KEYS[handler]
    _set(cluster, key)
    _set(cluster, b"memc.sess.key." + OTHER)
    search = _search(cluster)
    assert search.keys_of(SID) == search.keys_of(key) == [key]
    assert list(filter(None, search.beginning_with(SID[:6]))) == [key]
    assert search.keys_of(b"nobody") == []


def test_sessions_are_found_by_how_their_keys_begin() -> None:
    cluster = serving_cluster(2)
    for key in (*KEYS.values(), b"shop:cart"):
        _set(cluster, key)
    search = _search(cluster, 2)
    assert set(filter(None, search.beginning_with(b"memc.sess."))) == {KEYS["memcached"]}
    assert set(filter(None, search.beginning_with(b""))) == {*KEYS.values(), b"shop:cart"}


def test_sessions_are_found_by_what_they_hold() -> None:
    cluster = serving_cluster(2)
    _set(cluster, KEYS["pecl"])
    _set(cluster, b"shop:cart", b"user|i:42;")
    _set(cluster, OTHER, b"user|i:421;")
    search = _search(cluster, 2)
    assert set(filter(None, search.holding(b"user|i:42;"))) == {KEYS["pecl"], b"shop:cart"}
    assert set(filter(None, search.holding(b"user|i:42;", b"shop:"))) == {b"shop:cart"}


def test_what_has_ended_and_what_is_a_lock_is_not_found() -> None:
    cluster = serving_cluster(2)
    cluster.client(1).send(b"set short 0 1 1\r\n1\r\n")
    _set(cluster, b"gone")
    cluster.client(1).send(b"delete gone\r\n")
    cluster.client(1).send(b"add memc.sess.key.lock.%s 0 30 1\r\n1\r\n" % SID)
    cluster.advance(2_000)
    search = _search(cluster)
    assert list(filter(None, search.beginning_with(b""))) == list(filter(None, search.holding(b"1"))) == []
    assert search.look(b"short") is search.look(b"gone") is None
    _set(cluster, b"flushed")
    cluster.client(1).send(b"flush_all\r\n")
    assert list(filter(None, search.beginning_with(b""))) == []


def test_what_is_told_of_a_session_is_no_read_of_it() -> None:
    cluster = serving_cluster(2)
    key = KEYS["memcached"]
    _set(cluster, key)
    cluster.advance(3_000)
    search = _search(cluster)
    for _ in range(2):
        found = search.look(key)
        assert found is not None
        assert (found.unread_ms, found.locked, found.entry.value) == (None, False, b"user|i:42;")
        assert found.age_ms == pytest.approx(3_000, abs=100)
        assert found.left_ms is not None and found.left_ms < 1_440_000
    cluster.client(1).send(b"add memc.sess.key.lock.%s 0 30 1\r\n1\r\nget %s\r\n" % (SID, key))
    found = search.look(key)
    assert found is not None
    assert (found.locked, found.unread_ms) == (True, 0)


def test_a_session_is_ended_on_all_nodes() -> None:
    cluster = serving_cluster(3)
    _set(cluster, SID)
    assert _end(cluster, SID) == (DELETED, False)
    assert all(_get(cluster, SID, number) == b"END\r\n" for number in (1, 2, 3))
    assert _end(cluster, SID) == (NOT_FOUND, False)


def test_who_has_written_something_else_meanwhile_keeps_it() -> None:
    cluster = serving_cluster(2)
    _set(cluster, SID, b"user|i:7;")
    assert _end(cluster, SID, b"user|i:42;") == (NOT_FOUND, False)
    assert b"user|i:7;" in _get(cluster, SID)


@pytest.mark.parametrize(
    ("takes", "port"),
    [
        (b"incr %s.lock 1\r\nadd %s.lock 768 15 1\r\n1\r\nget %s\r\n" % (SID, SID, SID), ""),
        (b"add memc.sess.key.lock.%s 0 30 1\r\n1\r\n" % SID, ""),
        (b"SET PHPREDIS_SESSION:%s_LOCK web1|123 NX PX 15000\r\n" % SID, "redis"),
    ],
)
def test_its_lock_is_free_for_the_next_page(takes: bytes, port: str) -> None:
    cluster = serving_cluster(2)
    for key in KEYS.values():
        _set(cluster, key)
    first, second = cluster.client(1, port=port), cluster.client(2, port=port)
    granted = first.send(takes)
    next_page = takes.replace(b"web1|123", b"web2|456")
    assert second.send(next_page) != granted.replace(b"user|i:42;", b"")
    assert sum(_end(cluster, key)[1] for key in KEYS.values()) == 1
    replies = second.send(next_page)
    assert replies.startswith((b"1\r\n", b"STORED", b"+OK", b"NOT_FOUND\r\nSTORED"))
    first.hang_up()
    assert len([lock for lock in cluster.nodes[2].policy.held_locks() if lock]) == 1  # type: ignore[attr-defined]
