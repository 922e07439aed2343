"""The keys by which both PHP extensions lock a session are known for what they are."""

from __future__ import annotations

import pytest

from memrep.locks import is_free, is_lock, is_pecl_lock

SID = b"4f3a9c0d1e2b5a6978877665544332211"


@pytest.mark.parametrize(
    "key",
    [
        SID + b".lock",  # pecl-memcache
        b"memc.sess.key.lock." + SID,  # php-memcached
        b"memc.sess.lock." + SID,
        b"shop.lock." + SID,
        b"lock.sess.lock." + SID,
    ],
)
def test_a_session_lock_is_a_lock(key: bytes) -> None:
    assert is_lock(key)


@pytest.mark.parametrize(
    "key",
    [
        SID,
        b"memc.sess.key." + SID,
        b"lock",
        b"lock." + SID,
        b"padlock",
        b"clock." + SID,
        b"a.locked",
        b"a.lock2",
        b"a.LOCK",
        b"",
    ],
)
def test_another_key_is_none(key: bytes) -> None:
    assert not is_lock(key)


def test_a_released_lock_is_free() -> None:
    assert not is_free(b"1")
    assert is_free(b"0")
    assert is_free(None)


def test_only_what_has_pecls_flags_and_name_is_pecls_lock() -> None:
    assert is_pecl_lock(SID + b".lock", 768)
    assert not is_pecl_lock(SID + b".lock", 0)
    assert not is_pecl_lock(SID, 768)
