"""A whole daemon in this process: it hears signals, and what goes wrong in it is told and gone on from."""

from __future__ import annotations

import signal
from pathlib import Path

import attrs
import pytest

from memrep.daemon.admin_socket import AdminPath
from memrep.daemon.daemon import Daemon
from memrep.daemon.host import Host
from memrep.daemon.http_server import HttpServer
from memrep.daemon.options import ServeOptions
from memrep.node.node import Node
from memrep.node.status import StatusReport
from memrep.status.facts import Status
from tests.harness.admin_client import ask
from tests.real.processes import until
from tests.unit.daemon.served import PATIENCE_S, Served, connect, is_alive, refuses, serve


def test_a_sigterm_that_has_come_before_it_served_ends_it_all_the_same(options: ServeOptions) -> None:
    served = serve(options, Served.stop)
    assert "SIGTERM: stops\n" in served.log
    assert not served.distrusted


def test_a_signal_that_means_nothing_is_answered_by_a_line(options: ServeOptions) -> None:
    def visit(served: Served) -> None:
        with connect(options) as client:
            served.signals.append(signal.SIGUSR1)
            until(lambda: not served.signals, PATIENCE_S, "the signal is heeded")
            assert is_alive(client)

    assert "SIGUSR1: nothing is to be done" in serve(options, visit).log


@pytest.mark.parametrize("enabled", [False, True])
def test_a_clients_shutdown_is_obeyed_only_where_that_is_enabled(options: ServeOptions, enabled: bool) -> None:
    def visit(served: Served) -> None:
        with connect(options) as client:
            client.sendall(b"shutdown\r\n")
            if enabled:
                served.stopped = True
                until(lambda: refuses(options), PATIENCE_S, "it stops")
            else:
                assert client.recv(100).startswith(b"ERROR")
                assert is_alive(client)

    serve(attrs.evolve(options, shutdown=enabled), visit)


def test_a_fault_in_a_turn_is_told_and_a_node_that_alone_holds_everything_goes_on(
    options: ServeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick, faults = Node.tick, [ZeroDivisionError() for _ in range(3)]

    def stumble(node: Node) -> None:
        if faults and node.open:
            raise faults.pop()
        tick(node)

    monkeypatch.setattr(Node, "tick", stumble)

    def visit(served: Served) -> None:
        with connect(options) as client:
            client.sendall(b"set a 0 0 1\r\n1\r\n")
            assert client.recv(100) == b"STORED\r\n"
            until(lambda: not faults, PATIENCE_S, "it has stumbled")
            client.sendall(b"get a\r\n")
            assert client.recv(100) == b"VALUE a 0 1\r\n1\r\nEND\r\n"

    served = serve(options, visit)
    assert not served.distrusted
    assert served.log.count("a fault in memrep; goes on") == 1


def test_a_task_that_fails_is_told_and_begun_anew(
    options: ServeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signals are heeded by one: without it the daemon would not end."""
    heed, faults = Daemon._heed_signals, [OSError("no luck")]

    def stumble(daemon: Daemon) -> None:
        if faults:
            raise faults.pop()
        heed(daemon)

    monkeypatch.setattr(Daemon, "_heed_signals", stumble)
    log = serve(options, lambda served: None).log
    assert "a tick has failed and is begun anew: no luck\n" in log
    assert "SIGTERM: stops\n" in log


def test_a_node_that_has_ticked_in_step_with_a_peer_does_not_tick_again_but_all_else_is_done(
    options: ServeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    heed, tick, hasten = Daemon._heed_signals, Node.tick, Host.hasten

    def note_heeding(daemon: Daemon) -> None:
        done.append("all else")
        heed(daemon)
        if len(done) == 5:
            daemon._reactor.errands.append(lambda: daemon._reactor.turn(lambda: done.append("a turn")))

    def note_tick(node: Node) -> None:
        done.append("tick")
        tick(node)

    def note_hastening(host: Host) -> None:
        done.append("at once")
        hasten(host)

    monkeypatch.setattr(Daemon, "_heed_signals", note_heeding)
    monkeypatch.setattr(Node, "tick", note_tick)
    monkeypatch.setattr(Host, "hasten", note_hastening)
    monkeypatch.setattr(Node, "in_step", lambda node: done[-1] == "a turn")
    serve(options, lambda served: until(lambda: len(done) > 12, PATIENCE_S, "it ticks"))
    place = done.index("a turn")
    assert done[place + 1 : place + 6] == ["tick", "at once", "all else", "all else", "tick"]


# --- the admin socket


@pytest.fixture
def admin(options: ServeOptions, tmp_path: Path) -> tuple[ServeOptions, Path]:
    """Options with an admin socket, and where it is."""
    path = tmp_path / "admin.sock"
    where = AdminPath(path=str(path), mode=0o600, named=True, own_directory=False)
    return attrs.evolve(options, admin=where), path


def test_an_operator_is_answered_while_the_node_serves_and_while_it_drains(
    admin: tuple[ServeOptions, Path],
) -> None:
    options, path = admin

    def visit(served: Served) -> None:
        with connect(options):
            until(lambda: ask(path, "/ready") == (200, "serving\n"), PATIENCE_S, "it is ready")
            served.stop()
            until(lambda: refuses(options), PATIENCE_S, "it drains")
            assert ask(path, "/ready") == (503, "leaving: was told to stop\n")
            assert ask(path, "/healthz") == (200, "ok\n")
            assert '"asked"' in ask(path, "/status")[1]

    serve(attrs.evolve(options, drain_ms=PATIENCE_S * 1000), visit)
    assert not path.exists()


def test_an_operator_is_answered_before_the_node_serves(
    admin: tuple[ServeOptions, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    options, path = admin
    monkeypatch.setattr(Node, "open", False)

    def visit(served: Served) -> None:
        assert ask(path, "/healthz") == (200, "ok\n")
        assert ask(path, "/ready") == (503, "waiting: its ports for clients are shut\n")
        assert refuses(options)

    serve(options, visit)


def test_a_status_that_cannot_be_told_costs_the_answer_and_nothing_else(
    admin: tuple[ServeOptions, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    options, path = admin

    def stumble(report: StatusReport) -> Status:
        raise ZeroDivisionError

    monkeypatch.setattr(StatusReport, "status", stumble)

    def visit(served: Served) -> None:
        with connect(options) as client:
            for target in ("/status", "/ready"):
                assert ask(path, target)[0] == 500
            assert ask(path, "/healthz")[0] == 200
            assert is_alive(client)

    served = serve(options, visit)
    assert not served.distrusted
    assert served.log.count("a request of HTTP could not be answered: ZeroDivisionError()\n") == 1


def test_a_task_at_the_admin_socket_that_fails_is_told_and_begun_anew(
    admin: tuple[ServeOptions, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    options, path = admin
    go_on, faults = HttpServer.serve, [OSError("no luck"), ValueError("nor here")]

    async def stumble(server: HttpServer) -> None:
        if faults:
            raise faults.pop()
        await go_on(server)

    monkeypatch.setattr(HttpServer, "serve", stumble)

    def visit(served: Served) -> None:
        assert ask(path, "/healthz")[0] == 200

    log = serve(options, visit).log
    assert "the admin socket has failed and is begun anew: no luck\n" in log
    assert "the admin socket has failed and is begun anew: ValueError('nor here')\n" in log
