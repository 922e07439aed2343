"""A client's socket is closed so that the client hears an end, and no reset behind it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from memrep.daemon.lingering_close import LingeringClose


class _Reactor:
    """An epoll of which the test says when it wakes."""

    def __init__(self) -> None:
        self.handlers: dict[int, object] = {}

    def register(self, fd: int, handler: object, events: int) -> None:
        self.handlers[fd] = handler

    def unregister(self, fd: int) -> None:
        self.handlers.pop(fd)

    def wake(self) -> None:
        for handler in list(self.handlers.values()):
            handler.ready(1)  # type: ignore[attr-defined]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The node's and the client's end of a TCP connection."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        node, _ = listener.accept()
        stack.enter_context(node)
        node.setblocking(False)
        client.settimeout(5)
        yield node, client


def _begin(node: socket.socket) -> tuple[LingeringClose, _Reactor]:
    partings, reactor = LingeringClose(), _Reactor()
    partings.begin(node, reactor)  # type: ignore[arg-type]
    return partings, reactor


def test_a_client_that_speaks_after_the_goodbye_hears_the_end_and_no_reset(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    node, client = ends
    partings, reactor = _begin(node)
    client.sendall(b"get a\r\n")
    client.sendall(b"get b\r\n")
    reactor.wake()
    assert client.recv(100) == b""
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert len(partings) == 1


def test_when_the_client_has_ended_too_the_socket_is_closed(ends: tuple[socket.socket, socket.socket]) -> None:
    node, client = ends
    partings, reactor = _begin(node)
    client.close()
    reactor.wake()
    assert len(partings) == 0
    assert node.fileno() < 0
    assert reactor.handlers == {}


def test_who_never_ends_is_closed_in_time(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memrep.daemon.lingering_close._PATIENCE_S", 0.0)
    node, _ = ends
    partings, _ = _begin(node)
    partings.sweep()
    assert node.fileno() < 0
    assert len(partings) == 0


def test_who_sends_without_end_is_closed(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memrep.daemon.lingering_close._BYTES_MAX", 10)
    node, client = ends
    _, reactor = _begin(node)
    client.sendall(b"x" * 11)
    reactor.wake()
    assert node.fileno() < 0


def test_of_many_the_oldest_goes(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memrep.daemon.lingering_close._MANY", 1)
    node, _ = ends
    partings, reactor = _begin(node)
    one, other = socket.socketpair()
    with one, other:
        partings.begin(one, reactor)  # type: ignore[arg-type]
        assert node.fileno() < 0
        assert one.fileno() >= 0
        assert len(partings) == 1
        partings.close()


def test_a_goodbye_that_is_held_back_is_not_said_before_the_client_has_been_quiet_for_so_long(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    node, client = ends
    client.setblocking(False)
    partings, reactor = LingeringClose(), _Reactor()
    partings.begin(node, reactor, hold_s=3600.0)  # type: ignore[arg-type]
    partings.sweep()
    with pytest.raises(BlockingIOError):
        client.recv(1)
    (parting,) = partings._left
    client.sendall(b"GET a\r\n")
    reactor.wake()
    parting.say_goodbye(parting._quiet_since + 3599)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    parting.say_goodbye(parting._quiet_since + 3600)
    assert client.recv(1) == b""
