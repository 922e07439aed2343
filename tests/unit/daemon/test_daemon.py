"""A whole daemon in this process: it ends in order, and what goes wrong in it is told and gone on from."""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import attrs
import pytest

from memrep.addresses import Address
from memrep.daemon.daemon import Daemon, Place, warning_of_strangers
from memrep.daemon.log import Log
from memrep.daemon.options import ServeOptions
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.protocol.users import Users
from memrep.replication.membership.timing import Timing
from tests.real.processes import HOST, PortLease, until

PATIENCE_S = 15


@pytest.fixture
def options() -> Iterator[ServeOptions]:
    """A node without others, at a free port; a busy machine may stop it for a while, and it does not mind."""
    lease = PortLease(1)
    me = Address(HOST, lease.ports[0])
    node = NodeOptions(nodes=[str(me)], timing=Timing.scaled(60_000))
    yield ServeOptions(node=node, nodes=[me], me=me, listen=HOST, port=me.port, drain_ms=0)
    lease.close()


class Served:
    """What has become of a daemon.

    Attributes:
        signals: those that it has not heeded yet.
        log: what it has said.
        distrusted: whether another one had to take its place.
        stopped: whether it has been told to stop; a second signal would end this process.
    """

    def __init__(self) -> None:
        self.signals: deque[int] = deque()
        self.log = ""
        self.distrusted = False
        self.stopped = False

    def stop(self) -> None:
        """Send it a SIGTERM, if it has not been told to stop."""
        if not self.stopped:
            self.stopped = True
            self.signals.append(signal.SIGTERM)


def _served(options: ServeOptions, visit: Callable[[Served], None]) -> Served:
    """Serve in this thread, while a visitor in another one talks to it; when he goes it is stopped, at last."""
    served = Served()
    failed: list[BaseException] = []

    def come() -> None:
        try:
            visit(served)
        except BaseException as error:
            failed.append(error)
        served.stop()

    with _journal() as (journal, said):
        place = Place.of(options)
        daemon = Daemon(options, place, journal, served.signals)
        visitor = Thread(target=come)
        visitor.start()
        daemon.serve()
        visitor.join(PATIENCE_S)
        place.give_up()
        served.distrusted = daemon.distrusted
        journal.close(PATIENCE_S)
        served.log = said()
    if failed:
        raise failed[0]
    return served


@contextmanager
def _journal() -> Iterator[tuple[Log, Callable[[], str]]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        yield Log(fd=writer), lambda: os.read(reader, 1 << 16).decode()
    finally:
        os.close(reader)
        os.close(writer)


def _connect(options: ServeOptions) -> socket.socket:
    """A client, as soon as the daemon takes any."""
    clients: list[socket.socket] = []

    def comes_in() -> bool:
        try:
            clients.append(socket.create_connection((HOST, options.port), timeout=PATIENCE_S))
        except ConnectionRefusedError:
            return False
        return True

    until(comes_in, PATIENCE_S, "the daemon listens")
    return clients[0]


def _refuses(options: ServeOptions) -> bool:
    try:
        socket.create_connection((HOST, options.port), timeout=PATIENCE_S).close()
    except ConnectionRefusedError:
        return True
    return False


def _is_alive(client: socket.socket) -> bool:
    client.sendall(b"mn\r\n")
    return client.recv(100) == b"MN\r\n"


def test_a_sigterm_that_has_come_before_it_served_ends_it_all_the_same(options: ServeOptions) -> None:
    served = _served(options, Served.stop)
    assert "SIGTERM: stops\n" in served.log
    assert not served.distrusted


def test_a_sighup_is_answered_by_a_line_and_changes_nothing(options: ServeOptions) -> None:
    def visit(served: Served) -> None:
        with _connect(options) as client:
            served.signals.append(signal.SIGHUP)
            until(lambda: not served.signals, PATIENCE_S, "the signal is heeded")
            assert _is_alive(client)

    assert "SIGHUP: nothing is read anew" in _served(options, visit).log


def test_while_it_drains_nobody_comes_in_and_who_is_in_is_served_until_he_goes(options: ServeOptions) -> None:
    """It waits for him no longer than told: this would last an hour."""

    def visit(served: Served) -> None:
        with _connect(options) as client:
            assert _is_alive(client)
            served.stop()
            until(lambda: _refuses(options), PATIENCE_S, "the port is shut")
            assert _is_alive(client)
            client.sendall(b"quit\r\n")
            assert client.recv(1) == b""

    _served(attrs.evolve(options, drain_ms=3_600_000), visit)


def test_who_stays_when_the_drain_is_over_hears_an_end(options: ServeOptions) -> None:
    def visit(served: Served) -> None:
        with _connect(options) as client:
            assert _is_alive(client)
            served.stop()
            assert client.recv(1) == b""

    _served(options, visit)


@pytest.mark.parametrize("enabled", [False, True])
def test_a_clients_shutdown_is_obeyed_only_where_that_is_enabled(options: ServeOptions, enabled: bool) -> None:
    def visit(served: Served) -> None:
        with _connect(options) as client:
            client.sendall(b"shutdown\r\n")
            if enabled:
                served.stopped = True
                until(lambda: _refuses(options), PATIENCE_S, "it stops")
            else:
                assert client.recv(100).startswith(b"ERROR")
                assert _is_alive(client)

    _served(attrs.evolve(options, shutdown=enabled), visit)


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
        with _connect(options) as client:
            client.sendall(b"set a 0 0 1\r\n1\r\n")
            assert client.recv(100) == b"STORED\r\n"
            until(lambda: not faults, PATIENCE_S, "it has stumbled")
            client.sendall(b"get a\r\n")
            assert client.recv(100) == b"VALUE a 0 1\r\n1\r\nEND\r\n"

    served = _served(options, visit)
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
    log = _served(options, lambda served: None).log
    assert "a tick has failed and is begun anew: no luck\n" in log
    assert "SIGTERM: stops\n" in log


# --- a place


def test_a_place_has_its_port_before_anybody_is_let_in_and_until_it_is_given_up(options: ServeOptions) -> None:
    place = Place.of(options)
    (listener,) = place.listeners
    assert _refuses(options)
    assert listener.sock is not None and listener.sock.getsockname() == (HOST, options.port)
    assert place.links == []
    place.give_up()
    again = Place.of(options)
    again.give_up()
    assert again.listeners[0].sock is None


# --- what is open to whom


def test_of_a_port_that_only_a_private_network_reaches_nothing_is_said(options: ServeOptions) -> None:
    for listen in (HOST, "10.1.1.1", "192.168.1.1", "fd00::1", "::1"):
        assert warning_of_strangers(attrs.evolve(options, listen=listen)) == ""


def test_of_a_port_in_public_is_said_whatever_has_not_been_done_and_nothing_else(options: ServeOptions) -> None:
    public = attrs.evolve(options, listen="8.8.8.8")
    alone = warning_of_strangers(public)
    assert "8.8.8.8" in alone and "--auth-file" in alone and "--tls-cert" in alone
    assert "--secret-file" not in alone  # there is no other node
    assert "--auth-file" not in warning_of_strangers(
        attrs.evolve(public, node=attrs.evolve(public.node, users=Users({})))
    )
    two = attrs.evolve(public, nodes=[public.me, Address("8.8.4.4", 11211)])
    assert "--secret-file" in warning_of_strangers(two)
    assert "--secret-file" not in warning_of_strangers(
        attrs.evolve(two, node=attrs.evolve(two.node, secret=b"s" * 32))
    )
