"""Whatever is found is counted once: as written, as there, or as left out with its reason."""

from __future__ import annotations

from collections.abc import Iterator

from memrep.handlers.item import BATCH, BATCH_BYTES, STORED, THERE, Item, LeftOut
from memrep.move.pace import Pace
from memrep.move.transfer import Tally, transfer


class _Source:
    def __init__(self, *found: Item | LeftOut) -> None:
        self._found = found

    def count(self) -> int:
        return len(self._found)

    def read(self) -> Iterator[Item | LeftOut]:
        yield from self._found

    def close(self) -> None:
        pass


class _Target:
    """Takes what is not there; refuses what is called so."""

    def __init__(self) -> None:
        self.batches: list[list[Item]] = []

    def write(self, items: list[Item]) -> list[str]:
        there = {item.name for batch in self.batches for item in batch}
        self.batches.append(items)
        return [THERE if item.name in there else "refused" if item.name == b"bad" else STORED for item in items]

    def close(self) -> None:
        pass


def _items(count: int) -> list[Item]:
    return [Item(b"%d" % number, b"xy") for number in range(count)]


def _same(item: Item) -> Item | LeftOut:
    return item


def test_everything_is_counted_once() -> None:
    target = _Target()
    target.write([Item(b"there", b"")])

    def change(item: Item) -> Item | LeftOut:
        return LeftOut("odd") if item.name == b"odd" else item

    names = [b"there", b"new", b"odd", b"bad", b"other"]
    source = _Source(*(Item(name, b"abc") for name in names), LeftOut("locks", is_loss=False, count=4))
    tally = transfer(source, change, target, Pace())
    assert (tally.written, tally.size, tally.there, tally.lost, tally.found) == (2, 6, 1, 2, 9)
    assert tally.line(False) == (
        "9 found, 2 written (6 bytes), 1 there already, 6 left out: 4 locks; 1 odd; 1 refused"
    )


def test_a_dry_run_counts_what_would_be_written() -> None:
    tally = transfer(_Source(*_items(1234)), _same, None, Pace())
    assert tally.line(True) == "1,234 found, 1,234 would be written (2,468 bytes)"


def test_batches_are_bounded_by_number_size_and_rate() -> None:
    target = _Target()
    transfer(_Source(*_items(BATCH + 1)), _same, target, Pace())
    assert [len(batch) for batch in target.batches] == [BATCH, 1]
    target = _Target()
    large = [Item(b"%d" % number, bytes(BATCH_BYTES // 2)) for number in range(3)]
    transfer(_Source(*large, Item(b"huge", bytes(2 * BATCH_BYTES))), _same, target, Pace())
    assert [len(batch) for batch in target.batches] == [2, 1, 1]
    target = _Target()
    rests: list[float] = []
    transfer(_Source(*_items(20)), _same, target, Pace(10, clock=lambda: 0.0, sleep=rests.append))
    assert [len(batch) for batch in target.batches] == [5, 5, 5, 5]
    assert rests == [0.5, 1.0, 1.5, 2.0]


def test_progress_is_told_as_it_goes_and_at_the_end() -> None:
    told: list[int] = []
    source = _Source(*_items(2 * BATCH), LeftOut("empty", is_loss=False))
    transfer(source, _same, _Target(), Pace(), lambda tally: told.append(tally.found))
    assert told == [BATCH, 2 * BATCH, 2 * BATCH + 1]


def test_any_number_of_reasons_is_a_short_line() -> None:
    tally = Tally()
    for number in range(1000):
        tally.leave(LeftOut(f"reason {number}"))
    assert tally.lost == 1000
    assert tally.line(False).count(";") < 15
    assert "988 for other reasons" in tally.line(False)
