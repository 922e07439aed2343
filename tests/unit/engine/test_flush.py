"""flush_all: what it ends, and when."""

from __future__ import annotations

from memrep.engine.operations import FLUSHED
from memrep.storage.entry import NEVER
from tests.harness.engine_fixture import NOW, Rig, rig_later, waits


def test_flush_all_ends_everything_there_is_and_nothing_that_comes() -> None:
    rig = Rig().holding(b"x")
    assert rig.engine.flush.now() is FLUSHED
    assert rig.engine.get(b"a") is None
    assert rig.holding(b"y").value(b"a") == b"y"


def test_a_delayed_flush_waits_and_takes_what_was_written_meanwhile() -> None:
    rig = Rig().holding(b"x")
    assert rig.engine.flush.at(NOW + 10_000) is FLUSHED
    rig.advance(9_999)
    rig.engine.flush.tick()
    rig.holding(b"y", key=b"b")
    assert rig.value(b"a") == b"x"
    rig.advance(1)
    rig.engine.flush.tick()
    assert rig.value(b"a") is None
    assert rig.value(b"b") is None
    rig.holding(b"z")
    rig.advance(60_000)
    rig.engine.flush.tick()
    assert rig.value(b"a") == b"z"


def test_a_flush_at_once_calls_a_delayed_one_off() -> None:
    rig = Rig()
    rig.engine.flush.at(NOW + 10_000)
    rig.engine.flush.now()
    rig.holding(b"x")
    rig.advance(20_000)
    rig.engine.flush.tick()
    assert rig.value(b"a") == b"x"


def test_a_flush_that_is_due_in_this_very_turn_waits_for_the_tick() -> None:
    rig = Rig().holding(b"x")
    rig.engine.flush.at(NOW)
    assert rig.value(b"a") == b"x"
    rig.engine.flush.tick()
    assert rig.value(b"a") is None


def test_a_newer_delayed_flush_takes_the_place_of_an_older_one() -> None:
    rig = Rig().holding(b"x")
    rig.engine.flush.at(NOW + 10_000)
    rig.engine.flush.at(NOW + 20_000)
    rig.advance(10_000)
    rig.engine.flush.tick()
    assert rig.value(b"a") == b"x"
    rig.advance(10_000)
    rig.engine.flush.tick()
    assert rig.value(b"a") is None


def test_a_delayed_flush_goes_round_when_it_is_due_and_not_before() -> None:
    rig = rig_later(a=b"x")
    rig.engine.flush.at(NOW + 10_000)
    assert not rig.later.rounds
    rig.advance(10_000)
    rig.engine.flush.tick()
    rig.later.succeed()
    assert rig.value(b"a") is None


def test_while_a_flush_is_on_its_way_a_read_of_any_key_waits_and_a_plain_write_does_not() -> None:
    rig = rig_later(a=b"x")
    flush = waits(rig.engine.flush.now())
    read = waits(rig.engine.get(b"a"))
    waits(rig.engine.set(b"b", 0, NEVER, b"y"))
    rig.later.succeed()
    assert (flush.result, read.settled, read.result) == (FLUSHED, True, None)
    rig.later.succeed()
    assert rig.value(b"b") == b"y"
