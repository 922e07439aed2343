"""What the simulator takes for the same on two nodes, and what it does not."""

from __future__ import annotations

import pytest

from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSH_KEY
from memrep.storage.store import Store
from memrep.storage.version import make
from tests.simulation.sameness import SLACK_MS, differences

NOW = 5_000


def _store(value: bytes | None, stamp: int = 1, expires: int = NEVER) -> Store:
    store = Store(1 << 20)
    store.put(b"k", Entry(make(1, stamp), value, 0, expires), 0)
    return store


def _purged(stamp: int = 1) -> Store:
    store = _store(None, stamp, NOW)
    store.sweep(NOW)
    return store


def _same(one: Store, other: Store, *, purged: bool = True) -> bool:
    assert bool(differences(one, other, NOW, purged=purged)) == bool(
        differences(other, one, NOW, purged=purged)
    )
    return not differences(one, other, NOW, purged=purged)


def test_a_value_that_ends_a_moment_earlier_on_one_node_is_the_same_before_between_and_after() -> None:
    for end in (NOW - 10, NOW, NOW + 10):
        assert _same(_store(b"v", expires=end - 3), _store(b"v", expires=end + 3))


def test_a_version_that_ends_at_quite_another_time_is_a_difference() -> None:
    assert not _same(_store(b"v", expires=NOW + 1), _store(b"v", expires=NOW + 2 + SLACK_MS))


def test_a_value_that_only_one_node_has_found_to_have_run_out_is_the_same() -> None:
    swept = _store(b"v", expires=NOW - 1)
    swept.flushes.took_place(FLUSH_KEY, make(1, 1))
    swept.sweep(NOW)
    assert list(swept.tombstones) == [b"k"]
    assert _same(swept, _store(b"v", expires=NOW - 1))
    assert not _same(swept, _store(b"v", expires=NOW + 2 * SLACK_MS))


@pytest.mark.parametrize("other", [_store(b"v", 2), _store(None, 2), _store(b"w"), Store(1 << 20)])
def test_another_version_another_value_and_no_trace_are_differences(other: Store) -> None:
    assert not _same(_store(b"v"), other)


def test_who_has_purged_a_tombstone_holds_the_same_where_that_may_have_happened() -> None:
    assert _same(_purged(), _store(None, expires=NOW + 10))
    assert not _same(_purged(), _store(None, expires=NOW + 10), purged=False)


def test_who_has_never_had_it_has_not_purged_it() -> None:
    assert not _same(Store(1 << 20), _store(None, expires=NOW + 10))
    assert not _same(_purged(1), _store(None, 2, expires=NOW + 10))


def test_a_value_that_lives_is_missing_where_it_was_purged() -> None:
    assert _same(_purged(), _store(b"v", expires=NOW + 10))
    assert not _same(_purged(), _store(b"v"))
