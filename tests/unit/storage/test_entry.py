"""Entries: their cas unique, and that the garbage collector need not look at them."""

from __future__ import annotations

import gc

from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import ZERO, Clock, cas_unique, make
from tests.harness.lone_node import WALL


def test_the_cas_unique_is_the_versions_own() -> None:
    version = Clock(1, wall=WALL).stamp(3)
    assert Entry(version, b"x", 0, NEVER).cas_unique == cas_unique(version)


def test_an_entry_that_was_touched_keeps_the_cas_unique_it_had() -> None:
    assert Entry(make(1, 200), b"x", 0, NEVER, 100).cas_unique == 100


def test_the_cas_unique_follows_a_version_that_is_filled_in_later() -> None:
    entry = Entry(ZERO, b"x", 0, NEVER)
    entry.version = make(1, 77)
    assert entry.cas_unique == 77


def test_entries_are_equal_by_what_they_hold() -> None:
    assert Entry(make(1, 2), b"x", 3, 4) == Entry(make(1, 2), b"x", 3, 4)
    assert Entry(make(1, 2), b"x", 3, 4) != Entry(make(1, 2), None, 3, 4)


def test_the_garbage_collector_passes_entries_over() -> None:
    assert not gc.is_tracked(Entry(ZERO, b"x", 0, NEVER))


def test_never_lies_beyond_every_clock() -> None:
    assert NEVER > 1000 * 365 * 86_400_000
