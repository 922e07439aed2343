"""The thread writes a batch at a time, and tells what has become of it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memrep.disk.file import NAME, File
from memrep.disk.writer import Batch, Result, Writer
from memrep.storage.saved import SavedEntry, SavedFacts

FACTS = SavedFacts(gen=3, view=9, at=5, whole=7, time=10)
ENTRY = SavedEntry(b"key", bytes(16), b"x")


def begin_thread(name: str, run: Callable[[], None], needed_by: str) -> threading.Thread:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


class Reopens:
    """Opens the file anew, and says what it is told to say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.anew = False
        self.error: OSError | None = None
        self.asked: list[tuple[tuple[int, int], int]] = []

    def __call__(self, identity: tuple[int, int], last: int) -> tuple[File, bool]:
        self.asked.append((identity, last))
        if self.error is not None:
            raise self.error
        return File(self.path), self.anew


@pytest.fixture
def reopens(tmp_path: Path) -> Reopens:
    return Reopens(tmp_path / NAME)


@pytest.fixture
def writer(reopens: Reopens) -> Iterator[Writer]:
    writer = Writer(begin_thread, reopens)
    writer.use(File(reopens.path))
    yield writer
    writer.close(10)


def _result(writer: Writer, batch: Batch) -> Result:
    writer.hand(batch)
    assert writer.wait(10)
    assert writer.since is None
    result = writer.take()
    assert result is not None
    assert writer.take() is None
    return result


def test_a_batch_is_saved_and_told_of(writer: Writer, reopens: Reopens) -> None:
    result = _result(writer, Batch(entries=[ENTRY], facts=FACTS))
    assert (result.error, result.anew, result.entries, result.first, result.last) == ("", False, 1, 1, 1)
    assert result.size > 0
    file = File(reopens.path)
    assert file.read() == {b"key": ENTRY}
    assert file.facts() == FACTS
    file.close()


def test_a_batch_that_fails_is_told_of_and_the_next_one_opens_the_file_anew(
    writer: Writer, reopens: Reopens
) -> None:
    _result(writer, Batch(entries=[ENTRY], facts=FACTS))
    reopens.path.rename(reopens.path.with_name("away"))
    reopens.error = OSError(28, "No space left on device")
    assert "No such file" in _result(writer, Batch(entries=[ENTRY], facts=FACTS)).error
    assert _result(writer, Batch(entries=[ENTRY], facts=FACTS)).error == "No space left on device"
    reopens.path.with_name("away").rename(reopens.path)
    reopens.error = None
    result = _result(writer, Batch(entries=[ENTRY], facts=FACTS))
    assert (result.error, result.last) == ("", 2)
    status = reopens.path.stat()
    assert set(reopens.asked) == {((status.st_dev, status.st_ino), 1)}


def test_another_file_does_not_say_that_it_has_everything(writer: Writer, reopens: Reopens) -> None:
    reopens.path.unlink()
    _result(writer, Batch(entries=[], facts=FACTS))
    reopens.anew = True
    result = _result(writer, Batch(entries=[ENTRY], facts=FACTS, drop=7))
    assert (result.error, result.anew) == ("", True)
    file = File(reopens.path)
    told = file.facts()
    assert (told.gen, told.view, told.at, told.whole) == (0, 0, 0, 0)
    assert told.time == FACTS.time
    assert file.read() == {b"key": ENTRY}
    file.close()


def test_a_file_that_shows_to_be_damaged_is_not_used_any_more(
    writer: Writer, reopens: Reopens, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(self: File, *args: object) -> int:
        raise sqlite3.DatabaseError("database disk image is malformed")

    with monkeypatch.context() as context:
        context.setattr(File, "append", damaged)
        assert "malformed" in _result(writer, Batch(entries=[ENTRY], facts=FACTS)).error
    _result(writer, Batch(entries=[ENTRY], facts=FACTS))
    assert reopens.asked == [((0, 0), 0)]


def test_while_it_writes_nobody_waits(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    append = File.append

    def slow(self: File, *args: object) -> int:
        assert gate.wait(10)
        return append(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(File, "append", slow)
    writer.hand(Batch(entries=[ENTRY], facts=FACTS))
    assert writer.since is not None
    assert writer.take() is None
    assert not writer.wait(0)
    gate.set()
    assert writer.wait(10)
    assert writer.take() is not None
