"""`memrep slow`: a table, or the node's own JSON; keys only where they are asked for."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from memrep.status.slow_facts import SlowListStatus
from tests.unit.cli.admin_socket import admin_socket, run
from tests.unit.status.test_slow_list import TOLD

ANSWER = b"HTTP/1.1 200 OK\r\n\r\n" + msgspec.json.encode(TOLD)


@pytest.mark.parametrize(("words", "target"), [((), b"/slow?keys=0"), (("--keys",), b"/slow?keys=1")])
def test_slow_commands_are_shown_as_a_table(
    words: tuple[str, ...], target: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "admin.sock"
    with admin_socket(path, ANSWER) as asked:
        done = run(capfd, "slow", "--admin", path, *words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("2 commands waited for 0.1 s or longer")
    assert asked[0].startswith(b"GET " + target + b" HTTP")


def test_json_is_the_nodes_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "admin.sock"
    with admin_socket(path, ANSWER):
        done = run(capfd, "slow", "--admin", path, "-w", "json")
    assert msgspec.json.decode(done.out, type=SlowListStatus) == TOLD


def test_nobody_answers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "slow", "--admin", tmp_path / "none").code == 3
