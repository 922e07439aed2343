"""Asking a node: who is asked, what is taken for an answer, and what is said where there is none."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from memrep.cli import asking
from memrep.cli.asking import ANSWER_MAX, Answer, NoAnswerError, Where, ask, attempts, where
from memrep.errors import UsageError
from tests.unit.cli.admin_socket import admin_socket, answering, http
from tests.unit.status.clusters import cluster

STATUS = cluster()


def _refused(place: Where, timeout_s: float = 5.0) -> str:
    """The one line that is said where nobody answers."""
    with pytest.raises(NoAnswerError) as error:
        ask(place, timeout_s)
    (line,) = str(error.value).splitlines()
    return line


def _admin(path: Path) -> Where:
    return Where(admin=str(path))


# --- the answer


def test_the_answer_is_a_status_and_the_bytes_it_came_in(tmp_path: Path) -> None:
    with admin_socket(tmp_path / "a", STATUS) as asked:
        answer = ask(_admin(tmp_path / "a"))
    assert answer == Answer(STATUS, msgspec.json.encode(STATUS))
    assert asked[0].startswith(b"GET /status HTTP/1.0\r\nHost: localhost\r\n")


def test_what_a_newer_node_says_besides_is_passed_over(tmp_path: Path) -> None:
    body = msgspec.json.encode({**msgspec.to_builtins(STATUS), "weather": "fine"})
    with admin_socket(tmp_path / "a", b"HTTP/1.1 200 OK\r\n\r\n" + body):
        assert ask(_admin(tmp_path / "a")).status == STATUS


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "it answers 'nothing', so it is no admin socket of memrep's"),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", "it answers 'HTTP/1.0 404 Not Found'"),
        (b"ERROR\r\n", "it answers 'ERROR'"),
        (b"\xff\x00\r\n", "it answers"),
        (b"HTTP/1.0 200 OK\r\n\r\n{", "its answer cannot be read: Input data was truncated"),
        (b"HTTP/1.0 200 OK\r\n\r\n[]", "its answer cannot be read: Expected `object`"),
        (b"HTTP/1.0 200 OK\r\n\r\n\xff", "its answer cannot be read"),
        (http(msgspec.structs.replace(STATUS, format=2)), "a newer memrep than this command"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + bytes(ANSWER_MAX), "longer than 4 MB"),
    ],
)
def test_what_is_no_answer_is_told_for_what_it_is(answer: bytes, says: str, tmp_path: Path) -> None:
    with admin_socket(tmp_path / "a", answer):
        line = _refused(_admin(tmp_path / "a"))
    assert f"{tmp_path}/a: " in line
    assert says in line


def test_a_node_that_stands_still_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "a"))
        listener.listen()
        assert "no answer within 0.1 s" in _refused(_admin(tmp_path / "a"), 0.1)


# --- nobody there


def test_where_there_is_no_socket_it_is_told_what_to_do(tmp_path: Path) -> None:
    line = _refused(_admin(tmp_path / "none"))
    assert line == (
        f"no node answers ({tmp_path}/none: no such file); see `systemctl status memrep`, or name the node's "
        "socket with --admin"
    )


def test_a_socket_of_a_node_that_has_ended(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp_path / "a"))
    assert "a: nobody listens" in _refused(_admin(tmp_path / "a"))


def test_who_may_not_ask_is_told_who_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(asking, "_fetch", refuse)  # nobody keeps root out
    assert "permission denied: be root or in the group memrep" in _refused(_admin(tmp_path / "a"))


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    assert "AF_UNIX path too long" in _refused(_admin(tmp_path / ("x" * 120)))


# --- over TCP


@pytest.fixture
def port() -> Iterator[int]:
    """The port of somebody who answers over TCP."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    number: int = listener.getsockname()[1]
    with answering(listener, http(STATUS)) as asked:
        yield number
    assert all(request.split(b"\r\n")[1] == b"Host: 127.0.0.1" for request in asked)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}", "http://127.0.0.1:{}/", "127.0.0.1:{}"])
def test_a_node_can_be_asked_over_tcp(url: str, port: int) -> None:
    assert ask(where(None, url.format(port), None)).status == STATUS


def test_a_url_may_have_an_address_of_ipv6() -> None:
    assert where(None, "http://[2001:db8::1]:31211", None).url == ("2001:db8::1", 31211)


@pytest.mark.parametrize(
    "url", ["https://a:1", "http://a", "http://a:0", "http://a:65536", "a:b", "http://a:1/x"]
)
def test_a_url_that_is_none_is_the_operators_mistake(url: str) -> None:
    with pytest.raises(UsageError, match="write http://HOST:PORT"):
        where(None, url, None)


def test_nobody_at_a_url_is_told_with_the_url() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        line = _refused(where(None, url, None))
    assert line.startswith(f"no node answers ({url}: nobody listens); ")
    assert "correct --url" in line


# --- whom to ask


def test_what_is_named_counts_before_the_config_file_and_that_before_a_search(tmp_path: Path) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text('admin = "/from/the/file"\nnodes = "a:1"\n')
    assert where("/named", None, str(config)).admin == "/named"
    assert where(None, None, str(config)).admin == "/from/the/file"
    assert where(None, None, None).admin == ""
    assert where("/named", "http://a:1", None).url == ("a", 1)


@pytest.mark.parametrize("text", ['nodes = "a:1"', "admin = false", 'admin = ""'])
def test_a_config_file_that_names_no_socket_leads_to_a_search(text: str, tmp_path: Path) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text(text)
    assert where(None, None, str(config)) == where(None, None, None)


@pytest.mark.parametrize("named", ["option", "config"])
def test_a_node_that_has_no_socket_is_not_looked_for(named: str, tmp_path: Path) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text('admin = "none"\n')
    with pytest.raises(UsageError, match="the node has no admin socket"):
        where("none" if named == "option" else None, None, str(config))


def test_a_search_looks_where_services_and_where_users_have_their_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    place = where(None, None, None)
    assert place.system == "/run/memrep/admin.sock"
    assert place.directories == ("/run/user/7/memrep", f"/tmp/memrep-{os.getuid()}")


def test_of_several_sockets_the_first_that_answers_counts(tmp_path: Path) -> None:
    place = Where(system=str(tmp_path / "none"), directories=(str(tmp_path / "missing"), str(tmp_path)))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "a.sock"))
    (tmp_path / "notes.txt").touch()
    with admin_socket(tmp_path / "b.sock", STATUS), admin_socket(tmp_path / "c.sock", cluster(1)):
        assert ask(place).status == STATUS
    line = _refused(place)
    for said in ("none: no such file", "missing/*.sock: no such file", "a.sock: nobody listens"):
        assert f"{tmp_path}/{said}" in line


def test_a_service_is_asked_first(tmp_path: Path) -> None:
    directory = tmp_path / "users"
    directory.mkdir()
    place = Where(system=str(tmp_path / "service"), directories=(str(directory),))
    with admin_socket(directory / "a.sock", cluster(1)), admin_socket(tmp_path / "service", STATUS):
        assert ask(place).status == STATUS


def test_a_directory_without_sockets_and_many_with_them_make_one_line_each_time(tmp_path: Path) -> None:
    place = Where(system=str(tmp_path / "none"), directories=(str(tmp_path),))
    assert f"{tmp_path}/*.sock: no such file" in _refused(place)
    for number in range(9):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / f"{number}.sock"))
    assert "; and 4 more)" in _refused(place)


def test_a_directory_that_somebody_else_has_made_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    with admin_socket(tmp_path / "a.sock", STATUS):
        line = _refused(Where(system=str(tmp_path / "none"), directories=(str(tmp_path),)))
    assert "the directory belongs to another user" in line


# --- again and again


class _Time:
    """A clock that goes on only when somebody rests."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rests: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Time:
    clock = _Time()
    monkeypatch.setattr(asking, "time", clock)
    return clock


def test_attempts_end_in_time_and_the_last_one_is_made_then(tmp_path: Path, clock: _Time) -> None:
    outcomes = list(attempts(_admin(tmp_path / "none"), 0.25, 0.6))
    assert clock.rests == pytest.approx([0.25, 0.25, 0.1])
    assert len(outcomes) == 4
    assert all(isinstance(outcome, NoAnswerError) for outcome in outcomes)


def test_attempts_without_an_end_go_on(tmp_path: Path, clock: _Time) -> None:
    with admin_socket(tmp_path / "a", STATUS, b"", cluster(1)):
        outcomes = attempts(_admin(tmp_path / "a"), 1.0, math.inf)
        first, second, third = (next(outcomes) for _ in range(3))
    assert isinstance(first, Answer)
    assert isinstance(second, NoAnswerError)
    assert isinstance(third, Answer)
    assert (third.status, clock.rests) == (cluster(1), [1.0, 1.0])
