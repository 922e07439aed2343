"""The links between nodes, at this end: what is sent on one of them, and what is read from one.

A node sends on the link that it has dialled, and only listens on those that it has accepted.

Problem: a peer may stop reading, and a turn must wait for nobody. So what a socket does not take is kept, at
most UNSENT_MAX bytes of it: then the link is closed. What was lost shows as a gap on the new link and costs a
change of view, not memory. What comes is read a piece at a time, and what there is no time for now is looked at
in the next turn.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from time import monotonic
from typing import Final, Protocol

import trio

from memrep.daemon.guard import guarded, hang_up, in_words
from memrep.daemon.reactor import READ, WRITE, Reactor
from memrep.errors import PeerError
from memrep.replication.links import Links

#: Unsent bytes for one peer above which its link is closed.
UNSENT_MAX: Final = 64 << 20

#: How long the greeting of a link may take, s.
GREETING_S: Final = 3.0

#: What is received is copied out of a buffer of this size, which malloc would map and unmap for each receive if
#: it were larger than 128 KiB.
_RECEIVE_BYTES: Final = 1 << 16


class OutLink:
    """Our end of the link that we dialled. What is sent before we are welcome waits until then.

    Args:
        reactor: tells when the socket is ready.
        links: the node's side of all links.
        node: the peer.
        sock: connected; it does not block.

    Raises:
        OSError: the system has no room for it.

    Attributes:
        outgoing: the greeting, at this end.
        opened: when it was, on the monotonic clock, s.
        closed: whether it is.
        ended: set a moment after it was closed, for the dialling task.
        reason: why it was closed.
    """

    def __init__(self, reactor: Reactor, links: Links, node: int, sock: socket.socket) -> None:
        self.outgoing = links.dialled(node)
        self.opened = monotonic()
        self.closed = False
        self.ended = trio.Event()
        self.reason = "it closed the link"
        self._reactor = reactor
        self._links = links
        self._node = node
        self._sock = sock
        self._unsent = bytearray()
        reactor.register(sock.fileno(), self, READ, urgent=True)

    @property
    def sending(self) -> bool:
        """Tell whether something is on its way from our buffer to the peer."""
        return bool(self._unsent) and self.outgoing.welcome

    def send(self, data: bytes) -> None:
        """Send, now or when the socket takes it."""
        if self.closed:
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
                self._reactor.modify(self._sock.fileno(), READ | WRITE)
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
        """Close the link, for a system call has failed."""
        self.close(in_words(error))

    def _hear(self, data: bytes) -> None:
        outgoing = self.outgoing
        was_welcome = outgoing.welcome
        answer = outgoing.receive(data)
        if outgoing.welcome and not was_welcome:
            self._links.let_in(self._node, stands=True)
        if outgoing.reason:
            self.close(outgoing.reason)
        elif answer:
            self._sock.send(answer)  # the first thing that is sent here, and short: there is room for it
        if outgoing.welcome and self._unsent and not self.closed:
            self._reactor.modify(self._sock.fileno(), READ | WRITE)
            self._flush()

    def _flush(self) -> None:
        sent = self._sock.send(self._unsent)
        del self._unsent[:sent]
        if not self._unsent:
            self._reactor.modify(self._sock.fileno(), READ)

    def close(self, reason: str) -> None:
        """Hang up; the dialling task goes on from here."""
        if not self.closed:
            self.closed = True
            self.reason = reason
            self._reactor.unregister(self._sock.fileno())
            hang_up(self._sock)
            self._reactor.errands.append(self.ended.set)
            if self.outgoing.welcome:
                self._links.let_in(self._node, stands=False)

    def abandon(self) -> None:
        """Hang up; the task that waited for that is no more, and must not be woken."""
        self.ended = trio.Event()
        self.close("")


class InLinkOwner(Protocol):
    """Whoever keeps the links that were accepted."""

    def greeted(self, link: InLink, node: int) -> None:
        """Note that the other end has just shown which peer it is."""

    def forget(self, link: InLink) -> None:
        """Note that a link is closed."""


class InLink:
    """Our end of a link that a peer dialled.

    Args:
        owner: whoever keeps these links.
        reactor: tells when the socket is ready.
        links: the node's side of all links.
        sock: connected; it does not block.
        address: of its other end.

    Raises:
        OSError: the system has no room for it.

    Attributes:
        link: the node's side of it.
    """

    def __init__(
        self, owner: InLinkOwner, reactor: Reactor, links: Links, sock: socket.socket, address: str
    ) -> None:
        self.link = links.accept(address)
        self._owner = owner
        self._reactor = reactor
        self._links = links
        self._sock = sock
        reactor.register(sock.fileno(), self, READ, urgent=True)
        self._say()

    def ready(self, events: int) -> bool:
        """Take what the peer says; what there is no time for now, in the next turn."""
        of_writes = self._links.go_on(self.link) if self.link.unread else self._read()
        if self.link.unread:
            self._reactor.again(self._sock.fileno())
        return of_writes

    def _read(self) -> bool:
        try:
            data = self._sock.recv(_RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return True
        except (OSError, MemoryError):
            data = b""
        if not data:
            self._links.closed(self.link)
            self.close()
            return False
        greeted = self.link.incoming.node is not None
        try:
            of_writes = self._links.receive(self.link, data)
        except MemoryError:  # what came behind it is lost
            self._links.closed(self.link)
            self.close()
            raise
        if not greeted:
            self._say()
            if self.link.incoming.node is not None:
                self._owner.greeted(self, self.link.incoming.node)
        return of_writes

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
        self._reactor.unregister(self._sock.fileno())
        self._owner.forget(self)
        hang_up(self._sock)
