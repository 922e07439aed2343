"""A whole daemon's admin socket has the pages for everybody, those of clients, and all desks."""

from __future__ import annotations

from pathlib import Path

from memrep.daemon.options import ServeOptions
from tests.harness.admin_client import ask, post
from tests.unit.daemon.served import Served, connect, serve


def test_what_there_is_is_told_to_who_asks_for_something_else(watched: ServeOptions, socket: Path) -> None:
    def visit(served: Served) -> None:
        status, body = ask(socket, "/nothing")
        assert status == 404
        assert body.rstrip() == (
            "there is no such page; there are / /healthz /ready /status /metrics /clients /drain /locks /slow "
            "/sessions/find /sessions/show /sessions/count /log /config /config/diff /clients/kill /resume "
            "/sessions/kill /reload"
        )

    serve(watched, visit)


def test_clients_are_hung_up_on_by_a_turn_of_the_nodes(watched: ServeOptions, socket: Path) -> None:
    def visit(served: Served) -> None:
        with connect(watched) as client:
            client.sendall(b"version\r\n")
            assert client.recv(100).startswith(b"VERSION")
            host, port = client.getsockname()
            assert post(socket, "/clients/kill", f"{host}:{port}".encode()) == (200, "1\n")
            assert client.recv(100) == b""

    serve(watched, visit)
