"""A node's store, its observer and its policy are joined: what one of them learns of a lock the others know."""

from __future__ import annotations

import pytest

from memrep.node.build import make_store
from memrep.node.options import NodeOptions
from memrep.php.lock_names import ORPHAN_MS, PATIENT_MS
from memrep.php.observer import PhpObserver
from memrep.php.options import PhpOptions
from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner
from memrep.storage.store import Store
from memrep.storage.version import Clock
from tests.harness.cluster import serving_cluster
from tests.harness.lone_node import WALL, LoneNode, lone_node
from tests.unit.php.story import ADD, ASK, GRANTED, LOCK, READ, RELEASE, SID, set_to

NOW = 1_000_000

MEGABYTE = 1 << 20


def _made(count: int = 1, memory: int = MEGABYTE) -> tuple[Store, PhpObserver, Clock]:
    clock = Clock(1, NOW, WALL)
    names = [f"10.0.0.{n}:11211" for n in range(1, count + 1)]
    store, observer = make_store(NodeOptions(nodes=names, memory=memory), clock)
    return store, observer, clock


def _put(store: Store, clock: Clock, key: bytes, owner: Owner | None = None) -> Entry:
    entry = Entry(clock.stamp(1), b"1", 0, NEVER, 0, owner)
    store.put(key, entry, NOW)
    return entry


def test_the_store_may_cost_as_much_as_the_options_say() -> None:
    store, _, _ = _made(memory=3 * MEGABYTE)
    assert store.limit == 3 * MEGABYTE


@pytest.mark.parametrize(("count", "counted"), [(1, False), (2, True), (3, True)])
def test_who_has_peers_can_be_compared_with_them_and_who_has_none_takes_no_pains(
    count: int, counted: bool
) -> None:
    store, _, clock = _made(count)
    _put(store, clock, b"k")
    assert any(store.digest.sums) is counted


def test_a_lock_that_somebody_holds_is_not_evicted() -> None:
    store, _, clock = _made()
    _put(store, clock, b"s.lock", Owner(1, 15_000))
    _put(store, clock, b"k")
    assert [key for key, _, _ in store.victims(MEGABYTE)] == [b"k"]


def test_the_observer_learns_of_every_lock_that_comes_into_the_store() -> None:
    store, observer, clock = _made()
    _put(store, clock, b"shop.lock.sid", Owner(1, 15_000, maybe=True))
    assert observer.index.guarded == {b"shop.sid": b"shop.lock.sid"}
    store.remove(b"shop.lock.sid")
    assert observer.index.guarded == {}


def test_a_doubt_of_the_observer_is_about_what_is_in_this_very_store_and_by_this_clock() -> None:
    store, observer, clock = _made(3)
    entry = _put(store, clock, SID, Owner(2, 15_000))
    observer.owners_lost(store.disown([2]), lost={2: 0}, silent=[], away=[])
    assert observer.uncertain.ends == {SID: (entry.cas_unique, NOW + ORPHAN_MS)}
    clock.turn(NOW + 500, WALL)
    observer.out_of_touch()
    assert observer.uncertain.ends == {SID: (entry.cas_unique, NOW + 500 + PATIENT_MS)}


def _after_its_holder_has_left(lone: LoneNode) -> bytes | None:
    """The value of a lock of PHP's whose holder has hung up."""
    client = lone.connect()
    assert client.receive(ASK + ADD + READ).startswith(b"NOT_FOUND\r\nSTORED\r\n")
    lone.begin()
    lone.node.clients.disconnect(client.connection)
    lone.end()
    entry = lone.node.store.peek(LOCK)
    assert entry is not None
    return entry.value


@pytest.mark.parametrize(("on", "left"), [(True, b"0"), (False, b"1")])
def test_a_holder_that_leaves_frees_its_lock_only_where_php_is_provided_for(on: bool, left: bytes) -> None:
    lone = lone_node(php_options=PhpOptions(on=on))
    assert _after_its_holder_has_left(lone) == left


def test_the_owner_of_a_lock_is_the_node_that_has_granted_it() -> None:
    cluster = serving_cluster(2)
    assert cluster.client(2).send(ASK + ADD + READ) == GRANTED
    for node in cluster.nodes.values():
        entry = node.store.peek(LOCK)
        assert entry is not None
        assert entry.owner is not None and entry.owner.node == 2


def test_a_write_that_the_observer_was_told_of_is_recognised_by_the_policy_when_its_copy_comes() -> None:
    """The copy comes to the other node when the session has been written anew; it must not come up again."""
    cluster = serving_cluster(2)
    stored = b"STORED\r\n"
    holder = cluster.client(1)
    assert holder.send(ASK + ADD + READ) == GRANTED
    assert holder.send(set_to(b"old")) == stored
    assert holder.send(RELEASE) == stored
    assert cluster.client(1).send(ASK + ADD + READ).endswith(b"old\r\nEND\r\n")
    assert cluster.client(1).send(set_to(b"new")) == stored
    assert cluster.client(2).send(set_to(b"old") + RELEASE) == stored * 2
    assert {cluster.value(number, b"s") for number in (1, 2)} == {b"new"}
