"""Which keys are PHP's: a session's lock has the session's name in it."""

from __future__ import annotations

import pytest

from memrep.php.options import PhpOptions

HABITS = PhpOptions(prefixes=(b"memc.sess.key.lock.", b"shop.lock."))


@pytest.mark.parametrize(
    ("session", "lock"),
    [
        (b"abc", b"abc.lock"),
        (b"memc.sess.key.abc", b"memc.sess.key.lock.abc"),
        (b"shop.abc", b"shop.lock.abc"),
        (b"memc.abc", b"memc.abc.lock"),
    ],
)
def test_a_session_and_its_lock_name_each_other(session: bytes, lock: bytes) -> None:
    assert HABITS.lock_of(session) == lock
    assert HABITS.session_of(lock) == session
    assert HABITS.names_lock(lock)
    assert not HABITS.names_lock(session)


def test_php_memcacheds_sessions_are_told_by_their_prefix() -> None:
    assert HABITS.is_memcacheds(b"memc.sess.key.abc")
    assert HABITS.is_memcacheds(b"shop.abc")
    assert not HABITS.is_memcacheds(b"abc")
