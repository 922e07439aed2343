"""A snapshot becomes the node's own as a whole, and what the node has that is newer stays."""

from __future__ import annotations

from memrep.storage.entry import NEVER, Entry
from memrep.storage.owned_keys import OwnedKeys
from memrep.storage.owner import Owner
from memrep.storage.snapshot import adopt
from memrep.storage.store import Store
from memrep.storage.version import make

MEMORY = 1 << 20


def _entry(stamp: int, value: bytes | None = b"x", owner: Owner | None = None) -> Entry:
    return Entry(make(1, stamp), value, 0, NEVER, owner=owner)


def _store(**entries: Entry) -> Store:
    store = Store(MEMORY)
    for key, entry in entries.items():
        store.put(key.encode(), entry, 0)
    return store


def test_an_empty_store_becomes_what_the_other_one_was() -> None:
    other = _store(a=_entry(1), b=_entry(2, None))
    digest, used = list(other.digest.sums), other.used
    store = Store(MEMORY)
    adopt(store, other, 0)
    assert store.peek(b"a") == _entry(1)
    assert store.peek(b"b") == _entry(2, None)
    assert (store.digest.sums, store.used, len(store)) == (digest, used, 1)


def test_of_a_key_that_both_have_the_newer_version_stays() -> None:
    store = _store(a=_entry(5, b"own"), b=_entry(1, b"own"))
    adopt(store, _store(a=_entry(4, b"old"), b=_entry(2, b"new")), 0)
    assert [store.values[key].value for key in (b"a", b"b")] == [b"own", b"new"]


def test_what_is_written_afterwards_is_swept_and_counted_as_ever() -> None:
    store = Store(MEMORY)
    adopt(store, _store(a=_entry(1)), 0)
    store.put(b"c", Entry(make(1, 9), b"y", 0, 100), 0)
    for now in range(0, 40_000, 500):
        store.sweep(now)
    assert store.peek(b"c") is not None
    assert b"c" in store.tombstones
    assert len(store) == 1


def test_the_horizon_is_the_higher_one() -> None:
    store, other = _store(a=_entry(7)), _store(b=_entry(9))
    other.remove(b"b")
    adopt(store, other, 0)
    assert store.horizon == make(1, 9)


def test_owned_keys_are_known_to_the_policy() -> None:
    store = Store(MEMORY, owned=OwnedKeys())
    adopt(store, _store(lock=_entry(1, b"1", Owner(0, 5))), 0)
    assert list(store.owned.keys) == [b"lock"]
