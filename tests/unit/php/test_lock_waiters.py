"""Who has been refused a lock waits for it until he has it, is gone, or has not asked again."""

from __future__ import annotations

from memrep.php.lock_waiters import ASKS_AGAIN_MS, LockWaiters
from memrep.storage.version import Clock
from tests.unit.php.test_lock_holder import new_holder


def test_who_asks_again_and_again_waits_once_for_each_lock() -> None:
    clock = Clock(1, 1_000)
    waiters, one, other = LockWaiters(clock), new_holder(), new_holder()
    for _ in range(3):
        waiters.refused(b"a.lock", one)
        waiters.refused(b"a.lock", other)
        waiters.refused(b"b.lock", one)
    assert waiters.counts() == {b"a.lock": 2, b"b.lock": 1}


def test_who_has_the_lock_or_is_gone_does_not_wait() -> None:
    waiters, one, other = LockWaiters(Clock(1, 1_000)), new_holder(), new_holder()
    waiters.refused(b"a.lock", one)
    waiters.refused(b"a.lock", other)
    one.locks[b"a.lock"] = 1
    other.gone = True
    assert waiters.counts() == {}


def test_who_does_not_ask_again_has_given_up() -> None:
    clock = Clock(1, 1_000)
    waiters, one, other = LockWaiters(clock), new_holder(), new_holder()
    waiters.refused(b"a.lock", one)
    waiters.refused(b"a.lock", other)
    clock.turn(clock.now + ASKS_AGAIN_MS, 0)
    waiters.refused(b"a.lock", one)
    clock.turn(clock.now + 1, 0)
    assert waiters.counts() == {b"a.lock": 1}


def test_of_very_many_those_are_forgotten_that_asked_longest_ago() -> None:
    waiters = LockWaiters(Clock(1, 1_000))
    for _ in range(10_000):
        waiters.refused(b"a.lock", new_holder())
    assert 100 < waiters.counts()[b"a.lock"] < 5_000
