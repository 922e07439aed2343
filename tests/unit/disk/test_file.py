"""The file gives back what was saved last of each key, or says that it is torn."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from memrep.disk.file import NAME, File, FormatError, TornError
from memrep.storage.saved import SavedEntry, SavedFacts
from memrep.storage.version import make

FACTS = SavedFacts(gen=3, view=9, at=5, time=10, mono=10, wall=10, horizon=bytes(make(1, 1)), in_order=True)


def _entry(key: bytes, stamp: int = 1, value: bytes | None = b"x") -> SavedEntry:
    return SavedEntry(key, bytes(make(1, stamp)), value)


def _values(path: Path) -> dict[bytes, bytes | None]:
    file = File(path)
    found = {key: one.value for key, one in file.read().items() if one.version}
    file.close()
    return found


def _filled(path: Path) -> None:
    file = File(path)
    for i in range(5):
        file.append([_entry(b"key%d" % i), _entry(b"same", i, b"%d" % i)], FACTS)
    file.close()


def _change(path: Path, statement: str, *values: object) -> None:
    db = sqlite3.connect(path)
    db.execute(statement, values)
    db.commit()
    db.close()


def test_a_new_one_holds_nothing_and_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / NAME
    file = File(path)
    assert (file.read(), file.facts(), file.entries, file.last) == ({}, SavedFacts(), 0, 0)
    file.append([_entry(b"a")], FACTS)
    assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {0o600}
    file.close()


def test_what_was_saved_last_of_a_key_counts(tmp_path: Path) -> None:
    path = tmp_path / NAME
    _filled(path)
    assert _values(path) == {b"same": b"4", **{b"key%d" % i: b"x" for i in range(5)}}


def test_a_key_that_is_gone_stays_gone(tmp_path: Path) -> None:
    path = tmp_path / NAME
    _filled(path)
    file = File(path)
    file.append([SavedEntry(b"same")], FACTS)
    file.close()
    assert b"same" not in _values(path)


def test_facts_come_back(tmp_path: Path) -> None:
    path = tmp_path / NAME
    _filled(path)
    file = File(path)
    assert file.facts() == FACTS
    assert (file.entries, file.last) == (10, 5)
    file.close()


def test_old_segments_go_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memrep.disk.file._DROPPED", 3)
    path = tmp_path / NAME
    _filled(path)
    file = File(path)
    file.append([_entry(b"new")], FACTS, drop=6)
    assert (file.first, file.last, file.entries) == (4, 6, 5)
    file.append([], FACTS, drop=6)
    assert (file.first, file.entries) == (6, 1)
    file.close()
    assert _values(path) == {b"new": b"x"}


def test_what_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / NAME
    _filled(path)
    file = File(path)
    file._db.execute("create temp trigger no before insert on segments begin select raise(abort, 'no'); end")
    with pytest.raises(sqlite3.Error):
        file.append([_entry(b"new")], FACTS)
    assert (file.last, file.entries) == (5, 10)
    file._db.execute("drop trigger no")
    file.append([_entry(b"new")], FACTS)
    file.close()
    assert b"new" in _values(path)


def test_a_file_that_was_taken_away_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / NAME
    file = File(path)
    path.unlink()
    with pytest.raises(OSError, match="No such file"):
        file.append([_entry(b"new")], FACTS)
    path.touch()
    with pytest.raises(OSError, match="taken away"):
        file.append([_entry(b"new")], FACTS)
    file.close()


@pytest.mark.parametrize(
    "statement",
    [
        "delete from segments where id = 3",
        "delete from segments where id = 5",
        "delete from segments where id = 1",
        "update segments set body = zeroblob(9) where id = 2",
        "update segments set entries = 7 where id = 2",
        "update facts set value = 'x' where name = 'gen'",
        "delete from facts where name = 'horizon'",
        "delete from facts where name = 'format'",
        "drop table facts",
    ],
)
def test_a_file_from_which_something_is_missing_is_torn(tmp_path: Path, statement: str) -> None:
    path = tmp_path / NAME
    _filled(path)
    _change(path, statement)
    with pytest.raises(TornError):
        _read_all(path)


@pytest.mark.parametrize("garbage", [b"no database", os.urandom(4096), b"SQLite format 3\0" + bytes(5_000)])
def test_garbage_is_torn(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(garbage)
    with pytest.raises(TornError):
        _read_all(path)


def test_a_page_that_the_disk_has_lost_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / NAME
    file = File(path)
    for i in range(4):
        file.append([_entry(b"key%d" % i, 1, os.urandom(200_000))], FACTS)
    file.close()
    data = bytearray(path.read_bytes())
    page = 1 << 15
    assert len(data) > 10 * page
    torn = 0
    for at in range(page, len(data), page):
        path.write_bytes(data[:at] + bytes(page) + data[at + page :])
        try:
            _read_all(path)
        except TornError:
            torn += 1
    assert torn == len(data) // page - 1, "each page but the first holds something that counts"


def test_a_copy_made_while_it_is_written_is_whole_or_torn(tmp_path: Path) -> None:
    """As a power cut leaves it: the file and its log as they are at some moment."""
    path = tmp_path / NAME
    file = File(path)
    for i in range(20):
        file.append([_entry(b"key%d" % i, 1, os.urandom(50_000))], FACTS)
        copy = tmp_path / f"copy{i}"
        copy.mkdir()
        for name in (NAME, f"{NAME}-wal"):
            (copy / name).write_bytes((tmp_path / name).read_bytes())
        assert set(_values(copy / NAME)) == {b"key%d" % j for j in range(i + 1)}
    file.close()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_log_that_is_cut_short_loses_the_last_transactions_only(tmp_path: Path, share: float) -> None:
    path = tmp_path / NAME
    file = File(path)
    for i in range(20):
        file.append([_entry(b"key%d" % i, 1, os.urandom(20_000))], FACTS)
    copy = tmp_path / "copy"
    copy.mkdir()
    log = (tmp_path / f"{NAME}-wal").read_bytes()
    (copy / NAME).write_bytes(path.read_bytes())
    (copy / f"{NAME}-wal").write_bytes(log[: int(len(log) * share)])
    file.close()
    found = set(_values(copy / NAME))
    assert found == {b"key%d" % i for i in range(len(found))}
    assert len(found) < 20


def test_a_later_format_is_refused_by_the_release_that_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / NAME
    _filled(path)
    _change(path, "update facts set value = 2 where name = 'format'")
    _change(path, "update facts set value = '7.5' where name = 'release'")
    with pytest.raises(FormatError, match=r"memrep 7\.5 has written it in format 2"):
        File(path)


def _read_all(path: Path) -> None:
    file = File(path)
    try:
        file.facts()
        file.read()
    finally:
        file.close()
