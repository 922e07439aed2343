"""PHP's locks are known by the hold that they carry; which sessions their names lock is known, too."""

from __future__ import annotations

import pytest

from memrep.php.lock_names import is_endless, is_free, is_held, is_pecl_lock, is_redis_lock, may_name
from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner
from memrep.storage.version import ZERO

SID = b"4f3a9c0d1e2b5a6978877665544332211"


@pytest.mark.parametrize(
    ("key", "session"),
    [
        (b"memc.sess.key.lock." + SID, b"memc.sess.key." + SID),
        (b"shop.lock." + SID, b"shop." + SID),
        (b"mysite:lock." + SID, b"mysite:" + SID),
        (b"lock." + SID, SID),
        (b"lock.sess.lock." + SID, b"lock.sess." + SID),
        (SID + b".lock", b""),
        (b"shop.lock.", b""),
        (b"shop.lock.no name of PHP's", b""),
        (b"shop.LOCK." + SID, b""),
        (b"", b""),
    ],
)
def test_php_memcacheds_lock_has_its_sessions_name_in_it_whatever_the_prefix(
    key: bytes, session: bytes
) -> None:
    assert may_name(key) == session


def test_a_lock_is_held_by_what_it_carries_not_by_its_name() -> None:
    hold = Owner(1, 15_000)
    assert is_held(b"1", hold)
    assert not is_held(b"0", hold)
    assert not is_held(None, hold)
    assert not is_held(b"1", None)
    assert not is_held(b"1", Owner(1, 15_000, maybe=True))


def test_a_released_lock_is_free() -> None:
    assert not is_free(b"1")
    assert is_free(b"0")
    assert is_free(None)


def test_only_what_has_pecls_flags_and_name_is_pecls_lock() -> None:
    assert is_pecl_lock(SID + b".lock", 768)
    assert not is_pecl_lock(SID + b".lock", 0)
    assert not is_pecl_lock(SID, 768)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (b"PHPREDIS_SESSION:abc_LOCK", b"web1|71", True),
        (b"abc_LOCK", b"web-1.example|4194304", True),
        (b"abc_LOCK", b"71", False),
        (b"abc_LOCK", b"web1|", False),
        (b"abc_LOCK", b"web1|71|2", False),
        (b"abc_LOCK", b"web1|7f", False),
        (b"abc_lock", b"web1|71", False),
        (b"abc_LOCK2", b"web1|71", False),
    ],
)
def test_phpredis_lock_has_its_name_and_says_whose_it_is(key: bytes, value: bytes, expected: bool) -> None:
    assert is_redis_lock(key, value) is expected


@pytest.mark.parametrize(
    ("key", "expires", "expected"),
    [(b"abc_LOCK", NEVER, True), (b"abc_LOCK", 1000, False), (b"memc.sess.key.lock.abc", NEVER, False)],
)
def test_only_phpredis_lock_without_a_timeout_is_endless(key: bytes, expires: int, expected: bool) -> None:
    assert is_endless(key, Entry(ZERO, b"web1|71", 0, expires, 0, Owner(1, 0))) is expected
