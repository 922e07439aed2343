"""`memrep sessions`: what is asked of a node, and what becomes of its answers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from memrep.status.session_facts import KilledStatus, KillOrder, SessionsStatus
from tests.unit.cli.admin_socket import Done, admin_socket, run
from tests.unit.status.test_session_list import NODE, SESSION, TOLD

OK = b"HTTP/1.1 200 OK\r\n\r\n"
NONE = msgspec.structs.replace(TOLD, total=0, size=0, sessions=[])


def _run(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    answer: SessionsStatus | KilledStatus | bytes,
    *words: str,
) -> tuple[Done, list[bytes]]:
    path = tmp_path / "admin.sock"
    said = answer if isinstance(answer, bytes) else OK + msgspec.json.encode(answer)
    with admin_socket(path, said) as asked:
        done = run(capfd, "sessions", *words, "--admin", path)
    return done, asked


def _order(request: bytes) -> KillOrder:
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /sessions/kill HTTP/1.0\r\n")
    return msgspec.json.decode(body, type=KillOrder)


@pytest.mark.parametrize(
    ("words", "target", "says"),
    [
        (("find", "memc.é"), b"/sessions/find?prefix=memc%2e%c3%a9", "2 items, 4 KB"),
        (("find",), b"/sessions/find?prefix=", "2 items, 4 KB"),
        (("show", r"a\xff"), b"/sessions/show?id=a%ff&value=0", "WRITTEN"),
        (
            ("count", "--match", "i:42;", "--prefix", "a"),
            b"/sessions/count?match=i%3a42%3b&prefix=a",
            "2 items",
        ),
    ],
)
def test_what_is_looked_for_is_asked_as_bytes(
    words: tuple[str, ...], target: bytes, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done, (request,) = _run(capfd, tmp_path, TOLD, *words)
    assert request.split(b" ")[:2] == [b"GET", target]
    assert (done.code, done.err) == (0, "")
    assert says in done.out


@pytest.mark.parametrize("words", [("find", "a"), ("show", "a"), ("count", "--match", "a")])
def test_where_there_is_none_the_exit_status_tells(
    words: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done, _ = _run(capfd, tmp_path, NONE, *words)
    assert (done.code, done.out) == (1, "0 items, 0 bytes, at 10.1.1.1:11211\n")


def test_a_value_is_written_as_it_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    value = b"\x00a\n"
    told = msgspec.structs.replace(TOLD, sessions=[msgspec.structs.replace(SESSION, value=value)])
    done, (request,) = _run(capfd, tmp_path, told, "show", "a", "--value")
    assert done == (0, "\x00a\n", "")
    assert request.startswith(b"GET /sessions/show?id=a&value=1 ")


def test_those_that_are_named_are_ended(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, (request,) = _run(capfd, tmp_path, KilledStatus(node=NODE, ended=2, locked=0), "kill", "a", "b")
    assert done == (0, "ended 2\n", "")
    assert _order(request) == KillOrder(ids=["a", "b"])


def test_very_many_names_go_in_several_requests_and_are_told_together(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [f"{n:0200}" for n in range(30)]
    done, asked = _run(capfd, tmp_path, KilledStatus(node=NODE, ended=5, locked=0), "kill", *names)
    assert len(asked) > 1
    assert all(len(request) < 8_192 for request in asked)
    assert [name for request in asked for name in _order(request).ids] == names
    assert done.out == f"ended {5 * len(asked)}\n"


def test_those_that_hold_something_are_ended_if_that_is_said_twice(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    killed = KilledStatus(node=NODE, ended=2, locked=0)
    done, asked = _run(capfd, tmp_path, killed, "kill", "--match", r"i:42;\x00")
    assert (done.code, asked) == (2, [])
    assert "--yes" in done.err
    done, (request,) = _run(capfd, tmp_path, killed, "kill", "--match", r"i:42;\x00", "--prefix", "a", "--yes")
    assert _order(request) == KillOrder(match=b"i:42;\x00", prefix="a")


@pytest.mark.parametrize("words", [(), ("a", "--match", "b", "--yes"), ("a", "--prefix", "b")])
def test_it_has_to_be_said_which(
    words: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done, asked = _run(capfd, tmp_path, b"", "kill", *words)
    assert (done.code, asked) == (2, [])


@pytest.mark.parametrize(
    "killed",
    [
        KilledStatus(node=NODE, ended=0, locked=0),
        KilledStatus(node=NODE, ended=1, locked=0, missing=["a"]),
        KilledStatus(node=NODE, ended=1, locked=0, left=1),
    ],
)
def test_what_is_not_ended_shows_in_the_exit_status(
    killed: KilledStatus, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _run(capfd, tmp_path, killed, "kill", "a")[0].code == 1


def test_a_node_that_will_not_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, _ = _run(capfd, tmp_path, b"HTTP/1.1 409 Conflict\r\n\r\nask another one\n", "find", "a")
    assert done == (1, "", "memrep: ask another one\n")


def test_json_is_the_nodes_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, _ = _run(capfd, tmp_path, TOLD, "find", "-w", "json")
    assert msgspec.json.decode(done.out, type=SessionsStatus) == TOLD


def test_nobody_answers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "sessions", "find", "a", "--admin", tmp_path / "none")
    assert done.code == 3
