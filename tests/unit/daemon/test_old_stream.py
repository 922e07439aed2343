"""Whole lines and counted bytes come out of a stream however they were cut; what goes wrong is one error."""

from __future__ import annotations

import socket

import pytest
import trio
from trio.testing import memory_stream_pair

from memrep.daemon.names import Endpoint
from memrep.daemon.old_stream import OldStream, SilentError
from memrep.handlers.places import Server


async def test_lines_and_bytes_are_put_together_however_they_come() -> None:
    ours, theirs = memory_stream_pair()
    stream = OldStream(ours)
    await stream.send(b"hello")
    assert await theirs.receive_some() == b"hello"
    async with trio.open_nursery() as nursery:

        async def speak() -> None:
            for byte in b"VA 3\r\nabc\r\nEN\r\n":
                await theirs.send_all(bytes([byte]))

        nursery.start_soon(speak)
        assert await stream.line() == b"VA 3"
        assert await stream.exactly(5) == b"abc\r\n"
        assert await stream.line() == b"EN"


async def test_who_hangs_up_is_silent() -> None:
    ours, theirs = memory_stream_pair()
    await theirs.send_all(b"half a li")
    await theirs.aclose()
    stream = OldStream(ours)
    with pytest.raises(SilentError, match="hangs up"):
        await stream.line()
    with pytest.raises(SilentError, match="hangs up"):
        await stream.exactly(20)
    with pytest.raises(SilentError, match="hangs up"):
        await stream.send(b"x")


async def test_a_line_without_an_end_is_none() -> None:
    ours, theirs = memory_stream_pair()
    await theirs.send_all(b"x" * 70_000)
    with pytest.raises(SilentError, match="more than a line"):
        await OldStream(ours).line()


async def test_a_server_is_called_at_all_addresses_of_its_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        found = [Endpoint(socket.AF_INET, each.getsockname()) for each in (taken, there)]

        async def look_up(host: str, port: int) -> list[Endpoint]:
            assert (host, port) == ("old", 11211)
            return found

        stream = await OldStream.to(Server("old", 11211), look_up)
        await stream.close()
        del found[1]
        with pytest.raises(SilentError, match="refused"):
            await OldStream.to(Server("old", 11211), look_up)
        found.clear()
        with pytest.raises(SilentError, match="no address"):
            await OldStream.to(Server("old", 11211), look_up)


async def test_a_unix_socket_that_is_not_there_is_silent() -> None:
    async def look_up(host: str, port: int) -> list[Endpoint]:
        raise AssertionError

    with pytest.raises(SilentError):
        await OldStream.to(Server("", 0, "/nonexistent/memcached.sock"), look_up)
