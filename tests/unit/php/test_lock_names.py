"""PHP's locks are known by the hold that they carry; which sessions their names lock is known, too."""

from __future__ import annotations

import pytest

from memrep.php.lock_names import is_free, is_held, is_pecl_lock, may_name
from memrep.storage.owner import Owner

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
