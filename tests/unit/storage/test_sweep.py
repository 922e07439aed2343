"""Sweeps: everything is looked at in its time, nothing twice, and never much at once."""

from __future__ import annotations

from memrep.storage.sweep import PIECE, ROUND_MS_MAX, ROUND_MS_MIN, Sweep
from memrep.storage.table import PART_MAX, Table

NOW = 1_000_000


class Rig:
    """A table of times at which something ends, the sweep of it, and what that has ended."""

    def __init__(self, *times: int) -> None:
        self.table: Table[int] = Table()
        for number, time in enumerate(times):
            self.table.append(b"%d" % number, time)
        self.ended: list[bytes] = []
        self.looked = 0
        self.sweep = Sweep(self.table, self._find, self._end)

    def _find(self, part: dict[bytes, int], now: int) -> tuple[bytes, ...]:
        self.looked += len(part)
        return tuple([key for key, time in part.items() if time <= now])

    def _end(self, key: bytes, now: int) -> None:
        self.ended.append(key)
        del self.table[key]

    def all_that_is_due(self, now: int) -> None:
        """As many turns as it takes."""
        self.sweep.go_on(now)
        while self.sweep.behind:
            self.sweep.go_on(now)


def test_what_has_had_its_time_is_ended_and_nothing_else() -> None:
    rig = Rig(NOW - 1, NOW, NOW + 1)
    rig.sweep.go_on(NOW)
    assert sorted(rig.ended) == [b"0", b"1"]


def test_a_small_table_is_looked_through_once_in_a_round_however_often_it_is_swept() -> None:
    rig = Rig(NOW + 10_000)
    for ms in range(0, 10 * ROUND_MS_MIN, 50):
        rig.sweep.go_on(NOW + ms)
    assert rig.looked == 10


def test_a_large_table_is_looked_through_bit_by_bit_and_each_key_once_in_a_round() -> None:
    rig = Rig(*[NOW * 2] * 20 * PART_MAX)
    rig.all_that_is_due(NOW)
    assert rig.looked == 20 * PART_MAX, "as it has never been looked at"
    rounds = len(rig.table.parts) * 100
    looks = []
    for ms in range(50, rounds + 1, 50):
        before = rig.looked
        rig.all_that_is_due(NOW + ms)
        looks.append(rig.looked - before)
    assert sum(looks) == 20 * PART_MAX
    assert max(looks) <= PART_MAX


def test_a_round_does_not_take_longer_than_the_longest_however_large_the_table_is() -> None:
    rig = Rig(*[NOW * 2] * 20 * PART_MAX)
    rig.table.parts[:0] = [{} for _ in range(5_000)]
    rig.all_that_is_due(NOW)
    before = rig.looked
    for ms in range(100, ROUND_MS_MAX + 1, 100):
        rig.all_that_is_due(NOW + ms)
    assert rig.looked - before == 20 * PART_MAX


def test_a_turn_ends_a_piece_and_says_that_it_is_behind() -> None:
    count = 2 * PART_MAX
    rig = Rig(*[NOW] * count)
    assert not rig.sweep.behind
    rig.sweep.go_on(NOW)
    turns = 1
    while rig.sweep.behind:
        before = len(rig.ended)
        rig.sweep.go_on(NOW)
        turns += 1
        assert len(rig.ended) - before <= PIECE
    assert (len(rig.ended), len(rig.table)) == (count, 0)
    assert turns <= 2 * count // PIECE


def test_looking_counts_as_work_too() -> None:
    rig = Rig(*[NOW * 2] * 20 * PART_MAX)
    rig.sweep.go_on(NOW)
    assert 0 < rig.looked <= 4 * PART_MAX
    assert rig.sweep.behind


def test_one_that_has_nothing_to_do_is_not_behind() -> None:
    rig = Rig(NOW)
    rig.sweep.go_on(NOW)
    assert not rig.sweep.behind
    assert rig.sweep.go_on(NOW + 1) == PIECE


def test_who_hurries_goes_through_everything_at_once_whatever_the_clock_says() -> None:
    rig = Rig(*[NOW * 2] * 2 * PART_MAX)
    rig.all_that_is_due(NOW)
    rig.sweep.hurry()
    assert rig.sweep.behind
    rig.all_that_is_due(NOW)
    assert rig.looked == 4 * PART_MAX


def test_a_clock_that_has_leapt_makes_no_more_than_one_round_due() -> None:
    rig = Rig(NOW * 1_000)
    rig.all_that_is_due(NOW)
    rig.all_that_is_due(NOW * 100)
    assert rig.looked == 2
