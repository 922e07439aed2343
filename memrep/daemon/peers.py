"""Peers: the links to and from the other nodes.

Each node dials every other one and sends on the link that it dialled; on the links that it accepted it only
listens. A task for each peer keeps the link dialled. It also tells a dead peer from a slow one: if our link
was closed and the port to which it had led then refuses, the process is gone, and the node is told at once.
Which addresses a peer has, and how they are called in turn, is told in names.py.

A peer that does not read costs at most UNSENT_MAX bytes: then its link is closed. What was lost shows as a gap
on the new link and costs a change of view, not memory.

Without a secret, who calls from an address that is no other node's is told so and turned away, before a byte of
its is read. With one, who has not proved soon that it knows it is closed, and few may try at a time.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import trio

from memrep.addresses import Address, plain_host
from memrep.daemon.guard import Troubles, guarded, hang_up, in_words
from memrep.daemon.half_open import callers
from memrep.daemon.listener import Door, Listener
from memrep.daemon.names import NOT_NOW, REFUSES, SILENT, Call, Endpoint, Whereabouts, is_loopback
from memrep.daemon.peer_allowlist import PeerAllowlist
from memrep.daemon.pending_handshakes import PendingHandshakes
from memrep.daemon.reactor import READ, WRITE, Reactor
from memrep.errors import PeerError
from memrep.log_limit import RateLimitedLog
from memrep.node.node import Node
from memrep.replication.handshake import Outgoing, Sorry
from memrep.replication.links import Link
from memrep.replication.wire import encode

#: Unsent bytes for one peer above which its link is closed.
UNSENT_MAX: Final = 64 << 20

_RECEIVE_BYTES: Final = 1 << 18
_REDIAL_S: Final = 0.1
_RETRY_S: Final = 0.1
_PATIENCE_S: Final = 2.0
_RENEW_S: Final = 0.5

#: How long the greeting of a link may take, and how many that were accepted may be at it.
_GREETING_S: Final = 3.0
_GREETINGS_MAX: Final = 64


#: Different reasons that are told why a peer cannot be reached, until it is.
_TOLD_MAX: Final = 4


class OutLink:
    """Our end of the link that we dialled. What is sent before we are welcome waits until then."""

    def __init__(self, peers: Peers, node: int, sock: socket.socket, outgoing: Outgoing) -> None:
        self.node = node
        self.closed = trio.Event()
        self.reason = "it closed the link"
        self.opened = trio.current_time()
        self.outgoing = outgoing
        self._peers = peers
        self._sock = sock
        self._unsent = bytearray()
        peers.reactor.register(sock.fileno(), self, READ, urgent=True)

    @property
    def sending(self) -> bool:
        """Whether something is on its way from our buffer to the peer."""
        return bool(self._unsent) and self.outgoing.welcome

    def send(self, data: bytes) -> None:
        """Send, now or when the socket takes it."""
        if self.closed.is_set():
            return
        if self.outgoing.welcome and not self._unsent:
            try:
                try:
                    sent = self._sock.send(data)
                except (BlockingIOError, InterruptedError):
                    sent = 0
                if sent == len(data):
                    return
                data = data[sent:]
                self._peers.reactor.modify(self._sock.fileno(), READ | WRITE)
            except OSError as error:
                self.broken(error)
                return
        self._unsent += data
        if len(self._unsent) > UNSENT_MAX:
            self.close(f"it has not read {len(self._unsent)} bytes")

    @guarded
    def ready(self, events: int) -> None:
        """Send the rest, or hear what the greeting comes to, or see the link closed."""
        try:
            if events & WRITE and self._unsent:
                self._flush()
            if events & ~WRITE:
                data = self._sock.recv(_RECEIVE_BYTES)
                if data:
                    self._hear(data)
                else:
                    self.close(self.reason)
        except (BlockingIOError, InterruptedError):
            return
        except PeerError as error:
            self.close(str(error))

    def broken(self, error: OSError) -> None:
        """A system call has failed."""
        self.close(in_words(error))

    def _hear(self, data: bytes) -> None:
        outgoing = self.outgoing
        was_welcome = outgoing.welcome
        answer = outgoing.receive(data)
        if outgoing.welcome and not was_welcome:
            self._peers.node.links.let_in(self.node, stands=True)
        if outgoing.reason:
            self.close(outgoing.reason)
        elif answer:
            self._sock.send(answer)  # the first thing that is sent here, and short: there is room for it
        if outgoing.welcome and self._unsent and not self.closed.is_set():
            self._peers.reactor.modify(self._sock.fileno(), READ | WRITE)
            self._flush()

    def _flush(self) -> None:
        sent = self._sock.send(self._unsent)
        del self._unsent[:sent]
        if not self._unsent:
            self._peers.reactor.modify(self._sock.fileno(), READ)

    def close(self, reason: str) -> None:
        """Hang up; the dialling task goes on from here."""
        if not self.closed.is_set():
            self.reason = reason
            self._peers.reactor.unregister(self._sock.fileno())
            hang_up(self._sock)
            self.closed.set()
            if self.outgoing.welcome:
                self._peers.node.links.let_in(self.node, stands=False)


class InLink:
    """Our end of a link that a peer dialled."""

    def __init__(self, peers: Peers, sock: socket.socket, link: Link) -> None:
        self.link = link
        self._peers = peers
        self._sock = sock
        peers.reactor.register(sock.fileno(), self, READ, urgent=True)
        self._say()

    def ready(self, events: int) -> None:
        """Take what the peer says; what there is no time for now, in the next turn."""
        if self.link.unread:
            self._peers.node.links.go_on(self.link)
        else:
            self._read()
        if self.link.unread:
            self._peers.reactor.again(self._sock.fileno())

    def _read(self) -> None:
        try:
            data = self._sock.recv(_RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, MemoryError):
            data = b""
        node = self._peers.node
        if not data:
            node.links.closed(self.link)
            self.close()
            return
        greeted = self.link.incoming.node is not None
        try:
            node.links.receive(self.link, data)
        except MemoryError:  # what came behind it is lost
            node.links.closed(self.link)
            self.close()
            raise
        if not greeted:
            self._say()
            if self.link.incoming.node is not None:
                self._peers.greeted(self, self.link.incoming.node)

    def _say(self) -> None:
        """Do our part of the greeting: a few bytes, for which a fresh socket has room."""
        data = self.link.take()
        if data:
            with suppress(OSError):  # a broken link shows when it is read
                self._sock.send(data)

    def close(self) -> None:
        """Hang up."""
        if self._sock.fileno() < 0:
            return
        self._peers.reactor.unregister(self._sock.fileno())
        self._peers.forget(self)
        hang_up(self._sock)


class Peers:
    """All links of a node.

    Args:
        node: the node.
        reactor: tells when their sockets are ready.
        addresses: of all nodes; node n is the n-th.
        listeners: where the others come in; they listen.
        sources: the addresses from which this node may call, those that the others know; none for any.
        log: takes a line for the operator.
    """

    def __init__(
        self,
        node: Node,
        reactor: Reactor,
        addresses: list[Address],
        listeners: list[Listener],
        sources: list[Endpoint],
        log: Callable[[str], None],
    ) -> None:
        self.node = node
        self.reactor = reactor
        me = node.options.me
        self._addresses = {n: a for n, a in enumerate(addresses, start=1) if n != me}
        self._sources = sources
        self._log = log
        self._troubles = Troubles(log)
        self._doors = [
            Door(f"nodes on {listener}", listener, self._receive, lambda: None, self._troubles)
            for listener in listeners
        ]
        self._limited_log = RateLimitedLog(log)
        self._neighbours = PeerAllowlist(self._addresses)
        self._link_port = addresses[me - 1].link_port
        self._out: dict[int, OutLink] = {}
        self._in: dict[InLink, None] = {}
        self._greeting: PendingHandshakes[InLink] = PendingHandshakes(_GREETINGS_MAX, _GREETING_S)
        self._pokes = {n: trio.Event() for n in self._addresses}
        self._where = {
            n: Whereabouts(a, partial(self._neighbours.looked_up, n)) for n, a in self._addresses.items()
        }
        self._last: dict[int, Endpoint] = {}  # where each peer has answered last
        self._established: set[int] = set()  # peers that were linked and are not known to be gone
        self._refusing: set[int] = set()  # peers whose ports refuse
        self._dialling: dict[int, trio.CancelScope] = {}

    def begin_anew(self) -> None:
        """The tasks that dial begin, maybe not for the first time: what former ones have dialled is closed."""
        self._pokes = {n: trio.Event() for n in self._addresses}
        for link in list(self._out.values()):
            link.closed = trio.Event()  # who waits for the old one is no more
            link.close("")
        self._out.clear()
        for where in self._where.values():
            where.begin_anew()

    def give_up(self) -> None:
        """Close all links; the address is kept."""
        for door in self._doors:
            door.shut()
        for link in list(self._in):
            link.close()
        self.begin_anew()

    def open(self) -> None:
        """Let the others in."""
        for door in self._doors:
            door.open(self.reactor)

    def _receive(self, sock: socket.socket, host: str, port: int) -> None:
        """A node, or a stranger, knocks."""
        self._admit(sock, plain_host(host), port)

    def _admit(self, sock: socket.socket, host: str, port: int) -> None:
        """Greet who may be a node."""
        if not self.node.options.secret and not self._neighbours.expects(host):
            self._turn_away(sock, host)
            return
        link = InLink(self, sock, self.node.links.accept(f"{host}:{port}"))
        self._in[link] = None
        crowded_out = self._greeting.enter(link, host, trio.current_time())
        if crowded_out is not None:
            crowded_out.close()

    def _turn_away(self, sock: socket.socket, host: str) -> None:
        """Close a stranger's connection; told the reason, for it may be a node that calls from elsewhere."""
        if not self._neighbours.known:  # a moment after the start; should it be a node, it comes again
            hang_up(sock)
            return
        reason = f"no other node in --nodes has the address {host}, from which it calls"
        with suppress(OSError):
            sock.send(encode(Sorry(reason)))
        hang_up(sock)
        self._limited_log.about(host, f"turned away a stranger from {host} at the nodes' port: {reason}")

    def dial_afresh(self, node: int) -> None:
        """Send this peer a new SYN now: that of an attempt under way comes again only after a second."""
        self._pokes[node].set()
        if node in self._dialling:
            self._dialling[node].cancel()

    def forget(self, link: InLink) -> None:
        """A link that was accepted is closed."""
        self._in.pop(link, None)
        self._greeting.leave(link)

    def greeted(self, link: InLink, node: int) -> None:
        """This peer has just shown who it is: dial it now."""
        self._greeting.leave(link)
        self._pokes[node].set()

    def send(self, node: int, data: bytes) -> None:
        """Send to a peer, if our link to it is open; what is lost shows as a gap."""
        link = self._out.get(node)
        if link is not None:
            link.send(data)

    def close_superseded(self) -> None:
        """At the end of a turn: close links that the node wants closed."""
        for link in [link for link in self._in if link.link.closing]:
            link.close()

    def tick(self) -> None:
        """What is due by the clock."""
        for door in self._doors:
            door.tick()
        if self.node.staleness.waiting:
            self.reactor.turn(self._look_for_calls)
        self._renew()

    def _look_for_calls(self) -> None:
        """Tell the node of peers whose SYN has come (half_open.py)."""
        for host in callers(self._link_port):
            for node in self._neighbours.at(host):
                self.node.links.called(node)

    def _renew(self) -> None:
        """Close the links that do not carry what is sent on them, or on which no greeting comes about.

        Ours are dialled again at once. After a cut has healed a new connection gets through at the first try,
        while the old one waits for a retransmission that comes later the longer the cut has lasted.
        """
        now = trio.current_time()
        for node, link in list(self._out.items()):
            welcome, age = link.outgoing.welcome, now - link.opened
            if (age > _GREETING_S and not welcome) or (age > _RENEW_S and self.node.links.deaf(node)):
                link.close("it does not hear this node" if welcome else "it does not greet this node")
        for guest in self._greeting.overdue(now):
            host = guest.link.address.rpartition(":")[0]
            self._limited_log.about(host, f"closed a node's link from {host}: no greeting in {_GREETING_S:g} s")
            guest.close()

    @property
    def unsent(self) -> bool:
        """Whether something for a peer is still in our buffers."""
        return any(link.sending for link in self._out.values())

    def _begin(self, node: int, sock: socket.socket) -> OutLink:
        """Greet this peer; what is for it is sent on this link from now on.

        Raises:
            OSError: the system does not allow it.
        """
        begun: list[OutLink] = []
        failed: list[OSError] = []

        def begin() -> None:
            try:
                link = OutLink(self, node, sock, self.node.links.dialled(node))
            except OSError as error:
                failed.append(error)
            else:
                self._out[node] = link
                begun.append(link)

        self.reactor.turn(begin)
        if not begun:
            hang_up(sock)
            raise failed[0]
        return begun[0]

    async def keep_found(self, node: int) -> None:
        """Look this peer's name up whenever it is to be called, for ever."""
        await self._where[node].keep()

    async def keep_dialled(self, node: int) -> None:
        """Keep our link to this peer open, for ever; tell the node what becomes of it."""
        told: list[str] = []
        failing_since = trio.current_time()
        while True:
            self._pokes[node] = trio.Event()
            pause = _REDIAL_S
            link, reason = None, SILENT
            with trio.CancelScope() as self._dialling[node]:
                link, reason = await self._dial(node)
            if link is None:
                self.node.links.unreachable(node, reason, node in self._refusing)
                line = f"cannot reach {self._named(node)}: {reason}"
                if trio.current_time() - failing_since > _PATIENCE_S:
                    self._tell(line, told)
                pause = _REDIAL_S if node in self._refusing else _RETRY_S
            else:
                await link.closed.wait()
                del self._out[node]
                if link.outgoing.welcome:
                    told.clear()
                    failing_since = trio.current_time()
                    continue
                patience = _PATIENCE_S
                if link.outgoing.reason:
                    self.node.links.turned_away(node, link.reason)
                    pause, patience = _RETRY_S, 0.0
                if trio.current_time() - failing_since >= patience:
                    turned = "turned this node away" if link.outgoing.reason else "opens no link"
                    self._tell(f"{self._addresses[node]} {turned}: {link.reason}{self._hint(node)}", told)
                if trio.current_time() - link.opened > _RENEW_S:
                    continue
            with trio.move_on_after(pause):
                await self._pokes[node].wait()

    async def _dial(self, node: int) -> tuple[OutLink | None, str]:
        """Call this peer at all of its endpoints: a new link to it, or why there is none."""
        where = self._where[node]
        call = Call(self._last.get(node), self._sources, partial(self._refused, node))
        sock = await call.connect(await where.ask())
        link, reason = None, ""
        if sock is None:
            reason = where.why(call.outcomes) + self._hint(node)
        else:
            try:
                link = self._begin(node, sock)
            except NOT_NOW as error:
                reason = in_words(error)
        self._refusing.discard(node)
        if link is not None and call.endpoint is not None:
            self._last[node] = call.endpoint
            self._established.add(node)
        elif call.outcomes and all(outcome == REFUSES for _, outcome in call.outcomes):
            self._refusing.add(node)
            self._gone(node)
        return link, reason

    def _refused(self, node: int, endpoint: Endpoint) -> None:
        """The port at this endpoint of a peer refuses."""
        if endpoint == self._last.get(node):
            self._gone(node)

    def _gone(self, node: int) -> None:
        """The peer that our link had led to is not there any more."""
        if node in self._established:
            self._established.discard(node)
            self.reactor.turn(lambda: self.node.links.refused(node, "its process is gone"))

    def _named(self, node: int) -> str:
        address = self._addresses[node]
        return f"{address} on port {address.link_port}"

    def _tell(self, line: str, told: list[str]) -> None:
        if line not in told and len(told) < _TOLD_MAX:
            told.append(line)
            self._log(line)

    def _hint(self, node: int) -> str:
        """What is wrong with a peer's name, if it leads to this very machine and nobody else's does."""
        hosts = [endpoint.host for endpoint in self._where[node].endpoints]
        if not hosts or not all(map(is_loopback, hosts)) or not self._sources:
            return ""
        host = self._addresses[node].host
        return (
            f"; {host} stands for {hosts[0]}, this machine itself: correct /etc/hosts or DNS on this machine "
            "(Debian writes 127.0.1.1 beside a machine's own name), or write its address into --nodes"
        )
