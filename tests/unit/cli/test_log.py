"""`memrep log`: the level is shown, or set."""

from __future__ import annotations

from pathlib import Path

import pytest

from memrep.events import Level
from tests.unit.cli.admin_socket import admin_socket, run


def test_the_level_is_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with admin_socket(tmp_path / "a.sock", b"HTTP/1.1 200 OK\r\n\r\ninfo\n") as asked:
        done = run(capfd, "log", "--admin", tmp_path / "a.sock")
    assert (done.code, done.out) == (0, "info\n")
    assert asked[0].startswith(b"GET /log HTTP")


def test_the_level_is_set(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with admin_socket(tmp_path / "a.sock", b"HTTP/1.1 200 OK\r\n\r\ndebug\n") as asked:
        done = run(capfd, "log", "debug", "--admin", tmp_path / "a.sock")
    assert (done.code, done.out) == (0, "debug\n")
    assert asked[0].startswith(b"POST /log HTTP") and asked[0].endswith(b"\r\n\r\ndebug")


def test_a_level_that_there_is_not_is_a_mistake(capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "log", "loud")
    assert done.code == 2
    assert all(level.word in done.err for level in Level)


def test_nobody_there_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "log", "--admin", tmp_path / "nobody.sock")
    assert done.code == 3 and "no node answers" in done.err
