"""`memrep drain` and `memrep resume`: each asks, looks until it is over, and says what has come of it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from memrep.status.service_facts import DRAINED, DRAINING, IN_SERVICE, DrainOrder, ServiceStatus
from tests.unit.cli.admin_socket import Done, admin_socket, run

NODE = "10.1.1.1:11211"
DRAINS = ServiceStatus(NODE, DRAINING, ready=False, why="draining: an operator takes it out of service")
GONE = ServiceStatus(NODE, DRAINED, ready=False, why="leaving: it was drained")
SERVES = ServiceStatus(NODE, IN_SERVICE, ready=True)
STAYS = msgspec.structs.replace(SERVES, why="no other node holds everything any more")
JOINS = ServiceStatus(NODE, IN_SERVICE, ready=False, why="joining: fetches what it lacks")


@pytest.fixture(autouse=True)
def _nobody_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


def _ok(told: ServiceStatus) -> bytes:
    return b"HTTP/1.1 200 OK\r\n\r\n" + msgspec.json.encode(told)


def _run(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, answers: list[ServiceStatus | bytes], *words: str
) -> tuple[Done, list[bytes]]:
    path = tmp_path / "admin.sock"
    said = [answer if isinstance(answer, bytes) else _ok(answer) for answer in answers]
    with admin_socket(path, *said) as asked:
        done = run(capfd, *words, "--admin", path)
    return done, asked


def test_a_drain_is_asked_for_and_watched_until_the_node_has_left(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("drain", "--wait", "20", "--lame-duck", "3", "--force")
    done, asked = _run(capfd, tmp_path, [DRAINS, DRAINS, GONE], *words)
    assert done == (0, f"{NODE} is drained; `memrep resume` lets it serve again\n", "")
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /drain HTTP/1.0\r\n")
    assert msgspec.json.decode(body, type=DrainOrder) == DrainOrder(20, 3, True)
    assert {request.split(b" HTTP")[0] for request in asked[1:]} == {b"GET /drain"}


def test_it_is_asked_for_as_a_node_does_it_by_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, asked = _run(capfd, tmp_path, [GONE], "drain")
    assert msgspec.json.decode(asked[0].partition(b"\r\n\r\n")[2], type=DrainOrder) == DrainOrder()


@pytest.mark.parametrize("status", [b"409 Conflict", b"400 Bad Request"])
def test_a_node_that_will_not_says_why(
    status: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    refusal = b"HTTP/1.1 " + status + b"\r\n\r\nno other node serves\n"
    done, _ = _run(capfd, tmp_path, [refusal], "drain")
    assert done == (1, "", "memrep: no other node serves\n")


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([DRAINS, STAYS], f"{NODE} serves, and is not drained: no other node holds everything any more\n"),
        ([DRAINS], f"{NODE} is still draining; `memrep status` says more\n"),
    ],
)
def test_a_drain_that_comes_to_nothing_is_told(
    answers: list[ServiceStatus | bytes],
    says: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("memrep.cli.drain._SLACK_S", 0)
    done, _ = _run(capfd, tmp_path, answers, "drain", "--wait", "0.1")
    assert (done.code, done.out) == (1, says)


def test_a_node_is_let_in_again_and_waited_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, asked = _run(capfd, tmp_path, [GONE, JOINS, SERVES], "resume")
    assert done == (0, f"{NODE} serves\n", "")
    assert asked[0].startswith(b"POST /resume HTTP/1.0\r\n")


def test_who_does_not_wait_is_told_how_far_it_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, _ = _run(capfd, tmp_path, [JOINS], "resume", "--wait", "0")
    assert done == (1, f"{NODE} does not serve yet: joining: fetches what it lacks\n", "")


def test_json_is_the_nodes_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, _ = _run(capfd, tmp_path, [GONE], "drain", "-w", "json")
    assert msgspec.json.decode(done.out, type=ServiceStatus) == GONE


@pytest.mark.parametrize("command", ["drain", "resume"])
def test_nobody_answers(command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, command, "--admin", tmp_path / "none")
    assert (done.code, done.out) == (3, "")
    assert "no node answers" in done.err
