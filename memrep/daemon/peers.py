"""Peers: who may open a link to this node, and all links together.

Each node dials every other one (dialler.py) and sends on the link that it dialled; on the links that it
accepted it only listens (peer_links.py).

Without a secret, who calls from an address that is no other node's is told so and turned away, before a byte of
its is read (peer_allowlist.py). With one, who has not proved soon that it knows it is closed, and few may try
at a time.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Final

from memrep.addresses import Address, plain_host
from memrep.daemon.dialler import Dialler
from memrep.daemon.guard import Troubles, hang_up
from memrep.daemon.half_open import callers
from memrep.daemon.listener import Door, Listener
from memrep.daemon.names import Endpoint, Whereabouts
from memrep.daemon.peer_allowlist import PeerAllowlist
from memrep.daemon.peer_links import GREETING_S, InLink
from memrep.daemon.pending_handshakes import PendingHandshakes
from memrep.daemon.reactor import Reactor
from memrep.events import NO_GREETING, STRANGER_TURNED_AWAY, Tell
from memrep.log_limit import RateLimitedLog
from memrep.node.node import Node
from memrep.replication.handshake import Sorry
from memrep.replication.wire import encode

#: How many links that were accepted may be at their greeting.
_GREETINGS_MAX: Final = 64


class Peers:
    """All links of a node.

    Args:
        node: the node.
        reactor: tells when their sockets are ready.
        addresses: of all nodes; node n is the n-th.
        listeners: where the others come in; they listen.
        sources: the addresses from which this node may call, those that the others know; none for any.
        log: takes a line for the operator.

    Attributes:
        diallers: those who keep this node's links to the others, by number.
    """

    def __init__(
        self,
        node: Node,
        reactor: Reactor,
        addresses: list[Address],
        listeners: list[Listener],
        sources: list[Endpoint],
        log: Tell,
    ) -> None:
        me = node.options.me
        others = {n: a for n, a in enumerate(addresses, start=1) if n != me}
        self._node = node
        self._reactor = reactor
        self._link_port = addresses[me - 1].link_port
        troubles = Troubles(log)
        self._doors = [
            Door(f"nodes on {listener}", listener, self._receive, lambda: None, troubles)
            for listener in listeners
        ]
        self._limited_log = RateLimitedLog(log)
        self._allowlist = PeerAllowlist(others)
        self._accepted: dict[InLink, None] = {}
        self._greeting: PendingHandshakes[InLink] = PendingHandshakes(_GREETINGS_MAX, GREETING_S)
        self.diallers = {
            n: Dialler(
                n, Whereabouts(a, partial(self._allowlist.looked_up, n)), sources, reactor, node.links, log
            )
            for n, a in others.items()
        }

    def begin_anew(self) -> None:
        """Close what former tasks have dialled: those that dial begin, maybe not for the first time."""
        for dialler in self.diallers.values():
            dialler.begin_anew()

    def give_up(self) -> None:
        """Close all links; the address is kept."""
        for door in self._doors:
            door.shut()
        for link in list(self._accepted):
            link.close()
        self.begin_anew()

    def open(self) -> None:
        """Let the others in."""
        for door in self._doors:
            door.open(self._reactor)

    def _receive(self, sock: socket.socket, host: str, port: int) -> None:
        """Greet a caller that may be a node; turn strangers away."""
        host = plain_host(host)
        if not self._node.options.secrets and not self._allowlist.expects(host):
            self._turn_away(sock, host)
            return
        link = InLink(self, self._reactor, self._node.links, sock, f"{host}:{port}")
        self._accepted[link] = None
        crowded_out = self._greeting.enter(link, host, monotonic())
        if crowded_out is not None:
            crowded_out.close()

    def _turn_away(self, sock: socket.socket, host: str) -> None:
        """Close a stranger's connection; told the reason, for it may be a node that calls from elsewhere."""
        if not self._allowlist.known:  # a moment after the start; should it be a node, it comes again
            hang_up(sock)
            return
        reason = f"--nodes of the called node has no other node at {host}, from which the caller calls"
        with suppress(OSError):
            sock.send(encode(Sorry(reason)))
        hang_up(sock)
        self._limited_log.about(host, STRANGER_TURNED_AWAY(host=host, reason=reason))

    def forget(self, link: InLink) -> None:
        """Note that a link that was accepted is closed."""
        self._accepted.pop(link, None)
        self._greeting.leave(link)

    def greeted(self, link: InLink, node: int) -> None:
        """Dial this peer now, which has just shown who it is."""
        self._greeting.leave(link)
        self.diallers[node].poke()

    def send(self, node: int, data: bytes) -> None:
        """Send to a peer, if our link to it is open; what is lost shows as a gap."""
        link = self.diallers[node].link
        if link is not None:
            link.send(data)

    def close_superseded(self) -> None:
        """Close links that the node wants closed; to be called at the end of a turn."""
        for link in [link for link in self._accepted if link.link.closing]:
            link.close()

    def tick(self, now: float) -> None:
        """Do what is due at this time on the monotonic clock, s."""
        for door in self._doors:
            door.tick()
        if self._node.staleness.waiting:
            self._reactor.turn(self._look_for_calls)
        for dialler in self.diallers.values():
            dialler.renew(now)
        self._close_overdue(now)

    def _look_for_calls(self) -> None:
        """Tell the node of peers whose SYN has come (half_open.py)."""
        for host in callers(self._link_port):
            for node in self._allowlist.at(host):
                self._node.links.called(node)

    def _close_overdue(self, now: float) -> None:
        """Close the links that were accepted and on which no greeting comes about."""
        for guest in self._greeting.overdue(now):
            host = guest.link.address.rpartition(":")[0]
            self._limited_log.about(host, NO_GREETING(host=host, seconds=GREETING_S))
            guest.close()

    @property
    def unsent(self) -> bool:
        """Tell whether something for a peer is still in our buffers."""
        return any(one.link.sending for one in self.diallers.values() if one.link is not None)
