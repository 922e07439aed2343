"""A server at one socket: a task for each client, so many at most, and no failure of one is another's."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from memrep.daemon.guard import Troubles
from memrep.daemon.http_exchange import Answer, Request, one_line
from memrep.daemon.http_server import CONNECTIONS_MAX, HttpServer

GET = b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"
PATIENCE_S = 30


@pytest.fixture(autouse=True)
def _nobody_is_hung_up_on_because_the_machine_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDLE_S", "REQUEST_S", "ANSWER_S", "_PART_S"):
        monkeypatch.setattr(f"memrep.daemon.http_exchange.{name}", 10 * PATIENCE_S)


class _Listening(socket.socket):
    """A socket at which `accept` fails with these errors first."""

    def __init__(self) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self.errors: list[int] = []

    def accept(self) -> tuple[socket.socket, object]:
        if self.errors:
            number = self.errors.pop()
            raise OSError(number, os.strerror(number))
        return super().accept()


class Served:
    """A server, and where it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[str] = []
        self.sock = _Listening()
        self.sock.setblocking(False)
        self.sock.bind(str(path))
        self.sock.listen()
        self.server = self.make_server()
        self.over = trio.CancelScope()

    def make_server(self, *others: socket.socket) -> HttpServer:
        return HttpServer("the door", [self.sock, *others], self.handle, Troubles(self.said.append))

    async def serve(self) -> None:
        with self.over:
            await self.server.serve()

    def handle(self, request: Request) -> Answer:
        return one_line(200, "ok")

    async def connect(self) -> trio.SocketStream:
        return await trio.open_unix_socket(str(self.path))

    async def answers(self) -> bool:
        async with await self.connect() as client:
            return await ask(client) == b"200"


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Served]:
    served = Served(path / "socket")
    try:
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(served.serve)
                yield served
                nursery.cancel_scope.cancel()
    finally:
        served.sock.close()


async def hear(client: trio.SocketStream) -> bytes:
    """The status of what is said without a question, before the end."""
    heard = b""
    async with client:
        while data := await client.receive_some():
            heard += data
    return heard[9:12]


async def ask(client: trio.SocketStream) -> bytes:
    """The status of the answer."""
    await client.send_all(GET)
    heard = b""
    while not heard.endswith(b"\r\n\r\nok\n"):
        data = await client.receive_some()
        if not data:
            break
        heard += data
    return heard[9:12]


async def test_many_are_served_at_a_time_and_one_more_is_told_that_there_is_no_room(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        clients = [await served.connect() for _ in range(CONNECTIONS_MAX)]
        for client in clients:
            assert await ask(client) == b"200"
        assert await hear(await served.connect()) == b"503"
        assert not await served.answers()
        for client in clients:
            assert await ask(client) == b"200"
        await clients[0].aclose()
        while not await served.answers():
            pass  # the one that has gone is still being parted from
        for client in clients:
            await client.aclose()
        assert served.said == []


async def test_so_many_are_turned_away_at_a_time_and_who_comes_on_top_is_hung_up_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        clients = [await served.connect() for _ in range(2 * CONNECTIONS_MAX)]
        assert await hear(await served.connect()) == b""
        for client in clients[CONNECTIONS_MAX:]:
            assert await hear(client) == b"503"
        for client in clients[:CONNECTIONS_MAX]:
            assert await ask(client) == b"200"
            await client.aclose()


async def test_an_accept_that_fails_is_told_and_who_waits_is_served_when_it_is_possible_again(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as served, await served.connect() as before:
        assert await ask(before) == b"200"
        served.sock.errors = [errno.EMFILE, errno.EINTR, errno.EAGAIN, errno.EMFILE]
        assert await served.answers()
        assert await ask(before) == b"200"
    assert served.said == [f"cannot accept at the door: {os.strerror(errno.EMFILE)}"]


async def test_another_server_takes_over_the_socket_and_those_who_wait_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await served.answers()
        served.over.cancel()
        client = await served.connect()
        await client.send_all(GET)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(served.make_server().serve)
            assert await ask(client) == b"200"
            await client.aclose()
            nursery.cancel_scope.cancel()


async def test_there_is_room_for_so_many_at_all_its_sockets_together(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.over.cancel()
        await trio.testing.wait_all_tasks_blocked()  # it has let go of the socket
        with socket.socket(socket.AF_INET) as other:
            other.setblocking(False)
            other.bind(("127.0.0.1", 0))
            other.listen()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(served.make_server(other).serve)
                clients = [await served.connect() for _ in range(CONNECTIONS_MAX // 2)]
                clients += [
                    await trio.open_tcp_stream(*other.getsockname()) for _ in range(CONNECTIONS_MAX // 2)
                ]
                for client in clients:
                    assert await ask(client) == b"200"
                assert await hear(await trio.open_tcp_stream(*other.getsockname())) == b"503"
                assert await hear(await served.connect()) == b"503"
                for client in clients:
                    await client.aclose()
                nursery.cancel_scope.cancel()


async def test_when_it_ends_its_clients_are_hung_up_on_and_the_socket_is_left(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        client = await served.connect()
        assert await ask(client) == b"200"
    assert await client.receive_some() == b""
    await client.aclose()


@pytest.mark.parametrize("data", [b"", b"GET", b"nonsense\r\n\r\n", GET * 100])
async def test_a_client_that_goes_at_once_harms_nobody(tmp_path: Path, data: bytes) -> None:
    async with serving(tmp_path) as served:
        for _ in range(20):
            async with await served.connect() as client:
                await client.send_all(data)
        assert await served.answers()
        assert served.said == []
