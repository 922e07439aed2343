"""Slow readers: who takes nothing goes, but only while others wait for the memory, and no more than must."""

from __future__ import annotations

import pytest

from memrep.daemon.slow_readers import SlowReaders
from memrep.engine.counters import Counters
from memrep.flow_control import FlowControl


class Hall:
    """Readers by name, a limit of 80 bytes, and a clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.said: list[str] = []
        self.flow = FlowControl(640)
        self.counters = Counters()
        self.readers: SlowReaders[str] = SlowReaders(self.flow, self.counters, self.said.append)
        self._unsent: dict[str, int] = {}
        monkeypatch.setattr("memrep.daemon.slow_readers.time.monotonic", lambda: self.now)

    def has(self, reader: str, unsent: int) -> None:
        self.readers.keeps(reader, unsent, unsent - self._unsent.get(reader, 0))
        self._unsent[reader] = unsent

    def gone(self) -> str:
        """Those who have to go, each of whom gives back what it has cost."""
        names = ""
        for reader in self.readers.overdue():
            names += reader
            self.has(reader, 0)
        return names


@pytest.fixture
def hall(monkeypatch: pytest.MonkeyPatch) -> Hall:
    return Hall(monkeypatch)


def test_while_there_is_memory_anybody_may_be_slow(hall: Hall) -> None:
    hall.has("a", 80)
    hall.now += 3_600
    assert hall.gone() == ""


def test_when_others_have_to_wait_who_has_taken_nothing_for_long_goes_and_others_stay(hall: Hall) -> None:
    hall.has("a", 60)
    hall.now += 0.5
    hall.has("b", 60)
    assert hall.gone() == ""
    hall.now += 0.5
    assert hall.gone() == "a"
    assert hall.flow.unsent == 60
    assert hall.counters.slow_readers == 1


def test_no_more_go_than_must_and_the_slowest_goes_first(hall: Hall) -> None:
    for name in "abc":
        hall.has(name, 60)
    hall.now += 0.5
    hall.has("a", 59)  # it has taken something, and comes behind the others
    hall.now += 1
    assert hall.gone() == "bc"
    assert hall.gone() == ""


def test_who_has_taken_everything_is_not_among_them(hall: Hall) -> None:
    hall.has("a", 60)
    hall.has("a", 0)
    hall.has("b", 100)
    hall.now += 1
    assert hall.gone() == "b"
    assert hall.flow.unsent == 0


def test_the_operator_is_told_how_many_had_to_go(hall: Hall) -> None:
    for name in "ab":
        hall.has(name, 1_000)
    hall.now += 1
    assert hall.gone() == "ab"
    hall.readers.tick()
    (line,) = hall.said
    assert line.startswith("hung up on 2 clients that did not read their replies")
