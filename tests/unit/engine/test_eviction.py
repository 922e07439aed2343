"""Room: the limits of an item and of the store, and what is evicted, at once or round the cluster."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from memrep.engine import operations
from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import DELETED, NO_MEMORY, STORED, TOUCHED
from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner
from memrep.storage.pending import Pending
from memrep.storage.store import ENTRY_BYTES, EVICTED
from memrep.storage.version import ZERO, Version
from tests.harness.engine_fixture import Rig, waits

# --- the memory limit ---------------------------------------------------------------------------------------

VALUE = b"x" * 100
COST = ENTRY_BYTES + 3 + len(VALUE)


def _full(count: int = 10, prefix: bytes = b"k") -> Rig:
    """A store that just holds `count` values, k00 being the least recently used."""
    rig = Rig(limit=count * COST)
    for number in range(count):
        assert rig.engine.set(prefix + b"%02d" % number, 0, NEVER, VALUE) is STORED
    return rig


def _lock(rig: Rig, key: bytes, value: bytes = b"1") -> object:
    """Let a session's lock be taken; what comes of it."""
    entry = Entry(ZERO, value, 0, NEVER, 0, Owner(1, 15_000))
    return rig.engine.store_if(key, len(value), operations.add(entry))


def _full_of_locks() -> Rig:
    """A store in which nothing has room and nothing can go."""
    rig = Rig(limit=10 * COST)
    stored = [_lock(rig, b"%02d.lock" % number, VALUE) for number in range(20)]
    assert stored[:5] == [STORED] * 5
    assert stored[-1] is NO_MEMORY
    return rig


def test_nothing_is_evicted_below_the_limit() -> None:
    rig = _full()
    assert (len(rig.store), rig.counters.evictions) == (10, 0)


def test_the_least_recently_used_is_evicted() -> None:
    rig = _full()
    rig.engine.get(b"k00")
    assert rig.engine.set(b"new", 0, NEVER, VALUE) is STORED
    assert rig.value(b"k01") is None
    assert rig.value(b"k00") == VALUE
    assert rig.value(b"new") == VALUE
    assert rig.counters.evictions == 1


def test_the_store_never_costs_more_than_its_limit() -> None:
    rig = _full()
    for number in range(200):
        assert rig.engine.set(b"n%d" % number, 0, NEVER, b"y" * (number % 400)) is STORED
        assert rig.store.used <= rig.store.limit


def test_as_many_are_evicted_as_a_large_value_needs() -> None:
    rig = _full()
    assert rig.engine.set(b"big", 0, NEVER, b"y" * (3 * COST)) is STORED
    assert rig.counters.evictions == 4
    assert rig.store.used <= rig.store.limit


def test_nothing_is_evicted_for_a_value_that_is_larger_than_all_memory() -> None:
    rig = _full()
    rig.engine.memory_limit.allow(5 * COST)
    assert rig.engine.set(b"new", 0, NEVER, b"x" * 6 * COST) is NO_MEMORY
    assert (len(rig.store), rig.counters.evictions) == (10, 0)


def test_what_has_run_out_goes_before_what_is_alive() -> None:
    rig = Rig(limit=10 * COST)
    rig.engine.set(b"old", 0, NEVER, VALUE)
    rig.engine.set(b"big", 0, 1, b"y" * (6 * COST))
    rig.advance(10_000)
    assert rig.engine.set(b"new", 0, NEVER, b"z" * (7 * COST)) is STORED
    assert rig.value(b"old") == VALUE
    assert rig.counters.evictions == 0


def test_locks_stay() -> None:
    rig = Rig(limit=10 * COST)
    for key in (b"sid.lock", b"memc.sess.key.lock.sid"):
        assert _lock(rig, key) is STORED
    assert rig.engine.set(b"job.lock", 768, NEVER, b"1") is STORED
    for number in range(100):
        assert rig.engine.set(b"k%02d" % number, 0, NEVER, VALUE) is STORED
    assert rig.value(b"sid.lock") == b"1"
    assert rig.value(b"memc.sess.key.lock.sid") == b"1"
    assert rig.value(b"job.lock") is None  # is only named like one


@pytest.mark.parametrize(
    "store",
    [
        lambda engine: engine.set(b"new", 0, NEVER, VALUE),
        lambda engine: engine.add(b"new", 0, NEVER, VALUE),
        lambda engine: engine.replace(b"00.lock", 0, NEVER, VALUE),
        lambda engine: engine.append(b"00.lock", VALUE),
        lambda engine: engine.cas(b"00.lock", 0, NEVER, VALUE, 1),
    ],
    ids=["set", "add", "replace", "append", "cas"],
)
def test_there_is_no_memory_when_nothing_can_go(store: Callable[[Engine], object]) -> None:
    rig = _full_of_locks()
    number = len(rig.store)
    assert store(rig.engine) is NO_MEMORY
    assert (len(rig.store), rig.counters.evictions) == (number, 0)


def test_there_is_memory_as_long_as_one_value_can_go_however_many_locks_stand_before_it() -> None:
    locks = 200
    rig = Rig(limit=(locks + 1) * (ENTRY_BYTES + 8 + 1))
    for number in range(locks):
        assert _lock(rig, b"%03d.lock" % number) is STORED
    assert rig.engine.set(b"session1", 0, NEVER, b"1") is STORED
    assert rig.engine.set(b"session2", 0, NEVER, b"1") is STORED


def test_there_is_memory_as_long_as_one_value_can_go_however_many_tombstones_stand_before_it() -> None:
    gone = 200
    rig = Rig(limit=(gone + 1) * (ENTRY_BYTES + 8 + 1))
    for number in range(gone):
        assert rig.engine.set(b"%03d.lock" % number, 0, NEVER, b"1") is STORED
        assert rig.engine.delete(b"%03d.lock" % number) is DELETED
    assert rig.engine.set(b"session1", 0, NEVER, b"1" * 200) is STORED
    assert rig.engine.set(b"session2", 0, NEVER, b"1" * 200) is STORED


def test_a_set_that_finds_no_memory_takes_the_old_value_with_it_lest_it_be_read_as_the_new_one() -> None:
    rig = _full_of_locks()
    assert rig.engine.set(b"00.lock", 0, NEVER, b"y" * 5 * COST) is NO_MEMORY
    assert rig.value(b"00.lock") is None


def test_reads_and_deletes_need_no_memory() -> None:
    rig = _full()
    assert rig.engine.delete(b"k05") is DELETED
    assert rig.value(b"k06") == VALUE
    assert rig.engine.touch(b"k07", NEVER) is TOUCHED


# --- evictions that have to be waited for -------------------------------------------------------------------


def _full_later() -> Rig:
    rig = Rig("later", limit=10 * COST)
    for number in range(10):
        rig.engine.set(b"k%02d" % number, 0, NEVER, VALUE)
        rig.later.succeed()
    return rig


def test_an_eviction_goes_round_as_a_read_modify_write() -> None:
    rig = _full_later()
    base = rig.store.version(b"k00")
    waits(rig.engine.set(b"new", 0, NEVER, VALUE))
    eviction, write = rig.later.rounds
    assert (eviction.key, eviction.entry.value, eviction.base) == (b"k00", None, base)
    assert (write.key, write.base) == (b"new", None)
    rig.later.succeed()
    assert (rig.value(b"k00"), rig.counters.evictions) == (None, 1)


def test_behind_a_limit_that_is_much_lower_than_before_a_piece_goes_at_a_time() -> None:
    rig = _full(1_000, prefix=b"")
    rig.engine.memory_limit.allow(100 * COST)
    gone = []
    rig.engine.memory_limit.go_on()
    while rig.engine.memory_limit.behind:
        gone.append(rig.counters.evictions)
        rig.engine.memory_limit.go_on()
    assert rig.store.used <= rig.store.limit
    assert 3 < len(gone) < 20
    assert max(after - before for before, after in pairwise([0, *gone])) < 1_000 / 3


def test_who_writes_meanwhile_is_let_in_and_more_goes_than_comes() -> None:
    rig = _full(1_000, prefix=b"")
    rig.engine.memory_limit.allow(100 * COST)
    before = rig.store.used
    assert rig.engine.set(b"new", 0, NEVER, VALUE) is STORED
    assert before - 5 * COST < rig.store.used < before
    assert rig.value(b"new") == VALUE


@pytest.mark.parametrize("fits", [100, 920, 990])
def test_nobody_is_refused_while_more_than_the_limit_is_on_its_way_out(fits: int) -> None:
    rig = _full(1_000, prefix=b"")
    rig.engine.memory_limit.allow(fits * COST)
    number = 0
    while rig.store.used > rig.store.limit:
        assert rig.engine.set(b"n%d" % number, 0, NEVER, VALUE) is STORED
        number += 1
        assert number < 2_000
    assert rig.value(b"n%d" % (number - 1)) == VALUE


def test_a_limit_under_which_nothing_can_go_is_not_worked_at_for_ever() -> None:
    rig = Rig()
    for number in range(400):
        assert _lock(rig, b"%d.lock" % number) is STORED
    rig.engine.memory_limit.allow(COST)
    rig.engine.memory_limit.go_on()
    assert len(rig.store) == 400
    assert not rig.engine.memory_limit.behind


def test_what_is_on_its_way_out_is_not_evicted_twice() -> None:
    rig = _full_later()
    rig.engine.memory_limit.evict(COST)
    rig.engine.memory_limit.evict(COST)
    assert [one.key for one in rig.later.rounds] == [b"k00"]


def test_an_eviction_that_lost_is_neither_counted_nor_tried_again() -> None:
    rig = _full_later()
    rig.engine.memory_limit.evict(COST)
    rig.later.fail(Entry(Version(b""), b"used", 0, NEVER))
    assert not rig.later.rounds
    assert (rig.value(b"k00"), rig.counters.evictions) == (b"used", 0)
    rig.engine.memory_limit.evict(COST)
    assert [one.key for one in rig.later.rounds] == [b"k01"]


def test_a_key_that_is_being_written_is_not_evicted() -> None:
    rig = _full_later()
    rig.engine.incr(b"k00", 1)  # no number, no write
    rig.engine.append(b"k00", b"")
    rig.engine.memory_limit.evict(COST)
    assert b"k00" not in [one.key for one in rig.later.rounds if one.entry.value is None]


def test_writes_go_on_a_little_above_the_limit_while_evictions_are_on_their_way() -> None:
    rig = _full_later()
    assert isinstance(rig.engine.set(b"new", 0, NEVER, VALUE), Future)
    assert rig.engine.set(b"big", 0, NEVER, b"y" * (2 * COST)) is NO_MEMORY


def test_a_write_is_not_refused_while_another_node_drops_the_same_value() -> None:
    rig = _full_later()
    rig.writes.pending[b"k00"] = Pending(Entry(ZERO, None, EVICTED, NEVER), None, None)
    waits(rig.engine.set(b"new", 0, NEVER, VALUE))
    assert rig.counters.store_no_memory == 0
