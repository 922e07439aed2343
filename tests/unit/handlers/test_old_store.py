"""What --fallback says is read as `memrep import` reads it, and only PHP's names are looked for."""

from __future__ import annotations

import pytest

from memrep.errors import UsageError
from memrep.handlers.item import Item, LeftOut
from memrep.handlers.old_store import parse_old_store

SID = b"0123456789abcdefghijklmnop"


def test_memcacheds_are_one_pool_with_php_memcaches_names() -> None:
    old = parse_old_store("memcache:tcp://10.0.0.1:11211, tcp://10.0.0.2:11211?weight=2")
    assert str(old) == "10.0.0.1:11211, 10.0.0.2:11211"
    assert (old.name(SID), old.lock(SID)) == (SID, SID + b".lock")
    assert (old.within_s, old.lifetime_s) == (0.2, 1440)


def test_locks_counters_and_what_php_would_not_have_made_are_not_looked_for() -> None:
    old = parse_old_store("memcache:10.0.0.1:11211")
    names = (
        SID + b".lock",
        b"counter",
        b"user:4200000000000000000000",
        b"",
        b"../../../../etc/passwd",
        b"x" * 251,
    )
    assert [old.name(name) for name in names] == [None] * len(names)
    prefixed = parse_old_store("memcached:10.0.0.1:11211")
    assert prefixed.name(b"memc.sess.key." + SID) == SID
    assert prefixed.name(b"memc.sess.key.short") == b"short"
    assert prefixed.name(b"memc.sess.key.lock." + SID) is None
    assert prefixed.name(b"memc.sess.key.../passwd") is None
    assert prefixed.name(SID) is None
    assert prefixed.lock(SID) == b"memc.sess.key.lock." + SID
    assert parse_old_store("redis:10.0.0.1:6379").name(b"PHPREDIS_SESSION:" + SID + b"_LOCK") is None


def test_a_redis_keeps_its_prefix_and_its_database() -> None:
    old = parse_old_store("redis:tcp://10.0.0.1:6379?database=2&prefix=app:")
    assert old.name(b"\n2 app:" + SID) == SID
    assert old.name(b"app:" + SID) is None
    assert (old.before.key(SID), old.lock(SID)) == (b"app:" + SID, b"app:" + SID + b"_LOCK")
    other = parse_old_store("redis:tcp://10.0.0.1:6379?database=2&prefix=app: as=memcached")
    assert other.name(b"memc.sess.key." + SID) == SID


def test_files_are_found_by_their_names_and_directories() -> None:
    old = parse_old_store("files:2;0600;/srv/sessions as=redis lifetime=7200")
    assert old.path(b"abcdef") == "/srv/sessions/a/b/sess_abcdef"
    assert (old.lifetime_s, old.name(b"PHPREDIS_SESSION:abcdef")) == (7200, b"abcdef")
    laravel = parse_old_store("laravel-files:/srv/site/sessions as=laravel prefix=site_cache:")
    assert laravel.path(b"abcdef") == "/srv/site/sessions/abcdef"


def test_what_is_taken_over_is_as_its_new_handler_keeps_it() -> None:
    laravel = parse_old_store("laravel-files:/srv/site/sessions as=laravel prefix=site_cache:")
    assert laravel.taken(Item(b"abc", b"x", left_ms=5)) == Item(b"site_cache:abc", b's:1:"x";', left_ms=5)
    same = parse_old_store("memcache:10.0.0.1:11211")
    assert same.taken(Item(b"abc", b"zip", 2)) == Item(b"abc", b"zip", 2)
    other = parse_old_store("memcache:10.0.0.1:11211 as=redis")
    assert isinstance(other.taken(Item(b"abc", b"no zip", 2)), LeftOut)


def test_a_password_comes_out_of_a_file() -> None:
    old = parse_old_store("redis:10.0.0.1:6379,10.0.0.2:6379 user=app password-file=/etc/memrep/old")
    assert old.password_file == "/etc/memrep/old"
    servers = old.with_password("secret").place.servers
    assert {(server.user, server.password) for server in servers} == {("app", "secret")}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/var/lib/php/sessions", "does not say whence"),
        ("files:/var/lib/php/sessions", "as=memcache"),
        ("files:sessions as=redis", "save_path"),
        ("files:/srv as=mysql", "as=memcache"),
        ("files:/srv as=laravel", "prefix="),
        ("lines:- as=redis", "memrep import"),
        ("redis:10.0.0.1:6379?auth=secret", "password-file=FILE"),
        ("redis:10.0.0.1:6379?database=16", "16 databases"),
        ("memcache:10.0.0.1:11211 within=2", "from 0.02 to 0.8"),
        ("memcache:10.0.0.1:11211 within=soon", "within=soon"),
        ("memcache:10.0.0.1:11211 lifetime=0", "lifetime=0"),
        ("memcache:10.0.0.1:11211 once=1", "nobody knows 'once=1'"),
    ],
)
def test_a_mistake_is_told_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_old_store(text)
    assert reason in str(told.value) and "\n" not in str(told.value)
