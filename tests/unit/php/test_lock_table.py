"""What one node knows of everybody's locks: what ends with a client ends once, and never what another holds."""

from __future__ import annotations

import pytest

from memrep.engine.counters import Counters
from memrep.engine.engine import Engine
from memrep.engine.eviction import MemoryLimit
from memrep.engine.item_limit import ItemLimit
from memrep.engine.keyspace import Keyspace
from memrep.engine.replicator import Alone
from memrep.php.lock_holder import LockHolder
from memrep.php.lock_index import LockIndex
from memrep.php.lock_names import ORPHAN_MS, PECL_FLAGS
from memrep.php.lock_table import LockTable
from memrep.php.observer import PhpObserver
from memrep.php.options import PhpOptions
from memrep.replication.membership.state import ReplicaState
from memrep.storage.entry import Entry
from memrep.storage.owner import Owner
from memrep.storage.pending import PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import Clock
from tests.harness.lone_node import WALL
from tests.unit.php.test_lock_holder import new_holder

NOW = 1_000_000
SPAN = 15_000

PECL, MEMCACHED, ANYBODYS = b"s.lock", b"memc.sess.key.lock.s", b"shop.lock.0123456789abcdefghijkl"


class World:
    """The table of node 1, whose writes are committed at once."""

    def __init__(self) -> None:
        self.clock = Clock(1, NOW, WALL)
        index = LockIndex()
        self.store = Store(1 << 20, owned=index)
        writes, counters = PendingWrites(), Counters()
        carrier = Alone(self.store, self.clock)
        keyspace = Keyspace(self.store, writes, carrier, self.clock)
        engine = Engine(keyspace, counters, MemoryLimit(keyspace, counters), ItemLimit(1 << 19))
        self.observer = PhpObserver(self.store, index, self.clock)
        self.said: list[str] = []
        state = ReplicaState(1, 1, 3)
        self.table = LockTable(PhpOptions(), engine, self.observer, state, log=self.said.append)

    def put(self, key: bytes, *, node: int = 1, maybe: bool = False) -> Entry:
        """A held lock, as its kind of client takes it at this node."""
        flags = PECL_FLAGS if key == PECL else 0
        end = self.clock.now + SPAN
        entry = Entry(self.clock.stamp(1), b"1", flags, end, 0, Owner(node, SPAN, maybe))
        self.store.put(key, entry, self.clock.now)
        return entry

    def grant(self, key: bytes = PECL, *, maybe: bool = False) -> LockHolder:
        """A new client of this node that has just been granted this lock."""
        holder = new_holder()
        self.table.granted(holder, key, self.put(key, maybe=maybe))
        return holder

    def value(self, key: bytes = PECL) -> bytes | None:
        entry = self.store.get(key, self.clock.now)
        return None if entry is None else entry.value

    def pass_time(self, ms: int) -> None:
        self.clock.turn(self.clock.now + ms, self.clock.wall + ms)

    def settle(self, all_heard: int = 0) -> None:
        """A tick, and the end of its turn."""
        self.table.tick(all_heard)
        self.table.release()
        assert not self.table.due


# --- a client is gone


@pytest.mark.parametrize(
    ("key", "maybe", "left"), [(PECL, False, b"0"), (MEMCACHED, False, None), (ANYBODYS, True, b"1")]
)
def test_of_a_lock_whose_client_is_gone_that_is_left_which_its_own_release_would_leave(
    key: bytes, maybe: bool, left: bytes | None
) -> None:
    """What may be anybody's outlives its client, as with memcached."""
    world = World()
    holder = world.grant(key, maybe=maybe)
    world.table.left(holder)
    world.settle()
    assert world.value(key) == left
    entry = world.store.get(key, world.clock.now)
    assert entry is None or (entry.owner is not None and entry.owner.node == 0)


def test_a_freed_lock_of_pecls_lives_for_its_full_timeout_again() -> None:
    world = World()
    holder = world.grant()
    world.pass_time(SPAN - 1)
    world.table.left(holder)
    world.settle()
    world.pass_time(SPAN - 1)
    assert world.value() == b"0"
    world.pass_time(1)
    assert world.value() is None


@pytest.mark.parametrize("cut", [False, True])
def test_who_goes_frees_no_lock_that_has_been_granted_anew(cut: bool) -> None:
    world = World()
    late = world.grant()
    world.pass_time(SPAN)
    holder = world.grant()
    world.table.left(late, cut)
    world.settle()
    assert world.value() == b"1"
    assert world.table.owners[PECL][0] is holder


def test_who_was_granted_a_lock_after_it_had_gone_frees_it_at_once() -> None:
    world = World()
    holder = new_holder()
    world.table.left(holder)
    world.table.granted(holder, PECL, world.put(PECL))
    world.settle()
    assert world.value() == b"0"
    assert not (world.table.owners or holder.locks)


def test_who_was_cut_off_has_a_moment_to_come_back_and_no_more() -> None:
    world = World()
    world.table.left(world.grant(), cut=True)
    world.settle()
    world.pass_time(ORPHAN_MS - 1)
    assert world.value() == b"1"
    world.pass_time(1)
    assert world.value() is None


def test_who_is_deserted_keeps_its_lock_which_anybody_may_release_from_then_on() -> None:
    world = World()
    holder = world.grant()
    world.table.deserted(holder)
    world.settle()
    entry = world.store.get(PECL, world.clock.now)
    assert entry is not None and entry.value == b"1"
    assert not world.table.has_owner(PECL, entry, new_holder())


def test_locks_that_have_ended_by_themselves_are_forgotten_when_there_are_many() -> None:
    world = World()
    holder = new_holder()
    for number in range(1_000):
        key = b"%d.lock" % number
        world.table.granted(holder, key, world.put(key))
        world.pass_time(SPAN)
    assert len(holder.locks) == len(world.table.owners) <= 64


# --- whose a lock is


@pytest.mark.parametrize(("node", "owned"), [(0, False), (1, False), (2, True)])
def test_a_lock_belongs_to_another_where_its_node_says_so_or_a_client_of_this_node_does(
    node: int, owned: bool
) -> None:
    """Of this node's number alone without a client of its nothing follows: that client is gone."""
    world = World()
    entry = world.put(PECL, node=node)
    assert world.table.has_owner(PECL, entry, new_holder()) is owned


def test_a_lock_of_this_nodes_client_is_another_clients_to_everybody_but_itself() -> None:
    world = World()
    holder = world.grant()
    entry = world.store.get(PECL, world.clock.now)
    assert entry is not None
    assert not world.table.has_owner(PECL, entry, holder)
    assert world.table.has_owner(PECL, entry, new_holder())


def test_after_it_has_forgotten_all_clients_nobody_owns_a_lock_and_none_is_freed() -> None:
    world = World()
    holder = world.grant()
    world.table.left(world.grant(MEMCACHED))
    world.table.forget()
    world.table.left(holder)
    world.settle()
    assert (world.value(), world.value(MEMCACHED)) == (b"1", b"1")
    assert not (world.table.owners or holder.locks)


# --- releases that may count


def test_a_remembered_release_counts_when_the_owners_node_is_gone_and_not_before() -> None:
    world = World()
    world.table.remember(PECL, world.put(PECL, node=2).cas_unique)
    world.settle()
    assert world.value() == b"1"
    world.store.disown([2])
    world.settle()
    assert world.value() == b"0"


def test_a_remembered_release_is_not_that_of_a_later_grant() -> None:
    world = World()
    world.table.remember(PECL, world.put(PECL, node=2).cas_unique)
    world.put(PECL, node=2)
    world.settle()
    world.store.disown([2])
    world.settle()
    assert world.value() == b"1"


def test_of_very_many_releases_the_oldest_is_forgotten() -> None:
    world = World()
    uniques = {key: world.put(key, node=2).cas_unique for key in (b"old.lock", b"new.lock")}
    world.table.remember(b"old.lock", uniques[b"old.lock"])
    for number in range(9_999):
        world.table.remember(b"%d.lock" % number, 1)
    world.table.remember(b"new.lock", uniques[b"new.lock"])
    world.store.disown([2])
    world.settle()
    assert (world.value(b"old.lock"), world.value(b"new.lock")) == (b"1", None)


@pytest.mark.parametrize("noted", ["remember", "pass_over"])
def test_a_release_that_was_ignored_is_done_when_the_holder_turns_out_to_speak_for_many(noted: str) -> None:
    world = World()
    holder = world.grant(MEMCACHED)
    getattr(world.table, noted)(MEMCACHED, holder.locks[MEMCACHED])
    world.table.share(holder)
    assert world.value(MEMCACHED) is None


def test_the_locks_of_who_speaks_for_many_are_anybodys_and_outlive_its_connection() -> None:
    world = World()
    holder = world.grant()
    unique = holder.locks[PECL]
    world.table.share(holder)
    world.table.left(holder)
    world.settle()
    entry = world.store.get(PECL, world.clock.now)
    assert entry is not None
    assert (entry.value, entry.owner, entry.cas_unique) == (b"1", None, unique)


def test_a_grant_in_doubt_ends_when_all_have_been_heard_after_its_time() -> None:
    world = World()
    entry = world.put(PECL, node=0)
    world.observer.uncertain.doubt(PECL, entry, NOW, ())
    world.pass_time(ORPHAN_MS + 1)
    world.settle(all_heard=NOW + ORPHAN_MS - 1)
    assert world.value() == b"1"
    world.settle(all_heard=NOW + ORPHAN_MS)
    assert world.value() == b"0"
