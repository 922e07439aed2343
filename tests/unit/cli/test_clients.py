"""`memrep clients`: who asks most comes first, and whoever is named can be hung up on."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from memrep.status.client_facts import ClientsStatus, HostSums
from tests.unit.cli.admin_socket import Done, admin_socket, run
from tests.unit.status.test_client_facts import TOLD

LATER = msgspec.structs.replace(
    TOLD, at=102.0, hosts=[HostSums("10.1.1.1", 1, 5, 300, 40_000), HostSums("10.2.2.2", 4, 40, 4_000, 80_000)]
)


@pytest.fixture(autouse=True)
def _nobody_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


def _ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n\r\n" + body


def _json(told: ClientsStatus) -> bytes:
    return _ok(msgspec.json.encode(told))


def _clients(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, answers: list[bytes], *arguments: str
) -> tuple[Done, list[bytes]]:
    path = tmp_path / "admin.sock"
    with admin_socket(path, *answers) as asked:
        done = run(capfd, "clients", "--admin", path, *arguments)
    return done, asked


def test_the_host_that_asks_most_is_first(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, asked = _clients(capfd, tmp_path, [_json(TOLD), _json(LATER)])
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()[2:]] == ["10.2.2.2", "10.1.1.1"]
    assert [request.split(b" HTTP")[0] for request in asked] == [b"GET /clients"] * 2


def test_one_host_can_be_looked_at(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, _ = _clients(capfd, tmp_path, [_json(TOLD), _json(LATER)], "10.1.1.1")
    assert "10.2.2.2" not in done.out
    done, _ = _clients(capfd, tmp_path, [_json(TOLD), _json(LATER)], "10.7.7.7")
    assert done.code == 1


def test_each_connection_can_be_looked_at(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, _ = _clients(capfd, tmp_path, [_json(TOLD)], "--each")
    assert "10.1.1.1:4000" in done.out


def test_json_is_the_nodes_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, _ = _clients(capfd, tmp_path, [_json(TOLD)], "-w", "json")
    assert msgspec.json.decode(done.out, type=ClientsStatus) == TOLD


@pytest.mark.parametrize(("count", "code"), [(2, 0), (0, 1)])
def test_those_that_are_named_are_hung_up_on(
    count: int, code: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done, asked = _clients(capfd, tmp_path, [_ok(b"%d\n" % count)], "--kill", "10.1.1.1")
    assert (done.code, done.out) == (code, f"hung up on {count}\n")
    assert asked[0].startswith(b"POST /clients/kill HTTP/1.0\r\n")
    assert asked[0].endswith(b"Content-Length: 8\r\n\r\n10.1.1.1")


def test_whom_to_hang_up_on_must_be_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done, asked = _clients(capfd, tmp_path, [], "--kill")
    assert (done.code, asked) == (2, [])


def test_nobody_answers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "clients", "--admin", tmp_path / "none")
    assert done.code == 3
    assert "no node answers" in done.err


def test_a_node_that_is_another_one_the_second_time_has_no_rates(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = msgspec.structs.replace(LATER, node="10.8.8.8:11211")
    done, _ = _clients(capfd, tmp_path, [_json(TOLD), _json(other)])
    assert done.code == 3
