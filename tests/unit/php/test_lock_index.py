"""PHP's locks among a store's entries: held ones stay, and the sessions that they may guard are known."""

from __future__ import annotations

import pytest

from memrep.php.lock_index import LockIndex
from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner
from memrep.storage.store import Store
from memrep.storage.version import make

NOW = 1_000_000


def _lock(version: int, node: int, value: bytes = b"1") -> Entry:
    return Entry(make(1, version << 20), value, 768, NOW + 15_000, 0, Owner(node, 15_000))


def _victims(store: Store, excess: int) -> list[bytes]:
    return [key for key, _, _ in store.victims(excess)]


def test_held_locks_are_not_evicted_under_whatever_name() -> None:
    store = Store(1 << 20, owned=LockIndex())
    store.put(b"sid.lock", _lock(2, 1), NOW)
    store.put(b"shop:lock.sid", _lock(3, 1), NOW)
    store.put(b"a", Entry(make(1, 5 << 20), b"v", 0, NEVER), NOW)
    assert _victims(store, 1) == [b"a"]


def test_the_search_for_victims_ends_when_there_are_only_locks() -> None:
    store = Store(1 << 20, owned=LockIndex())
    for number in range(1, 1_001):
        store.put(b"%d" % number, _lock(number, 1), NOW)
    assert _victims(store, 1 << 20) == []


@pytest.mark.parametrize("hold", [None, Owner(0, 15_000), Owner(1, 15_000, maybe=True)])
def test_what_is_only_named_like_a_lock_or_is_free_or_may_be_anybodys_is_a_victim(hold: Owner | None) -> None:
    store = Store(1 << 20, owned=LockIndex())
    value = b"0" if hold is not None and not hold.node else b"1"
    for number, key in enumerate([b"sid.lock", b"memc.sess.key.lock.sid", b"shop:lock.sid"], start=1):
        store.put(key, Entry(make(1, number), value, 0, NEVER, 0, hold), NOW)
    assert len(_victims(store, 1 << 20)) == 3


def test_a_session_is_guarded_by_what_may_be_its_lock_as_long_as_something_is_left_of_that() -> None:
    index = LockIndex()
    store = Store(1 << 20, owned=index)
    store.put(b"shop.lock.sid", Entry(make(1, 1), b"1", 0, NEVER, 0, Owner(1, 15_000, maybe=True)), NOW)
    assert index.guarded == {b"shop.sid": b"shop.lock.sid"}
    store.put(b"shop.lock.sid", Entry(make(1, 2), None, 0, NOW + 5), NOW)
    assert index.guarded == {b"shop.sid": b"shop.lock.sid"}
    store.remove(b"shop.lock.sid")
    assert index.guarded == {}


def test_of_phpredis_locks_without_a_timeout_those_are_noted_that_come_as_nobodys() -> None:
    index = LockIndex()
    store = Store(1 << 20, owned=index)
    locks = [(b"a_LOCK", NEVER, 0), (b"b_LOCK", NOW + 1, 0), (b"c.lock", NEVER, 0), (b"e_LOCK", NEVER, 1)]
    for number, (key, ends, node) in enumerate(locks, start=1):
        store.put(key, Entry(make(1, number << 20), b"web1|71", 0, ends, 0, Owner(node, 0)), NOW)
    store.put(b"d_LOCK", Entry(make(1, 9 << 20), b"anybody's", 0, NEVER), NOW)
    assert index.orphans == [b"a_LOCK"]


def test_of_locks_on_their_way_the_last_are_known_until_they_have_come() -> None:
    index = LockIndex()
    for number in range(1_000):
        index.proposed(b"shop.lock.%d" % number, _maybe(b"1"))
    assert index.lock_of(b"shop.999") == b"shop.lock.999"
    assert len(index.coming) < 1_000
    index.placed(b"shop.lock.999", _maybe(b"1"))
    assert b"shop.999" not in index.coming
    assert index.lock_of(b"shop.999") == b"shop.lock.999"


def test_what_is_on_its_way_and_no_lock_guards_nothing() -> None:
    index = LockIndex()
    index.proposed(b"shop.lock.a", Entry(make(1, 1), b"1", 0, NEVER))
    index.proposed(b"shop.lock.a", _maybe(None))
    assert index.lock_of(b"shop.a") is None


def _maybe(value: bytes | None) -> Entry:
    return Entry(make(1, 1), value, 0, NEVER, 0, Owner(1, 15_000, maybe=True))
