"""Clients: the listening sockets, and one client's socket.

The port is bound from the start, so that a taken one is found at once, but it listens only while the node
holds everything: until then connecting is refused, the one answer that sends PHP to the next node at once
(listener.py).

A client more than `-c` allows is hung up on without a word. Any word would be taken for the reply to its first
command; memcached's "ERROR Too many open connections" made php-memcached begin empty sessions.

What a client can cost is bounded: it is read 16 KiB at a time, more only if its connection has room for a large
command, and not at all while replies to it are unsent or its connection is blocked.

With TLS (tls.py) a client on the port comes in when its handshake is done. The unix socket stays as it is.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Final

from memrep.daemon.certificate import Certificate
from memrep.daemon.guard import Troubles
from memrep.daemon.lingering_close import LingeringClose
from memrep.daemon.listener import Door, Listener
from memrep.daemon.reactor import HUNG_UP, READ, WRITE, Reactor
from memrep.daemon.tls import TlsDoor, TlsSocket
from memrep.log_limit import Recurrence
from memrep.node.node import Node
from memrep.protocol.connection import Connection

_RECEIVE_BYTES: Final = 1 << 14
_RECEIVE_MANY: Final = 1 << 17

#: How long a client may take nothing while others have to wait for the memory that its replies cost, s.
_SLOW_S: Final = 0.75

#: SO_LINGER: close with a reset, and throw away what has not been sent.
_AT_ONCE: Final = struct.pack("ii", 1, 0)

#: How long a client's machine may leave an answer unacknowledged, ms, beside the round trip: longer than an
#: acknowledgement is delayed (40), shorter than the kernel waits before it sends again (200).
_DEAF_MS: Final = 75

#: Of tcp(7)'s TCP_INFO: packets in flight, ms since the last one was sent, ms since the last acknowledgement,
#: and the round trip as it was measured, microseconds.
_TCP_INFO: Final = struct.Struct("=24xI16xI8xI8xI")


class Client:
    """One client's socket."""

    __slots__ = (
        "_counted", "_events", "_execute", "_is_tcp", "_node", "_owner", "_receive", "_send", "_spent",
        "_stopped", "_unsent", "connection", "ended", "heard", "sock",
    )  # fmt: skip

    def __init__(
        self, owner: Clients, sock: socket.socket | TlsSocket, connection: Connection, is_tcp: bool
    ) -> None:
        self.sock = sock
        self.connection = connection
        self._owner = owner
        self._node = owner.node
        self._execute = owner.node.clients.receive
        self._stopped = owner.reactor.stopped
        self._spent = owner.reactor.spent
        self._receive = sock.recv
        self._send = sock.send
        self._is_tcp = is_tcp
        self._unsent = b""
        self._counted = 0  # bytes of it that the node knows of
        self.ended = False
        self.heard = monotonic()
        self._events = READ

    def ready(self, events: int) -> None:
        """Send what is left, read what came, answer."""
        try:
            if events & READ:  # with a hang-up beside it, on a unix socket: what was sent before still counts
                if events != READ and events & HUNG_UP and self.connection.late:
                    self._owner.close(self, "it hung up before there was room for what it sends")
                    return
                data = self._receive(_RECEIVE_MANY if self.connection.inside else _RECEIVE_BYTES)
                if not data:
                    self._hung_up()
                    return
                if self._stopped():
                    self._owner.close(self, "what it sent may be old")
                    return
                self.heard = monotonic()
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
            self._owner.close(self, "no memory")
            self._owner.reactor.distrust(error)
        except Exception as error:  # our own mistake must cost this client only
            self._owner.log(f"closes a client's connection because of a fault in memrep: {error!r}")
            self._owner.close(self, "a fault in memrep")

    @property
    def state(self) -> str:
        """What it does, in memcached's words."""
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
        """Whether its machine has acknowledged what was sent within the last so many ms; None if it may yet.

        Raises:
            OSError: the connection is broken.
        """
        if not self._is_tcp:
            return None
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        in_flight, since_sent, since_heard, round_trip_us = _TCP_INFO.unpack(info)
        if in_flight:
            return False if min(since_sent, since_heard) >= _DEAF_MS + round_trip_us // 1_000 else None
        return True if since_sent < ms else None

    def forget_unsent(self) -> None:
        """Nothing more is sent."""
        self._owner.keeps(self, 0, -self._counted)
        self._counted = 0

    def _hung_up(self) -> None:
        """The client sends no more. What it has asked for is answered, in case it still listens (`nc -N`)."""
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
        if self._is_tcp and connection.waiting:
            # The reply has to wait for peers. Without an acknowledgement at once, pecl-memcache's second
            # small packet would wait for the delayed one, and its two-part write would take twice as long.
            with suppress(OSError):
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self._listen()

    def _listen(self) -> None:
        """Wait for what makes sense now: to send the rest, or to read on."""
        if self._unsent:
            events = WRITE
        elif self.ended or self._owner.node.clients.holds_back(self.connection):
            events = 0
        elif self.connection.late:
            events = READ | HUNG_UP
        else:
            events = READ
        if events != self._events and self.sock.fileno() >= 0:
            self._events = events
            self._owner.reactor.modify(self.sock.fileno(), events)


class Clients:
    """All clients of a node.

    Args:
        node: whom they talk to.
        listeners: where they come in.
        limit: the most clients at a time.
        log: takes a line for the operator.
        verbose: whether to log each connection.
        certificate: what to show clients on the port, who then speak TLS; None if they do not.
    """

    def __init__(
        self,
        node: Node,
        listeners: list[Listener],
        limit: int,
        log: Callable[[str], None],
        verbose: Callable[[], bool],
        certificate: Certificate | None = None,
    ) -> None:
        self.node = node
        self.log = log
        self.reactor: Reactor
        self.listening = False
        troubles = Troubles(log)
        self._doors = [
            Door(f"clients on {listener}", listener, self.receive, self._make_room, troubles)
            for listener in listeners
        ]
        self._limit = limit
        self._verbose = verbose
        self._tls = TlsDoor(certificate.context, self._admit_tls, log) if certificate is not None else None
        self._clients: dict[Connection, Client] = {}
        self.partings = LingeringClose()
        self._slow: dict[
            Client, float
        ] = {}  # who has something unsent, and when it last took something; by that
        self._drops = Recurrence(log, _dropped)
        self._rejections = Recurrence(
            log,
            lambda count: (
                f"sends clients away ({count}): {limit} are connected; raise -c on every server, to the number "
                "of workers of all web servers"
            ),
        )
        self._shut = False
        self._fenced = False

    def __len__(self) -> int:
        """How many there are."""
        return len(self._clients)

    def reply(self, connection: Connection, replies: bytes) -> None:
        """Send what a client was answered late, and hang up if the node wants that."""
        client = self._clients.get(connection)
        if client is None:
            return
        try:
            client.answer(replies)
        except OSError as error:
            self.close(client, str(error))

    def follow(self) -> None:
        """At the end of a turn: listen while the node is open, and only then."""
        self._fenced = self._fenced and not self.node.serving
        if self.node.open and not (self._shut or self._fenced):
            if not self.listening:
                self._open()
        elif self.listening:
            self._close_listeners()

    def describe(self) -> Iterator[tuple[str, object]]:
        """Each socket, as in memcached's `stats conns`: address, state, for how long it has been quiet."""
        now = monotonic()
        asking = max(self._clients.values(), key=lambda client: client.heard, default=None)
        for door in self._doors:
            if door.sock is not None:
                yield f"{door.sock.fileno()}:addr", spell(door.sock.getsockname())
                yield f"{door.sock.fileno()}:state", "conn_listening"
                yield f"{door.sock.fileno()}:secs_since_last_cmd", 0
        for client in self._clients.values():
            number = client.sock.fileno()
            with suppress(OSError):  # it is gone, and not noticed yet
                peer, own = client.sock.getpeername(), client.sock.getsockname()
                yield f"{number}:addr", spell(peer or own)
                yield f"{number}:listen_addr", spell(own)
                yield f"{number}:state", "conn_parse_cmd" if client is asking else client.state
                yield f"{number}:secs_since_last_cmd", int(now) - int(client.heard)  # on whole seconds

    def unread(self, connection: Connection) -> bool:
        """Whether something of this client lies in its socket, be it only that it has hung up."""
        try:
            self._clients[connection].sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, KeyError):
            return True
        return True

    def keeps(self, client: Client, unsent: int, more: int) -> None:
        """A client has so much unsent now, and so much more than before."""
        self._slow.pop(client, None)
        if unsent:
            self._slow[client] = time.monotonic()
        if more:
            self.node.flow.keep(more)

    def _drop_the_slow(self) -> None:
        """Hang up on those who take nothing while others have to wait for the memory that they cost."""
        late = time.monotonic() - _SLOW_S
        for client, since in list(self._slow.items()) if self.node.flow.reads_wait else []:
            if since > late or not self.node.flow.reads_wait:
                return
            self.node.counters.slow_readers += 1
            self._drops.happened()
            self.close(client, "it does not read its replies")

    def fence(self) -> None:
        """Hang up on those who wait at the door: what they have sent already may be old.

        The door stays shut until this node serves again. To be refused sends php-memcached to another node; to
        be let in and then sent away, when the new view finds this one behind, costs it a try, of which it has
        five.
        """
        self._fenced = True
        if self.listening:
            self._close_listeners()

    def refuse(self) -> None:
        """Serve nobody until the next turn that finds the node open."""
        if self.listening:
            self._close_listeners()
        self.close_all()

    def shut(self) -> None:
        """Accept nobody any more."""
        self._shut = True
        self.follow()

    def close_all(self) -> None:
        """Hang up on everybody."""
        for client in list(self._clients.values()):
            self.close(client, "memrep stops")

    def give_up(self) -> None:
        """Close whatever is still open; the addresses are kept."""
        for door in self._doors:
            door.shut()
        for client in list(self._clients.values()):
            client.ended = True  # no farewell
            self.close(client, "")
        self.partings.close()

    def close(self, client: Client, reason: str) -> None:
        """Hang up on a client; if it has not, it gets time to notice (lingering_close.py)."""
        if client.sock.fileno() < 0:
            return
        if reason and self._verbose():
            self.log(f"client {client.sock.fileno()}: {reason}")
        self.reactor.unregister(client.sock.fileno())
        if client.ended:
            with suppress(OSError):
                client.sock.close()
        else:
            sock = client.sock
            self.partings.begin(sock.farewell() if isinstance(sock, TlsSocket) else sock, self.reactor)
        self._clients.pop(client.connection, None)
        client.forget_unsent()
        self.node.clients.disconnect(client.connection)

    def _open(self) -> None:
        self.listening = True
        for door in reversed(self._doors):  # the port last: where it answers the unix socket does, too
            door.open(self.reactor)

    def _close_listeners(self) -> None:
        self.listening = False
        for door in self._doors:
            door.shut()
        if self._tls is not None:
            self._tls.close_all()

    def receive(self, sock: socket.socket, host: str, port: int) -> None:
        """Somebody has connected.

        Raises:
            OSError: the system does not allow what it takes to serve him.
        """
        is_tcp = sock.family != socket.AF_UNIX
        if is_tcp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_tcp and self._tls is not None:
            self._tls.receive(self.reactor, sock, host)
        elif self._has_room():
            self._admit(sock, host, is_tcp)
        else:
            self.partings.begin(sock, self.reactor)

    def tick(self) -> None:
        """What is due by the clock."""
        for door in self._doors:
            door.tick()
        self._rejections.tick(time.monotonic_ns() // 1_000_000)
        self._drop_the_slow()
        self._drops.tick(time.monotonic_ns() // 1_000_000)
        self.partings.sweep()
        if self.node.staleness.wary:
            self._take_back()
        if self._tls is not None:
            self._tls.tick()

    def _take_back(self) -> None:
        """Hang up on clients who are not there to hear an answer that may be worth nothing; tell of the others.

        A node that is cut off takes writes for clients who were waiting when the cut began. Its kernel would
        send them the answer again and again, and deliver it when the cut heals, though the others have gone on
        without it. So such a connection is broken before it does that for the first time.
        """
        for client in list(self._clients.values()):
            with suppress(OSError):
                acknowledges = client.acknowledges(self.node.staleness.wary_for)
                if acknowledges:
                    self.node.staleness.delivered(client.connection)
                elif acknowledges is False:
                    self.node.staleness.undelivered(client.connection)
                    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                    client.ended = True
                    self.close(client, "its machine acknowledges nothing")

    def _has_room(self) -> bool:
        if len(self._clients) < self._limit:
            return True
        self.node.counters.rejected_connections += 1
        self._rejections.happened()
        return False

    def _admit(self, sock: socket.socket | TlsSocket, host: str, is_tcp: bool) -> Client:
        client = Client(self, sock, self.node.clients.connect(host), is_tcp)
        try:
            self.reactor.register(sock.fileno(), client, READ)
        except OSError:
            self.node.clients.disconnect(client.connection)
            raise
        self._clients[client.connection] = client
        if self._verbose():
            self.log(f"client {sock.fileno()}: connected")
        return client

    def _admit_tls(self, sock: TlsSocket, host: str) -> None:
        """A client has finished its handshake; what it sent along with that may have been read with it."""
        if not self._has_room():
            self.partings.begin(sock.farewell(), self.reactor)
            return
        try:
            client = self._admit(sock, host, is_tcp=True)
        except OSError:
            sock.close()
            return
        client.ready(READ)

    def _make_room(self) -> None:
        """No descriptor is left: hang up on the oldest client, so that another can come in."""
        if self._clients and not len(self.partings):
            self.close(next(iter(self._clients.values())), "no file descriptor left")
        self.partings.close()


def spell(address: object) -> str:
    """A socket's address, as memcached spells it."""
    if not isinstance(address, tuple):
        return f"unix:{address}"
    host, port = address[:2]
    return f"tcp6:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"


def _dropped(count: int) -> str:
    return (
        f"hung up on {count} clients that did not read their replies, to have memory for others (unsent_bytes)"
    )
