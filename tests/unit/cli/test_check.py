"""`memrep check`, as a monitoring system runs it: everything on standard output, and four exit statuses."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
import pytest

from memrep.status.checks import CHECKS
from memrep.status.facts import Status
from memrep.status.problems import find_problems
from tests.unit.cli.admin_socket import Done, admin_socket, run
from tests.unit.status.clusters import NAMES, cluster, gone

WELL = cluster()


def _without(*numbers: int) -> Status:
    """A cluster of which these nodes are gone, as a node tells of it."""
    status = WELL
    for number in numbers:
        status = gone(status, number)
    return msgspec.structs.replace(status, problems=find_problems(status))


def _check(capfd: pytest.CaptureFixture[str], tmp_path: Path, status: Status, *arguments: str) -> Done:
    path = tmp_path / "admin.sock"
    with admin_socket(path, status):
        done = run(capfd, "check", "--admin", path, *arguments)
    assert done.err == ""
    return done


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (WELL, 0, "MEMREP OK - 3 of 3 nodes serve | items=100212 bytes="),
        (_without(3), 1, f"MEMREP WARNING - 2 of 3 nodes serve; peers: {NAMES[2]} is down"),
        (_without(3, 2), 2, "MEMREP CRITICAL - 1 of 3 nodes serve; peers: "),
    ],
)
def test_the_verdict_and_the_exit_status_agree(
    status: Status, code: int, verdict: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = _check(capfd, tmp_path, status)
    assert done.code == code
    assert done.out.startswith(verdict)


def test_each_failed_check_has_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = _check(capfd, tmp_path, _without(3, 2)).out.splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == [
        "CRITICAL peers",
        "CRITICAL peers",
        "CRITICAL last-copy",
    ]


def test_checks_can_be_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status = _without(3)
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    assert _check(capfd, tmp_path, status, "serving", "last-copy").code == 0
    assert _check(capfd, tmp_path / "1", status, "serving", "peers").code == 1
    assert _check(capfd, tmp_path / "2", status, "safe-to-stop").code == 0


def test_json_has_the_same(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = _check(capfd, tmp_path, _without(3), "-w", "json")
    told = msgspec.json.decode(done.out)
    assert (done.code, told["result"], [finding["check"] for finding in told["findings"]]) == (
        1,
        "warning",
        ["peers"],
    )


def test_nobody_who_answers_is_unknown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "check", "--admin", tmp_path / "none")
    assert (done.code, done.err) == (3, "")
    assert done.out.startswith(f"MEMREP UNKNOWN - no node answers ({tmp_path}/none: no such file); ")
    done = run(capfd, "check", "--admin", tmp_path / "none", "-w", "json")
    assert (done.code, msgspec.json.decode(done.out)["result"]) == (3, "unknown")


def test_a_check_that_there_is_not_is_unknown_and_those_there_are_are_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    done = run(capfd, "check", "serving", "weather")
    assert (done.code, done.err) == (3, "")
    verdict, *lines = done.out.splitlines()
    assert verdict == "MEMREP UNKNOWN - there is no check 'weather'; the checks are"
    assert [line.split(maxsplit=1) for line in lines] == [[name, check.claim] for name, check in CHECKS.items()]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--surplus"],
        ["-w", "xml"],
        ["--timeout", "nan"],
        ["--url", "https://a:1"],
        ["--config", "/nowhere/memrep.toml"],
    ],
)
def test_no_mistake_is_taken_for_critical(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "check", *arguments)
    assert (done.code, done.err) == (3, "")
    (line,) = done.out.splitlines()
    assert line.startswith("MEMREP UNKNOWN - ")


@pytest.mark.parametrize(
    ("error", "says"), [(OSError(28, "No space left on device"), "No space"), (MemoryError(), "no memory")]
)
def test_what_the_system_refuses_is_unknown(
    error: BaseException, says: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("memrep.cli.asking.where", fail)
    done = run(capfd, "check")
    assert done.code == 3
    assert done.out.startswith(f"MEMREP UNKNOWN - {says}")


def test_a_reader_that_has_gone_is_no_alarm(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(click, "echo", fail)
    assert run(capfd, "check", "weather").code == 3


def test_help_has_every_check_with_its_claim(capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "check", "--help")
    assert done.code == 0
    for name, check in CHECKS.items():
        assert f"{name} " in done.out
        assert check.claim in done.out
