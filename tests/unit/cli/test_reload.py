"""`memrep reload`: what was taken is told, and so is what is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from memrep.status.reloads import Reloaded
from tests.unit.cli.admin_socket import Done, admin_socket, run


def _reload(capfd: pytest.CaptureFixture[str], tmp_path: Path, outcome: Reloaded) -> Done:
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + msgspec.json.encode(outcome)
    with admin_socket(tmp_path / "a.sock", answer) as asked:
        done = run(capfd, "reload", "--admin", tmp_path / "a.sock")
    assert asked[0].startswith(b"POST /reload HTTP")
    return done


def test_what_was_taken_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _reload(capfd, tmp_path, Reloaded(["memory", "tls_cert"])) == (0, "taken: memory tls_cert\n", "")
    assert _reload(capfd, tmp_path, Reloaded()) == (0, "taken: nothing has changed\n", "")


def test_what_is_refused_is_told_and_is_a_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = _reload(capfd, tmp_path, Reloaded(refused=["port needs a restart", "nodes needs one, too"]))
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        "memrep: refused: port needs a restart",
        "memrep: refused: nodes needs one, too",
        "memrep: nothing is taken; the node goes on as it was",
    ]


def test_nobody_there_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "reload", "--admin", tmp_path / "nobody.sock")
    assert done.code == 3 and "no node answers" in done.err
