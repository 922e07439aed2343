"""An operator is answered by a node that answers no client: before it serves, and when it ends."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.harness.admin_client import ask

from .cluster import STOP_TIMEOUT_S, Cluster
from .processes import CHECKOUT, HOST, accepts, find_program, until

pytestmark = pytest.mark.real

#: Longer than any of these tests takes.
LONG_S = "300"


class Watched(Cluster):
    """Nodes of which only the first one runs, unless it is the only one; it has an admin socket."""

    @property
    def admin(self) -> Path:
        return self.directory / "admin.sock"

    def __enter__(self) -> Self:
        self.start(0)
        try:
            until(self.answers, STOP_TIMEOUT_S, "the admin socket answers")
        except BaseException as failure:
            self.__exit__(type(failure), failure, None)
            raise
        return self

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "--admin", str(self.admin), "--cold-start", LONG_S, "--drain", LONG_S]

    def answers(self) -> bool:
        try:
            return ask(self.admin, "/healthz") == (200, "ok\n")
        except (FileNotFoundError, ConnectionRefusedError):
            return False


def test_a_node_that_waits_for_the_others_is_asked_and_refuses_clients(tmp_path: Path) -> None:
    with Watched(3, tmp_path) as waiting:
        assert not accepts(waiting.ports[0])
        assert waiting.answers()
        waiting.stop(0)
        assert not waiting.admin.exists()


def test_a_node_that_drains_is_asked_until_its_last_client_has_gone(tmp_path: Path) -> None:
    with Watched(1, tmp_path) as draining:
        draining.wait_serving(0)
        with (
            socket.create_connection((HOST, draining.ports[0])) as client,
            draining.stopping(0),
        ):
            until(lambda: not accepts(draining.ports[0]), STOP_TIMEOUT_S, "it refuses others")
            assert draining.answers()
            client.close()
        assert not draining.admin.exists()


def test_curl_asks_as_the_page_says_and_a_node_that_was_killed_is_followed_by_one_that_answers(
    tmp_path: Path,
) -> None:
    curl = find_program("curl")
    with Watched(3, tmp_path) as waiting:
        for _ in range(2):
            told = subprocess.run(
                [curl, "--silent", "--fail", "--unix-socket", waiting.admin, "http://localhost/healthz"],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            assert told.stdout == "ok\n"
            waiting.kill(0)
            assert waiting.admin.is_socket()
            with pytest.raises(ConnectionRefusedError):
                ask(waiting.admin, "/healthz")
            waiting.start(0)
            until(waiting.answers, STOP_TIMEOUT_S, "the next one answers")


def test_a_second_node_leaves_the_socket_of_the_first_one_alone(tmp_path: Path) -> None:
    with Watched(3, tmp_path) as waiting:
        second = subprocess.run(
            waiting.argv(1), cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
        )
        assert second.returncode == 4
        assert f"memrep: --admin {waiting.admin}: another process answers there; stop it first" in second.stderr
        assert waiting.answers()


def test_a_node_tells_in_which_state_it_is_and_why_it_is_not_ready(tmp_path: Path) -> None:
    with Watched(3, tmp_path) as waiting:
        status, why = ask(waiting.admin, "/ready")
        assert status == 503 and why.count("\n") == 1
        told = json.loads(ask(waiting.admin, "/status")[1])
        assert told["asked"] == waiting.addresses[0]
        (asked,) = (node for node in told["nodes"] if node["asked"])
        assert why.startswith(asked["state"])
    with Watched(1, tmp_path) as alone:
        until(lambda: ask(alone.admin, "/ready") == (200, "serving\n"), STOP_TIMEOUT_S, "it is ready")
        with socket.create_connection((HOST, alone.ports[0])) as client, alone.stopping(0):
            until(lambda: not accepts(alone.ports[0]), STOP_TIMEOUT_S, "it refuses others")
            assert ask(alone.admin, "/ready")[0] == 503
            client.close()


def test_a_host_that_asks_and_asks_is_found_and_hung_up_on(tmp_path: Path) -> None:
    with Watched(1, tmp_path) as busy:
        busy.wait_serving(0)
        with socket.create_connection((HOST, busy.ports[0])) as client:
            for _ in range(50):
                client.sendall(b"version\r\n")
                assert client.recv(100).startswith(b"VERSION")
            told = json.loads(ask(busy.admin, "/clients")[1])
            host, port = client.getsockname()
            mine_at = f"{host}:{port}"
            (mine,) = (one for one in told["clients"] if one["address"] == mine_at)
            assert (mine["reads"], mine["received"], mine["protocol"]) == (50, 450, "memcached")
            assert sum(host["reads"] for host in told["hosts"]) >= 50
            command = [*busy.argv(0)[:3], "clients", "--admin", str(busy.admin), "--kill", HOST]
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
            assert (done.returncode, done.stdout) == (0, "hung up on 1\n"), done.stderr
            assert client.recv(100) == b""
        (sums,) = json.loads(ask(busy.admin, "/clients")[1])["hosts"]
        assert (sums["connected"], sums["reads"] >= 50) == (0, True)
