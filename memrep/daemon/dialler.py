"""The dialler: it keeps this node's link to one peer, from the look-up of its name to the next try.

Problem: a peer that is gone must be told from one that is slow or cut off, and one that comes back must be
found in the same moment, whatever its name stands for by then (names.py).

So there is always either a link or an attempt. If the port to which the link had led refuses, the process is
gone, and the node is told at once. If nobody answers, it is tried again shortly; at once when the peer has just
called this node, and by a fresh SYN when this node knows that it is there. A link that does not carry what is
sent on it is closed for a new one: after a cut has healed a new connection gets through at the first try, while
the old one waits for a retransmission that comes later the longer the cut has lasted.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from time import monotonic
from typing import Final

import trio

from memrep.daemon.guard import hang_up, in_words
from memrep.daemon.names import NOT_NOW, REFUSES, Call, Endpoint, Whereabouts, is_loopback
from memrep.daemon.peer_links import GREETING_S, OutLink
from memrep.daemon.reactor import Reactor
from memrep.events import CANNOT_REACH, LINK_REFUSED, Line, Tell
from memrep.replication.links import Links

_REDIAL_S: Final = 0.1
_RETRY_S: Final = 0.1
_PATIENCE_S: Final = 2.0
_RENEW_S: Final = 0.5

#: Different reasons that are told why a peer cannot be reached, until it is.
_TOLD_MAX: Final = 4


class Dialler:
    """Keeps the link to one peer.

    Args:
        node: the peer's number.
        where: where it lives.
        sources: the addresses from which this node may call, those that the others know; none for any.
        reactor: makes turns, and serves the link.
        links: the node's side of all links.
        log: takes a line for the operator.

    Attributes:
        link: the one on which this node sends; None if there is none now.
        where: see above.
    """

    def __init__(
        self,
        node: int,
        where: Whereabouts,
        sources: Sequence[Endpoint],
        reactor: Reactor,
        links: Links,
        log: Tell,
    ) -> None:
        self.link: OutLink | None = None
        self.where = where
        self._node = node
        self._sources = sources
        self._reactor = reactor
        self._links = links
        self._log = log
        self._poked = trio.Event()
        self._attempt: trio.CancelScope | None = None
        self._last: Endpoint | None = None  # where the peer has answered last
        self._established = False  # it was linked and is not known to be gone
        self._refuses = False  # all of its ports do

    def begin_anew(self) -> None:
        """Forget the tasks that have run `keep` and `where.keep`, if any; close what they have dialled."""
        self._poked = trio.Event()
        if self.link is not None:
            self.link.abandon()
            self.link = None
        self.where.begin_anew()

    def poke(self) -> None:
        """Dial now, if there is only a pause between two attempts."""
        self._reactor.errands.append(self._dial_now)

    def _dial_now(self) -> None:
        self._poked.set()

    def dial_afresh(self) -> None:
        """Send a new SYN now: that of an attempt under way comes again only after a second."""
        self.poke()
        if self._attempt is not None:
            self._reactor.errands.append(self._attempt.cancel)

    def renew(self, now: float) -> None:
        """Close the link if it does not carry what is sent on it, or if no greeting comes about.

        Args:
            now: the monotonic clock, s.
        """
        link = self.link
        if link is None:
            return
        welcome, age = link.outgoing.welcome, now - link.opened
        if (age > GREETING_S and not welcome) or (age > _RENEW_S and self._links.deaf(self._node)):
            link.close("it does not hear this node" if welcome else "it does not greet this node")

    async def keep(self) -> None:
        """Keep the link open, for ever; tell the node what becomes of it."""
        told: list[Line] = []
        address = self.where.address
        failing_since = trio.current_time()
        while True:
            self._poked = trio.Event()
            pause = _REDIAL_S
            link, reason = await self._dial()
            if link is None:
                self._links.unreachable(self._node, reason, self._refuses)
                if trio.current_time() - failing_since > _PATIENCE_S:
                    self._tell(CANNOT_REACH(peer=str(address), port=address.link_port, reason=reason), told)
                pause = _REDIAL_S if self._refuses else _RETRY_S
            else:
                await link.ended.wait()
                self.link = None
                if link.outgoing.welcome:
                    told.clear()
                    failing_since = trio.current_time()
                    continue
                patience = _PATIENCE_S
                if link.outgoing.reason:
                    self._links.turned_away(self._node, link.reason)
                    pause, patience = _RETRY_S, 0.0
                if trio.current_time() - failing_since >= patience:
                    refuses = "turned this node away" if link.outgoing.reason else "opens no link"
                    reason = f"{link.reason}{self._hint()}"
                    self._tell(LINK_REFUSED(peer=str(address), refuses=refuses, reason=reason), told)
                if monotonic() - link.opened > _RENEW_S:
                    continue
            with trio.move_on_after(pause):
                await self._poked.wait()

    async def _dial(self) -> tuple[OutLink | None, str]:
        """Call the peer at all of its endpoints; return a new link to it, or why there is none."""
        where = self.where
        call = Call(self._last, self._sources, self._refused)
        found = await where.ask()
        sock, link, reason = None, None, ""
        with trio.CancelScope() as self._attempt:  # not the look-up: nothing was sent that could be sent afresh
            sock = await call.connect(found)
        self._attempt = None
        if sock is None:
            reason = where.why(call.outcomes) + self._hint()
        else:
            try:
                link = self._begin(sock)
            except NOT_NOW as error:
                reason = in_words(error)
        self._refuses = False
        if link is not None and call.endpoint is not None:
            self._last = call.endpoint
            self._established = True
        elif call.outcomes and all(outcome == REFUSES for _, outcome in call.outcomes):
            self._refuses = True
            self._gone()
        return link, reason

    def _begin(self, sock: socket.socket) -> OutLink:
        """Greet the peer; what is for it is sent on this link from now on.

        Raises:
            OSError: the system does not allow it.
        """
        begun: list[OutLink] = []
        failed: list[OSError] = []

        def begin() -> None:
            try:
                self.link = OutLink(self._reactor, self._links, self._node, sock)
            except OSError as error:
                failed.append(error)
            else:
                begun.append(self.link)

        self._reactor.turn(begin)
        if not begun:
            hang_up(sock)
            raise failed[0]
        return begun[0]

    def _refused(self, endpoint: Endpoint) -> None:
        """Note that the port at this endpoint refuses."""
        if endpoint == self._last:
            self._gone()

    def _gone(self) -> None:
        """Tell the node that the process to which our link had led is not there any more."""
        if self._established:
            self._established = False
            self._reactor.turn(lambda: self._links.refused(self._node, "its process is gone"))

    def _tell(self, line: Line, told: list[Line]) -> None:
        if line not in told and len(told) < _TOLD_MAX:
            told.append(line)
            self._log(line)

    def _hint(self) -> str:
        """Tell what is wrong with the peer's name if it leads to this very machine and no other node's does."""
        hosts = [endpoint.host for endpoint in self.where.endpoints]
        if not hosts or not all(map(is_loopback, hosts)) or not self._sources:
            return ""
        host = self.where.address.host
        return (
            f"; {host} stands for {hosts[0]}, this machine itself: correct /etc/hosts or DNS on this machine "
            "(Debian writes 127.0.1.1 beside a machine's own name), or write its address into --nodes"
        )
