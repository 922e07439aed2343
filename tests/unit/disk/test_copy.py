"""What a process saves is what the next one begins with; what is torn is set aside."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from memrep.disk.copy import DiskCopy, Loaded, NoCopy
from memrep.disk.file import NAME, File
from memrep.errors import UsageError
from memrep.events import Line
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell, Start
from tests.harness.lone_node import WALL

OPTIONS = NodeOptions()


def _begin_thread(name: str, run: Callable[[], None], needed_by: str) -> None:
    threading.Thread(target=run, daemon=True).start()


def _copy(path: Path) -> DiskCopy:
    return DiskCopy(str(path), _begin_thread)


def _live(copy: DiskCopy, data: bytes) -> tuple[bytes, list[Line]]:
    """One life of a node, in which a client says this; what it was answered, and the log."""
    log: list[Line] = []
    loaded = copy.load(OPTIONS)
    node = Node(OPTIONS, Start(inc=1, now=0, wall=WALL, snapshot=loaded.snapshot), Shell(random_bytes=bytes))
    saver = loaded.attach(node, log.append)
    node.turn(10, WALL + 10)
    connection = node.clients.connect()
    replies = node.clients.receive(connection, data)
    list(node.end_turn())
    saver.finish(10)
    return replies, log


def _full(path: Path) -> File:
    raise sqlite3.OperationalError("database or disk is full")


def _unreadable(copy: DiskCopy, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """What a node begins with while the disk is full; then there is room again."""
    with monkeypatch.context() as patch:
        patch.setattr("memrep.disk.copy.File", _full)
        return copy.load(OPTIONS)


def test_what_one_process_has_saved_the_next_one_has(tmp_path: Path) -> None:
    first = _copy(tmp_path / "data")
    assert _live(first, b"set key 5 0 1\r\nx\r\n") == (b"STORED\r\n", [])
    first.close()
    second = _copy(tmp_path / "data")
    replies, log = _live(second, b"get key\r\n")
    second.close()
    assert replies == b"VALUE key 5 1\r\nx\r\nEND\r\n"
    assert [line.event.name for line in log] == ["disk-read"]
    assert "1 entries" in log[0]
    assert "when it stopped as it was told to" in log[0]


def test_another_node_in_the_same_process_begins_with_it_too(tmp_path: Path) -> None:
    copy = _copy(tmp_path / "data")
    _live(copy, b"set key 0 0 1\r\nx\r\n")
    assert _live(copy, b"get key\r\n")[0] == b"VALUE key 0 1\r\nx\r\nEND\r\n"
    copy.close()


def test_what_was_read_ahead_is_read_once(tmp_path: Path) -> None:
    copy = _copy(tmp_path / "data")
    _live(copy, b"set key 0 0 1\r\nx\r\n")
    copy.load_ahead(OPTIONS)
    assert copy.load(OPTIONS) is not copy.load(OPTIONS)
    copy.close()


def test_a_torn_file_is_set_aside_and_the_node_begins_without(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    copy = _copy(directory)
    _live(copy, b"set key 0 0 1\r\nx\r\n")
    copy.close()
    (directory / NAME).write_bytes(b"torn")
    copy = _copy(directory)
    replies, log = _live(copy, b"get key\r\n")
    copy.close()
    assert replies == b"END\r\n"
    assert [line.event.name for line in log] == ["disk-torn"]
    (aside,) = [path for path in directory.iterdir() if ".broken-" in path.name and "wal" not in path.name]
    assert aside.read_bytes() == b"torn"
    assert aside.name in log[0]


def test_a_disk_that_cannot_be_read_now_costs_what_is_there_but_not_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "data"
    copy = _copy(directory)
    _live(copy, b"set former 0 0 1\r\nx\r\n")
    monkeypatch.setattr("memrep.disk.copy.File", _full)
    replies, log = _live(copy, b"set key 0 0 1\r\nx\r\n")
    assert replies == b"STORED\r\n"
    assert [line.event.name for line in log][:1] == ["disk-not-read"]
    assert "database or disk is full" in log[0]
    copy.close()


def test_what_could_not_be_read_is_kept_when_the_disk_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "data"
    copy = _copy(directory)
    _live(copy, b"set former 0 0 1\r\nx\r\n")
    loaded = _unreadable(copy, monkeypatch)
    node = Node(OPTIONS, Start(inc=1, now=0, wall=WALL, snapshot=loaded.snapshot), Shell(random_bytes=bytes))
    saver = loaded.attach(node, lambda line: None)
    node.turn(10, WALL + 10)
    node.clients.receive(node.clients.connect(), b"set key 0 0 1\r\nx\r\n")
    list(node.end_turn())
    saver.finish(10)
    copy.close()
    copy = _copy(directory)
    replies, _ = _live(copy, b"get former key\r\n")
    copy.close()
    assert replies == b"VALUE key 0 1\r\nx\r\nEND\r\n", "nothing of before has come back behind its back"
    assert [path for path in directory.iterdir() if ".broken-" in path.name], "and nothing is thrown away"


def test_a_file_of_a_later_release_is_refused_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = _copy(tmp_path / "data")
    monkeypatch.setattr("memrep.disk.file.FORMAT", 9)
    monkeypatch.setattr("memrep.disk.file.__version__", "7.5")
    _live(copy, b"set key 0 0 1\r\nx\r\n")
    copy.close()
    monkeypatch.undo()
    copy = _copy(tmp_path / "data")
    with pytest.raises(UsageError, match=r"memrep 7\.5 has written it in format 9.*start that release"):
        copy.load(OPTIONS)
    copy.close()
    assert not [path for path in (tmp_path / "data").iterdir() if "broken" in path.name]


def test_who_has_no_directory_brings_nothing_back_and_saves_nothing() -> None:
    loaded = NoCopy().load(OPTIONS)
    assert loaded.snapshot is None
    node = Node(OPTIONS, Start(inc=1, now=0, wall=WALL), Shell(random_bytes=bytes))
    saver = loaded.attach(node, pytest.fail)
    saver.tick(0.0)
    saver.finish(0.0)
    NoCopy().close()
    assert node.store.values.changed is None
