"""A file of memrep's is whole or refused, for its owner alone, and under its name only when it is finished."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest

from memrep.errors import UsageError
from memrep.handlers.item import Item, LeftOut
from memrep.move.archive import Archive, ArchiveTarget, Made

ITEMS = [
    Item(b"one", b"\0\r\n" * 100, 0xFFFFFFFF, 1_440_000),
    Item(b"\xff two", b"", 0, None, 15),
    Item(b"three", b"x" * 100_000, 2, 1),
]
MADE = Made(1_000.0, "127.0.0.1:11211", "0.1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the items."""
    path = tmp_path / "dump"
    target = ArchiveTarget(str(path), MADE)
    target.write(ITEMS[:2])
    target.write(ITEMS[2:])
    target.finish()
    target.close()
    return path


def test_what_is_written_is_read(path: Path) -> None:
    with closing(Archive(str(path))) as archive:
        assert (archive.made, archive.count()) == (MADE, 3)
        assert list(archive.read()) == ITEMS


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    ArchiveTarget(str(tmp_path / "dump"), MADE).finish()
    with closing(Archive(str(tmp_path / "dump"))) as archive:
        assert not list(archive.read())


def test_nobody_else_may_read_it_and_nothing_else_is_left(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_what_is_not_finished_has_no_name_and_leaves_nothing_behind(path: Path) -> None:
    before = path.read_bytes()
    target = ArchiveTarget(str(path), MADE)
    target.write(ITEMS)
    assert path.read_bytes() == before
    (unfinished,) = set(path.parent.iterdir()) - {path}
    assert stat.S_IMODE(unfinished.stat().st_mode) == 0o600
    target.close()
    assert list(path.parent.iterdir()) == [path]


def test_time_that_has_passed_is_taken_off_if_that_is_wished(path: Path) -> None:
    def elapsed_ms(made: Made) -> int:
        assert made == MADE
        return 1_000

    with closing(Archive(str(path), elapsed_ms)) as archive:
        first, second, third = archive.read()
    assert isinstance(first, Item) and first.left_ms == 1_439_000
    assert second == ITEMS[1]
    assert third == LeftOut("at the end of their time", is_loss=False)


def test_a_file_that_is_cut_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    cuts = [*range(400), *range(400, len(whole), 4_001), *range(len(whole) - 60, len(whole))]
    for cut in cuts:
        path.write_bytes(whole[:cut])
        with pytest.raises(UsageError, match=r"is not as it was written|is no file of"):
            Archive(str(path))


def test_a_file_that_is_changed_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    places = [*range(700), *range(700, len(whole), 4_001), *range(len(whole) - 60, len(whole))]
    for at in places:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(UsageError):
            Archive(str(path))


def test_what_stands_behind_the_end_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(UsageError, match="its checksum is wrong; nothing was restored"):
        Archive(str(path))


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"memrep dump 2\n", "of another version of memrep"),
        (b"REDIS0010xxxxxxx", "is no file of `memrep dump`"),
    ],
)
def test_another_kind_of_file_is_told(tmp_path: Path, head: bytes, says: str) -> None:
    (tmp_path / "dump").write_bytes(head + b"\0" * 100)
    with pytest.raises(UsageError, match=says):
        Archive(str(tmp_path / "dump"))


def test_places_that_cannot_be_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Archive(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        ArchiveTarget(str(tmp_path / "none" / "dump"), MADE)
