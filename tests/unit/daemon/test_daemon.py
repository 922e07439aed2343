"""A whole daemon in this process: it hears signals, and what goes wrong in it is told and gone on from."""

from __future__ import annotations

import signal

import attrs
import pytest

from memrep.daemon.daemon import Daemon
from memrep.daemon.options import ServeOptions
from memrep.node.node import Node
from tests.real.processes import until
from tests.unit.daemon.served import PATIENCE_S, Served, connect, is_alive, refuses, serve


def test_a_sigterm_that_has_come_before_it_served_ends_it_all_the_same(options: ServeOptions) -> None:
    served = serve(options, Served.stop)
    assert "SIGTERM: stops\n" in served.log
    assert not served.distrusted


def test_a_sighup_is_answered_by_a_line_and_changes_nothing(options: ServeOptions) -> None:
    def visit(served: Served) -> None:
        with connect(options) as client:
            served.signals.append(signal.SIGHUP)
            until(lambda: not served.signals, PATIENCE_S, "the signal is heeded")
            assert is_alive(client)

    assert "SIGHUP: nothing is read anew" in serve(options, visit).log


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
