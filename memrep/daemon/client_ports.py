"""The ports of clients: when they are open, and who comes in by them.

The port is bound from the start, so that a taken one is found at once, but it listens only while the node holds
everything: until then connecting is refused, the one answer that sends PHP to the next node at once
(listener.py). So it is after a stop of the process, too, until this node has served again.

With TLS (tls.py) a client on the port comes in when its handshake is done. The unix socket stays as it is.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from functools import partial

from memrep.daemon.certificate import Certificate
from memrep.daemon.clients import Clients, spell
from memrep.daemon.guard import Troubles
from memrep.daemon.listener import Door, Listener, Take
from memrep.daemon.reactor import Reactor
from memrep.daemon.tls import TlsDoor
from memrep.events import Tell
from memrep.node.node import Node


class ClientPorts:
    """The addresses at which clients come in.

    Args:
        node: knows whether they may.
        reactor: tells when one has come.
        clients: takes those who come in.
        listeners: the addresses, by the kind of port (protocol/negotiation.py).
        certificate: what to show clients on the port, who then speak TLS; None if they do not.
        log: takes a line for the operator.

    Attributes:
        listening: whether clients may come in.
    """

    def __init__(
        self,
        node: Node,
        reactor: Reactor,
        clients: Clients,
        listeners: Mapping[str, list[Listener]],
        certificate: Certificate | None,
        log: Tell,
    ) -> None:
        self.listening = False
        self._node = node
        self._reactor = reactor
        self._clients = clients
        troubles = Troubles(log)
        self._doors: dict[Door, Take | None] = {}  # and how they part from those who wait
        self._tls: list[TlsDoor] = []
        for kind, some in listeners.items():
            tls = None
            if certificate is not None:
                tls = TlsDoor(certificate.context, partial(clients.admit_tls, kind), log)
                self._tls.append(tls)
            receive = partial(self._receive, kind, tls)
            for listener in some:
                door = Door(f"clients on {listener}", listener, receive, clients.make_room, troubles)
                # With the others a reset says all. Without its handshake nothing can be said to who speaks TLS.
                speaks = tls is None and node.clients.farewell(kind).hold_s
                self._doors[door] = partial(self._part, kind) if speaks else None
        self._shut = False
        self._fenced = False

    def show(self, certificate: Certificate) -> None:
        """Show this certificate to clients who come from now on."""
        for tls in self._tls:
            tls.context = certificate.context

    def follow(self) -> None:
        """Listen while the node is open, and only then; to be called at the end of a turn."""
        self._fenced = self._fenced and not self._node.serving
        if self._node.open and not self._fenced:
            if not (self.listening or self._shut):
                self.listening = True
                for door in reversed(self._doors):  # the port last: where it answers the unix socket does, too
                    door.open(self._reactor)
        elif self.listening or self.at_handshakes:
            self.close()

    def fence(self) -> None:
        """Hang up on those who wait to be accepted: what they have sent already may be old.

        The ports stay shut until this node serves again. To be refused sends php-memcached to another node; to
        be let in and then sent away, when the new view finds this one behind, costs it a try, of which it has
        five.
        """
        self._fenced = True
        if self.listening or self.at_handshakes:
            self.close()

    def refuse_more(self) -> None:
        """Accept those who have come: they are connected, and may have spoken. Refuse all others for good."""
        self._shut = True
        for door in self._doors:
            door.refuse_more()

    def shut(self) -> None:
        """Accept who was at TCP's handshake when others began to be refused, then nobody any more."""
        self._shut = True
        if self.listening:
            self.listening = False
            for door in self._doors:
                door.shut(door.receive)

    def let_in_again(self) -> None:
        """Listen again in spite of `refuse_more` and `shut`, from the end of this turn on."""
        if self._shut:
            self.shut()  # a port that refuses is no use any more, and is bound anew
            self._shut = False

    @property
    def at_handshakes(self) -> int:
        """Return how many clients are connected and not let in yet, for they are at their TLS handshakes."""
        return sum(len(tls) for tls in self._tls)

    def close(self) -> None:
        """Accept no client until the next turn that finds the node open; the addresses are kept."""
        if self.listening:
            self.listening = False
            for door, part in self._doors.items():
                door.shut(part)
        for tls in self._tls:
            tls.close_all()

    def tick(self) -> None:
        """Do what is due by the clock."""
        for door in self._doors:
            door.tick()
        for tls in self._tls:
            tls.tick()

    def describe(self) -> Iterator[tuple[str, object]]:
        """Describe each socket that listens, as in memcached's `stats conns`."""
        for door in self._doors:
            if door.sock is not None:
                yield f"{door.sock.fileno()}:addr", spell(door.sock.getsockname())
                yield f"{door.sock.fileno()}:state", "conn_listening"
                yield f"{door.sock.fileno()}:secs_since_last_cmd", 0

    def _receive(self, kind: str, tls: TlsDoor | None, sock: socket.socket, host: str, port: int) -> None:
        """Take a client that has connected at this kind of port.

        Raises:
            OSError: the system does not allow what it takes to serve him.
        """
        is_tcp = sock.family != socket.AF_UNIX
        if is_tcp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_tcp and tls is not None:
            tls.receive(self._reactor, sock, host)
        else:
            self._clients.admit(kind, sock, host, is_tcp)

    def _part(self, kind: str, sock: socket.socket, host: str, port: int) -> None:
        """Part from a client that has connected at this kind of port."""
        self._clients.part(kind, sock)
