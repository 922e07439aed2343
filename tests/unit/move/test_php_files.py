"""PHP's files are read when no page is at work on them, and written so that PHP takes them for its own."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from pathlib import Path

import pytest

from memrep.errors import UsageError
from memrep.handlers.item import STORED, THERE, Item, LeftOut
from memrep.move.pace import Pace
from memrep.move.php_files import Directory, PhpFiles, PhpFilesTarget, parse_directory

ID = "0123456789abcdef0123456789"
LIFETIME_S = 1440.0


def _file(directory: Path, name: str = ID, value: bytes = b"n|i:1;", used_s: float = 0.0) -> Path:
    path = directory / f"sess_{name}"
    path.write_bytes(value)
    changed = time.time() - used_s
    os.utime(path, (changed, changed))
    return path


def _read(directory: Path, depth: int = 0, pace: Pace | None = None) -> list[Item | LeftOut]:
    return list(PhpFiles(Directory(str(directory), depth), LIFETIME_S, pace=pace).read())


def _reasons(directory: Path) -> dict[str, bool]:
    return {out.reason: out.is_loss for out in _read(directory) if isinstance(out, LeftOut)}


@pytest.mark.parametrize(
    ("before", "depth"), [("", 0), ("2;", 2), ("2;0600;", 2)], ids=["plain", "depth", "depth and mode"]
)
def test_a_save_path_is_read_as_php_reads_it(tmp_path: Path, before: str, depth: int) -> None:
    assert parse_directory(f"{before}{tmp_path}") == Directory(str(tmp_path), depth)


@pytest.mark.parametrize(
    ("text", "says"), [("sessions", "no save_path"), ("9;/tmp", "no save_path"), ("/no/where", "no dir")]
)
def test_a_path_that_is_none_is_told(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_directory(text)


def test_a_session_has_the_time_left_since_it_was_used(tmp_path: Path) -> None:
    _file(tmp_path, used_s=440)
    (item,) = _read(tmp_path)
    assert isinstance(item, Item)
    assert (item.name, item.value, item.flags) == (ID.encode(), b"n|i:1;", 0)
    assert item.left_ms is not None
    assert 990_000 < item.left_ms <= 1_000_000


def test_files_are_found_as_deep_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "0" / "1").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    _file(tmp_path / "0" / "1")
    _file(tmp_path)
    source = PhpFiles(Directory(str(tmp_path), 2), LIFETIME_S)
    assert source.count() == 1
    assert [isinstance(each, Item) for each in source.read()] == [True]


def test_what_is_empty_over_or_no_session_is_no_loss(tmp_path: Path) -> None:
    _file(tmp_path, "empty", b"")
    _file(tmp_path, "over", used_s=LIFETIME_S + 1)
    (tmp_path / "sess_directory").mkdir()
    (tmp_path / "something").write_bytes(b"x")
    os.mkfifo(tmp_path / "sess_pipe")  # which an open would wait for
    assert _reasons(tmp_path) == {"empty": False, "at the end of their time": False, "no plain file": False}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "sess_link").symlink_to(tmp_path / "secret")
    (out,) = _read(tmp_path)
    assert isinstance(out, LeftOut)


def test_a_file_that_a_page_is_at_work_on_is_read_when_it_is_free(tmp_path: Path) -> None:
    path = _file(tmp_path)
    _file(tmp_path, "other")
    with path.open("rb") as page:
        fcntl.flock(page, fcntl.LOCK_EX)
        rests: list[float] = []

        def rest(seconds: float) -> None:
            rests.append(seconds)
            if len(rests) == 3:
                fcntl.flock(page, fcntl.LOCK_UN)

        found = _read(tmp_path, pace=Pace(sleep=rest))
    assert [item.name for item in found if isinstance(item, Item)] == [b"other", ID.encode()]
    assert len(rests) == 3


def test_a_file_that_is_never_free_is_given_up_and_counted(tmp_path: Path) -> None:
    with _file(tmp_path).open("rb") as page:
        fcntl.flock(page, fcntl.LOCK_EX)
        rests: list[float] = []
        (out,) = _read(tmp_path, pace=Pace(sleep=rests.append))
    assert out == LeftOut("in use by a page all the time", is_loss=True)
    assert sum(rests) < 10


def test_reading_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = _file(tmp_path)
    _read(tmp_path)
    with path.open("rb") as page:
        fcntl.flock(page, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_is_written_is_read_back_with_its_time(tmp_path: Path) -> None:
    for name in "01":
        (tmp_path / name).mkdir()
    target = PhpFilesTarget(Directory(str(tmp_path), 1), LIFETIME_S, owner="root" if os.geteuid() == 0 else "")
    item = Item(ID.encode(), b"n|i:2;", 0, 777_000)
    assert target.write([item, Item(b"1bc", b"x")]) == [STORED, STORED]
    first, second = sorted(_read(tmp_path, 1), key=str)
    assert isinstance(first, Item) and isinstance(second, Item)
    assert (first.name, first.value) == (item.name, item.value)
    assert first.left_ms is not None
    assert 776_000 < first.left_ms <= 777_000
    path = tmp_path / "0" / f"sess_{ID}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "0").iterdir()] == [f"sess_{ID}"]


def _target(tmp_path: Path, *, only_missing: bool = False) -> PhpFilesTarget:
    owner = "root" if os.geteuid() == 0 else ""
    return PhpFilesTarget(Directory(str(tmp_path)), LIFETIME_S, owner, only_missing)


def test_a_file_that_is_there_stays_if_that_is_wished(tmp_path: Path) -> None:
    path = _file(tmp_path, value=b"newer")
    assert _target(tmp_path, only_missing=True).write([Item(ID.encode(), b"older")]) == [THERE]
    assert path.read_bytes() == b"newer"
    assert _target(tmp_path).write([Item(ID.encode(), b"older")]) == [STORED]
    assert path.read_bytes() == b"older"
    assert len(list(tmp_path.iterdir())) == 1


def test_no_name_leads_elsewhere(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    for name in ("sess_", ".memrep-"):  # by way of which the name would lead out
        (inside / name).mkdir(parents=True)
    assert STORED not in _target(inside).write([Item(b"/../../escaped", b"x"), Item(b"a/b", b"x")])
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_a_missing_depth_is_told(tmp_path: Path) -> None:
    target = PhpFilesTarget(Directory(str(tmp_path), 1), LIFETIME_S, "root" if os.geteuid() == 0 else "")
    (outcome,) = target.write([Item(ID.encode(), b"x")])
    assert "mod_files.sh" in outcome


def test_files_get_an_owner_who_can_read_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no user nobody-at-all"):
        PhpFilesTarget(Directory(str(tmp_path)), LIFETIME_S, "nobody-at-all")
    if os.geteuid() == 0:
        with pytest.raises(UsageError, match="say with --owner"):
            PhpFilesTarget(Directory(str(tmp_path)), LIFETIME_S)
        PhpFilesTarget(Directory(str(tmp_path)), LIFETIME_S, "nobody").write([Item(ID.encode(), b"x")])
        assert (tmp_path / f"sess_{ID}").owner() == "nobody"
