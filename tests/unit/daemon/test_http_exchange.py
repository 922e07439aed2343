"""HTTP over one stream: whatever is sent, it costs this connection, so many bytes and so many seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MemorySendStream, MockClock, memory_stream_pair

from memrep.daemon.http_exchange import (
    ANSWER_S,
    IDLE_S,
    REQUEST_MAX,
    REQUEST_S,
    Answer,
    Handle,
    Request,
    not_allowed,
    one_line,
    serve_http,
    turn_away,
)

Stream = trio.StapledStream[MemorySendStream, trio.testing.MemoryReceiveStream]

GET = b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"

#: How a request may come: in one piece, or in many.
FEEDINGS: dict[str, Callable[[bytes], list[bytes]]] = {
    "whole": lambda data: [data],
    "byte by byte": lambda data: [data[i : i + 1] for i in range(len(data))],
    "in halves": lambda data: [data[: len(data) // 2], data[len(data) // 2 :]],
}
each_feeding = pytest.mark.parametrize("feed", FEEDINGS.values(), ids=FEEDINGS.keys())


def echo(request: Request) -> Answer:
    """An answer that tells what was asked."""
    return one_line(200, f"{request.method} {request.path} {request.body.decode('latin-1')}")


class Talk:
    """A client of a connection that is served.

    Attributes:
        stream: the client's end.
        told: what has gone wrong.
        over: set when the connection is not served any more.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.told: list[tuple[str, object]] = []
        self.over = trio.Event()

    def tell(self, kind: str, reason: object) -> None:
        self.told.append((kind, reason))

    async def hear(self) -> bytes:
        """All that comes until the other side has finished."""
        heard = b""
        while data := await self.stream.receive_some():
            heard += data
        return heard

    async def hear_one(self) -> bytes:
        """One answer whose body is a line."""
        heard = b""
        while not (b"\r\n\r\n" in heard and heard.endswith(b"\n") and not heard.endswith(b"\r\n")):
            data = await self.stream.receive_some()
            assert data, heard
            heard += data
        return heard


class _Counting(trio.abc.HalfCloseableStream):
    """A stream that notes how much is asked of it at once."""

    def __init__(self, inner: Stream) -> None:
        self._inner = inner
        self.most = 0

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        assert max_bytes is not None
        self.most = max(self.most, max_bytes)
        return await self._inner.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._inner.send_eof()

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Unread(_Counting):
    """A stream whose other end does not read."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.sleep_forever()


@asynccontextmanager
async def talk(handle: Handle = echo) -> AsyncIterator[Talk]:
    """A connection that is served; it is over when the client has closed it, and nothing is raised."""
    ours, theirs = memory_stream_pair()
    client = Talk(ours)

    async def serve() -> None:
        await serve_http(theirs, handle, client.tell)
        client.over.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        yield client
        await client.stream.aclose()


async def told(*pieces: bytes, handle: Handle = echo) -> bytes:
    """All that is answered to somebody who says this, and then no more."""
    async with talk(handle) as client:
        for piece in pieces:
            await client.stream.send_all(piece)
        await client.stream.send_eof()
        return await client.hear()


def status(answer: bytes) -> int:
    protocol, number, _ = answer.split(b" ", 2)
    assert protocol == b"HTTP/1.1"
    return int(number)


# --- requests


@each_feeding
async def test_a_request_is_answered_however_it_comes(feed: Callable[[bytes], list[bytes]]) -> None:
    answer = await told(*feed(GET))
    assert status(answer) == 200
    head, body = answer.split(b"\r\n\r\n")
    assert body == b"GET /a\n"
    assert set(head.lower().split(b"\r\n")[1:]) == {
        b"content-type: text/plain; charset=utf-8",
        b"content-length: 7",
        b"cache-control: no-store",
        b"x-content-type-options: nosniff",
    }


@each_feeding
async def test_requests_that_come_at_once_are_answered_in_their_order(
    feed: Callable[[bytes], list[bytes]],
) -> None:
    pipeline = b"".join(b"GET /%d HTTP/1.1\r\nHost: b\r\n\r\n" % number for number in range(20))
    bodies = (await told(*feed(pipeline))).split(b"\r\n\r\n")[1:]
    assert [body.split(b"\n")[0] for body in bodies] == [b"GET /%d" % number for number in range(20)]


@each_feeding
async def test_a_body_is_handed_over_whole_whether_its_length_is_told_or_it_comes_in_chunks(
    feed: Callable[[bytes], list[bytes]],
) -> None:
    counted = b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello"
    chunks = b"POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    for request in (counted, chunks):
        assert (await told(*feed(request + GET))).count(b"\r\n\r\nPOST / hello\n") == 1


async def test_head_is_answered_as_get_without_the_body() -> None:
    answer = await told(b"HEAD /a HTTP/1.1\r\nHost: b\r\n\r\n", LAST)
    first, second, body = answer.split(b"\r\n\r\n")
    assert b"Content-Length: 8" in first
    assert second.startswith(b"HTTP/1.1 200 ")
    assert body == b"GET /last\n"


async def test_the_handler_is_told_all_of_a_request() -> None:
    seen: list[Request] = []

    def look(request: Request) -> Answer:
        seen.append(request)
        return one_line(200, "ok")

    await told(b"POST /a?b=/c HTTP/1.1\r\nHOST: d\r\nX: 1\r\nx: 2\r\nContent-Length: 1\r\n\r\n!", handle=look)
    (request,) = seen
    assert (request.method, request.target, request.path, request.body) == ("POST", "/a?b=/c", "/a", b"!")
    assert request.headers == {"host": "d", "x": "1, 2", "content-length": "1"}


@pytest.mark.parametrize("target", ["/a", "/a?b", "http://host/a", "HTTP://host:80/a?b"])
def test_the_path_is_told_without_host_and_query(target: str) -> None:
    assert Request(method="GET", target=target, headers={}, body=b"").path == "/a"


@pytest.mark.parametrize(
    ("target", "query"),
    [("/a", ""), ("/a?", ""), ("/a?b", "b"), ("/a?b=1&c?d", "b=1&c?d"), ("http://h/?b", "b")],
)
def test_the_query_is_told_without_the_path(target: str, query: str) -> None:
    assert Request(method="GET", target=target, headers={}, body=b"").query == query


@pytest.mark.parametrize(
    ("target", "host"), [("/a", None), ("/http://h/", None), ("http://h", "h"), ("HTTPS://h:80?b", "h:80")]
)
def test_the_host_of_a_proxys_request_is_told(target: str, host: str | None) -> None:
    assert Request(method="GET", target=target, headers={}, body=b"").authority == host


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"OPTIONS", b"PUT", b"TRACE", b"CONNECT", b"get"])
async def test_a_handler_knows_which_methods_there_are_and_the_next_request_is_served(method: bytes) -> None:
    def only_last(request: Request) -> Answer:
        return echo(request) if request.path == "/last" else not_allowed(("X",))

    asked = method + b" / HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\nhi" + LAST
    answer = await told(asked, handle=only_last)
    assert status(answer) == 405
    assert b"Allow: X\r\n" in answer
    assert answer.endswith(b"\r\n\r\nGET /last\n")


def test_what_is_allowed_is_said_in_the_header_and_in_the_body() -> None:
    answer = not_allowed(("GET", "HEAD"))
    assert (answer.status, answer.headers) == (405, (("Allow", "GET, HEAD"),))
    assert answer.body == b"only GET, HEAD can be asked here\n"


def test_one_line_is_one_line_whatever_it_is_made_of() -> None:
    assert one_line(200, "a\r\nb\n").body == b"a b\n"


@pytest.mark.parametrize("asks", [True, False])
async def test_who_is_turned_away_hears_it_whether_it_asks_or_not(
    asks: bool, autojump_clock: MockClock
) -> None:
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(turn_away, theirs, one_line(503, "no room"))
        if asks:
            await trio.testing.wait_all_tasks_blocked()
            await ours.send_all(GET)
        data = b""
        while piece := await ours.receive_some():
            data += piece
    assert status(data) == 503
    assert b"\r\nConnection: close\r\n" in data
    assert data.endswith(b"\r\n\r\nno room\n")
    assert trio.current_time() < 2  # though nobody has closed the other end


# --- what is no request


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: b\r\nHost: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: b\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ],
)
@each_feeding
async def test_what_is_no_request_is_answered_in_one_line_and_the_connection_ends(
    data: bytes, expected: int, feed: Callable[[bytes], list[bytes]]
) -> None:
    async with talk() as client:
        for piece in feed(data):
            await client.stream.send_all(piece)
        answer = await client.hear()
    assert status(answer) == expected
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.split(b"\r\n\r\n")[1].count(b"\n") == 1


def _padded(size: int) -> bytes:
    """A request of so many bytes without a body."""
    empty = b"GET /a HTTP/1.1\r\nHost: b\r\nX: \r\n\r\n"
    return empty.replace(b"X: ", b"X: " + b"x" * (size - len(empty)))


@each_feeding
async def test_a_head_may_take_all_the_bytes_there_are_and_not_one_more(
    feed: Callable[[bytes], list[bytes]],
) -> None:
    assert status(await told(*feed(_padded(REQUEST_MAX)))) == 200
    assert status(await told(*feed(_padded(REQUEST_MAX + 1)))) == 431


def _post(size: int) -> bytes:
    """A request of so many bytes with a body."""
    head = b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 1234\r\n\r\n"
    body = size - len(head)
    return head.replace(b"1234", b"%d" % body) + b"x" * body


@each_feeding
async def test_a_head_and_its_body_together_may_take_as_much_as_a_head_alone(
    feed: Callable[[bytes], list[bytes]],
) -> None:
    assert status(await told(*feed(_post(REQUEST_MAX)))) == 200
    assert status(await told(*feed(_post(REQUEST_MAX + 1)))) == 413


async def test_a_body_without_an_end_is_given_up_when_it_has_taken_its_bytes() -> None:
    head = b"POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert status(await told(head, b"1\r\nx\r\n" * REQUEST_MAX)) == 413


async def test_who_asks_whether_to_send_his_body_is_told_to_go_on_or_why_not() -> None:
    head = b"POST / HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    async with talk() as client:
        await client.stream.send_all(head % 5)
        assert (await client.stream.receive_some()).startswith(b"HTTP/1.1 100 ")
        await client.stream.send_all(b"hello")
        assert (await client.hear_one()).endswith(b"POST / hello\n")
    async with talk() as client:
        await client.stream.send_all(head % (REQUEST_MAX + 1))
        assert status(await client.hear()) == 413


@pytest.mark.parametrize("size", range(len(GET)))
async def test_half_a_request_and_its_end_is_answered_by_nothing(size: int) -> None:
    assert await told(GET, GET[:size]) == await told(GET)


async def test_a_client_that_goes_while_it_is_answered_harms_nobody() -> None:
    async with talk() as client:
        await client.stream.send_all(GET)
        await client.stream.aclose()
        await client.over.wait()
        assert client.told == []


# --- time


async def test_a_slow_sender_has_so_many_seconds_for_a_request_from_its_first_byte(
    autojump_clock: MockClock,
) -> None:
    async with talk() as client:
        await trio.sleep(IDLE_S - 1)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drip, client, GET[:-1], 0.5)
            answer = await client.hear()
            nursery.cancel_scope.cancel()
        assert status(answer) == 408
        assert trio.current_time() - began == pytest.approx(REQUEST_S)


async def _drip(client: Talk, data: bytes, pause_s: float) -> None:
    for piece in FEEDINGS["byte by byte"](data):
        await client.stream.send_all(piece)
        await trio.sleep(pause_s)


async def test_a_request_that_is_slow_but_in_time_is_answered(autojump_clock: MockClock) -> None:
    async with talk() as client:
        await _drip(client, GET, REQUEST_S / 2 / len(GET))
        assert status(await client.hear_one()) == 200


async def test_who_says_nothing_is_hung_up_on_without_a_word(autojump_clock: MockClock) -> None:
    async with talk() as client:
        assert await client.hear() == b""
        assert trio.current_time() == pytest.approx(IDLE_S)


async def test_a_connection_may_rest_between_two_requests_but_not_for_ever(autojump_clock: MockClock) -> None:
    async with talk() as client:
        for _ in range(3):
            await trio.sleep(IDLE_S - 0.1)
            await client.stream.send_all(GET)
            assert status(await client.hear_one()) == 200
        began = trio.current_time()
        assert await client.hear() == b""
        assert trio.current_time() - began == pytest.approx(IDLE_S)


async def test_half_a_request_behind_a_whole_one_has_its_time_from_there_on(autojump_clock: MockClock) -> None:
    async with talk() as client:
        await client.stream.send_all(GET + GET[:10])
        assert status(await client.hear_one()) == 200
        assert status(await client.hear()) == 408
        assert trio.current_time() == pytest.approx(REQUEST_S)


async def test_who_does_not_read_his_answer_is_hung_up_on(autojump_clock: MockClock) -> None:
    ours, theirs = memory_stream_pair()
    await ours.send_all(GET)
    await serve_http(_Unread(theirs), echo, lambda kind, reason: None)
    assert trio.current_time() == pytest.approx(ANSWER_S)


async def test_who_goes_on_sending_finds_his_answer_and_is_heard_out_for_a_moment_only(
    autojump_clock: MockClock,
) -> None:
    async with talk() as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_for_ever, client)
            assert status(await client.hear()) == 431
            await client.over.wait()
            nursery.cancel_scope.cancel()
        assert trio.current_time() < 2


async def _send_for_ever(client: Talk) -> None:
    while not client.over.is_set():
        try:
            await client.stream.send_all(b"GET /" + b"x" * REQUEST_MAX)
        except trio.BrokenResourceError:
            return
        await trio.sleep(0.1)


# --- handlers


async def test_a_handler_that_raises_costs_a_500_and_a_line_and_the_next_request_is_served() -> None:
    error = ZeroDivisionError()

    def stumble(request: Request) -> Answer:
        if request.path == "/a":
            raise error
        return echo(request)

    async with talk(stumble) as client:
        await client.stream.send_all(GET)
        assert status(await client.hear_one()) == 500
        await client.stream.send_all(LAST)
        assert status(await client.hear()) == 200
        assert client.told == [("a request of HTTP could not be answered", error)]


async def test_the_answers_kind_and_headers_are_the_handlers() -> None:
    answer = await told(
        GET, handle=lambda request: Answer(503, "application/json", b"{}", (("Retry-After", "1"),))
    )
    assert status(answer) == 503
    assert b"Content-Type: application/json\r\n" in answer
    assert b"Retry-After: 1\r\n" in answer


# --- anything at all

WORDS = st.sampled_from(
    [
        b"GET ", b"HEAD ", b"POST ", b"/", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"Host: b\r\n", b"\r\n", b"\n",
        b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Upgrade: x\r\n",
        b"Connection: close\r\n", b"Connection: upgrade\r\n", b"5", b"0\r\n\r\n", b"hello", b":", b" ", b"\0",
        b"CONNECT ", b"x" * 3_000, b"GET / HTTP/1.1\r\nHost: b\r\n\r\n",
    ]
)  # fmt: skip
PIECES = st.lists(WORDS | st.binary(max_size=40) | st.integers(0, 10**25).map(b"%d".__mod__), max_size=25)


@given(PIECES)
def test_whatever_comes_is_answered_or_not_but_nothing_is_raised_and_little_is_taken(
    pieces: list[bytes],
) -> None:
    async def main() -> None:
        ours, theirs = memory_stream_pair()
        counting = _Counting(theirs)
        failed: list[object] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_http, counting, echo, lambda kind, reason: failed.append(reason))
            for piece in pieces:
                await ours.send_all(piece)
            await ours.send_eof()
            heard = b""
            while data := await ours.receive_some():
                heard += data
            await ours.aclose()
        assert failed == []
        assert counting.most <= REQUEST_MAX
        assert heard == b"" or heard.startswith(b"HTTP/1.1 ")

    trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize(
    ("target", "parameters"),
    [
        ("/a", {}),
        ("/a?", {}),
        ("/a?keys=1&id=%ff%2B+x", {"keys": b"1", "id": b"\xff++x"}),
        ("/a?id=1&id=2&more", {"id": b"2", "more": b""}),
        ("http://host/a?id=a=b", {"id": b"a=b"}),
    ],
)
def test_what_stands_behind_the_path_is_told_by_name_as_bytes(
    target: str, parameters: dict[str, bytes]
) -> None:
    assert Request(method="GET", target=target, headers={}, body=b"").parameters == parameters
