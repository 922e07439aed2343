"""What is saved comes back as it was, and times go on as clocks allow."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner
from memrep.storage.saved import SavedEntry, SavedFacts, empty_store, is_exact, offset_of, restore, saved
from memrep.storage.snapshot import Snapshot
from memrep.storage.version import make

NOW, WALL = 5_000, 1_790_000_000_000
TOMBSTONE = 3_600_000
OFFSET = WALL - NOW

#: Saved at NOW by both clocks.
FACTS = SavedFacts(
    gen=3, view=200, at=7, whole=WALL - 100, clock=9, promised=300, horizon=bytes(make(2, 2)),
    time=WALL, mono=NOW, wall=WALL,
)  # fmt: skip


def _restored(
    entry: Entry, now: int = NOW, wall: int = WALL, facts: SavedFacts = FACTS
) -> tuple[Snapshot, Entry | None, set[bytes]]:
    store = empty_store(1 << 20, TOMBSTONE, compared=True)
    snapshot, ended = restore([saved(b"key", entry, OFFSET)], facts, store, now, wall)
    return snapshot, store.peek(b"key"), ended


@pytest.mark.parametrize(
    "entry",
    [
        Entry(make(1, 64), b"value", 768, NEVER, 5, None, 1),
        Entry(make(1, 64), b"value", 0, NOW + 500),
        Entry(make(1, 64), None, 1, NOW + 500),
        Entry(make(1, 64), b"1", 768, NOW + 500, owner=Owner(0, 15_000, True)),
    ],
)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert _restored(entry)[1] == entry


def test_an_entry_is_the_same_as_bytes() -> None:
    one = saved(b"key", Entry(make(1, 64), b"value", 768, NEVER, 5, Owner(2, 9), 1), OFFSET)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=SavedEntry) == one
    assert one.version != b""


def test_whose_a_lock_is_is_not_saved() -> None:
    entry = Entry(make(1, 64), b"1", 768, NEVER, owner=Owner(2, 15_000))
    found = _restored(entry)[1]
    assert found is not None
    assert found.owner == Owner(0, 15_000)


def test_a_key_that_is_gone_leaves_nothing() -> None:
    store = empty_store(1 << 20, TOMBSTONE, compared=True)
    restore([saved(b"key", None, OFFSET)], FACTS, store, NOW, WALL)
    assert store.peek(b"key") is None


def test_within_a_boot_the_monotonic_clock_counts() -> None:
    snapshot, entry, _ = _restored(Entry(make(1, 64), b"x", 0, NOW + 10_000), NOW + 3_000, WALL + 3_000)
    assert snapshot.exact
    assert entry is not None
    assert entry.expires == NOW + 10_000


def test_after_a_boot_the_wall_clock_does() -> None:
    snapshot, entry, _ = _restored(Entry(make(1, 64), b"x", 0, NOW + 10_000), 40, WALL + 3_000)
    assert not snapshot.exact
    assert entry is not None
    assert entry.expires == 40 + 7_000


def test_a_wall_clock_that_was_set_back_takes_no_time_away() -> None:
    _, entry, _ = _restored(Entry(make(1, 64), b"x", 0, NOW + 10_000), 40, WALL - 86_400_000)
    assert entry is not None
    assert entry.expires == 40 + 10_000


def test_a_clock_that_was_set_is_not_exact() -> None:
    assert is_exact(FACTS, NOW + 5, WALL + 5)
    assert not is_exact(FACTS, NOW + 5, WALL + 5_000)
    assert not is_exact(FACTS, NOW - 5, WALL + 5)


def test_what_ran_out_meanwhile_is_a_tombstone_of_its_version() -> None:
    _, entry, ended = _restored(Entry(make(1, 64), b"x", 0, NOW + 1_000), 40, WALL + 3_000)
    assert entry is not None
    assert (entry.value, entry.version, entry.expires) == (None, make(1, 64), 40 + TOMBSTONE)
    assert ended == {b"key"}


def test_tombstones_keep_their_time_however_long_it_was_dark() -> None:
    _, entry, _ = _restored(Entry(make(1, 64), None, 0, NOW + 1_000), 40, WALL + 86_400_000)
    assert entry is not None
    assert entry.expires == 40 + 1_000


def test_the_snapshot_tells_what_is_known_beside_the_entries() -> None:
    snapshot, _, _ = _restored(Entry(make(1, 64), b"x", 0, NEVER), NOW + 50, WALL + 50)
    told = (snapshot.gen, snapshot.view, snapshot.at, snapshot.clock, snapshot.promised, snapshot.saved)
    assert told == (3, 200, 7, 9, 300, NOW - 100)
    assert snapshot.store.horizon == make(2, 2)


def test_the_time_of_what_is_saved_begins_with_the_wall_clock_and_goes_on_evenly() -> None:
    assert offset_of(SavedFacts(), NOW, WALL) == OFFSET
    # The wall clock was set by a minute while the node ran: what is saved does not care.
    later = replace(FACTS, time=WALL + 1_000, mono=NOW + 1_000, wall=WALL + 61_000)
    assert offset_of(later, NOW + 2_000, WALL + 62_000) == OFFSET
