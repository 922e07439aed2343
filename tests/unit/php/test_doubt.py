"""Grants in doubt: which locks are nobody's when a node has lost its clients, and how soon those end."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from memrep.php.lock_index import LockIndex
from memrep.php.lock_names import ORPHAN_MS, PATIENT_MS
from memrep.php.observer import PhpObserver
from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner
from memrep.storage.store import Store
from memrep.storage.version import Clock, make

NOW = 1_000_000


def _lock(version: int, node: int, value: bytes = b"1") -> Entry:
    return Entry(make(1, version << 20), value, 768, NOW + 15_000, 0, Owner(node, 15_000))


def _store() -> tuple[Store, PhpObserver]:
    index = LockIndex()
    store = Store(1 << 20, owned=index)
    return store, PhpObserver(store, index, Clock(1, NOW, NOW))


def _lost(
    store: Store,
    observer: PhpObserver,
    lost: Mapping[int, int],
    silent: Collection[int] = (),
    away: Collection[int] = (),
) -> None:
    """These nodes have lost their clients."""
    observer.owners_lost(store.disown(lost), lost, silent, away)


def _owner(store: Store, key: bytes) -> int:
    entry = store.peek(key)
    assert entry is not None and entry.owner is not None
    return entry.owner.node


def test_a_held_lock_whose_node_is_gone_is_nobodys_and_no_other_is() -> None:
    store, observer = _store()
    store.put(b"a.lock", _lock(1, 2), NOW)
    store.put(b"b.lock", _lock(1, 3), NOW)
    _lost(store, observer, {2: 2})
    assert (_owner(store, b"a.lock"), _owner(store, b"b.lock")) == (0, 3)
    assert store.get(b"a.lock", NOW + 14_999) is not None


def test_php_memcached_may_yet_come_back_to_a_node_that_is_only_silent() -> None:
    store, observer = _store()
    memcacheds = Entry(make(1, 3 << 20), b"1", 0, NOW + 15_000, 0, Owner(2, 15_000))
    store.put(b"memc.sess.key.lock.a", memcacheds, NOW)
    store.put(b"b.lock", _lock(3, 2), NOW)
    _lost(store, observer, {2: 2}, silent={2})
    assert list(observer.uncertain.ends) == [b"b.lock"]


def test_a_lock_of_which_nobody_may_know_ends_soon_and_no_other_does() -> None:
    store, observer = _store()
    for key, entry in (
        (b"old.lock", _lock(1, 2)),
        (b"new.lock", _lock(3, 2)),
        (b"free.lock", _lock(3, 2, b"0")),
        (b"other.lock", _lock(3, 3)),
        (b"none", Entry(make(1, 3 << 20), b"1", 0, NOW + 15_000)),
    ):
        store.put(key, entry, NOW)
    _lost(store, observer, {2: 2})
    assert observer.uncertain.ends == {b"new.lock": (3 << 20, NOW + ORPHAN_MS)}
    assert observer.uncertain.over(NOW + ORPHAN_MS - 1) == []
    assert observer.uncertain.ended == 0
    assert observer.uncertain.over(NOW + ORPHAN_MS) == [(b"new.lock", 3 << 20)]
    assert observer.uncertain.ended == 1


def _in_doubt() -> tuple[Store, PhpObserver]:
    """A store with a lock of each kind of PHP's client, both granted by node 2."""
    store, observer = _store()
    memcacheds = Entry(make(1, 3 << 20), b"1", 0, NOW + 15_000, 0, Owner(2, 15_000))
    store.put(b"memc.sess.key.lock.a", memcacheds, NOW)
    store.put(b"a.lock", _lock(3, 2), NOW)
    return store, observer


def test_where_another_node_is_silent_a_lock_of_php_memcacheds_is_in_doubt_for_longer() -> None:
    store, observer = _in_doubt()
    _lost(store, observer, {2: 2, 3: 2}, silent=[3], away=[3])
    ends = {key: end for key, (_, end) in observer.uncertain.ends.items()}
    assert ends == {b"memc.sess.key.lock.a": NOW + PATIENT_MS, b"a.lock": NOW + ORPHAN_MS}


def test_a_prolonged_doubt_is_one_about_php_memcacheds_locks() -> None:
    store, observer = _in_doubt()
    _lost(store, observer, {2: 2})
    assert {end for _, end in observer.uncertain.ends.values()} == {NOW + ORPHAN_MS}
    observer.clock.turn(NOW + 900, NOW + 900)
    observer.out_of_touch()
    ends = {key: end for key, (_, end) in observer.uncertain.ends.items()}
    assert ends == {b"memc.sess.key.lock.a": NOW + 900 + PATIENT_MS, b"a.lock": NOW + ORPHAN_MS}


def test_whose_a_lock_is_changes_neither_its_version_nor_its_end() -> None:
    store, observer = _store()
    store.put(b"a.lock", _lock(3, 2), NOW)
    before, end = store.digest.sums[:], _lock(3, 2).expires
    _lost(store, observer, {2: 2})
    assert store.digest.sums == before
    assert store.get(b"a.lock", end - 1) is not None


def test_a_lock_without_a_timeout_that_is_nobodys_comes_into_doubt_wherever_it_is_held() -> None:
    store, observer = _store()
    for number, (key, node) in enumerate([(b"a_LOCK", 0), (b"b_LOCK", 1)], start=1):
        store.put(key, Entry(make(1, number << 20), b"web1|71", 0, NEVER, number, Owner(node, 0)), NOW)
    orphans = list(observer.index.orphans)
    for later in (0, 1_000):  # the time is not prolonged by looking again
        observer.uncertain.inherit(list(orphans), NOW + later)
        assert observer.uncertain.ends == {b"a_LOCK": (1, NOW + PATIENT_MS)}
