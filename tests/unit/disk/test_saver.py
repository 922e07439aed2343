"""The saver hands over what has changed, tells of troubles once, and lets the file have everything again."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from memrep.disk import saver as module
from memrep.disk.saver import SLOW_S, Saver
from memrep.disk.writer import Batch, Result, Writer, without_rank
from memrep.events import Line
from memrep.storage.saved import SavedEntry, SavedFacts
from tests.harness.cluster import Cluster


class Disk(Writer):
    """A disk that is as quick and as good as it is told to be; there is no thread."""

    def __init__(self) -> None:
        self.since = None
        self.now: Callable[[], float] = lambda: 0.0
        self.hangs = False
        self.error = ""
        self.anew = False
        self.batches: list[Batch] = []
        self.entries: dict[bytes, SavedEntry] = {}
        self.facts = SavedFacts()
        self.first, self.last, self.count = 1, 0, 0
        self._done: Result | None = None

    def hand(self, batch: Batch) -> None:
        assert self.since is None
        self.batches.append(batch)
        self.since = self.now()

    def take(self) -> Result | None:
        if self.since is not None and not self.hangs:
            self.since = None
            return self._write(self.batches[-1])
        return None

    def wait(self, seconds: float) -> bool:
        return not self.hangs

    def _write(self, batch: Batch) -> Result:
        if self.error:
            return Result(batch=batch, error=self.error)
        anew, self.anew = self.anew, False
        if anew:
            self.entries, self.first, self.last, self.count = {}, 1, 0, 0
        for one in batch.entries:
            self.entries[one.key] = one
        self.last += bool(batch.entries)
        self.count += len(batch.entries)
        if batch.drop:
            self.first, self.count = batch.drop, len(self.entries)
        self.facts = without_rank(batch.facts) if anew else batch.facts
        return Result(batch=batch, anew=anew, size=1, entries=self.count, first=self.first, last=self.last)

    @property
    def values(self) -> dict[bytes, bytes | None]:
        return {key: one.value for key, one in self.entries.items()}


@attrs.define
class Saving:
    """A node without peers, its saver and its disk."""

    cluster: Cluster
    disk: Disk
    saver: Saver
    log: list[Line]
    now: float = 100.0

    def send(self, data: bytes) -> None:
        self.cluster.client(1).send(data)

    def pass_by(self, seconds: float) -> None:
        """Let time pass in ticks."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.1
            self.cluster.advance(100)
            self.saver.tick(self.now)


@pytest.fixture
def saving(monkeypatch: pytest.MonkeyPatch) -> Saving:
    # A tick looks up as much as there is, however slow the machine.
    monkeypatch.setattr(module, "_LOOK_S", 60.0)
    cluster = Cluster(1)
    cluster.advance(200)
    node, disk, log = cluster.nodes[1], Disk(), list[Line]()
    node.feed.open(SavedFacts(), 0)
    store = node.store
    saver = Saver(node.feed, lambda: len(store.values) + len(store.tombstones), disk, log.append, (0, 0))
    saving = Saving(cluster, disk, saver, log)
    disk.now = lambda: saving.now
    return saving


def test_what_has_changed_is_saved_a_second_later_at_most(saving: Saving) -> None:
    saving.pass_by(3)
    saving.send(b"set key 0 0 1\r\nx\r\n")
    saving.pass_by(1.3)
    assert saving.disk.values == {b"key": b"x"}
    assert saving.disk.facts.view == saving.cluster.nodes[1].replica.state.view.vid
    assert saving.log == []


def test_nothing_is_written_while_nothing_changes(saving: Saving) -> None:
    saving.send(b"set key 0 0 1\r\nx\r\n")
    saving.pass_by(3)
    batches = len(saving.disk.batches)
    saving.pass_by(30)
    assert len(saving.disk.batches) == batches


def test_there_is_one_transaction_a_second(saving: Saving) -> None:
    for _ in range(10):
        saving.send(b"set key 0 0 1\r\nx\r\n")
        saving.pass_by(0.5)
    assert 4 <= len(saving.disk.batches) <= 6


def test_a_large_change_takes_several_and_only_the_last_says_that_this_is_all(
    saving: Saving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ENTRIES_MAX", 50)
    saving.pass_by(2)
    began = saving.disk.facts.whole
    first = len(saving.disk.batches)
    saving.send(b"".join(b"set key%d 0 0 1\r\nx\r\n" % i for i in range(180)))
    saving.pass_by(3)
    batches = [batch for batch in saving.disk.batches[first:] if batch.entries]
    assert len(batches) == 4
    assert [batch.facts.whole > began for batch in batches] == [False, False, False, True]
    assert len(saving.disk.values) == 180


def test_a_slow_disk_is_told_of_once_and_holds_nobody_up(saving: Saving) -> None:
    saving.disk.hangs = True
    saving.send(b"set key 0 0 1\r\nx\r\n")
    saving.pass_by(SLOW_S + 30)
    assert len(saving.log) == 1
    assert "more than" in saving.log[0]
    assert saving.saver.figures.failing
    saving.send(b"set key 0 0 1\r\ny\r\n")
    saving.disk.hangs = False
    saving.pass_by(3)
    assert [line.event.name for line in saving.log] == ["disk-fails", "disk-works"]
    assert saving.saver.figures.failing == ""
    assert saving.disk.values == {b"key": b"y"}


def test_what_could_not_be_saved_is_saved_when_there_is_room(saving: Saving) -> None:
    saving.send(b"set a 0 0 1\r\nx\r\n")
    saving.pass_by(2)
    saving.disk.error = "database or disk is full"
    saving.send(b"set b 0 0 1\r\nx\r\n")
    saving.pass_by(10)
    saving.send(b"set c 0 0 1\r\nx\r\ndelete a\r\n")
    saving.pass_by(10)
    assert [line.event.name for line in saving.log] == ["disk-fails"]
    assert "disk is full" in saving.log[0]
    whole = saving.disk.facts.whole
    saving.disk.error = ""
    saving.pass_by(4)
    assert saving.disk.values == {b"a": None, b"b": b"x", b"c": b"x"}
    assert saving.disk.facts.whole > whole
    assert saving.log[-1].event.name == "disk-works"
    assert saving.saver.figures.failed > 3


def test_another_file_gets_everything_and_says_so_only_then(
    saving: Saving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OLD_MAX", 10)
    saving.send(b"".join(b"set key%d 0 0 1\r\nx\r\n" % i for i in range(35)))
    saving.pass_by(2)
    saving.disk.anew = True
    saving.send(b"set new 0 0 1\r\nx\r\n")
    saving.pass_by(1.2)
    assert b"new" in saving.disk.values
    seen = []
    for _ in range(80):
        saving.pass_by(0.1)
        seen.append((len(saving.disk.values), saving.disk.facts.view))
    assert seen[-1] == (36, saving.cluster.nodes[1].replica.state.view.vid)
    assert {entries for entries, view in seen if view} == {36}, "it says that it has everything when it has"
    assert any(not view for _, view in seen)


def test_when_too_much_is_overtaken_all_is_written_anew_and_the_old_goes(
    saving: Saving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OVERTAKEN", 20)
    saving.send(b"".join(b"set key%d 0 0 1\r\nx\r\n" % i for i in range(10)))
    for _ in range(60):
        saving.send(b"set key3 0 0 1\r\ny\r\n")
        saving.pass_by(1)
    assert saving.disk.count < 50
    assert saving.disk.first > 20
    assert len(saving.disk.values) == 10
    assert saving.disk.facts.whole > 0


def test_what_fails_while_all_is_written_anew_is_not_dropped(
    saving: Saving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OVERTAKEN", 20)
    saving.send(b"".join(b"set key%d 0 0 1\r\nx\r\n" % i for i in range(10)))
    for _ in range(120):
        saving.disk.error = "" if len(saving.disk.batches) % 3 else "input/output error"
        saving.send(b"set key3 0 0 1\r\ny\r\n")
        saving.pass_by(1)
        # What was dropped must be there once more: this disk forgets nothing, so look at what was handed over.
        kept = {one.key for batch in _since(saving.disk) for one in batch.entries}
        assert kept >= set(saving.disk.values), "dropped before it was written anew"
    assert saving.disk.first > 1


def _since(disk: Disk) -> list[Batch]:
    """The batches that are still in the file."""
    number, kept = 0, []
    for batch in disk.batches:
        number += bool(batch.entries)
        if number >= disk.first or not disk.first > 1:
            kept.append(batch)
    return kept


def test_who_stops_in_order_saves_the_rest_and_says_so(saving: Saving) -> None:
    saving.pass_by(2)
    saving.send(b"set key 0 0 1\r\nx\r\n")
    saving.saver.finish(5)
    assert saving.disk.values == {b"key": b"x"}
    assert saving.disk.facts.in_order


def test_who_stops_does_not_wait_for_a_disk_that_hangs(saving: Saving) -> None:
    saving.disk.hangs = True
    saving.send(b"set key 0 0 1\r\nx\r\n")
    saving.pass_by(2)
    saving.saver.finish(0)
    assert saving.disk.values == {}
