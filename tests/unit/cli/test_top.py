"""`memrep top` asks four things of a node, and shows them on one screen."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from tests.unit.cli.admin_socket import admin_socket, http, run
from tests.unit.status.clusters import cluster
from tests.unit.status.test_client_facts import TOLD as CLIENTS
from tests.unit.status.test_lock_list import TOLD as LOCKS
from tests.unit.status.test_slow_list import TOLD as WAITED

ROUND = [http(cluster()), *(b"HTTP/1.1 200 OK\r\n\r\n" + msgspec.json.encode(told) for told in (LOCKS, WAITED))]
ASKED = b"HTTP/1.1 200 OK\r\n\r\n" + msgspec.json.encode(CLIENTS)


@pytest.fixture(autouse=True)
def _nobody_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.mark.parametrize(("words", "keys"), [((), b"0"), (("--keys",), b"1")])
def test_all_is_on_one_screen(
    words: tuple[str, ...], keys: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "admin.sock"
    with admin_socket(path, ASKED, ASKED, *ROUND) as asked:
        done = run(capfd, "top", "--once", "--admin", path, *words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("cluster ")
    assert "10.1.1.1" in done.out and "waited for" in done.out and "held" in done.out
    assert [request.split(b" HTTP")[0] for request in asked] == [
        b"GET /clients", b"GET /clients", b"GET /status", b"GET /locks?keys=" + keys, b"GET /slow?keys=" + keys
    ]  # fmt: skip


def test_it_goes_on_until_nobody_answers_any_more(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "admin.sock"
    gone = b"HTTP/1.1 503 Service Unavailable\r\n\r\ngone\n"
    with admin_socket(path, ASKED, ASKED, *ROUND, ASKED, ASKED, *ROUND, gone):
        done = run(capfd, "top", "--admin", path)
    assert done.code == 3
    assert done.out.count("cluster ") == 2
    assert "no node answers" in done.err


def test_what_a_port_for_everybody_does_not_tell_is_not_asked_there(capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "top", "--url", "http://10.1.1.1:31211")
    assert done.code == 2
    assert "ask on that machine" in done.err
