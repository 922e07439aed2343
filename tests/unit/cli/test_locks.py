"""`memrep locks`: a table, or the node's own JSON; keys only where they are asked for."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from memrep.status.lock_facts import LocksStatus
from tests.unit.cli.admin_socket import admin_socket, run
from tests.unit.status.test_lock_list import TOLD

ANSWER = b"HTTP/1.1 200 OK\r\n\r\n" + msgspec.json.encode(TOLD)


@pytest.mark.parametrize(("words", "target"), [((), b"/locks?keys=0"), (("--keys",), b"/locks?keys=1")])
def test_locks_are_shown_as_a_table(
    words: tuple[str, ...], target: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "admin.sock"
    with admin_socket(path, ANSWER) as asked:
        done = run(capfd, "locks", "--admin", path, *words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("3 locks held, 3 wait at 10.1.1.1:11211\nSESSION ")
    assert asked[0].startswith(b"GET " + target + b" HTTP")


def test_json_is_the_nodes_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "admin.sock"
    with admin_socket(path, ANSWER):
        done = run(capfd, "locks", "--admin", path, "-w", "json")
    assert msgspec.json.decode(done.out, type=LocksStatus) == TOLD


def test_nobody_answers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "locks", "--admin", tmp_path / "none")
    assert done.code == 3
    assert "no node answers" in done.err
