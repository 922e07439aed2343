"""What the fault runner's checks call right and wrong."""

from __future__ import annotations

import time

import pytest

from tests.faults.client import ANSWERED, SILENT, Attempt, Walk
from tests.faults.counters import Counter
from tests.faults.ledger import Ledger
from tests.faults.locks import TIMEOUT_S, Lock
from tests.faults.protocols import MEMCACHED, REDIS, Speaks


@pytest.fixture
def ledger() -> Ledger:
    """A key with two answered writes, 1 and 2."""
    ledger = Ledger("k")
    for _ in range(2):
        ledger.write("x")
        ledger.acknowledged()
    return ledger


def kind(ledger: Ledger, value: bytes | None) -> str | None:
    wrong = ledger.judge(ledger.floor, value)
    return wrong and wrong[0]


def granted(lock: Lock, client: str, at: float, *, by_incr: bool = False) -> str | None:
    walk = Walk(at, at, [Attempt(0, at, at, ANSWERED, b"")])
    return lock.granted(client, walk, by_incr)[1]


def test_the_latest_answered_write_is_right_and_an_older_one_stale(ledger: Ledger) -> None:
    assert kind(ledger, b"k:2:x") is None
    assert kind(ledger, b"k:1:x") == "stale"


def test_a_miss_is_a_loss_unless_a_delete_may_have_happened(ledger: Ledger) -> None:
    assert kind(ledger, None) == "lost"
    ledger.delete()
    assert kind(ledger, b"k:2:x") is None
    assert kind(ledger, None) is None
    assert kind(ledger, b"k:2:x") == "resurrected", "the miss has shown that the delete stands"


def test_an_unanswered_write_may_have_happened_until_a_later_one_stands(ledger: Ledger) -> None:
    ledger.write("x")
    assert kind(ledger, b"k:2:x") is None
    assert kind(ledger, b"k:3:x") is None
    assert kind(ledger, b"k:2:x") == "stale", "number 3 was read before"
    ledger.write("x")
    ledger.acknowledged()
    assert kind(ledger, b"k:3:x") == "stale"


def test_a_read_that_began_before_the_answer_may_show_the_older_value(ledger: Ledger) -> None:
    floor = ledger.floor
    ledger.write("x")
    ledger.acknowledged()
    assert ledger.judge(floor, b"k:2:x") is None


def test_an_answered_delete_makes_any_older_value_resurrected(ledger: Ledger) -> None:
    ledger.delete()
    ledger.acknowledged()
    assert kind(ledger, None) is None
    assert kind(ledger, b"k:2:x") == "resurrected"
    ledger.write("x")
    ledger.acknowledged()
    assert kind(ledger, b"k:1:x") == "resurrected"
    assert kind(ledger, None) == "lost"


def test_a_value_that_nobody_wrote_is_wrong(ledger: Ledger) -> None:
    assert kind(ledger, b"k:2:y") == "other"
    assert kind(ledger, b"k:9:x") == "other"
    assert kind(ledger, b"") == "other"


def test_each_answer_of_a_counter_is_new_and_none_goes_back() -> None:
    counter = Counter("c")
    assert counter.judge(0, 1, "a") is None
    assert counter.judge(1, 3, "a") is None
    assert counter.judge(1, 2, "b") is None, "both were under way at the same time"
    assert "twice" in (counter.judge(1, 3, "b") or "")
    assert "although" in (counter.judge(3, 2, "b") or "")


def test_a_counter_ends_between_what_was_answered_and_what_may_have_happened() -> None:
    counter = Counter("c")
    counter.judge(0, 1, "a")
    counter.judge(1, 2, "a")
    counter.unknown += 1
    assert [value for value in range(6) if counter.judge_end(value) is None] == [2, 3]


def test_after_a_power_cut_only_what_was_answered_long_before_must_be_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = Ledger("k")
    for number in range(1, 5):
        monkeypatch.setattr(time, "monotonic", lambda now=float(number): now)
        ledger.write("x")
        ledger.acknowledged()
    ledger.set_back(2.5)
    assert kind(ledger, b"k:1:x") == "stale"
    assert kind(ledger, None) == "lost"
    assert kind(ledger, b"k:2:x") is None
    assert kind(ledger, b"k:4:x") is None
    assert kind(ledger, b"k:2:x") == "stale", "it was there a moment ago"


def test_a_delete_long_before_a_power_cut_holds_after_it(ledger: Ledger) -> None:
    ledger.delete()
    ledger.acknowledged()
    ledger.set_back(time.monotonic())
    assert kind(ledger, b"k:2:x") == "resurrected"
    assert kind(ledger, None) is None


def test_a_counter_after_a_power_cut_is_not_before_what_was_answered_long_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counter = Counter("c")
    for number in range(1, 5):
        monkeypatch.setattr(time, "monotonic", lambda now=float(number): now)
        assert counter.judge(number - 1, number, "a") is None
    assert counter.judge_after_power_cut(2.5, 1) is not None
    assert counter.judge_after_power_cut(2.5, 2) is None
    assert counter.judge_after_power_cut(2.5, 4) is None
    assert counter.judge_after_power_cut(2.5, 5) is not None


def test_two_holders_at_the_same_time_are_double() -> None:
    lock = Lock("l")
    assert granted(lock, "a", 100.0) is None
    assert granted(lock, "b", 100.1) is not None


def test_a_lock_that_may_have_expired_is_free() -> None:
    lock = Lock("l")
    assert granted(lock, "a", 100.0, by_incr=True) is None, "no release was seen: its lifetime is not known"
    assert granted(lock, "b", 100.1) is None


def test_a_lock_that_nobody_holds_and_nobody_gets_outlives_its_timeout() -> None:
    lock = Lock("l")
    assert lock.denied(100.0, 100.1) is None
    for second in range(1, TIMEOUT_S + 1):
        assert lock.denied(100.0 + second, 100.0 + second) is None
    assert lock.denied(101.0 + TIMEOUT_S, 101.1 + TIMEOUT_S) is not None


def test_a_lock_that_nobody_asks_for_outlives_nothing() -> None:
    lock = Lock("l")
    assert lock.denied(100.0, 100.1) is None
    assert lock.denied(200.0, 200.0) is None


def test_a_lock_that_somebody_holds_outlives_nothing() -> None:
    lock = Lock("l")
    granted(lock, "a", 100.0)
    assert lock.denied(100.0, 100.1) is None
    assert lock.denied(200.0, 200.0) is None


def test_a_walk_counts_what_may_have_happened() -> None:
    silent = Attempt(1, 0.0, 1.0, SILENT, b"")
    assert not Walk(0.0, 1.0, [silent]).answered
    walk = Walk(0.0, 1.0, [silent, Attempt(2, 1.0, 1.1, ANSWERED, b"2\r\n")])
    assert walk.answered and walk.unknown == 1


def test_a_lock_that_may_have_been_taken_unseen_outlives_nothing_until_its_timeout() -> None:
    lock = Lock("l")
    now = time.monotonic()
    lock.maybe_taken()
    assert lock.denied(now, now) is None
    assert lock.denied(now + 1.4, now + 2 * TIMEOUT_S) is None, "as long as whoever took it may have it"
    begin = now + TIMEOUT_S + 0.1
    assert lock.denied(begin, begin) is None
    for second in range(1, TIMEOUT_S + 1):
        assert lock.denied(begin + second, begin + second) is None
    assert lock.denied(begin + TIMEOUT_S + 1, begin + TIMEOUT_S + 1.1) is not None


def walk(speaks: Speaks, reply: bytes) -> Walk:
    return Walk(0.0, 0.1, [Attempt(0, 0.0, 0.1, ANSWERED, reply)], speaks=speaks)


@pytest.mark.parametrize(
    ("speaks", "missed", "found", "done", "refused"),
    [
        (MEMCACHED, b"END\r\n", b"VALUE k 0 4\r\nx\r\ny\r\nEND\r\n", b"STORED\r\n", b"NOT_STORED\r\n"),
        (REDIS, b"$-1\r\n", b"$4\r\nx\r\ny\r\n", b"+OK\r\n", b"$-1\r\n"),
    ],
    ids=["memcached", "redis"],
)
def test_answers_of_both_protocols_are_understood_alike(
    speaks: Speaks, missed: bytes, found: bytes, done: bytes, refused: bytes
) -> None:
    complete = speaks.get("k").complete
    for reply in (missed, found):
        assert complete(reply)
        assert not any(complete(reply[:end]) for end in range(len(reply) - 1))
    assert (walk(speaks, missed).value, walk(speaks, found).value) == (None, b"x\r\ny")
    assert walk(speaks, done).stored and not walk(speaks, refused).stored
    assert not any(speaks.refuses(reply) for reply in (missed, found, done, refused))


def test_errors_and_numbers_of_both_protocols_are_understood() -> None:
    assert MEMCACHED.refuses(b"SERVER_ERROR out of memory\r\n")
    assert REDIS.refuses(b"-ERR x\r\n")
    assert (MEMCACHED.number(b"7\r\n"), MEMCACHED.number(b"NOT_FOUND\r\n"), REDIS.number(b":7\r\n")) == (
        7,
        None,
        7,
    )
