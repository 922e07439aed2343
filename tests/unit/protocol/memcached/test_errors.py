"""A refusal tells a client's library whose fault it was; a browser is refused without a word."""

from __future__ import annotations

import pytest

from memrep.protocol.memcached.errors import (
    BAD_EXPTIME,
    BAD_LINE,
    ERROR,
    NO_NUMBER,
    OUT_OF_MEMORY,
    speaks_http,
)
from tests.harness.lone_node import lone_node


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"nonsense", ERROR),
        (b"touch a soon", BAD_EXPTIME),
        (b"incr word 1", NO_NUMBER),
        (b"get " + b"k" * 251, BAD_LINE),
    ],
)
def test_a_refusal_is_one_line_behind_which_the_conversation_goes_on(line: bytes, answer: bytes) -> None:
    client = lone_node().connect()
    client.receive(b"set word 0 0 1\r\nx\r\n")
    assert client.receive(line + b"\r\nmn\r\n") == answer + b"MN\r\n"


def test_what_there_is_no_memory_for_is_the_servers_fault_and_all_else_the_clients() -> None:
    assert OUT_OF_MEMORY.startswith(b"SERVER_ERROR ")
    assert all(error.startswith(b"CLIENT_ERROR ") for error in (BAD_LINE, BAD_EXPTIME, NO_NUMBER))


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1",
        b"POST /path?query HTTP/1.0",
        b"OPTIONS * HTTP/1.1",
        b"x HTTP/2",
        b"Host: localhost:11211",
        b"HOST: x",
        b"host:x",
        b"host:",
    ],
)
def test_these_are_lines_of_http(line: bytes) -> None:
    assert speaks_http(line.split())


@pytest.mark.parametrize(
    "line",
    [b"", b"host", b"hosts: x", b"a host: x", b"ho st: x", b"GET /", b"http/1.1", b"xHTTP/1.1", b"HTTP 1.1"],
)
def test_these_are_none(line: bytes) -> None:
    assert not speaks_http(line.split())


@pytest.mark.parametrize("first", [b"POST / HTTP/1.1", b"host: localhost:11211"])
def test_of_what_a_browser_sends_nothing_is_answered_and_nothing_executed(first: bytes) -> None:
    lone = lone_node()
    browser = lone.connect()
    request = first + b"\r\nAccept: */*\r\n\r\nset a 0 0 1\r\nx\r\nget a\r\n"
    assert browser.receive(request) == b""
    assert browser.closing
    assert lone.connect().receive(b"get a\r\n") == b"END\r\n"
