"""One client's socket: what it sends is received and executed, and its replies are sent.

Problem: a client may send faster than it is answered, read slower than it asks, hang up in the midst of either,
or meet a fault of our own; and whatever it does must cost nobody else more than a bounded amount.

So it is read 16 KiB at a time, which is what can be parsed in a moment; more only of a large command for which
its connection has room; and not at all while replies to it are unsent or its connection is blocked. What it has
asked for is answered even after it has ended its own direction. Any error here closes this one socket; only
memory that runs out in the midst of a command makes the node itself doubtful.
"""

from __future__ import annotations

import socket
from time import monotonic
from typing import Final, Protocol

from attrs import evolve

from memrep.daemon.delivery import acknowledged
from memrep.daemon.reactor import HUNG_UP, READ, WRITE, Reactor
from memrep.daemon.tls import TlsSocket
from memrep.node.node import Node
from memrep.protocol.connection import Connection
from memrep.protocol.farewell import Farewell

_RECEIVE_BYTES: Final = 1 << 14
_RECEIVE_MANY: Final = 1 << 17

#: Of a command that has become so large the rest is read in large pieces, whatever it consists of.
_MUCH_BYTES: Final = 1 << 19


class Owner(Protocol):
    """Whoever keeps the clients."""

    def close(self, client: Client, reason: str, *, unheard: bool = False, lives: bool = False) -> None:
        """Hang up on this client, which may live; the reason is logged, something may not be executed."""

    def failed(self, client: Client, error: Exception) -> None:
        """Hang up on this client because of a mistake of our own."""

    def keeps(self, client: Client, unsent: int, more: int) -> None:
        """Note that so many bytes for it are unsent now, and how many more than before that is."""


class Client:
    """One client's socket; it is not registered yet.

    Args:
        owner: whoever keeps the clients.
        node: executes the commands.
        reactor: tells when the socket is ready.
        sock: connected; it does not block.
        connection: the node's side of it.
        is_tcp: whether this is no unix socket.

    Attributes:
        host: where it comes from; "" on a unix socket. Set by its owner,
        port: as is by what kind of port it has come in.
        ended: whether the client sends no more.
        since: when it came,
        heard: and when it last sent something, on the monotonic clock, s.
        reads: how often something was read of it.
        received: how many bytes that was.
    """

    __slots__ = (
        "_counted", "_events", "_execute", "_is_tcp", "_node", "_owner", "_reactor", "_receive", "_send",
        "_spent", "_stopped", "_unsent", "connection", "ended", "heard", "host", "port", "reads", "received",
        "since", "sock",
    )  # fmt: skip

    def __init__(
        self,
        owner: Owner,
        node: Node,
        reactor: Reactor,
        sock: socket.socket | TlsSocket,
        connection: Connection,
        is_tcp: bool,
    ) -> None:
        self.sock = sock
        self.connection = connection
        self._owner = owner
        self._node = node
        self._reactor = reactor
        self._execute = node.clients.receive
        self._stopped = reactor.stopped
        self._spent = reactor.spent
        self._receive = sock.recv
        self._send = sock.send
        self._is_tcp = is_tcp
        self._unsent = b""
        self._counted = 0  # bytes of it that the node knows of
        self.ended = False
        self.host = self.port = ""
        self.since = self.heard = monotonic()
        self.reads = self.received = 0
        self._events = READ

    def ready(self, events: int) -> None:
        """Send what is left, read what came, answer."""
        try:
            if events & READ:  # with a hang-up beside it, on a unix socket: what was sent before still counts
                if events != READ and events & HUNG_UP and self.connection.late:
                    self._owner.close(self, "it hung up before there was room for what it sends")
                    return
                connection = self.connection
                many = connection.inside and (
                    connection.lacks > _RECEIVE_BYTES or connection.kept > _MUCH_BYTES
                )
                data = self._receive(_RECEIVE_MANY if many else _RECEIVE_BYTES)
                if not data:
                    self._hung_up()
                    return
                if self._stopped():
                    self._owner.close(self, "what it sent may be old", unheard=True, lives=True)
                    return
                self.heard = monotonic()
                self.reads += 1
                self.received += len(data)
                replies = self._execute(self.connection, data)
                if self.connection.busy or not replies:
                    self.answer(replies)
                else:
                    self._unsent = replies  # should the socket take nothing
                    sent = self._send(replies)
                    self._unsent = replies[sent:] if sent < len(replies) else b""
                    if self._unsent:
                        self._follow()
            elif self._unsent:
                self.answer(b"")
                self._spent()  # for the reactor, which sees it then
            else:
                self._owner.close(self, "the connection is broken")
        except (BlockingIOError, InterruptedError):
            self._follow()
        except OSError as error:
            self._owner.close(self, str(error))
        except MemoryError as error:  # in the midst of a command: the node may be torn
            self._owner.close(self, "no memory", unheard=True, lives=True)
            self._reactor.distrust(error)
        except Exception as error:  # our own mistake must cost this client only
            self._owner.failed(self, error)

    @property
    def state(self) -> str:
        """Tell what it does, in memcached's words."""
        if self._unsent:
            return "conn_mwrite"
        if self.connection.waiting:
            return "conn_io_queue"
        return "conn_nread" if self.connection.need else "conn_read"

    def answer(self, replies: bytes) -> None:
        """Send replies, as far as the socket takes them; then do what the connection wants next.

        Raises:
            OSError: the connection is broken.
        """
        if self._unsent:
            replies = self._unsent + replies
            self._unsent = b""
        connection = self.connection
        while replies:
            try:
                sent = self._send(replies)
            except (BlockingIOError, InterruptedError):
                sent = 0
            if sent < len(replies):
                self._unsent = replies[sent:]
            if not connection.busy or self._unsent or not connection.blocked or connection.closing:
                break
            if self._spent():
                self._node.clients.postpone(connection)
                break
            replies = self._node.clients.resume(connection)
        if connection.busy or self._unsent or self._events != READ or not self._node.serving:
            self._follow()

    def acknowledges(self, ms: int) -> bool | None:
        """Tell whether its machine has acknowledged what was sent within the last so many ms (delivery.py).

        Raises:
            OSError: the connection is broken.
        """
        return acknowledged(self.sock, ms) if self._is_tcp else None

    @property
    def farewell(self) -> Farewell:
        """Return how it is hung up on. In the midst of a reply there is nothing that could be said."""
        farewell = self.connection.farewell
        assert farewell is not None, "its connection is not abandoned"
        return evolve(farewell, word=b"") if self._unsent else farewell

    def rests(self, now: float) -> bool:
        """Tell whether it is owed nothing, and nothing has come from it for so long that it may be ended."""
        return not (self.connection.busy or self._unsent) and now - self.heard >= self.connection.hold_s

    def forget_unsent(self) -> None:
        """Send nothing more."""
        self._owner.keeps(self, 0, -self._counted)
        self._counted = 0

    def _hung_up(self) -> None:
        """Note that it sends no more. What it has asked for is answered, in case it still listens (`nc -N`)."""
        self.ended = True
        self._node.clients.hung_up(self.connection)
        staleness = self._node.staleness
        if staleness.wary and self.acknowledges(staleness.wary_for):  # before there is nobody left to ask
            staleness.delivered(self.connection)
        if self._node.clients.unheard(self.connection):
            self._owner.close(self, "it hung up before it was heard")
        else:
            self._follow()

    def _follow(self) -> None:
        """Wait for what the connection needs now, or close it."""
        connection = self.connection
        if len(self._unsent) != self._counted:
            self._owner.keeps(self, len(self._unsent), len(self._unsent) - self._counted)
            self._counted = len(self._unsent)
        if (connection.closing or self.ended) and not connection.waiting and not self._unsent:
            self._owner.close(self, "it hung up" if self.ended else "")
            return
        self._listen()
        if self._is_tcp and connection.waiting:
            # The reply has to wait for peers. Without an acknowledgement at once, pecl-memcache's second
            # small packet would wait for the delayed one, and its two-part write would take twice as long.
            try:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            except OSError:
                return  # a broken connection shows when it is read

    def _listen(self) -> None:
        """Wait for what makes sense now: to send the rest, or to read on."""
        if self._unsent:
            events = WRITE
        elif self.ended or self._node.clients.holds_back(self.connection):
            events = 0
        elif self.connection.late:
            events = READ | HUNG_UP
        else:
            events = READ
        if events != self._events and self.sock.fileno() >= 0:
            self._events = events
            self._reactor.modify(self.sock.fileno(), events)
