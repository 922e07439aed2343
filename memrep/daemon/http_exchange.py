"""HTTP/1.1 over one stream: a request is read whole and answered, then the next one.

Problem: a node is asked when it is in trouble, by programs that may be in trouble themselves. They send too
much, too slowly, half of it, or something that is no HTTP. None of that may cost the node more than the one
connection, nor keep that one for ever.

h11 knows the protocol, and does no I/O: bytes in, events out. What is added here are the bounds. A request is
handed over when it is complete, so a handler is a plain function,
which returns the answer or what has to be waited for. Until then it takes 8 KiB at
most, its head and body together, for no more than that is ever read before it is answered; it takes 5 s at
most, and so does the answer, which a client might not read. Who keeps the connection and says nothing is hung
up on after 5 s, too.

Who sends what is no request hears so in one line, and the connection ends: where the next request would begin
cannot be known. It does not end at once, or a client that is still sending would meet an error instead of the
answer: this side says that it has finished, and for a moment reads on and drops what it reads.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes

import attrs
import h11
import trio

#: A request, its head and body together, bytes.
REQUEST_MAX: Final = 8_192

#: A request may take so long from its first byte to its last,
REQUEST_S: Final = 5.0

#: a connection may rest so long before the first byte of the next one,
IDLE_S: Final = 5.0

#: and a client may need so long to read the answer.
ANSWER_S: Final = 5.0

#: How long a client is heard out that is to go, and how many pieces of what he sends are read meanwhile.
_PART_S: Final = 1.0
_PART_PIECES_MAX: Final = 32

#: Process, user and group.
_CREDENTIALS: Final = struct.Struct("3i")

#: What the end of a client is like.
_GONE: Final = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError)

#: How the target of a request begins that is sent as to a proxy.
_PROXIED: Final = re.compile(r"https?://([^/?]*)", re.IGNORECASE)

_TOO_LARGE: Final = f"a request takes {REQUEST_MAX} bytes at most, its head and body together"

#: Why something is refused before a handler sees it, by status.
_REASONS: Final = {
    400: "this is no request of HTTP/1.1",
    408: f"the request was not complete within {REQUEST_S:g} s",
    413: _TOO_LARGE,
    431: _TOO_LARGE,
    501: "a body comes with Content-Length or in chunks, and in no other way",
    505: "only HTTP/1.1 and HTTP/1.0 are spoken here",
}


@attrs.frozen(kw_only=True)
class Request:
    """A request that is complete.

    Attributes:
        method: as it was sent; whoever handles it knows which there are.
        target: what is asked for, as it was sent.
        headers: by their names in lower case.
        body: empty if none was sent.
        caller: who asks, for the log.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    caller: str = "somebody"

    @property
    def path(self) -> str:
        """Return what is asked for without the query, and without the host that a proxy's request has."""
        return _PROXIED.sub("", self.target).partition("?")[0]

    @property
    def query(self) -> str:
        """Return what stands behind the path and its question mark; empty if nothing does."""
        return self.target.partition("?")[2]

    @property
    def parameters(self) -> dict[str, bytes]:
        """Return the same by name; of several of one name the last."""
        pairs = (pair.partition("=") for pair in self.query.split("&") if pair)
        return {name: unquote_to_bytes(value) for name, _, value in pairs}

    @property
    def authority(self) -> str | None:
        """Return the host that a proxy's request has before the path; None if there is none."""
        found = _PROXIED.match(self.target)
        return None if found is None else found[1]


@attrs.frozen
class Answer:
    """What a handler answers.

    Attributes:
        status: of HTTP.
        content_type: what the body is.
        body: the same for HEAD, which is not shown it.
        headers: besides those that every answer has.
    """

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


#: Must not wait. If it raises the answer is 500.
Handle = Callable[[Request], Answer | Awaitable[Answer]]

#: May wait: for what takes longer than a turn may last.
SlowHandle = Callable[[Request], Answer | Awaitable[Answer]]

#: Takes what has gone wrong, and why (`Troubles.tell`).
Tell = Callable[[str, object], None]


def one_line(status: int, text: str) -> Answer:
    """Answer with one line."""
    return Answer(status, "text/plain; charset=utf-8", " ".join(text.split()).encode() + b"\n")


def not_allowed(methods: tuple[str, ...]) -> Answer:
    """Answer that only these methods are for what is asked."""
    allowed = ", ".join(methods)
    return attrs.evolve(one_line(405, f"only {allowed} can be asked here"), headers=(("Allow", allowed),))


async def serve_http(stream: trio.abc.HalfCloseableStream, handle: SlowHandle, tell: Tell) -> None:
    """Answer a client's requests until he goes or is hung up on. The stream is closed then, and nothing raised.

    Args:
        stream: to the client.
        handle: makes the answers.
        tell: takes what has gone wrong in a handler.
    """
    connection = _Connection(stream, handle, tell)
    with suppress(*_GONE):
        try:
            while await connection.exchange():
                pass
            await _part(stream)
        finally:
            await trio.aclose_forcefully(stream)


async def turn_away(stream: trio.abc.HalfCloseableStream, answer: Answer) -> None:
    """Answer a client before it has asked, and close the stream; nothing is raised."""
    with suppress(*_GONE):
        try:
            with trio.fail_after(ANSWER_S):
                await stream.send_all(_spell(h11.Connection(h11.SERVER), answer, last=True))
            await _part(stream)
        finally:
            await trio.aclose_forcefully(stream)


async def _part(stream: trio.abc.HalfCloseableStream) -> None:
    """Finish, and hear a client out for a moment, so that it finds its answer and no error."""
    with trio.move_on_after(_PART_S):
        await stream.send_eof()
        for _ in range(_PART_PIECES_MAX):
            if not await stream.receive_some(REQUEST_MAX):
                return


class _Connection:
    """What of a connection is kept from one request to the next."""

    def __init__(self, stream: trio.abc.HalfCloseableStream, handle: SlowHandle, tell: Tell) -> None:
        self._stream = stream
        self._handle = handle
        self._tell = tell
        self._caller = _caller(stream)
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_MAX)
        self._taken = 0  # bytes of the request that is being read
        self._bodiless = False  # the answer to it has no body

    async def exchange(self) -> bool:
        """Answer one request, and tell whether another one may follow."""
        request = await self._next()
        if request is None:
            return False
        if isinstance(request, Answer):
            await self._send(request, last=True)
            return False
        await self._send(await self._answer(request))
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def _next(self) -> Request | Answer | None:
        """Return the next request, or the answer to what is none; None if the client says no more."""
        self._bodiless = False
        # A request that lies behind the last one has begun already.
        with trio.move_on_after(REQUEST_S if self._taken else IDLE_S) as limit:
            try:
                return await self._read(limit)
            except h11.RemoteProtocolError as error:
                return _refused(error.error_status_hint)
            except ValueError:  # what h11 0.14 lets int() find out: a length of thousands of digits
                return _refused(400)
        return _refused(408) if self._taken else None

    async def _read(self, limit: trio.CancelScope) -> Request | Answer | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                head = event
                self._bodiless = head.method == b"HEAD"
                if head.http_version not in (b"1.1", b"1.0"):
                    return _refused(505)
                if _length(head) > REQUEST_MAX:
                    return _refused(413)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                self._taken = len(self._http.trailing_data[0])
                return _complete(head, bytes(body))
            elif event is not h11.NEED_DATA:
                return None
            elif self._taken == REQUEST_MAX:
                return _refused(413 if head else 431)
            else:
                data = await self._more(limit)
                if not data:
                    return None
                self._http.receive_data(data)

    async def _more(self, limit: trio.CancelScope) -> bytes:
        if self._http.they_are_waiting_for_100_continue:
            go_on = self._http.send(h11.InformationalResponse(status_code=100, headers=[], reason="Continue"))
            await self._stream.send_all(go_on or b"")
        data = bytes(await self._stream.receive_some(REQUEST_MAX - self._taken))
        if not self._taken:
            limit.deadline = trio.current_time() + REQUEST_S
        self._taken += len(data)
        return data

    async def _answer(self, request: Request) -> Answer:
        try:
            answer = self._handle(attrs.evolve(request, caller=self._caller))
            return answer if isinstance(answer, Answer) else await answer
        except Exception as error:
            self._tell("a request of HTTP could not be answered", error)
            return one_line(500, "this could not be answered; the log says why")

    async def _send(self, answer: Answer, *, last: bool = False) -> None:
        data = _spell(self._http, answer, bodiless=self._bodiless, last=last)
        with trio.fail_after(ANSWER_S):
            await self._stream.send_all(data)


def _caller(stream: trio.abc.HalfCloseableStream) -> str:
    """Return who is at the other end, as the kernel knows it (SO_PEERCRED, unix(7)) of a unix socket."""
    if not isinstance(stream, trio.SocketStream) or stream.socket.family != socket.AF_UNIX:
        return "somebody"
    try:
        told = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return "somebody"
    process, user, _ = _CREDENTIALS.unpack(told)
    return f"user {user}, process {process}"


def _refused(status: int) -> Answer:
    known = status if status in _REASONS else 400
    return one_line(known, _REASONS[known])


def _length(head: h11.Request) -> int:
    """Return how long the body will be, where that is said at once."""
    return int(dict(head.headers).get(b"content-length", b"0"))


def _complete(head: h11.Request, body: bytes) -> Request:
    headers: dict[str, str] = {}
    for name, value in head.headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return Request(
        method=head.method.decode("latin-1"), target=head.target.decode("latin-1"), headers=headers, body=body
    )


def _spell(http: h11.Connection, answer: Answer, *, bodiless: bool = False, last: bool = False) -> bytes:
    """Spell an answer; h11 itself says that the connection ends where it knows of that."""
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        *answer.headers,
    ]
    if last:
        headers.append(("Connection", "close"))
    reason = HTTPStatus(answer.status).phrase
    events: list[h11.Event] = [h11.Response(status_code=answer.status, headers=headers, reason=reason)]
    if answer.body and not bodiless:
        events.append(h11.Data(data=answer.body))
    events.append(h11.EndOfMessage())
    return b"".join(http.send(event) or b"" for event in events)
