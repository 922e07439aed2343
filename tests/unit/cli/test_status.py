"""`memrep status`: what it shows, what its exit status says, and what it waits for."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec
import pytest

from memrep.cli import asking
from memrep.cli import status as command
from memrep.status.facts import Status
from memrep.status.table import render
from tests.unit.cli.admin_socket import Done, admin_socket, run
from tests.unit.status.clusters import DETOUR, NAMES, OLD, cluster, with_node

WELL = cluster()
JOINING = with_node(WELL, 1, state="joining", why="fetches")
PEER_JOINS = with_node(WELL, 3, state="joining", why="fetches")
DETOURED = cluster(problems=[DETOUR])


@pytest.fixture(autouse=True)
def _nobody_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


def _status(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, answers: list[Status | bytes], *arguments: str
) -> Done:
    path = tmp_path / "admin.sock"
    with admin_socket(path, *answers):
        return run(capfd, "status", "--admin", path, *arguments)


def test_the_table_is_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _status(capfd, tmp_path, [WELL]) == Done(0, f"{render(WELL)}\n", "")


def test_all_that_is_known_is_shown_to_who_wants_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _status(capfd, tmp_path, [WELL], "-w", "wide") == Done(0, f"{render(WELL, wide=True)}\n", "")


def test_json_is_the_nodes_own_with_what_this_version_does_not_know(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = {**msgspec.to_builtins(WELL), "weather": "fine"}
    done = _status(capfd, tmp_path, [b"HTTP/1.0 200 OK\r\n\r\n" + msgspec.json.encode(said)], "-w", "json")
    assert done.code == 0
    assert msgspec.json.decode(done.out) == said
    assert '\n  "weather": "fine"' in done.out


@pytest.mark.parametrize("form", ["table", "json", "wide"])
@pytest.mark.parametrize("problem", [DETOUR, OLD])
def test_problems_are_exit_status_1(
    form: str, problem: msgspec.Struct, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status = msgspec.structs.replace(WELL, problems=[problem])
    assert _status(capfd, tmp_path, [status], "-w", form).code == 1


def test_nobody_who_answers_is_exit_status_3_and_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run(capfd, "status", "--admin", tmp_path / "none")
    assert (done.code, done.out) == (3, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"memrep: no node answers ({tmp_path}/none: no such file); ")


def test_the_environment_may_say_whom_to_ask(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text(f'admin = "{tmp_path}/admin.sock"\n')
    with admin_socket(tmp_path / "admin.sock", WELL):
        monkeypatch.setenv("MEMREP_CONFIG", str(config))
        assert run(capfd, "status").code == 0
        monkeypatch.setenv("MEMREP_ADMIN", str(tmp_path / "none"))
        assert run(capfd, "status").code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wait", "ready", "--watch"],
        ["--wait", "soon"],
        ["-w", "xml"],
        ["--timeout", "0"],
        ["--timeout", "nan"],
        ["--url", "https://a:1"],
        ["--config", "/nowhere/memrep.toml"],
    ],
)
def test_a_mistake_is_exit_status_2_and_one_line(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    done = run(capfd, "status", *arguments)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)


# --- waiting


@pytest.mark.parametrize(
    ("goal", "before", "then"),
    [
        ("ready", [b"", JOINING], PEER_JOINS),
        ("full", [JOINING, PEER_JOINS], DETOURED),
        ("all", [JOINING, PEER_JOINS, DETOURED], WELL),
    ],
)
def test_what_is_waited_for_is_shown_when_it_has_come(
    goal: str, before: list[Status | bytes], then: Status, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _status(capfd, tmp_path, [*before, then], "--wait", goal) == Done(0, f"{render(then)}\n", "")


@pytest.mark.parametrize(
    ("goal", "status", "reason"),
    [
        ("ready", JOINING, f"{NAMES[0]} is joining (fetches)"),
        ("full", PEER_JOINS, f"{NAMES[2]} is joining (fetches)"),
        ("all", DETOURED, DETOUR.text),
    ],
)
def test_who_waits_in_vain_is_told_what_is_missing(
    goal: str, status: Status, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = _status(capfd, tmp_path, [status], "--wait", goal, "--timeout", "0.1")
    assert done == Done(1, "", f"memrep: waited in vain for `{goal}`: {reason}\n")


def test_who_waits_for_a_node_that_never_starts_is_told_that(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run(capfd, "status", "--admin", tmp_path / "none", "--wait", "ready", "--timeout", "0.1")
    assert done.code == 1
    assert "no node answers" in done.err


# --- watching


def test_it_is_shown_anew_until_it_is_interrupted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []

    def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", rest)
    done = _status(capfd, tmp_path, [WELL, b"", DETOURED], "--watch")
    assert done.code == 130
    assert rests == [1.0, 1.0, 1.0]
    well, _, detoured = done.out.partition("memrep: no node answers")
    assert well == f"{render(WELL)}\n"
    assert detoured.endswith(f"\n{render(DETOURED)}\n")


def test_a_terminal_is_cleared_and_a_file_is_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with admin_socket(tmp_path / "a", WELL):
        outcome = asking.ask(asking.Where(admin=str(tmp_path / "a")))
    command._watch([outcome], "table")
    assert "\x1b" not in capfd.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    written: list[str] = []
    monkeypatch.setattr(click, "echo", written.append)
    command._watch([outcome], "table")
    assert written == [f"\x1b[H\x1b[2J{render(WELL)}"]
