"""The keyspace: what is told of a key is told when the key is clean."""

from __future__ import annotations

from memrep.engine.operations import STORED
from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSH_KEY
from tests.harness.engine_fixture import Rig, rig_later, waits


def test_a_read_of_a_pending_key_waits_and_finds_what_was_written() -> None:
    rig = rig_later(a=b"old")
    rig.engine.set(b"a", 0, NEVER, b"new")
    future = waits(rig.engine.get(b"a"))
    rig.later.succeed()
    assert isinstance(future.result, Entry) and future.result.value == b"new"


def test_a_read_of_a_pending_key_finds_the_old_value_if_the_write_fails() -> None:
    rig = rig_later(a=b"old")
    write = waits(rig.engine.replace(b"a", 0, NEVER, b"new"))
    read = waits(rig.engine.get(b"a"))
    write.abandoned = True
    rig.later.fail()
    assert isinstance(read.result, Entry) and read.result.value == b"old"


def test_a_read_of_another_key_does_not_wait() -> None:
    rig = rig_later(a=b"x")
    rig.engine.set(b"b", 0, NEVER, b"y")
    assert isinstance(rig.engine.get(b"a"), Entry)


def test_a_read_that_waits_is_counted_once() -> None:
    rig = rig_later()
    rig.engine.set(b"a", 0, NEVER, b"x")
    waits(rig.engine.get(b"a"))
    rig.later.succeed()
    assert (rig.counters.get_hits, rig.counters.get_misses) == (1, 0)


def test_a_read_goes_on_waiting_if_the_key_is_pending_again() -> None:
    rig = rig_later(a=b"0")
    rig.engine.incr(b"a", 1)
    waits(rig.engine.incr(b"a", 1))  # waits too, and is computed first
    read = waits(rig.engine.get(b"a"))
    rig.later.succeed()
    assert not read.settled
    rig.later.succeed()
    assert isinstance(read.result, Entry) and read.result.value == b"2"


def test_an_abandoned_read_is_not_counted() -> None:
    rig = rig_later()
    rig.engine.set(b"a", 0, NEVER, b"x")
    future = waits(rig.engine.get(b"a"))
    future.abandoned = True
    rig.later.succeed()
    assert not future.settled
    assert (rig.counters.get_hits, rig.counters.get_misses) == (0, 0)


def test_a_clean_key_has_no_obstacle_a_pending_one_is_its_own_and_a_flush_is_everybodys() -> None:
    rig = rig_later(a=b"x")
    keyspace = rig.engine.keyspace
    assert keyspace.obstacle(b"a") is None
    rig.engine.set(b"a", 0, NEVER, b"y")
    assert (keyspace.obstacle(b"a"), keyspace.obstacle(b"b")) == (b"a", None)
    rig.engine.flush.now()
    assert (keyspace.obstacle(b"a"), keyspace.obstacle(b"b")) == (b"a", FLUSH_KEY)


def test_what_is_on_its_way_to_a_key_can_be_seen_and_is_not_there_yet() -> None:
    rig = rig_later(a=b"old")
    assert rig.engine.keyspace.on_its_way(b"a") is None
    rig.engine.set(b"a", 0, NEVER, b"new")
    coming = rig.engine.keyspace.on_its_way(b"a")
    assert coming is not None and coming.value == b"new"
    assert rig.value(b"a") == b"old"


def test_a_read_that_has_waited_makes_the_entry_look_used() -> None:
    rig = rig_later()
    rig.engine.set(b"a", 0, NEVER, b"x")
    waits(rig.engine.get(b"a"))
    rig.advance(5)
    rig.later.succeed()
    assert rig.entry(b"a").seen == rig.clock.now


def test_an_answer_that_is_known_is_given_at_once_where_nothing_is_on_its_way() -> None:
    assert Rig().engine.keyspace.when_clean(b"a", STORED) is STORED


def test_an_answer_that_is_known_waits_for_all_writes_of_its_key_and_for_no_flush() -> None:
    rig = rig_later(a=b"x")
    rig.engine.incr(b"n", 1)
    rig.engine.flush.now()
    assert rig.engine.keyspace.when_clean(b"a", STORED) is STORED
    rig.later.succeed()
    rig.engine.set(b"a", 0, NEVER, b"1")
    future = waits(rig.engine.keyspace.when_clean(b"a", STORED))
    rig.writes.woken.append(lambda: rig.engine.set(b"a", 0, NEVER, b"2"))
    rig.writes.woken.rotate()
    rig.later.succeed()
    assert not future.settled, "the next write of the key began before it was looked at"
    rig.later.succeed()
    assert future.result is STORED
