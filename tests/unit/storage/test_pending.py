"""Writes in flight: who waits for a key, and that each is woken once, in order, when it is clean."""

from __future__ import annotations

from memrep.storage.entry import NEVER, Entry
from memrep.storage.pending import Pending, PendingWrites
from memrep.storage.version import ZERO


def _pending() -> Pending:
    return Pending(Entry(ZERO, b"x", 0, NEVER), None, None)


class Log:
    """Waiters that note that they were run."""

    def __init__(self, writes: PendingWrites) -> None:
        self.ran: list[str] = []
        self._writes = writes

    def wait(self, key: bytes, name: str) -> None:
        self._writes.wait(key, lambda: self.ran.append(name))

    def wake(self) -> list[str]:
        woken = self._writes.woken
        while woken:
            woken.popleft()()
        return self.ran


def test_nobody_is_run_the_moment_a_key_becomes_clean() -> None:
    writes = PendingWrites()
    log = Log(writes)
    writes.pending[b"a"] = _pending()
    log.wait(b"a", "one")
    writes.clear(b"a")
    assert log.ran == []
    assert log.wake() == ["one"]


def test_whoever_waits_for_a_pending_key_sleeps_until_it_is_clean() -> None:
    writes = PendingWrites()
    log = Log(writes)
    writes.pending[b"a"] = _pending()
    log.wait(b"a", "one")
    assert log.wake() == []


def test_whoever_waits_for_a_clean_key_is_woken_in_the_next_turn() -> None:
    writes = PendingWrites()
    log = Log(writes)
    log.wait(b"a", "one")
    assert log.ran == []
    assert log.wake() == ["one"]


def test_waiters_are_woken_in_the_order_in_which_they_came() -> None:
    writes = PendingWrites()
    log = Log(writes)
    writes.pending[b"a"] = _pending()
    for name in ("one", "two", "three"):
        log.wait(b"a", name)
    writes.clear(b"a")
    assert log.wake() == ["one", "two", "three"]


def test_only_those_who_wait_for_this_key_are_woken() -> None:
    writes = PendingWrites()
    log = Log(writes)
    writes.pending[b"a"] = _pending()
    writes.pending[b"b"] = _pending()
    log.wait(b"a", "a")
    log.wait(b"b", "b")
    writes.clear(b"b")
    assert log.wake() == ["b"]
    assert list(writes.pending) == [b"a"]


def test_a_waiter_is_woken_once() -> None:
    writes = PendingWrites()
    log = Log(writes)
    writes.pending[b"a"] = _pending()
    log.wait(b"a", "one")
    for _ in range(2):
        writes.clear(b"a")
        log.wake()
    writes.pending[b"a"] = _pending()
    writes.clear(b"a")
    assert log.wake() == ["one"]


def test_clearing_a_key_that_is_not_pending_does_nothing() -> None:
    writes = PendingWrites()
    writes.clear(b"a")
    assert not writes.woken


def test_clearing_all_wakes_everybody() -> None:
    writes = PendingWrites()
    log = Log(writes)
    for key in (b"a", b"b", b"c"):
        writes.pending[key] = _pending()
    log.wait(b"b", "b")
    log.wait(b"a", "a")
    log.wait(b"b", "b again")
    writes.clear_all()
    assert not writes.pending
    assert sorted(log.wake()) == ["a", "b", "b again"]
    writes.clear_all()
    assert not writes.woken
