"""The engine: what each command means, on a node alone and where outcomes have to be waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import (
    DELETED,
    EXISTS,
    FLUSHED,
    NOT_A_NUMBER,
    NOT_FOUND,
    NOT_STORED,
    STORED,
    TOUCHED,
)
from memrep.storage.entry import NEVER, Entry
from tests.harness.engine_fixture import NOW, Rig, rig_later, waits
from tests.harness.lone_node import WALL

DAY_S = 86_400
WALL_S = WALL // 1000


# --- each command, on a node alone --------------------------------------------------------------------------


def test_get_of_a_missing_key_is_none() -> None:
    assert Rig().engine.get(b"a") is None


def test_set_stores_value_flags_and_exptime() -> None:
    rig = Rig().holding(b"x", flags=7, exptime=10)
    entry = rig.engine.get(b"a")
    assert isinstance(entry, Entry)
    assert (entry.value, entry.flags, entry.expires) == (b"x", 7, NOW + 10_000)


def test_set_overwrites() -> None:
    assert Rig().holding(b"x").holding(b"y").value(b"a") == b"y"


def test_add_stores_where_there_is_nothing() -> None:
    rig = Rig()
    assert rig.engine.add(b"a", 0, NEVER, b"x") is STORED
    assert rig.value(b"a") == b"x"


def test_add_refuses_a_live_key() -> None:
    rig = Rig().holding(b"x")
    assert rig.engine.add(b"a", 0, NEVER, b"y") is NOT_STORED
    assert rig.value(b"a") == b"x"


def test_add_stores_over_a_value_that_has_run_out_or_was_deleted_or_flushed() -> None:
    rig = Rig().holding(b"x", exptime=1)
    rig.advance(1_000)
    assert rig.engine.add(b"a", 0, NEVER, b"y") is STORED
    rig.engine.delete(b"a")
    assert rig.engine.add(b"a", 0, NEVER, b"z") is STORED
    rig.engine.flush.now()
    assert rig.engine.add(b"a", 0, NEVER, b"!") is STORED
    assert rig.value(b"a") == b"!"


def test_replace_wants_a_live_key() -> None:
    rig = Rig()
    assert rig.engine.replace(b"a", 0, NEVER, b"x") is NOT_STORED
    assert rig.value(b"a") is None
    rig.holding(b"x")
    assert rig.engine.replace(b"a", 0, NEVER, b"y") is STORED
    assert rig.value(b"a") == b"y"


def test_append_and_prepend_keep_flags_and_exptime() -> None:
    rig = Rig().holding(b"x", flags=7, exptime=10)
    rig.advance(5_000)
    assert rig.engine.append(b"a", b">") is STORED
    assert rig.engine.prepend(b"a", b"<") is STORED
    entry = rig.entry(b"a")
    assert (entry.value, entry.flags, entry.expires) == (b"<x>", 7, NOW + 10_000)


def test_append_and_prepend_want_a_live_key() -> None:
    rig = Rig()
    assert rig.engine.append(b"a", b"x") is NOT_STORED
    assert rig.engine.prepend(b"a", b"x") is NOT_STORED


def test_cas_of_a_missing_key_finds_nothing() -> None:
    assert Rig().engine.cas(b"a", 0, NEVER, b"x", 1) is NOT_FOUND


def test_cas_stores_if_nobody_wrote_since() -> None:
    rig = Rig().holding(b"x")
    unique = rig.unique(b"a")
    assert rig.engine.cas(b"a", 5, NEVER, b"y", unique) is STORED
    assert rig.value(b"a") == b"y"
    assert rig.engine.cas(b"a", 5, NEVER, b"z", unique) is EXISTS
    assert rig.value(b"a") == b"y"


@pytest.mark.parametrize(
    "write",
    [
        lambda engine: engine.set(b"a", 0, NEVER, b"1"),
        lambda engine: engine.replace(b"a", 0, NEVER, b"1"),
        lambda engine: engine.append(b"a", b"1"),
        lambda engine: engine.prepend(b"a", b"1"),
        lambda engine: engine.incr(b"a", 0),
        lambda engine: engine.decr(b"a", 0),
    ],
    ids=["set", "replace", "append", "prepend", "incr", "decr"],
)
def test_every_write_of_a_value_changes_the_cas_unique(write: Callable[[Engine], object]) -> None:
    rig = Rig().holding(b"1")
    before = rig.unique(b"a")
    write(rig.engine)
    assert rig.unique(b"a") > before


def test_touch_and_gat_leave_the_cas_unique_alone() -> None:
    rig = Rig().holding(b"x")
    unique = rig.unique(b"a")
    assert rig.engine.touch(b"a", NOW + 100_000) is TOUCHED
    assert rig.unique(b"a") == unique
    shown = rig.engine.get_and_touch(b"a", NOW + 200_000)
    assert isinstance(shown, Entry) and shown.cas_unique == unique
    assert rig.engine.touch(b"a", NOW + 300_000) is TOUCHED
    assert rig.unique(b"a") == unique
    assert rig.engine.cas(b"a", 0, NEVER, b"y", unique) is STORED


def test_a_write_after_a_touch_has_a_cas_unique_of_its_own() -> None:
    rig = Rig().holding(b"x")
    unique = rig.unique(b"a")
    rig.engine.touch(b"a", NOW + 100_000)
    rig.engine.append(b"a", b"y")
    assert rig.unique(b"a") != unique
    assert rig.engine.cas(b"a", 0, NEVER, b"z", unique) is EXISTS


def test_a_touch_is_a_newer_version_all_the_same() -> None:
    rig = Rig().holding(b"x")
    before = rig.store.version(b"a")
    rig.engine.touch(b"a", NOW + 100_000)
    assert rig.store.version(b"a") > before


def test_touch_gives_a_new_exptime_and_keeps_value_and_flags() -> None:
    rig = Rig().holding(b"x", flags=7, exptime=10)
    rig.advance(9_000)
    assert rig.engine.touch(b"a", NOW + 19_000) is TOUCHED
    entry = rig.entry(b"a")
    assert (entry.value, entry.flags, entry.expires) == (b"x", 7, NOW + 19_000)


def test_touch_of_a_missing_key_finds_nothing() -> None:
    assert Rig().engine.touch(b"a", NOW + 10_000) is NOT_FOUND


def test_gat_shows_the_value_and_gives_a_new_exptime() -> None:
    rig = Rig().holding(b"x", flags=7, exptime=10)
    shown = rig.engine.get_and_touch(b"a", NEVER)
    assert isinstance(shown, Entry)
    assert (shown.value, shown.flags) == (b"x", 7)
    assert rig.entry(b"a").expires == NEVER


def test_gat_of_a_missing_key_shows_nothing() -> None:
    assert Rig().engine.get_and_touch(b"a", NOW + 10_000) is None


def test_gat_can_end_what_it_shows() -> None:
    rig = Rig().holding(b"x")
    assert isinstance(rig.engine.get_and_touch(b"a", NOW), Entry)
    assert rig.engine.get(b"a") is None


def test_delete_leaves_a_tombstone() -> None:
    rig = Rig().holding(b"x")
    before = rig.store.version(b"a")
    assert rig.engine.delete(b"a") is DELETED
    assert rig.engine.get(b"a") is None
    assert rig.store.version(b"a") > before
    assert rig.engine.delete(b"a") is NOT_FOUND


@pytest.mark.parametrize(
    ("value", "delta", "number"),
    [
        (b"5", 3, b"8"),
        (b"0", 0, b"0"),
        (b"18446744073709551615", 1, b"0"),
        (b"18446744073709551615", 18446744073709551615, b"18446744073709551614"),
        (b"9", 1, b"10"),
        (b"007", 1, b"8"),
    ],
)
def test_incr_counts_modulo_two_to_the_64(value: bytes, delta: int, number: bytes) -> None:
    assert Rig().holding(value).engine.incr(b"a", delta) == number


@pytest.mark.parametrize(
    ("value", "delta", "number"),
    [(b"5", 3, b"2"), (b"5", 5, b"0"), (b"5", 6, b"0"), (b"10", 18446744073709551615, b"0")],
)
def test_decr_stops_at_nought(value: bytes, delta: int, number: bytes) -> None:
    assert Rig().holding(value).engine.decr(b"a", delta) == number


def test_a_number_that_lost_a_digit_is_padded_and_can_be_counted_on() -> None:
    rig = Rig().holding(b"100")
    assert rig.engine.decr(b"a", 1) == b"99"
    assert rig.value(b"a") == b"99 "
    assert rig.engine.incr(b"a", 1) == b"100"
    assert rig.value(b"a") == b"100"


@pytest.mark.parametrize("value", [b"", b"x", b"1x", b"-1", b"1.5", b"18446744073709551616", b"0x10"])
def test_what_is_no_number_cannot_be_counted(value: bytes) -> None:
    rig = Rig().holding(value)
    assert rig.engine.incr(b"a", 1) is NOT_A_NUMBER
    assert rig.engine.decr(b"a", 1) is NOT_A_NUMBER
    assert rig.value(b"a") == value


def test_a_missing_number_is_not_found() -> None:
    rig = Rig()
    assert rig.engine.incr(b"a", 1) is NOT_FOUND
    assert rig.engine.decr(b"a", 1) is NOT_FOUND


def test_counting_keeps_flags_and_exptime() -> None:
    rig = Rig().holding(b"1", flags=7, exptime=10)
    rig.advance(5_000)
    rig.engine.incr(b"a", 1)
    rig.engine.decr(b"a", 1)
    entry = rig.entry(b"a")
    assert (entry.flags, entry.expires) == (7, NOW + 10_000)


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_decr_undoes_incr_unless_it_wrapped_round(number: int, delta: int) -> None:
    rig = Rig().holding(b"%d" % number)
    assert rig.engine.incr(b"a", delta) == b"%d" % ((number + delta) % (1 << 64))
    if number + delta < 1 << 64:
        assert rig.engine.decr(b"a", delta) == b"%d" % number


# --- deadlines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exptime", [-1, 30 * DAY_S + 1, WALL_S - 1])
def test_what_is_stored_with_an_exptime_that_has_passed_is_gone_at_once(exptime: int) -> None:
    rig = Rig().holding(b"old")
    rig.holding(b"new", exptime=exptime)
    assert rig.engine.get(b"a") is None


def test_relative_exptimes_do_not_care_about_a_wall_clock_that_jumps() -> None:
    rig = Rig().holding(b"x", exptime=100)
    rig.clock.turn(NOW + 99_999, WALL - 3_600_000)
    assert rig.value(b"a") == b"x"
    rig.clock.turn(NOW + 100_000, WALL - 3_600_000)
    assert rig.value(b"a") is None


# --- counters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "counted"),
    [
        (lambda engine: engine.get(b"n"), {"get_hits": 1}),
        (lambda engine: engine.get(b"-"), {"get_misses": 1}),
        (lambda engine: engine.set(b"a", 0, NEVER, b"x"), {"cmd_set": 1}),
        (lambda engine: engine.add(b"n", 0, NEVER, b"x"), {"cmd_set": 1}),
        (lambda engine: engine.append(b"n", b"1"), {"cmd_set": 1}),
        (lambda engine: engine.cas(b"n", 0, NEVER, b"x", 1), {"cmd_set": 1, "cas_badval": 1}),
        (lambda engine: engine.cas(b"-", 0, NEVER, b"x", 1), {"cmd_set": 1, "cas_misses": 1}),
        (lambda engine: engine.incr(b"n", 1), {"incr_hits": 1}),
        (lambda engine: engine.incr(b"-", 1), {"incr_misses": 1}),
        (lambda engine: engine.incr(b"x", 1), {}),
        (lambda engine: engine.decr(b"n", 1), {"decr_hits": 1}),
        (lambda engine: engine.decr(b"-", 1), {"decr_misses": 1}),
        (lambda engine: engine.delete(b"n"), {"delete_hits": 1}),
        (lambda engine: engine.delete(b"-"), {"delete_misses": 1}),
        (lambda engine: engine.touch(b"n", NOW + 1_000), {"cmd_touch": 1, "touch_hits": 1}),
        (lambda engine: engine.touch(b"-", NOW + 1_000), {"cmd_touch": 1, "touch_misses": 1}),
        (lambda engine: engine.flush.now(), {"cmd_flush": 1}),
        (lambda engine: engine.flush.at(NOW + 100_000), {"cmd_flush": 1}),
    ],
)
def test_commands_are_counted(command: Callable[[Engine], object], counted: dict[str, int]) -> None:
    rig = Rig().holding(b"1", key=b"n").holding(b"x", key=b"x")
    rig.counters.reset()
    command(rig.engine)
    rig.counters.total_items = 0  # see test_counters.py
    assert {name: count for name, count in attrs.asdict(rig.counters).items() if count} == counted


def test_a_cas_that_stores_is_a_hit() -> None:
    rig = Rig().holding(b"x")
    rig.engine.cas(b"a", 0, NEVER, b"y", rig.unique(b"a"))
    assert rig.counters.cas_hits == 1


# --- where outcomes have to be waited for -------------------------------------------------------------------


def test_a_set_is_answered_when_it_is_held_everywhere() -> None:
    rig = rig_later()
    future = waits(rig.engine.set(b"a", 0, NEVER, b"x"))
    assert rig.value(b"a") is None
    rig.later.succeed()
    assert future.settled and future.result is STORED
    assert rig.value(b"a") == b"x"


def test_a_ticket_tells_its_listener_once() -> None:
    rig = rig_later()
    told: list[object] = []
    future = waits(rig.engine.set(b"a", 0, NEVER, b"x"))
    future.callback = lambda: told.append(future.result)
    rig.later.succeed()
    future.resolve(NOT_STORED)
    assert told == [STORED]
    assert future.result is STORED


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        (lambda engine: engine.add(b"n", 0, NEVER, b"x"), NOT_STORED),
        (lambda engine: engine.replace(b"-", 0, NEVER, b"x"), NOT_STORED),
        (lambda engine: engine.append(b"-", b"x"), NOT_STORED),
        (lambda engine: engine.cas(b"n", 0, NEVER, b"x", 1), EXISTS),
        (lambda engine: engine.cas(b"-", 0, NEVER, b"x", 1), NOT_FOUND),
        (lambda engine: engine.incr(b"-", 1), NOT_FOUND),
        (lambda engine: engine.incr(b"x", 1), NOT_A_NUMBER),
        (lambda engine: engine.delete(b"-"), NOT_FOUND),
        (lambda engine: engine.touch(b"-", NOW + 1_000), NOT_FOUND),
        (lambda engine: engine.get_and_touch(b"-", NOW + 1_000), None),
    ],
)
def test_a_no_is_answered_at_once(command: Callable[[Engine], object], outcome: object) -> None:
    rig = rig_later(n=b"1", x=b"x")
    assert command(rig.engine) is outcome
    assert not rig.later.rounds


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        (lambda engine: engine.add(b"-", 0, NEVER, b"x"), STORED),
        (lambda engine: engine.replace(b"n", 0, NEVER, b"x"), STORED),
        (lambda engine: engine.append(b"n", b"x"), STORED),
        (lambda engine: engine.incr(b"n", 1), b"2"),
        (lambda engine: engine.decr(b"n", 1), b"0"),
        (lambda engine: engine.delete(b"n"), DELETED),
        (lambda engine: engine.touch(b"n", NOW + 1_000), TOUCHED),
        (lambda engine: engine.flush.now(), FLUSHED),
    ],
)
def test_a_yes_is_answered_when_it_is_held_everywhere(
    command: Callable[[Engine], object], outcome: object
) -> None:
    rig = rig_later(n=b"1")
    future = waits(command(rig.engine))
    rig.later.succeed()
    assert future.result == outcome


def test_a_plain_write_of_a_pending_key_does_not_wait() -> None:
    rig = rig_later()
    rig.engine.set(b"a", 0, NEVER, b"x")
    rig.engine.set(b"a", 0, NEVER, b"y")
    assert [one.entry.value for one in rig.later.rounds] == [b"x", b"y"]


def test_an_abandoned_write_that_is_on_its_way_completes() -> None:
    rig = rig_later()
    future = waits(rig.engine.set(b"a", 0, NEVER, b"x"))
    future.abandoned = True
    rig.later.succeed()
    assert rig.value(b"a") == b"x"


# --- any sequence of commands ends where a dict says --------------------------------------------------------

commands: st.SearchStrategy[tuple[str, bytes, Any]] = st.one_of(
    st.tuples(st.sampled_from(["set", "add", "replace"]), st.sampled_from([b"a", b"b"]), st.binary(max_size=3)),
    st.tuples(st.sampled_from(["append", "prepend"]), st.sampled_from([b"a", b"b"]), st.binary(max_size=3)),
    st.tuples(st.just("delete"), st.sampled_from([b"a", b"b"]), st.none()),
    st.tuples(st.just("flush"), st.just(b""), st.none()),
)


def _on_dict(model: dict[bytes, bytes], verb: str, key: bytes, value: Any) -> object:
    there = key in model
    if verb == "flush":
        model.clear()
        return FLUSHED
    if verb == "delete":
        return DELETED if model.pop(key, None) is not None else NOT_FOUND
    if verb != "set" and there == (verb == "add"):
        return NOT_STORED
    if verb == "append":
        model[key] += value
    elif verb == "prepend":
        model[key] = value + model[key]
    else:
        model[key] = value
    return STORED


def _on_engine(engine: Engine, verb: str, key: bytes, value: Any) -> object:
    calls: dict[str, Callable[[], object]] = {
        "set": lambda: engine.set(key, 0, NEVER, value),
        "add": lambda: engine.add(key, 0, NEVER, value),
        "replace": lambda: engine.replace(key, 0, NEVER, value),
        "append": lambda: engine.append(key, value),
        "prepend": lambda: engine.prepend(key, value),
        "delete": lambda: engine.delete(key),
        "flush": engine.flush.now,
    }
    return calls[verb]()


@given(st.lists(commands, max_size=30), st.booleans())
def test_any_sequence_of_commands_ends_where_a_dict_says(
    sequence: list[tuple[str, bytes, Any]], later: bool
) -> None:
    rig = Rig("later" if later else "alone")
    model: dict[bytes, bytes] = {}
    for verb, key, value in sequence:
        outcome = _on_engine(rig.engine, verb, key, value)
        if isinstance(outcome, Future):
            rig.later.succeed()
            outcome = outcome.result
        assert outcome is _on_dict(model, verb, key, value)
    assert {key: rig.value(key) for key in (b"a", b"b")} == {key: model.get(key) for key in (b"a", b"b")}
