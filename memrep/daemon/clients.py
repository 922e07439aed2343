"""Clients: the set of all that are connected, who is let into it and who has to leave.

A client more than `-c` allows is hung up on without a word. Any word would be taken for the reply to its first
command; memcached's "ERROR Too many open connections" made php-memcached begin empty sessions.

Besides, a client has to leave when its memory is needed (slow_readers.py), when its descriptor is, and when an
answer for it must not arrive any more (delivery.py). How each leaves is told in lingering_close.py.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic

from memrep.daemon.client import Client
from memrep.daemon.client_census import ClientCensus
from memrep.daemon.delivery import withhold
from memrep.daemon.lingering_close import LingeringClose
from memrep.daemon.reactor import READ, Reactor
from memrep.daemon.slow_readers import SlowReaders
from memrep.daemon.tls import TlsSocket
from memrep.events import CLIENT_CLOSED, CLIENT_CONNECTED, CLIENT_FAILED, CLIENTS_TOO_MANY, Tell
from memrep.log_limit import Recurrence
from memrep.node.node import Node
from memrep.protocol.connection import Connection
from memrep.status.client_facts import ClientsStatus, ClientStatus


class Clients:
    """All clients of a node.

    Args:
        node: whom they talk to.
        reactor: tells when their sockets are ready.
        limit: the most clients at a time.
        log: takes a line for the operator.
        verbose: whether lines are wanted that tell of each client. PHP comes and goes with every page, so none
            is made that nobody would write down.

    Attributes:
        partings: those who have been hung up on and may not have noticed.
    """

    def __init__(
        self,
        node: Node,
        reactor: Reactor,
        limit: int,
        log: Tell,
        verbose: Callable[[], bool] = lambda: True,
    ) -> None:
        self.partings = LingeringClose()
        self._node = node
        self._reactor = reactor
        self.limit = limit
        self._log = log
        self._verbose = verbose
        self._clients: dict[Connection, Client] = {}
        self._census = ClientCensus()
        self._slow_readers: SlowReaders[Client] = SlowReaders(node.flow, node.counters, log)
        self._rejections = Recurrence(
            log,
            lambda count: CLIENTS_TOO_MANY(clients=count, limit=self.limit),
        )

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._clients)

    # --- who comes in

    def admit(self, port: str, sock: socket.socket, host: str, is_tcp: bool) -> None:
        """Take a client that has connected at this kind of port, if there is room.

        Raises:
            OSError: the system does not allow what it takes to serve it.
        """
        if self._has_room():
            self._add(port, sock, host, is_tcp)
        else:
            self.part(port, sock)

    def admit_tls(self, port: str, sock: TlsSocket, host: str) -> None:
        """Take a client that has finished its handshake; what came behind that may have been read already."""
        if not self._has_room():
            self.part(port, sock)
            return
        try:
            client = self._add(port, sock, host, is_tcp=True)
        except OSError:
            sock.close()
            return
        client.ready(READ)

    def part(self, port: str, sock: socket.socket | TlsSocket) -> None:
        """Hang up on a client that has connected at this kind of port, and is not taken in."""
        self.partings.begin(sock, self._reactor, self._node.clients.farewell(port))

    def make_room(self) -> None:
        """Hang up on the oldest client, for no descriptor is left and another one waits to come in."""
        if self._clients and not len(self.partings):
            self.close(next(iter(self._clients.values())), "no file descriptor left", lives=True)
        self.partings.close()

    def _has_room(self) -> bool:
        if len(self._clients) < self.limit:
            return True
        self._node.counters.rejected_connections += 1
        self._rejections.happened()
        return False

    def _add(self, port: str, sock: socket.socket | TlsSocket, host: str, is_tcp: bool) -> Client:
        connection = self._node.clients.connect(host, port)
        client = Client(self, self._node, self._reactor, sock, connection, is_tcp)
        client.host, client.port = host, port
        try:
            self._reactor.register(sock.fileno(), client, READ)
        except OSError:
            self._node.clients.disconnect(connection)
            raise
        self._clients[connection] = client
        self._census.came(client)
        if self._verbose():
            self._log(CLIENT_CONNECTED(number=sock.fileno()))
        return client

    # --- turns

    def answer(self, connection: Connection, replies: bytes) -> None:
        """Send what a client was answered late, and hang up if the node wants that."""
        client = self._clients.get(connection)
        if client is None:
            return
        try:
            client.answer(replies)
        except OSError as error:
            self.close(client, str(error))

    def tick(self) -> None:
        """Do what is due by the clock."""
        self._rejections.tick(time.monotonic_ns() // 1_000_000)
        for client in self._slow_readers.overdue():
            self.close(client, "it does not read its replies", lives=True)
        self._slow_readers.tick()
        self.partings.sweep()
        if self._node.staleness.wary:
            self._take_back()

    def _take_back(self) -> None:
        """Hang up on clients that are not there to hear what may be worth nothing; tell of the others."""
        for client in list(self._clients.values()):
            with suppress(OSError):
                acknowledges = client.acknowledges(self._node.staleness.wary_for)
                if acknowledges:
                    self._node.staleness.delivered(client.connection)
                elif acknowledges is False:
                    self._node.staleness.undelivered(client.connection)
                    withhold(client.sock)
                    client.ended = True
                    self.close(client, "its machine acknowledges nothing", lives=True)

    def unread(self, connection: Connection) -> bool:
        """Tell whether something of this client lies in its socket, be it only that it has hung up."""
        try:
            self._clients[connection].sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, KeyError):
            return True
        return True

    # --- who leaves

    def close(self, client: Client, reason: str, *, unheard: bool = False, lives: bool = False) -> None:
        """Hang up on a client; if it has not, it gets time to notice (lingering_close.py).

        Args:
            client: who.
            reason: why, for the log.
            unheard: whether something was read that is not executed.
            lives: whether that is this node's wish, and the client may go on at another one.
        """
        if client.sock.fileno() < 0:
            return
        if reason and self._verbose():
            self._log(CLIENT_CLOSED(number=client.sock.fileno(), reason=reason))
        self._reactor.unregister(client.sock.fileno())
        if self._clients.pop(client.connection, None) is not None:
            self._census.went(client)
        self._node.clients.disconnect(client.connection, unheard=unheard, lives=lives)
        if client.ended:
            with suppress(OSError):
                client.sock.close()
        else:
            farewell = client.farewell
            quiet_since = monotonic() if farewell.due else client.heard
            self.partings.begin(client.sock, self._reactor, farewell, quiet_since)
        client.forget_unsent()
        self._reactor.spent()  # for the reactor, which sees it then: very many may leave at once

    def failed(self, client: Client, error: Exception) -> None:
        """Hang up on a client because of a mistake of our own."""
        self._log(CLIENT_FAILED(error=repr(error)))
        self.close(client, "a fault in memrep", unheard=True, lives=True)

    def keeps(self, client: Client, unsent: int, more: int) -> None:
        """Note that so many bytes for a client are unsent now, and so many more than before."""
        self._slow_readers.keeps(client, unsent, more)

    @property
    def _with_hold(self) -> list[Client]:
        return [client for client in self._clients.values() if client.connection.hold_s]

    @property
    def any_with_hold(self) -> bool:
        """Tell whether there are clients whose end must not come too soon behind a command: Redis'."""
        return bool(self._with_hold)

    def part_from_resting(self) -> None:
        """Hang up on those of them that rest; the others are served on, and have their turn when they rest."""
        now = monotonic()
        for client in self._with_hold:
            if client.rests(now) and not self.unread(client.connection):
                self._node.clients.close(client.connection)

    def close_all(self) -> None:
        """Hang up on all clients."""
        for client in list(self._clients.values()):
            self.close(client, "memrep stops")

    def give_up(self) -> None:
        """Close whatever is still open."""
        for client in list(self._clients.values()):
            client.ended = True  # no farewell
            self.close(client, "")
        self.partings.close()

    def kill(self, whom: str) -> int:
        """Hang up on the client at this address, or on all of this host; return how many there were."""
        found = [client for client in self._clients.values() if whom in (client.host, _address(client))]
        for client in found:
            self.close(client, "an operator ended it", lives=True)
        return len(found)

    def address_of(self, connection: Connection | None) -> str:
        """Return where the client of this connection is; "" if it is not connected."""
        client = None if connection is None else self._clients.get(connection)
        return "" if client is None else _address(client)

    def status(self, node: str) -> ClientsStatus:
        """Return who is connected, and who has asked how much, for an operator.

        Args:
            node: this node's address.
        """
        now = monotonic()
        clients = list(self._clients.values())
        told = [
            ClientStatus(
                address=_address(client),
                host=client.host,
                protocol=client.port or "memcached",
                tls=isinstance(client.sock, TlsSocket),
                state=client.state,
                age_s=now - client.since,
                idle_s=now - client.heard,
                reads=client.reads,
                received=client.received,
            )
            for client in clients
        ]
        return ClientsStatus(node, now, self.limit, self._census.sums(clients), told)

    def describe(self) -> Iterator[tuple[str, object]]:
        """Describe each socket, as in memcached's `stats conns`: address, state, how long it has been quiet."""
        now = monotonic()
        asking = max(self._clients.values(), key=lambda client: client.heard, default=None)
        for client in self._clients.values():
            number = client.sock.fileno()
            with suppress(OSError):  # it is gone, and not noticed yet
                peer, own = client.sock.getpeername(), client.sock.getsockname()
                yield f"{number}:addr", spell(peer or own)
                yield f"{number}:listen_addr", spell(own)
                yield f"{number}:state", "conn_parse_cmd" if client is asking else client.state
                yield f"{number}:secs_since_last_cmd", int(now) - int(client.heard)  # on whole seconds


def _address(client: Client) -> str:
    """Return where a client is: host and port, or the path of the unix socket; "" if it has just gone."""
    try:
        peer = client.sock.getpeername() or client.sock.getsockname()
    except OSError:
        return ""
    return spell(peer).partition(":")[2]


def spell(address: object) -> str:
    """Spell a socket's address as memcached does."""
    if not isinstance(address, tuple):
        return f"unix:{address}"
    host, port = address[:2]
    return f"tcp6:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"
