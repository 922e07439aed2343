"""What a data directory lacks is told before a node needs it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from memrep.doctor.disk import disk

_MB = 1 << 20


def test_a_directory_with_room_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=160, f_frsize=_MB))
    found = disk(str(tmp_path), 64 * _MB)
    assert (found.verdict, found.remedy) == ("ok", "")
    assert "160 MB of room, 160 are needed for 64 MB of items" in found.text


def test_too_little_room_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=159, f_frsize=_MB))
    found = disk(str(tmp_path), 64 * _MB)
    assert found.verdict == "warning"
    assert "make room" in found.remedy


def test_a_directory_that_is_not_there_can_be_made(tmp_path: Path) -> None:
    found = disk(str(tmp_path / "none"), _MB)
    assert (found.verdict, found.text) == ("warning", f"{tmp_path}/none: No such file or directory")
    assert "StateDirectory=" in found.remedy


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert disk(str(tmp_path / "file"), _MB).verdict == "wrong"


def test_a_read_only_disk_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    found = disk(str(tmp_path), _MB)
    assert (found.verdict, found.text) == ("wrong", f"{tmp_path} cannot be written")
