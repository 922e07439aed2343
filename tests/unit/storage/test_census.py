"""The census is what a count by hand would find, whatever has come, gone, run out or been flushed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from memrep.storage.census import Census
from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSHES, HOME, NAMESPACES_MAX, number_of, prefix
from memrep.storage.store import TOMBSTONE_MS, Store
from memrep.storage.version import make

KEY = st.sampled_from(
    [
        b"a",
        b"b",
        HOME + b"a",
        b"\n3 a",
        b"\n3 b",
        b"\n15 a",
        b"\n15 ",
        b"\n16 a",
        b"\nx",
        b"\n",
        b"\n3",
        b"\n03 a",
    ]
)
EXPIRES = st.sampled_from([NEVER, 1_000_500, 1_005_000, 1_100_000])


def _by_hand(values: dict[bytes, Entry], number: int) -> tuple[int, int]:
    mine = [entry for key, entry in values.items() if key not in FLUSHES and number_of(key) == number]
    return len(mine), sum(entry.expires < NEVER for entry in mine)


class Counting(RuleBasedStateMachine):
    """A store, to which anything happens."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(1 << 20)
        self.now = 1_000_000
        self.number = 100

    def _put(self, key: bytes, value: bytes | None, expires: int, back: int = 0) -> None:
        self.number += 1
        self.store.put(key, Entry(make(1, self.number - back), value, 0, expires), self.now)

    @rule(key=KEY, expires=EXPIRES, back=st.sampled_from([0, 0, 0, 5]))
    def store_value(self, key: bytes, expires: int, back: int) -> None:
        self._put(key, b"x", expires, back)

    @rule(key=KEY)
    def delete(self, key: bytes) -> None:
        self._put(key, None, self.now + TOMBSTONE_MS)

    @rule(flush=st.sampled_from(sorted(FLUSHES)), back=st.sampled_from([0, 3]))
    def flush(self, flush: bytes, back: int) -> None:
        self._put(flush, b"flush", NEVER, back)

    @rule(key=KEY)
    def forget(self, key: bytes) -> None:
        self.store.remove(key)

    @rule(ms=st.sampled_from([1, 600, 9_000, 2 * TOMBSTONE_MS]))
    def sweep(self, ms: int) -> None:
        self.now += ms
        for _ in range(3):
            self.store.sweep(self.now)

    @invariant()
    def the_census_is_what_one_counts(self) -> None:
        values = {key: self.store.values[key] for key in self.store.values}
        census = self.store.census
        for number in range(NAMESPACES_MAX):
            assert census.of(number) == _by_hand({key: self.store.values[key] for key in values}, number)
        assert census.flushes == sum(key in FLUSHES for key in values)
        assert sum(census.of(number)[0] for number in range(NAMESPACES_MAX)) == len(self.store)


Counting.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestCounting = Counting.TestCase


@given(st.lists(st.tuples(KEY, EXPIRES), max_size=30))
def test_what_has_come_and_gone_is_not_counted(values: list[tuple[bytes, int]]) -> None:
    census = Census()
    for by in (1, -1):
        for key, expires in values:
            census.change(key, expires, by)
    assert [census.of(number) for number in range(NAMESPACES_MAX)] == [(0, 0)] * NAMESPACES_MAX


def test_the_mark_of_a_flush_is_no_value_of_any_namespace() -> None:
    census = Census()
    for flush in FLUSHES:
        census.change(flush, NEVER, 1)
    assert census.flushes == len(FLUSHES)
    assert [census.of(number) for number in range(NAMESPACES_MAX)] == [(0, 0)] * NAMESPACES_MAX


def test_each_namespace_is_counted_apart() -> None:
    census = Census()
    for number in range(NAMESPACES_MAX):
        for at in range(number):
            census.change(prefix(number) + b"%d" % at, 5 if at % 2 else NEVER, 1)
    assert [census.of(number) for number in range(NAMESPACES_MAX)] == [
        (n, n // 2) for n in range(NAMESPACES_MAX)
    ]
