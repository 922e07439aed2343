"""The store: which entry stands, what expiry, flushes and tombstones leave behind, what it all costs."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from memrep.storage.digest import Digest
from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSH_KEY, flush_key
from memrep.storage.owned_keys import OwnedKeys
from memrep.storage.owner import Owner
from memrep.storage.store import ENTRY_BYTES, EVICTED, EVICTED_MS, TOMBSTONE_MS, Store
from memrep.storage.sweep import PIECE, ROUND_MS_MAX
from memrep.storage.version import ZERO, make
from tests.harness.collector import walked

NOW = 1_000_000
#: Until what is due at some moment has been swept at the latest, in a small store.
SWEPT_MS = 4_096


def _value(number: int, value: bytes = b"v", expires: int = NEVER) -> Entry:
    return Entry(make(1, number), value, 0, expires)


def _tombstone(number: int, now: int = NOW) -> Entry:
    return Entry(make(1, number), None, 0, now + TOMBSTONE_MS)


def _flush(number: int) -> Entry:
    return Entry(make(1, number), b"flush", 0, NEVER)


def _eviction(number: int) -> Entry:
    return Entry(make(1, number), None, EVICTED, NOW + EVICTED_MS)


def _store(*keys: bytes) -> Store:
    store = Store(1 << 20)
    for number, key in enumerate(keys, start=1):
        store.put(key, _value(number), NOW)
    return store


def _held(store: Store, key: bytes) -> Entry:
    """What the store has of a key, be it a tombstone."""
    entry = store.peek(key)
    assert entry is not None
    return entry


def _entries(store: Store) -> dict[bytes, Entry]:
    """All that the store has."""
    return {key: table[key] for table in (store.values, store.tombstones) for key in table}


def _keys(store: Store) -> list[bytes]:
    return [key for piece in store.walk() for key in piece]


def _sweep(store: Store, now: int) -> None:
    """As many turns as it takes."""
    store.sweep(now)
    while store.behind:
        store.sweep(now)


def _victims(store: Store, excess: int) -> list[bytes]:
    return [key for key, _, _ in store.victims(excess)]


# --- which entry stands -------------------------------------------------------------------------------------


def test_a_missing_key_has_no_entry_and_the_version_zero() -> None:
    store = _store()
    assert store.get(b"a", NOW) is None
    assert store.is_miss(b"a", NOW)
    assert store.version(b"a") == ZERO


def test_what_is_put_is_read() -> None:
    store = Store(1 << 20)
    entry = Entry(make(1, 5), b"value", 7, NEVER, 3)
    assert store.put(b"a", entry, NOW)
    assert store.get(b"a", NOW) == Entry(make(1, 5), b"value", 7, NEVER, 3)
    assert not store.is_miss(b"a", NOW)
    assert store.version(b"a") == make(1, 5)


def test_the_newer_entry_stands_and_the_older_is_refused() -> None:
    store = Store(1 << 20)
    assert store.put(b"a", _value(2, b"new"), NOW)
    assert not store.put(b"a", _value(1, b"old"), NOW)
    assert not store.put(b"a", _value(2, b"again"), NOW)
    found = store.get(b"a", NOW)
    assert found is not None and found.value == b"new"


def test_a_tombstone_hides_the_value_and_keeps_the_version() -> None:
    store = _store(b"a")
    store.put(b"a", _tombstone(9), NOW)
    assert store.get(b"a", NOW) is None
    assert store.version(b"a") == make(1, 9)
    assert not store.put(b"a", _value(8), NOW)
    assert store.put(b"a", _value(10), NOW)
    assert store.get(b"a", NOW) is not None


def test_tombstones_are_not_counted_as_values() -> None:
    store = _store(b"a", b"b")
    store.put(b"a", _tombstone(9), NOW)
    assert (len(store), len(store.tombstones)) == (1, 1)
    store.put(b"a", _value(10), NOW)
    assert (len(store), len(store.tombstones)) == (2, 0)


def test_a_forgotten_key_leaves_nothing_but_the_horizon() -> None:
    store = _store(b"a")
    store.remove(b"a")
    store.remove(b"a")
    assert (len(store), store.used, store.version(b"a"), store.horizon) == (0, 0, ZERO, make(1, 1))
    assert store.digest.sums == Digest().sums


# --- expiry -------------------------------------------------------------------------------------------------


def test_a_value_ends_at_its_very_millisecond_without_any_sweep() -> None:
    store = Store(1 << 20)
    store.put(b"a", _value(1, expires=NOW + 500), NOW)
    assert store.get(b"a", NOW + 499) is not None and not store.is_miss(b"a", NOW + 499)
    assert store.get(b"a", NOW + 500) is None and store.is_miss(b"a", NOW + 500)


def test_a_value_that_never_ends_outlives_every_sweep() -> None:
    store = _store(b"a")
    _sweep(store, NOW + 10 * 365 * 86_400_000)
    assert store.get(b"a", NOW + 10 * 365 * 86_400_000) is not None


def test_an_ended_value_becomes_a_tombstone_of_the_same_version() -> None:
    store = _store(b"other")
    store.put(b"a", _value(5, b"x" * 100, NOW + 500), NOW)
    _sweep(store, NOW + 500 + SWEPT_MS)
    assert _held(store, b"a").value is None
    assert store.version(b"a") == make(1, 5)
    assert (store.expired, len(store.tombstones), len(store)) == (1, 1, 1)
    assert not store.put(b"a", _value(4), NOW + 500 + SWEPT_MS)


def test_what_has_run_out_is_counted_for_no_more_than_a_second_or_so() -> None:
    """Redis' own tests give it a second and a half (unit/expire)."""
    for start in range(0, 5_000, 100):
        store = Store(limit=1 << 20)
        store.put(b"a", _value(1, expires=start + 500), start)
        for now in range(start, start + 500 + 1_100, 100):
            store.sweep(now)
        assert len(store) == 0


def test_a_sweep_ends_nothing_before_its_time() -> None:
    store = Store(1 << 20)
    for second in range(60):
        store.put(b"%d" % second, _value(second + 1, expires=NOW + second * 1000), NOW)
    for second in range(60):
        store.sweep(NOW + second * 1000 - 1)
        assert _held(store, b"%d" % second).value is not None or second == 0


def test_expiry_leaves_the_digest_alone() -> None:
    store = _store(b"other")
    store.put(b"a", _value(5, expires=NOW + 500), NOW)
    before = list(store.digest.sums)
    _sweep(store, NOW + 500 + SWEPT_MS)
    assert store.expired == 1
    assert store.digest.sums == before


def test_a_value_that_arrives_too_late_is_a_tombstone_at_once() -> None:
    ours, theirs = Store(1 << 20), Store(1 << 20)
    theirs.put(b"a", _value(5, expires=NOW + 1), NOW)
    assert ours.put(b"a", _value(5, expires=NOW), NOW)
    assert (len(ours), len(ours.tombstones), ours.version(b"a")) == (0, 1, make(1, 5))
    assert ours.digest.sums == theirs.digest.sums


def test_a_value_that_got_more_time_does_not_end_at_the_old_one() -> None:
    store = Store(1 << 20)
    store.put(b"a", _value(1, expires=NOW + 1_000), NOW)
    store.put(b"a", _value(2, expires=NOW + 60_000), NOW)
    _sweep(store, NOW + 30_000)
    assert store.get(b"a", NOW + 30_000) is not None
    _sweep(store, NOW + 60_000 + SWEPT_MS)
    assert store.expired == 1


def test_a_value_that_got_less_time_ends_at_the_new_one() -> None:
    store = Store(1 << 20)
    store.put(b"a", _value(1, expires=NOW + 60_000), NOW)
    store.put(b"a", _value(2, expires=NOW + 1_000), NOW)
    _sweep(store, NOW + 1_000 + SWEPT_MS)
    assert store.expired == 1


def test_a_sweep_stops_after_a_bounded_number_of_keys_and_goes_on_in_the_next() -> None:
    store = Store(1 << 30)
    count = 10_000
    for number in range(count):
        store.put(b"%d" % number, _value(number + 1, expires=NOW + 10), NOW)
    steps: list[int] = []
    while not steps or store.behind:
        before = store.expired
        store.sweep(NOW + ROUND_MS_MAX)
        steps.append(store.expired - before)
    assert max(steps) <= PIECE
    assert (sum(steps), len(store)) == (count, 0)


def test_what_is_written_again_between_two_pieces_of_a_sweep_stays() -> None:
    store = Store(1 << 30)
    for number in range(3_000):
        store.put(b"%d" % number, _value(number + 1, expires=NOW + 10), NOW)
    store.sweep(NOW + SWEPT_MS)
    assert 0 < store.expired < 3_000
    for number in range(3_000):
        store.put(b"%d" % number, _value(number + 5_000), NOW + SWEPT_MS)
    before = store.expired
    _sweep(store, NOW + SWEPT_MS)
    assert (len(store), store.expired) == (3_000, before)


def test_a_key_that_is_forgotten_while_a_sweep_pauses_is_no_trouble() -> None:
    store = Store(1 << 30)
    for number in range(3_000):
        store.put(b"%d" % number, _value(number + 1, expires=NOW + 10), NOW)
    store.sweep(NOW + SWEPT_MS * 2)
    for number in range(3_000):
        store.remove(b"%d" % number)
    store.sweep(NOW + SWEPT_MS * 2)
    assert (len(store), store.used, len(store.tombstones)) == (0, 0, 0)


# --- purging ------------------------------------------------------------------------------------------------


def test_a_tombstone_is_purged_after_its_time_and_not_before() -> None:
    store = _store()
    store.put(b"a", _tombstone(5), NOW)
    _sweep(store, NOW + TOMBSTONE_MS - 1)
    assert store.version(b"a") == make(1, 5)
    _sweep(store, NOW + TOMBSTONE_MS + SWEPT_MS)
    assert store.version(b"a") == ZERO
    assert (store.used, len(store.tombstones)) == (0, 0)


def test_a_store_keeps_tombstones_for_as_long_as_it_is_told() -> None:
    store = Store(1 << 20, tombstone_ms=500)
    deleted = store.tombstone(NOW)
    assert (deleted.value, deleted.expires) == (None, NOW + 500)
    store.put(b"a", _value(5, expires=NOW), NOW)  # has run out
    ended = store.peek(b"a")
    assert ended is not None and (ended.value, ended.expires) == (None, NOW + 500)
    _sweep(store, NOW + 500 + SWEPT_MS)
    assert store.version(b"a") == ZERO


def test_a_purge_raises_the_horizon_to_the_highest_version_purged() -> None:
    store = _store()
    assert store.horizon == ZERO
    for number in (3, 7, 5):
        store.put(b"%d" % number, _tombstone(number), NOW)
    _sweep(store, NOW + TOMBSTONE_MS + SWEPT_MS)
    assert store.horizon == make(1, 7)


def test_an_ended_value_is_purged_a_tombstones_time_after_it_was_noticed() -> None:
    store = Store(1 << 20)
    store.put(b"a", _value(5, expires=NOW), NOW - 1)
    noticed = NOW + SWEPT_MS
    _sweep(store, noticed)
    _sweep(store, noticed + TOMBSTONE_MS - 1)
    assert store.version(b"a") == make(1, 5)
    _sweep(store, noticed + TOMBSTONE_MS + SWEPT_MS)
    assert (store.version(b"a"), store.horizon) == (ZERO, make(1, 5))


def test_purging_is_bounded_too() -> None:
    store = Store(1 << 30)
    count = 10_000
    for number in range(count):
        store.put(b"%d" % number, _tombstone(number + 1), NOW)
    steps: list[int] = []
    while not steps or store.behind:
        before = len(store.tombstones)
        store.sweep(NOW + TOMBSTONE_MS + ROUND_MS_MAX)
        steps.append(before - len(store.tombstones))
    assert max(steps) <= PIECE
    assert sum(steps) == count
    assert store.horizon == make(1, count)


def test_when_memory_is_short_the_oldest_tombstones_give_way() -> None:
    store = Store(100 * ENTRY_BYTES)
    for number in range(1, 51):
        store.put(b"%02d" % number, _tombstone(number), NOW + number)
    assert store.purge(3 * ENTRY_BYTES) == 3 * (ENTRY_BYTES + 2)
    assert store.horizon == make(1, 3)
    assert store.version(b"03") == ZERO
    assert store.version(b"04") == make(1, 4)


def test_a_small_share_of_the_memory_is_the_tombstones_own() -> None:
    store = Store(100 * ENTRY_BYTES)
    for number in range(1, 11):
        store.put(b"%02d" % number, _tombstone(number), NOW)
    assert store.purge(1 << 20) == 0
    assert len(store.tombstones) == 10


def test_nothing_is_purged_early_when_nothing_is_in_excess() -> None:
    store = Store(ENTRY_BYTES)
    store.put(b"a", _tombstone(1), NOW)
    assert store.purge(0) == 0
    assert store.version(b"a") == make(1, 1)


# --- flushing -----------------------------------------------------------------------------------------------


def test_a_flush_ends_what_is_older_and_leaves_what_is_newer() -> None:
    store = Store(1 << 20)
    store.put(b"old", _value(4), NOW)
    store.put(b"new", _value(6), NOW)
    store.put(FLUSH_KEY, _flush(5), NOW)
    assert store.get(b"old", NOW) is None
    assert store.get(b"new", NOW) is not None
    assert store.version(b"old") == make(1, 4)


def test_what_arrives_after_a_flush_but_was_written_before_it_is_ended_too() -> None:
    store = Store(1 << 20)
    store.put(FLUSH_KEY, _flush(5), NOW)
    assert store.put(b"old", _value(4), NOW)
    assert store.put(b"new", _value(6), NOW)
    assert store.get(b"old", NOW) is None
    assert store.get(b"new", NOW) is not None


def test_an_older_flush_does_not_undo_a_newer_one() -> None:
    store = Store(1 << 20)
    store.put(FLUSH_KEY, _flush(5), NOW)
    assert not store.put(FLUSH_KEY, _flush(3), NOW)
    store.put(b"a", _value(4), NOW)
    assert store.get(b"a", NOW) is None


def test_a_flush_is_no_value_of_a_client() -> None:
    store = _store(b"a")
    store.put(FLUSH_KEY, _flush(5), NOW)
    assert (len(store), len(store.tombstones)) == (0, 1)


def test_a_flush_gives_the_memory_of_the_values_back() -> None:
    store = Store(1 << 20)
    store.put(b"a", _value(1, b"x" * 10_000), NOW)
    store.put(FLUSH_KEY, _flush(5), NOW)
    assert store.used < 10_000


def _turns(store: Store, now: int) -> int:
    """How many turns a sweep takes that begins now."""
    store.sweep(now)
    turns = 1
    while store.behind:
        store.sweep(now)
        turns += 1
    return turns


def test_after_the_flush_of_one_namespace_the_others_are_looked_through_as_fast_as_before() -> None:
    store = Store(1 << 22)
    store.put(b"\n1 flushed", _value(1), NOW)
    for number in range(2_000):
        store.put(b"%d" % number, _value(number + 2), NOW)
    before = _turns(store, NOW + ROUND_MS_MAX)
    store.put(flush_key(1), _flush(3_000), NOW + ROUND_MS_MAX)
    _turns(store, NOW + 2 * ROUND_MS_MAX)
    assert _turns(store, NOW + 3 * ROUND_MS_MAX) == before
    assert len(store) == 2_000
    assert b"\n1 flushed" in store.tombstones


# --- cost ---------------------------------------------------------------------------------------------------


def test_used_counts_key_value_and_what_an_entry_costs() -> None:
    store = Store(1 << 20)
    store.put(b"key", _value(1, b"x" * 10), NOW)
    assert store.used == ENTRY_BYTES + 3 + 10
    store.put(b"key", _value(2, b"x" * 4), NOW)
    assert store.used == ENTRY_BYTES + 3 + 4
    store.put(b"key", _tombstone(3), NOW)
    assert store.used == ENTRY_BYTES + 3


def test_used_returns_to_nought() -> None:
    store = Store(1 << 20)
    for number in range(100):
        store.put(b"%d" % number, _value(number + 1, b"x" * number, NOW + number * 1000), NOW)
    for number in range(0, 100, 3):
        store.put(b"%d" % number, _tombstone(1000 + number), NOW)
    assert store.used > 0
    _sweep(store, NOW + 100_000 + SWEPT_MS)
    _sweep(store, NOW + 100_000 + TOMBSTONE_MS + 3 * SWEPT_MS)
    assert (store.used, len(store), len(store.tombstones)) == (0, 0, 0)
    assert store.digest.sums == Digest().sums


# --- eviction -----------------------------------------------------------------------------------------------


def test_victims_are_the_least_recently_written() -> None:
    store = _store(b"a", b"b", b"c")
    store.put(b"a", _value(9), NOW)
    assert _victims(store, 1) == [b"b"]


def test_a_read_makes_a_key_the_most_recently_used() -> None:
    store = _store(b"a", b"b", b"c")
    store.get(b"a", NOW)
    assert _victims(store, 2 * ENTRY_BYTES) == [b"b", b"c"]


def test_a_look_whether_a_key_is_dead_is_no_use_of_it() -> None:
    store = _store(b"a", b"b")
    store.is_miss(b"a", NOW)
    store.version(b"a")
    assert _victims(store, 1) == [b"a"]


def test_as_many_victims_are_named_as_are_needed_and_each_with_its_cost() -> None:
    store = Store(1 << 20)
    for number in range(5):
        store.put(b"%d" % number, _value(number + 1, b"x" * 99), NOW)
    cost = ENTRY_BYTES + 1 + 99
    found = list(store.victims(2 * cost + 1))
    assert [(key, paid) for key, _, paid in found] == [(b"0", cost), (b"1", cost), (b"2", cost)]
    assert all(entry is store.peek(key) for key, entry, _ in found)


def test_nobody_is_a_victim_when_nothing_is_in_excess() -> None:
    assert _victims(_store(b"a"), 0) == []
    assert _victims(_store(b"a"), -1) == []
    assert _victims(_store(), 1) == []


def test_a_victim_is_not_named_again_while_others_are_left() -> None:
    store = _store(b"a", b"b", b"c")
    assert [_victims(store, 1) for _ in range(3)] == [[b"a"], [b"b"], [b"c"]]


def test_tombstones_the_flush_and_what_is_pinned_are_passed_over() -> None:
    class Pinning(OwnedKeys):
        def pinned(self, entry: Entry) -> bool:
            return entry.flags == 7

    store = Store(1 << 20, owned=Pinning())
    store.put(FLUSH_KEY, _flush(1), NOW)
    for key, flags in ((b"pinned", 7), (b"owned", 0)):
        store.put(key, Entry(make(1, 2), b"v", flags, NEVER, 0, Owner(1, 15_000)), NOW)
    store.put(b"gone", _tombstone(4), NOW)
    store.put(b"a", _value(5), NOW)
    assert _victims(store, 1 << 20) == [b"owned", b"a"]


def test_an_eviction_leaves_no_tombstone_but_raises_the_horizon_to_what_was_evicted() -> None:
    store = _store(b"a")
    evicted = store.version(b"a")
    assert store.put(b"a", _eviction(9), NOW)
    assert (store.used, len(store.tombstones), store.version(b"a"), store.horizon) == (0, 0, ZERO, evicted)


def test_an_eviction_that_is_older_than_the_value_does_nothing() -> None:
    store = Store(1 << 20)
    store.put(b"a", _value(9), NOW)
    assert not store.put(b"a", _eviction(8), NOW)
    assert store.get(b"a", NOW) is not None


def test_on_a_node_that_is_joining_an_eviction_is_remembered_for_a_while() -> None:
    store = _store(b"other")
    store.joining = True
    store.put(b"a", _eviction(9), NOW)
    assert not store.put(b"a", _value(8), NOW)
    _sweep(store, NOW + EVICTED_MS + SWEPT_MS)
    assert store.version(b"a") == ZERO


# --- any order ----------------------------------------------------------------------------------------------

some_keys = st.sampled_from([b"a", b"b", b"c"])
some_entries = st.one_of(
    st.builds(_value, st.integers(1, 9), st.binary(max_size=3), st.sampled_from([NOW - 1, NOW + 5, NEVER])),
    st.builds(_tombstone, st.integers(1, 9)),
)
some_writes = st.one_of(
    st.tuples(some_keys, some_entries),
    st.tuples(st.just(FLUSH_KEY), st.builds(_flush, st.integers(1, 9))),
)
#: A version is made once, so two writes of one key with one version are the same write.
write_lists = st.lists(some_writes, max_size=5, unique_by=lambda write: (write[0], write[1].version))


def _contents(writes: list[tuple[bytes, Entry]]) -> tuple[dict[bytes, Entry], list[int], int, int]:
    store = Store(1 << 20)
    for key, entry in writes:
        store.put(key, entry, NOW)
    return (
        # How an entry ended is told as it was found here, which depends on the order.
        {key: replace(entry, seen=0) for key, entry in _entries(store).items()},
        store.digest.sums,
        store.used,
        len(store.tombstones),
    )


@given(write_lists)
def test_put_is_commutative(writes: list[tuple[bytes, Entry]]) -> None:
    expected = _contents(writes)
    assert all(_contents(list(order)) == expected for order in permutations(writes))


@given(write_lists, st.data())
def test_put_is_idempotent(writes: list[tuple[bytes, Entry]], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(writes), max_size=5)) if writes else []
    assert _contents(writes + repeats) == _contents(writes)


@given(write_lists)
def test_put_says_whether_the_entry_was_newer(writes: list[tuple[bytes, Entry]]) -> None:
    store = Store(1 << 20)
    for key, entry in writes:
        newer = entry.version > store.version(key)
        assert store.put(key, entry, NOW) == newer


# --- against a model ----------------------------------------------------------------------------------------


class StoreAgainstDict(RuleBasedStateMachine):
    """The store beside a plain dict of entries, the flush and the clock, which is all that its rules need."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(1 << 30)
        self.now = NOW
        self.flushed = ZERO
        self.model: dict[bytes, Entry] = {}
        self.purged = ZERO
        self.used_numbers: set[int] = set()

    def _fresh(self, number: int) -> int:
        """Every version is made once."""
        while number in self.used_numbers:
            number += 1
        self.used_numbers.add(number)
        return number

    def _write(self, key: bytes, entry: Entry) -> None:
        old = self.model.get(key)
        newer = old is None or entry.version > old.version
        if newer:
            self.model[key] = entry
            if key == FLUSH_KEY:
                self.flushed = entry.version
        copy = Entry(entry.version, entry.value, entry.flags, entry.expires)
        assert self.store.put(key, copy, self.now) == newer

    def _alive(self, key: bytes) -> bool:
        entry = self.model.get(key)
        return (
            entry is not None
            and entry.value is not None
            and entry.expires > self.now
            and (entry.version > self.flushed or key == FLUSH_KEY)
        )

    @rule(key=some_keys, number=st.integers(1, 500), value=st.binary(max_size=9), ttl=st.integers(-1, 20_000))
    def put_a_value(self, key: bytes, number: int, value: bytes, ttl: int) -> None:
        expires = NEVER if ttl < 0 else self.now + ttl
        self._write(key, _value(self._fresh(number), value, expires))

    @rule(key=some_keys, number=st.integers(1, 500))
    def put_a_tombstone(self, key: bytes, number: int) -> None:
        self._write(key, _tombstone(self._fresh(number), self.now))

    @rule(number=st.integers(1, 500))
    def flush(self, number: int) -> None:
        self._write(FLUSH_KEY, _flush(self._fresh(number)))

    @rule(ms=st.one_of(st.integers(1, 30_000), st.integers(1, 2 * TOMBSTONE_MS)))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule()
    def sweep(self) -> None:
        self.store.sweep(self.now)
        for key in self.model.keys() - set(_keys(self.store)):
            assert not self._alive(key), "only a tombstone may be purged"
            self.purged = max(self.purged, self.model.pop(key).version)

    @rule(key=some_keys)
    def remove(self, key: bytes) -> None:
        self.store.remove(key)
        if key in self.model:
            self.purged = max(self.purged, self.model.pop(key).version)

    @rule(key=some_keys)
    def read(self, key: bytes) -> None:
        found = self.store.get(key, self.now)
        assert (found is not None) == self._alive(key)
        assert self.store.is_miss(key, self.now) != self._alive(key)
        if found is not None:
            assert found == self.model[key]
            assert next(reversed(self.store.values.part(key))) == key

    @invariant()
    def versions_agree(self) -> None:
        assert {key: entry.version for key, entry in _entries(self.store).items()} == {
            key: entry.version for key, entry in self.model.items()
        }
        assert self.store.horizon == self.purged

    @invariant()
    def sums_agree(self) -> None:
        entries = _entries(self.store)
        assert self.store.used == sum(
            ENTRY_BYTES + len(key) + len(entry.value or b"") for key, entry in entries.items()
        )
        assert len(self.store.tombstones) == sum(entry.value is None for entry in entries.values())
        digest, dead = Digest(), Digest()
        for key, entry in entries.items():
            digest.replace(key, ZERO, entry.version)
            if entry.value is None:
                dead.replace(key, ZERO, entry.version)
        assert self.store.digest.sums == digest.sums
        assert self.store.dead.sums == dead.sums

    def teardown(self) -> None:
        """In the end all that can end has ended, and what it cost is free."""
        for key in (b"a", b"b", b"c"):
            self.store.put(key, _tombstone(1_000_000, self.now), self.now)
        self.store.sweep(self.now + 3 * TOMBSTONE_MS)
        assert set(_keys(self.store)) <= {FLUSH_KEY}
        assert self.store.used == (ENTRY_BYTES + len(b"flush") if _keys(self.store) else 0)


StoreAgainstDict.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestStoreAgainstDict = StoreAgainstDict.TestCase


@pytest.mark.parametrize("start", [0, 1, SWEPT_MS, 400 * 86_400_000])
def test_it_does_not_matter_what_the_monotonic_clock_began_at(start: int) -> None:
    store = Store(1 << 20)
    store.put(b"a", _value(1, expires=start + 10_000), start)
    store.put(b"b", _value(2), start)
    for ms in range(0, 30_000, 50):
        store.sweep(start + ms)
        assert (store.get(b"a", start + ms) is None) == (ms >= 10_000)
    assert (store.expired, len(store)) == (1, 1)


# --- owners -------------------------------------------------------------------------------------------------


def test_who_owned_what_is_told_when_a_node_has_lost_its_clients_and_nobody_owns_it_then() -> None:
    store = Store(1 << 20)
    for number, node in enumerate((2, 3, 2, 0), start=1):
        store.put(b"k%d" % number, Entry(make(1, number), b"v", 0, NEVER, 0, Owner(node, 15_000)), NOW)
    store.put(b"plain", _value(9), NOW)
    before, digest = store.version(b"k1"), store.digest.sums[:]
    disowned = store.disown({2})
    assert [(key, owner.node) for key, _, owner in disowned] == [(b"k1", 2), (b"k3", 2)]
    assert [_held(store, b"k%d" % number).owner for number in (1, 2, 3)] == [
        Owner(0, 15_000),
        Owner(3, 15_000),
        Owner(0, 15_000),
    ]
    assert store.disown({2}) == []
    assert (store.version(b"k1"), store.digest.sums) == (before, digest), "it is no part of a version"


def test_an_owner_ends_with_its_value() -> None:
    store = Store(1 << 20)
    store.put(b"a", Entry(make(1, 1), b"v", 0, NEVER, 0, Owner(2, 15_000)), NOW)
    store.put(b"b", Entry(make(1, 2), b"v", 0, NEVER, 0, Owner(2, 15_000)), NOW)
    store.put(b"a", _value(3), NOW)
    store.remove(b"b")
    assert not store.owned.keys


# --- what is done for very many keys ------------------------------------------------------------------------


def test_while_a_flush_of_very_many_is_carried_out_the_collector_walks_through_none_of_them() -> None:
    store = Store(1 << 30)
    for number in range(10_000):
        store.put(b"flushed%d" % number, _value(number + 1), NOW)
    store.put(FLUSH_KEY, _flush(20_000), NOW)
    assert len(store) > 5_000, "it takes more than one turn"
    assert walked(b"flushed") == []
    _sweep(store, NOW)
    assert len(store) == 0
