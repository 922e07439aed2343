"""Decisions: pure functions of the entry that is found, so that they can be taken again on what won."""

from __future__ import annotations

from copy import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.engine import operations
from memrep.engine.operations import (
    DELETED,
    EXISTS,
    NOT_A_NUMBER,
    NOT_FOUND,
    NOT_STORED,
    STORED,
    TOUCHED,
    Decision,
    Operation,
)
from memrep.storage.entry import NEVER, STALE, WON, Entry
from memrep.storage.owner import Owner
from memrep.storage.version import ZERO, make

NOW = 1_000_000

numbers = st.integers(0, (1 << 64) - 1)


def _fits(flags: int, length: int) -> bool:
    return length <= 10


def _found(value: bytes = b"41") -> Entry:
    """With all that an entry can have."""
    return Entry(make(1, 77), value, 5, NOW + 9_000, 66, Owner(2, 15_000), STALE, NOW - 5)


def _new(value: bytes = b"new") -> Entry:
    return Entry(ZERO, value, 3, NEVER)


def _tombstone() -> Entry:
    return Entry(ZERO, None, 0, NOW)


def _written(decision: Decision) -> Entry:
    assert isinstance(decision, tuple)
    assert decision[0].version == ZERO, "it gets its version when it is proposed"
    return decision[0]


OPERATIONS: dict[str, Operation] = {
    "add": operations.add(_new()),
    "replace": operations.replace(_new()),
    "cas": operations.compare_and_swap(_new(), 66),
    "extend": operations.extend(b"<", b">", _fits),
    "incr": operations.incr(1),
    "decr": operations.decr(1),
    "remove": operations.remove(_tombstone(), DELETED, NOT_FOUND),
    "touch": operations.touch(NEVER, NOW),
    "show and touch": operations.show_and_touch(NEVER, NOW),
    "when cas": operations.when_cas(66, operations.incr(1)),
    "otherwise": operations.otherwise(_new(b"7"), operations.incr(1)),
    "showing": operations.showing(operations.replace(_new())),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("found", [None, _found(), _found(b"text")], ids=["miss", "number", "text"])
def test_a_decision_may_be_taken_again_and_changes_nothing_of_what_is_found(
    name: str, found: Entry | None
) -> None:
    """It has lost once, or more often, when it is taken for the last time."""
    before = copy(found)
    first = OPERATIONS[name](found)
    OPERATIONS[name](_found(b"what won meanwhile"))
    OPERATIONS[name](None)
    assert OPERATIONS[name](found) == first
    assert found == before


@pytest.mark.parametrize(
    ("name", "missed", "found"),
    [
        ("add", STORED, NOT_STORED),
        ("replace", NOT_STORED, STORED),
        ("cas", NOT_FOUND, STORED),
        ("extend", NOT_STORED, STORED),
        ("incr", NOT_FOUND, b"42"),
        ("decr", NOT_FOUND, b"40"),
        ("remove", NOT_FOUND, DELETED),
        ("touch", NOT_FOUND, TOUCHED),
        ("show and touch", None, _found()),
        ("when cas", NOT_FOUND, b"42"),
        ("otherwise", b"7", b"42"),
        ("showing", NOT_STORED, _new()),
    ],
)
def test_each_says_what_it_comes_to_where_there_is_nothing_and_where_there_is_something(
    name: str, missed: object, found: object
) -> None:
    results = [OPERATIONS[name](None), OPERATIONS[name](_found())]
    assert [one[1] if isinstance(one, tuple) else one for one in results] == [missed, found]


@pytest.mark.parametrize("name", ["incr", "decr", "extend", "touch", "show and touch"])
def test_what_changes_an_entry_keeps_its_flags_and_what_does_not_touch_it_its_end(name: str) -> None:
    new = _written(OPERATIONS[name](_found()))
    assert new.flags == 5
    assert new.expires == (NEVER if "touch" in name else NOW + 9_000)


def test_what_was_touched_is_the_same_to_clients_but_for_its_end() -> None:
    found = _found()
    new = operations.touched(found, NEVER, NOW, WON)
    assert (new.value, new.cas_unique, new.owner, new.seen) == (b"41", 66, Owner(2, 15_000), NOW)
    assert new.marks == STALE | WON
    plain = Entry(make(1, 77), b"v", 0, NEVER)
    assert operations.touched(plain, NOW, NOW).cas_unique == plain.cas_unique == 77


@given(numbers, numbers, st.booleans(), st.integers(0, 5))
def test_a_number_that_was_counted_can_be_counted_on_and_never_gets_shorter(
    number: int, delta: int, up: bool, spaces: int
) -> None:
    found = _found(b"%d" % number + b" " * spaces)
    count = operations.incr if up else operations.decr
    expected = (number + delta) % (1 << 64) if up else max(0, number - delta)
    new = _written(count(delta)(found))
    assert found.value is not None
    assert new.value is not None
    assert int(new.value) == expected
    assert len(new.value) == max(len(found.value), len(b"%d" % expected))
    assert operations.incr(0)(new) == (new, b"%d" % expected)


@given(st.binary(max_size=30) | st.from_regex(rb"[ +-]{0,2}[0-9]{0,25}[ x\0]?", fullmatch=True))
def test_what_is_a_number_up_is_one_down_and_what_is_none_stays_as_it_is(value: bytes) -> None:
    up, down = operations.incr(0)(_found(value)), operations.decr(0)(_found(value))
    assert up == down
    if up is not NOT_A_NUMBER:
        assert isinstance(up, tuple)
        assert isinstance(up[1], bytes)
        assert value.lstrip(b" \t\r\n\v\f+-0").startswith(up[1].lstrip(b"0"))


@pytest.mark.parametrize(("value", "delta", "kept"), [(b"9", 0, True), (b"8 ", 2, True), (b"9", 1, False)])
def test_only_a_number_that_is_changed_in_its_place_keeps_what_is_noted_about_it(
    value: bytes, delta: int, kept: bool
) -> None:
    new = _written(operations.incr(delta)(_found(value)))
    assert (new.marks, new.seen) == ((STALE, NOW - 5) if kept else (0, 0))


def test_whether_the_whole_fits_is_asked_before_it_is_put_together_for_good() -> None:
    asked: list[tuple[int, int]] = []

    def fits(flags: int, length: int) -> bool:
        asked.append((flags, length))
        return len(asked) > 1

    extend = operations.extend(b"<<", b">", fits)
    assert extend(_found(b"value")) is NOT_STORED
    assert _written(extend(_found(b"value"))).value == b"<<value>"
    assert asked == [(5, 8)] * 2


@pytest.mark.parametrize(
    ("unique", "found", "outcome"),
    [
        (66, _found(), DELETED),
        (77, _found(), EXISTS),  # its version's own, which nobody was shown
        (66, None, NOT_FOUND),
        (0, _found(), DELETED),
        (0, None, NOT_FOUND),
    ],
)
def test_who_names_a_cas_unique_means_what_is_there_under_it_and_a_miss_is_one_all_the_same(
    unique: int, found: Entry | None, outcome: object
) -> None:
    decision = operations.when_cas(unique, OPERATIONS["remove"])(found)
    assert (decision[1] if isinstance(decision, tuple) else decision) is outcome


def test_a_success_is_shown_as_the_very_entry_that_gets_its_version_later() -> None:
    decision = operations.showing(operations.incr(1))(_found())
    assert isinstance(decision, tuple)
    assert decision[0] is decision[1]
