"""Read-modify-writes: decided on what is there, and anew on what has won."""

from __future__ import annotations

from memrep.engine.operations import EXISTS, NOT_A_NUMBER, NOT_FOUND, NOT_STORED
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import Version
from tests.harness.engine_fixture import rig_later, waits


def test_a_plain_write_names_no_base_and_a_read_modify_write_the_version_it_was_computed_from() -> None:
    rig = rig_later(a=b"1")
    version = rig.store.version(b"a")
    rig.engine.set(b"b", 0, NEVER, b"x")
    rig.engine.incr(b"a", 1)
    assert [one.base for one in rig.later.rounds] == [None, version]


def test_a_read_modify_write_of_a_pending_key_is_computed_when_it_is_clean() -> None:
    rig = rig_later(a=b"1")
    first = waits(rig.engine.incr(b"a", 1))
    second = waits(rig.engine.incr(b"a", 10))
    assert len(rig.later.rounds) == 1
    rig.later.succeed()
    assert (first.result, second.settled) == (b"2", False)
    rig.later.succeed()
    assert second.result == b"12"


def test_a_read_modify_write_that_lost_is_computed_again_on_what_won() -> None:
    rig = rig_later(a=b"1")
    future = waits(rig.engine.incr(b"a", 1))
    rig.later.fail(Entry(Version(b""), b"100", 0, NEVER))
    assert not future.settled
    rig.later.succeed()
    assert future.result == b"101"
    assert rig.value(b"a") == b"101"


def test_an_add_that_lost_to_another_value_is_not_stored() -> None:
    rig = rig_later()
    future = waits(rig.engine.add(b"sid.lock", 0, NEVER, b"mine"))
    rig.later.fail(Entry(Version(b""), b"theirs", 0, NEVER))
    assert future.settled and future.result is NOT_STORED
    assert rig.value(b"sid.lock") == b"theirs"


def test_a_cas_that_lost_to_another_value_exists() -> None:
    rig = rig_later(a=b"1")
    future = waits(rig.engine.cas(b"a", 0, NEVER, b"mine", rig.unique(b"a")))
    rig.later.fail(Entry(Version(b""), b"theirs", 0, NEVER))
    assert future.result is EXISTS


def test_a_delete_that_lost_to_another_delete_finds_nothing() -> None:
    rig = rig_later(a=b"1")
    future = waits(rig.engine.delete(b"a"))
    rig.later.fail(Entry(Version(b""), None, 0, rig.clock.now + 1_000_000))
    assert future.result is NOT_FOUND


def test_a_write_may_lose_many_times() -> None:
    rig = rig_later(a=b"0")
    future = waits(rig.engine.incr(b"a", 1))
    for number in range(50):
        rig.later.fail(Entry(Version(b""), b"%d" % (number * 2), 0, NEVER))
    assert not future.settled
    rig.later.succeed()
    assert future.result == b"99"


def test_a_command_that_is_computed_again_is_counted_once() -> None:
    rig = rig_later(a=b"1")
    rig.engine.incr(b"a", 1)
    rig.later.fail(Entry(Version(b""), b"100", 0, NEVER))
    rig.later.succeed()
    assert rig.counters.incr_hits == 1


def test_an_abandoned_write_that_lost_is_not_tried_again() -> None:
    rig = rig_later(a=b"1")
    future = waits(rig.engine.incr(b"a", 1))
    future.abandoned = True
    rig.later.fail(Entry(Version(b""), b"100", 0, NEVER))
    assert not rig.later.rounds
    assert rig.value(b"a") == b"100"


def test_an_abandoned_write_that_was_not_started_is_dropped() -> None:
    rig = rig_later(a=b"1")
    rig.engine.incr(b"a", 1)
    future = waits(rig.engine.incr(b"a", 10))
    future.abandoned = True
    rig.later.succeed()
    assert not rig.later.rounds
    assert rig.value(b"a") == b"2"


def test_an_abandoned_write_that_lost_first_and_left_then_is_dropped() -> None:
    rig = rig_later(a=b"1")
    future = waits(rig.engine.incr(b"a", 1))
    rival = waits(rig.engine.incr(b"a", 10))
    rig.later.fail()  # both wait again; the rival, which has waited longer, is computed first
    future.abandoned = True
    while rig.later.rounds:
        rig.later.succeed()
    assert rival.result is not None
    assert rig.value(b"a") in (b"11", b"12")


def test_what_is_decided_anew_is_told_and_not_what_was_decided_first() -> None:
    rig = rig_later(a=b"1")
    future = waits(rig.engine.incr(b"a", 1))
    rig.later.fail(Entry(Version(b""), b"not a number", 0, NEVER))
    assert future.result is NOT_A_NUMBER
    assert not rig.later.rounds


def test_one_that_waited_for_a_flush_is_decided_on_what_is_left() -> None:
    rig = rig_later(a=b"1")
    rig.engine.flush.now()
    future = waits(rig.engine.incr(b"a", 1))
    rig.later.succeed()
    assert future.result is NOT_FOUND


def test_each_try_names_the_version_that_it_was_computed_from() -> None:
    rig = rig_later(a=b"1")
    waits(rig.engine.incr(b"a", 1))
    rig.later.fail(Entry(Version(b""), b"5", 0, NEVER))
    assert [one.base for one in rig.later.rounds] == [rig.store.version(b"a")]


def test_where_no_other_node_must_hold_it_what_has_waited_is_done_at_once() -> None:
    """The view may have changed while it waited."""
    rig = rig_later(a=b"1")
    rig.engine.set(b"a", 0, NEVER, b"5")
    future = waits(rig.engine.incr(b"a", 1))
    rig.later.alone = True
    rig.later.succeed()
    assert (future.result, rig.value(b"a")) == (b"6", b"6")
    assert not rig.later.rounds


def test_an_answer_that_is_known_is_not_taken_back_by_a_change_of_view() -> None:
    rig = rig_later(a=b"1")
    future = waits(rig.engine.incr(b"a", 1))
    future.resolve(NOT_FOUND)
    rig.later.fail()
    assert future.result is NOT_FOUND
    assert not rig.later.rounds
