"""What has been flushed is told by versions, each namespace by its own and by that of everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memrep.storage.entry import NEVER, Entry
from memrep.storage.flushes import Flushes
from memrep.storage.namespaces import FLUSH_KEY, FLUSHES, NAMESPACES_MAX, flush_key, number_of, prefix
from memrep.storage.store import TOMBSTONE_MS, Store
from memrep.storage.version import ZERO, make

NOW = 1_000_000
KEYS = [prefix(number) + b"a" for number in range(NAMESPACES_MAX)]
FLUSH = st.sampled_from([FLUSH_KEY, flush_key(0), flush_key(3), flush_key(15)])


def _reaches(flush: bytes, key: bytes) -> bool:
    return flush in (FLUSH_KEY, flush_key(number_of(key)))


def test_nothing_is_flushed_at_first() -> None:
    flushes = Flushes()
    assert not any(flushes.end(key, make(1, 1)) for key in KEYS)
    assert flushes.newest == flushes.of_all == ZERO


@given(st.lists(st.tuples(FLUSH, st.integers(1, 20)), max_size=8), st.sampled_from(KEYS), st.integers(1, 20))
def test_a_key_is_flushed_if_a_flush_that_reaches_it_is_not_older(
    flushed: list[tuple[bytes, int]], key: bytes, number: int
) -> None:
    """Of one key the store takes higher versions only."""
    flushes = Flushes()
    newest: dict[bytes, int] = {}
    for flush, at in flushed:
        if at > newest.get(flush, 0):
            newest[flush] = at
            flushes.took_place(flush, make(1, at))
    expected = any(number <= at for flush, at in newest.items() if _reaches(flush, key))
    assert flushes.end(key, make(1, number)) == expected
    assert flushes.newest == max([make(1, at) for at in newest.values()], default=ZERO)


@given(st.permutations([*[(key, 5) for key in KEYS[:4]], (flush_key(2), 7), (flush_key(3), 4)]))
def test_a_store_ends_what_a_flush_reaches_in_whatever_order_they_come(order: list[tuple[bytes, int]]) -> None:
    store = Store(1 << 20)
    for key, number in order:
        store.put(key, Entry(make(1, number), b"x", 0, NEVER), NOW)
    assert [store.is_miss(key, NOW) for key in KEYS[:4]] == [False, False, True, False]
    assert len(store) == 3


def test_flushes_of_namespaces_outlive_each_other_sweeps_and_evictions() -> None:
    store = Store(1 << 20)
    for number, flush in enumerate(sorted(FLUSHES), start=1):
        store.put(flush, Entry(make(1, number), b"flush", 0, NEVER), NOW)
    store.sweep(NOW + 10 * TOMBSTONE_MS)
    assert not list(store.victims(1 << 30))
    assert all(flush in store.values for flush in FLUSHES)
    assert len(store) == 0
