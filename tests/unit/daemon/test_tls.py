"""A client's socket under TLS: it behaves as a plain one does, however records and packets are cut."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress

import pytest

from memrep.daemon.certificate import read_certificate
from memrep.daemon.reactor import READ, WRITE, Handler
from memrep.daemon.tls import TlsDoor, TlsSocket
from tests.harness.certificates import Authority


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What the node and its client speak with."""
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    cert, key = authority.issue("node")
    client = ssl.create_default_context(cafile=str(authority.cert))
    return read_certificate(str(cert), str(key), None).context, client


class Pair:
    """A node's end of a connection, and a client that chooses which bytes arrive when."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        here, self.wire = socket.socketpair()
        here.setblocking(False)
        self.wire.setblocking(False)
        self._heard, self._said = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self._heard, self._said, server_hostname="127.0.0.1")
        self._sock = server.wrap_socket(here, server_side=True, do_handshake_on_connect=False)
        self._shake_hands()
        self.tls = TlsSocket(self._sock)

    def _shake_hands(self) -> None:
        for _ in range(2):
            with suppress(ssl.SSLWantReadError):
                self.client.do_handshake()
            self.wire.send(self._said.read())
            with suppress(ssl.SSLWantReadError):
                self._sock.do_handshake()
            self._heard.write(self.wire.recv(1 << 20))

    def sealed(self, *parts: bytes) -> bytes:
        """What the client's bytes look like on the wire, each part in records of its own."""
        for part in parts:
            self.client.write(part)
        return self._said.read()

    def opened(self) -> bytes:
        """What the client has got so far."""
        data = b""
        with suppress(BlockingIOError):
            while heard := self.wire.recv(1 << 20):
                self._heard.write(heard)
        with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while part := self.client.read(1 << 20):
                data += part
        return data

    def close(self) -> None:
        self.wire.close()
        self._sock.close()


@pytest.fixture
def pair(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[Pair]:
    pair = Pair(*contexts)
    yield pair
    pair.close()


def test_half_a_record_is_nothing_yet(pair: Pair) -> None:
    sealed = pair.sealed(b"get cart\r\n")
    for byte in sealed[:-1]:
        pair.wire.send(bytes([byte]))
        with pytest.raises(BlockingIOError):
            pair.tls.recv(1 << 16)
    pair.wire.send(sealed[-1:])
    assert pair.tls.recv(1 << 16) == b"get cart\r\n"
    with pytest.raises(BlockingIOError):
        pair.tls.recv(1 << 16)


@pytest.mark.parametrize("size", [1, 16_383, 16_384, 16_385, 32_768, 65_536, 100_000])
def test_nothing_stays_behind_where_no_epoll_sees_it(pair: Pair, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    pair.wire.send(pair.sealed(data[:size]))
    received = b""
    while len(received) < size:
        part = pair.tls.recv(1 << 16)
        received += part
        assert pair._sock.pending() == 0
        assert len(part) < (1 << 16) + (1 << 14)
    assert received == data[:size]


def test_a_look_does_not_take_anything_away_and_sees_the_smallest_thing(pair: Pair) -> None:
    with pytest.raises(BlockingIOError):
        pair.tls.recv(1, socket.MSG_PEEK)
    sealed = pair.sealed(b"x")
    pair.wire.send(sealed[:1])
    assert pair.tls.recv(1, socket.MSG_PEEK) == sealed[:1]
    assert pair.tls.recv(1, socket.MSG_PEEK) == sealed[:1]
    pair.wire.send(sealed[1:])
    assert pair.tls.recv(1 << 16) == b"x"


def test_what_the_socket_does_not_take_can_be_sent_later_with_more_behind_it(pair: Pair) -> None:
    data = bytes(range(256)) * 8_192
    unsent, received = data, b""
    refused = 0
    while unsent:
        try:
            unsent = unsent[pair.tls.send(unsent) :]
        except BlockingIOError:
            refused += 1
            received += pair.opened()
            if refused == 1:
                unsent += b"the end"
    received += pair.opened()
    assert received == data + b"the end"
    assert refused > 1


def test_a_reply_of_many_records_is_sent_at_once_if_the_socket_takes_it(pair: Pair) -> None:
    data = b"v" * 50_000
    assert pair.tls.send(data) == len(data)
    assert pair.opened() == data


def test_the_end_is_told(pair: Pair) -> None:
    pair.tls.send(b"bye")
    pair.tls.close()
    assert pair.tls.fileno() < 0
    assert pair.opened() == b"bye"
    assert pair.wire.recv(1) == b""
    assert pair.client.read(1) == b""  # not a mere end of the bytes, which anybody could have made


def test_behind_the_end_a_bare_socket_is_left_on_which_the_client_can_be_heard_out(pair: Pair) -> None:
    pair.wire.send(pair.sealed(b"get a\r\n"))
    bare = pair.tls.farewell()
    bare.shutdown(socket.SHUT_WR)
    assert pair.opened() == b""
    assert pair.client.read(1) == b""
    pair.wire.send(b"whatever")
    assert bare.recv(1 << 16)[-8:] == b"whatever"
    with pytest.raises(BlockingIOError):
        bare.recv(1)
    pair.tls.close()
    assert pair.tls.fileno() < 0


@pytest.mark.parametrize("told", [True, False])
def test_a_clients_end_is_an_end_with_or_without_a_word(pair: Pair, told: bool) -> None:
    if told:
        with pytest.raises(ssl.SSLWantReadError):
            pair.client.unwrap()
        pair.wire.send(pair.sealed())
    pair.wire.shutdown(socket.SHUT_WR)
    assert pair.tls.recv(1 << 16) == b""


def test_what_is_no_record_breaks_the_connection(pair: Pair) -> None:
    pair.wire.send(b"get cart\r\n")
    with pytest.raises(OSError) as error:
        pair.tls.recv(1 << 16)
    assert not isinstance(error.value, BlockingIOError)


class _Reactor:
    """Remembers what it was asked to wait for."""

    turns = 1

    def __init__(self) -> None:
        self.events: dict[int, int] = {}
        self.handler: Handler

    def register(self, fd: int, handler: Handler, events: int) -> None:
        assert fd not in self.events
        self.events[fd] = events
        self.handler = handler

    def modify(self, fd: int, events: int) -> None:
        self.events[fd] = events

    def unregister(self, fd: int) -> None:
        del self.events[fd]


async def test_a_handshake_waits_for_whatever_it_lacks_and_then_the_client_is_let_in(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    here, wire = socket.socketpair()
    here.setblocking(False)
    jam = 0
    with suppress(BlockingIOError):
        while True:
            jam += here.send(b"jam")
    admitted: list[tuple[TlsSocket, str]] = []
    reactor = _Reactor()
    door = TlsDoor(contexts[0], lambda *client: admitted.append(client), pytest.fail)
    door.receive(reactor, here, "10.0.0.9")  # type: ignore[arg-type]
    ((fd, events),) = reactor.events.items()
    assert (events, len(door)) == (READ, 1)

    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = contexts[1].wrap_bio(heard, said, server_hostname="127.0.0.1")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = said.read()
    for part in (hello[:9], hello[9:]):
        assert reactor.events == {fd: READ}
        wire.send(part)
        reactor.handler.ready(READ)
    assert reactor.events == {fd: WRITE}
    while jam:
        jam -= len(wire.recv(jam))
    reactor.handler.ready(WRITE)
    assert reactor.events == {fd: READ}
    heard.write(wire.recv(1 << 20))
    client.do_handshake()
    wire.send(said.read())
    assert not admitted
    reactor.handler.ready(READ)
    ((sock, host),) = admitted
    assert (host, len(door), reactor.events) == ("10.0.0.9", 0, {})
    assert sock.fileno() == fd
    sock.close()
    wire.close()


def test_a_turn_makes_only_so_many_steps_and_the_next_goes_on(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    door = TlsDoor(contexts[0], lambda sock, host: None, lambda line: None)
    assert [door.may_step(1) for _ in range(6)] == [True] * 4 + [False] * 2
    assert door.may_step(2)
