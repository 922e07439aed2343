"""A client's socket is closed so that the client hears an end, and no reset behind it."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import evolve

from memrep.daemon.certificate import read_certificate
from memrep.daemon.lingering_close import LingeringClose
from memrep.daemon.tls import TlsSocket
from memrep.protocol.farewell import Farewell
from tests.harness.certificates import Authority

#: As with memcached's clients.
AT_ONCE = Farewell()

#: As with a Redis Cluster's, but for the time.
PATIENT = Farewell(hold_s=3600.0, word=b"-DOWN\r\n")


class _Reactor:
    """An epoll of which the test says when it wakes."""

    def __init__(self) -> None:
        self.handlers: dict[int, object] = {}

    def register(self, fd: int, handler: object, events: int) -> None:
        self.handlers[fd] = handler

    def unregister(self, fd: int) -> None:
        self.handlers.pop(fd)

    def spent(self) -> bool:
        return False

    def wake(self) -> None:
        """Let them hear what has been sent, which takes its time even to arrive here."""
        _comes(*self.handlers)
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


def _begin(node: socket.socket, farewell: Farewell = AT_ONCE) -> tuple[LingeringClose, _Reactor]:
    partings, reactor = LingeringClose(), _Reactor()
    partings.begin(node, reactor, farewell)  # type: ignore[arg-type]
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
        partings.begin(one, reactor, AT_ONCE)  # type: ignore[arg-type]
        assert node.fileno() < 0
        assert one.fileno() >= 0
        assert len(partings) == 1
        partings.close()


def _comes(*sockets: socket.socket | int) -> None:
    """Wait until something has arrived, be it the end."""
    assert select.select(sockets, [], [], 5)[0]


def _hears(client: socket.socket) -> bytes:
    _comes(client)
    return client.recv(100)


def _goes_by(partings: LingeringClose, seconds: float) -> None:
    (parting,) = partings._left
    assert parting._quiet_since is not None
    parting.say_goodbye(parting._quiet_since + seconds + 0.001)  # more than what floats lose


def _hears_nothing(client: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        client.recv(1)


def test_a_goodbye_that_is_held_back_is_not_said_before_the_client_has_been_quiet_for_so_long(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    node, client = ends
    client.setblocking(False)
    partings, reactor = _begin(node, Farewell(hold_s=3600.0))
    partings.sweep()
    _hears_nothing(client)
    client.sendall(b"GET a\r\n")
    reactor.wake()
    _goes_by(partings, 3599)
    _hears_nothing(client)
    _goes_by(partings, 3600)
    assert client.recv(1) == b""


def test_who_has_been_quiet_for_so_long_already_hears_the_end_at_once(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """Until somebody looks at the clock again, what he says would be thrown away."""
    node, client = ends
    partings, reactor = LingeringClose(), _Reactor()
    long_ago = time.monotonic() - PATIENT.hold_s
    partings.begin(node, reactor, PATIENT, long_ago)  # type: ignore[arg-type]
    assert client.recv(1) == b""
    assert len(partings) == 1


def test_who_waits_for_a_reply_hears_the_word_at_once_and_the_end_later(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    node, client = ends
    client.setblocking(False)
    partings, _ = _begin(node, evolve(PATIENT, due=True))
    assert _hears(client) == PATIENT.word
    partings.sweep()
    _hears_nothing(client)
    _goes_by(partings, 3600)
    assert client.recv(1) == b""


def test_who_says_something_before_the_end_hears_the_word_once_and_who_says_nothing_does_not(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    node, client = ends
    client.setblocking(False)
    partings, reactor = _begin(node, PATIENT)
    _hears_nothing(client)
    for _ in range(2):
        client.sendall(b"GET a\r\n")
        reactor.wake()
    _goes_by(partings, 3600)
    client.sendall(b"GET a\r\n")
    reactor.wake()
    assert _hears(client) == PATIENT.word
    assert _hears(client) == b""


def test_what_lies_in_the_socket_when_the_goodbye_is_to_be_said_is_heard_first(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that was stopped, or is busy, comes to say goodbye before it comes to listen."""
    node, client = ends
    client.setblocking(False)
    partings, _ = _begin(node, PATIENT)
    client.sendall(b"GET a\r\n")
    _comes(node)
    (parting,) = partings._left
    much_later = time.monotonic() + 3600
    monkeypatch.setattr(time, "monotonic", lambda: much_later)
    parting.say_goodbye(much_later)
    assert _hears(client) == PATIENT.word
    _hears_nothing(client)
    parting.say_goodbye(much_later + 3601)
    assert _hears(client) == b""


def test_who_has_ended_when_the_goodbye_is_to_be_said_is_closed(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    node, client = ends
    partings, _ = _begin(node, PATIENT)
    client.close()
    _goes_by(partings, 3600)
    assert len(partings) == 0
    assert node.fileno() < 0


def test_a_client_of_tls_hears_the_word_and_then_the_end_of_it(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("node")
    at_node = read_certificate(str(cert), str(key), None).context
    at_client = ssl.create_default_context(cafile=str(authority.cert))
    node, client = ends
    node.settimeout(5)
    with ThreadPoolExecutor() as elsewhere:
        connecting = elsewhere.submit(at_client.wrap_socket, client, server_hostname="127.0.0.1")
        tls = at_node.wrap_socket(node, server_side=True)
        guest = connecting.result()
    tls.setblocking(False)
    partings, reactor = LingeringClose(), _Reactor()
    partings.begin(TlsSocket(tls), reactor, PATIENT)  # type: ignore[arg-type]
    guest.sendall(b"GET a\r\n")
    reactor.wake()
    assert guest.recv(100) == PATIENT.word
    _goes_by(partings, 3600)
    assert guest.recv(100) == b""
    guest.sendall(b"GET a\r\n")
    reactor.wake()
    assert len(partings) == 1
    guest.close()
    reactor.wake()
    assert len(partings) == 0
