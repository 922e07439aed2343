"""The table: a mapping like a dict, with an order, whose growth never takes long."""

from __future__ import annotations

import gc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.storage import table
from memrep.storage.entry import NEVER, Entry
from memrep.storage.table import PART_MAX, Table
from memrep.storage.version import ZERO

names = st.integers(0, 60).map(lambda number: b"%d" % number)


def _filled(count: int) -> Table[int]:
    filled: Table[int] = Table()
    for number in range(count):
        filled.append(b"%d" % number, number)
    return filled


@given(st.lists(st.tuples(st.sampled_from("adp"), names)), st.integers(1, 8))
def test_it_is_a_dict_whatever_is_done_to_it(steps: list[tuple[str, bytes]], part_max: int) -> None:
    ours: Table[int] = Table()
    model: dict[bytes, int] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "PART_MAX", part_max)
        for number, (step, key) in enumerate(steps):
            if step == "a":
                ours.append(key, number)
                model[key] = number
            elif step == "d" and key in model:
                del ours[key]
                del model[key]
            assert ours.get(key) == model.get(key)
            assert (key in ours) == (key in model)
            assert len(ours) == len(model)
    pieces = [dict(zip(keys, entries, strict=True)) for keys, entries in ours.pieces()]
    assert all(pieces)
    assert {key: entry for piece in pieces for key, entry in piece.items()} == model
    assert sorted(key for keys in ours.walk() for key in keys) == sorted(model)
    assert {key: ours[key] for key in ours} == model


def test_a_key_that_is_not_here_can_neither_be_taken_out_nor_had() -> None:
    ours = _filled(3)
    with pytest.raises(KeyError):
        del ours[b"none"]
    with pytest.raises(KeyError):
        ours[b"none"]
    assert len(ours) == 3


def test_no_part_is_ever_larger_than_the_largest_and_few_are_much_smaller() -> None:
    ours = _filled(20 * PART_MAX)
    assert sum(map(len, ours.parts)) == len(ours) == 20 * PART_MAX
    assert max(map(len, ours.parts)) <= PART_MAX
    assert min(map(len, ours.parts)) > PART_MAX // 8


def test_an_order_outlasts_every_split() -> None:
    ours = _filled(20 * PART_MAX)
    for part in ours.parts:
        assert list(part.values()) == sorted(part.values())


def test_who_is_appended_again_comes_last() -> None:
    ours = _filled(3)
    ours.append(b"0", 7)
    assert list(ours) == [b"1", b"2", b"0"]


def test_a_small_table_goes_by_its_order_exactly() -> None:
    ours = _filled(PART_MAX)
    order = []
    while first := ours.turn():
        order.append(first[1])
        del ours[first[0]]
    assert order == list(range(PART_MAX))
    assert ours.turn() is None


@pytest.mark.parametrize("count", [16 * PART_MAX, 20 * PART_MAX, 24 * PART_MAX])
def test_whose_turn_it_is_in_a_large_one_is_about_the_oldest_of_all(count: int) -> None:
    """Of those that come and go, and also while some parts have been split and others have not."""
    ours = _filled(count)
    for number in range(count, 4 * count):
        first = ours.turn()
        assert first is not None
        assert number - first[1] > 0.8 * count
        del ours[first[0]]
        ours.append(b"%d" % number, number)


def test_who_holds_twice_as_many_has_two_turns() -> None:
    ours = _filled(16 * PART_MAX)
    assert len(ours.parts) not in {16, 32}, "some have been split, others not yet"
    turns: Counter[int] = Counter()
    for _ in range(32):
        first = ours.turn()
        assert first is not None
        turns[id(ours.part(first[0]))] += 1
    for part in ours.parts:
        assert turns[id(part)] / 32 == pytest.approx(len(part) / len(ours), rel=0.2)


def test_a_walk_meets_what_stays_just_once_however_many_come_and_go_meanwhile() -> None:
    stays = 6 * PART_MAX
    ours = _filled(stays)
    came: list[bytes] = []
    new = 0
    for keys in ours.walk(first=2):
        assert len(keys) <= PART_MAX + 1
        came += keys
        assert new < 10 * stays, "it ends"
        for _ in range(PART_MAX):
            ours.append(b"new%d" % new, new)
            new += 1
    del ours[b"new0"]
    met = [key for key in came if not key.startswith(b"new")]
    assert sorted(met) == sorted(b"%d" % number for number in range(stays))
    assert len(ours) > 2 * stays


def test_parts_that_are_empty_lose_their_turn() -> None:
    ours = _filled(20 * PART_MAX)
    for number in range(20 * PART_MAX - 1):
        del ours[b"%d" % number]
    assert [ours.turn(), ours.turn()] == [(b"%d" % (20 * PART_MAX - 1), 20 * PART_MAX - 1)] * 2


def test_the_garbage_collector_looks_at_no_part() -> None:
    """Whatever grows with the keys and is tracked is walked through whenever clients have sent enough."""
    ours: Table[Entry] = Table()
    for number in range(3 * PART_MAX):
        ours.append(b"%d" % number, Entry(ZERO, b"x", 0, NEVER))
    pieces = ours.pieces()
    gc.collect()
    assert not any(gc.is_tracked(part) for part in ours.parts)
    assert not any(gc.is_tracked(each) for piece in pieces for each in piece)
