"""The data directory is this node's alone, and one process's at a time."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from memrep.disk.directory import Directory
from memrep.errors import AbsentError, UsageError


def test_it_is_made_closed_to_others(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path / "data"))
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "lock").stat().st_mode) == 0o600
    directory.close()


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777])
def test_one_that_others_may_look_into_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(UsageError, match=f"chmod 700 {tmp_path}"):
        Directory(str(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_one_that_is_somebody_elses_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    os.chown(tmp_path, 12_345, -1)
    with pytest.raises(UsageError, match="belongs to user 12345"):
        Directory(str(tmp_path))


def test_one_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "no" / "such"):
        with pytest.raises(UsageError, match=f"--data-dir {path}"):
            Directory(str(path))


def test_a_second_process_does_not_get_it_until_the_first_has_gone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    first = Directory(str(tmp_path))
    with pytest.raises(AbsentError, match="another memrep"):
        Directory(str(tmp_path))
    first.close()
    Directory(str(tmp_path)).close()


def test_what_is_set_aside_is_kept_under_another_name(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    directory = Directory(str(tmp_path))
    (tmp_path / "a").write_text("x")
    aside = directory.set_aside(("a", "b"))
    assert (tmp_path / aside).read_text() == "x"
    assert not (tmp_path / "a").exists()
    directory.close()
