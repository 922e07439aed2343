"""`memrep config`: what a node tells, as a table or as its JSON; where none runs, what a start would have."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import pytest

from memrep.status.config_facts import ConfigDiffStatus, ConfigStatus
from tests.unit.cli.admin_socket import admin_socket, run
from tests.unit.status import test_config_list as lists

_HEAD: Final = b"HTTP/1.1 200 OK\r\n\r\n"
TOLD: Final = _HEAD + msgspec.json.encode(lists.TOLD)
TOLD_DIFF: Final = _HEAD + msgspec.json.encode(lists.TOLD_DIFF)
TOLD_SAME: Final = _HEAD + msgspec.json.encode(msgspec.structs.replace(lists.TOLD_DIFF, differences=[]))


@pytest.mark.parametrize("words", [(), ("--effective",)])
def test_all_options_are_shown(
    words: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with admin_socket(tmp_path / "a.sock", TOLD) as asked:
        done = run(capfd, "config", "--admin", tmp_path / "a.sock", *words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("options of 10.1.1.1:11211, as they are now; ")
    assert asked[0].startswith(b"GET /config HTTP")


def test_a_difference_is_shown_and_is_an_exit_status(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    same = msgspec.structs.replace(lists.TOLD_DIFF, differences=[])
    failing = msgspec.structs.replace(same, refused="why")
    for told, status in ((lists.TOLD_DIFF, 1), (same, 0), (failing, 1)):
        with admin_socket(tmp_path / "a.sock", _HEAD + msgspec.json.encode(told)) as asked:
            done = run(capfd, "config", "--diff", "--admin", tmp_path / "a.sock")
        assert (done.code, done.err) == (status, "")
        assert asked[0].startswith(b"GET /config/diff HTTP")


def test_json_is_the_nodes_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with admin_socket(tmp_path / "a.sock", TOLD, TOLD_DIFF):
        done = run(capfd, "config", "--admin", tmp_path / "a.sock", "-w", "json")
        assert msgspec.json.decode(done.out, type=ConfigStatus) == lists.TOLD
        done = run(capfd, "config", "--diff", "--admin", tmp_path / "a.sock", "-w", "json")
        assert msgspec.json.decode(done.out, type=ConfigDiffStatus) == lists.TOLD_DIFF


@pytest.mark.parametrize("word", ["--effective", "--diff"])
def test_where_no_node_runs_that_is_said_and_a_start_is_shown(
    word: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMREP_CONNECTIONS", "77")
    config = tmp_path / "memrep.toml"
    config.write_text(f"memory = 32\nadmin = '{tmp_path / 'none.sock'}'\n")
    done = run(capfd, "config", word, "--config", config, "-w", "json")
    assert done.code == 3 and "no node answers" in done.err
    told = msgspec.json.decode(done.out, type=ConfigStatus)
    assert (told.running, told.file) == (False, str(config))
    shown = {option.name: (option.value, option.origin) for option in told.options}
    assert shown["memory"] == ("32", "file")
    assert shown["connections"] == ("77", "environment")


def test_another_machines_start_is_not_guessed(capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "config", "--url", "http://127.0.0.1:1")
    assert (done.code, done.out) == (3, "")


def test_who_wants_both_is_told_to_choose(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "config", "--diff", "--effective", "--admin", tmp_path / "a.sock")
    assert done.code == 2 and "leave one of them out" in done.err
