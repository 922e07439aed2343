"""The links between nodes, as one node has them: who has called, who is who, and what came.

Each node calls each peer, and speaks on the link that it has opened itself. Of two connections that greet as
the same peer the later one counts: the other carries the last words of a process that is gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from memrep.errors import PeerError
from memrep.events import NODE_TURNED_AWAY, Tell
from memrep.log_limit import RateLimitedLog
from memrep.replication.handshake import NONCE_BYTES, Identity, Incoming, Outgoing
from memrep.replication.message import PeerMessage
from memrep.replication.replica import Replica
from memrep.storage.version import Clock


class Link:
    """One peer's connection to this node.

    Attributes:
        number: later connections have higher ones.
        closing: the shell closes it, after sending what is unsaid.
        unread: messages that have come, but for which there was no time yet.
    """

    def __init__(self, incoming: Incoming, address: str, number: int) -> None:
        self.incoming = incoming
        self.address = address
        self.number = number
        self.closing = False
        self.unread: deque[PeerMessage] = deque()

    def take(self) -> bytes:
        """Take what the shell has to send to the peer; ask for it when the link came and when it was heard."""
        unsaid, self.incoming.unsaid = self.incoming.unsaid, b""
        return unsaid


class Links:
    """One node's links.

    Args:
        identity: who this node is.
        replica: takes what comes.
        clock: the time of the present turn.
        random_bytes: gives that many random bytes, which nobody can foresee.
        log: takes one line for each complaint.
        spent: see `Node`.
    """

    def __init__(
        self,
        identity: Identity,
        replica: Replica,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        log: Tell,
        spent: Callable[[], bool] = lambda: False,
    ) -> None:
        self._spent = spent
        self._identity = identity
        self._replica = replica
        self._signs = replica.signs
        self._clock = clock
        self._chance = random_bytes
        self._limited_log = RateLimitedLog(log)
        self._calling: dict[int, Link] = {}  # by peer, its connection to us
        self._latest: dict[int, int] = {}  # by peer, the number of the newest connection it has greeted on
        self._accepted = 0

    def take_secrets(self, secrets: tuple[bytes, ...]) -> None:
        """Prove the first of these secrets, and take any of them, on links that begin from now on."""
        self._identity = attrs.evolve(self._identity, secrets=secrets)

    def dialled(self, node: int) -> Outgoing:
        """Begin the greeting at this end: this node has called a peer. What goes to it meanwhile has to wait.

        A heartbeat follows in the same turn.
        """
        self._signs.dialled(node)
        return Outgoing(self._identity, node, self._chance(NONCE_BYTES))

    def let_in(self, node: int, *, stands: bool) -> None:
        """Note that a peer let in the link that this node dialled; or that it closed, if it does not stand."""
        self._signs.let_in(node, stands=stands)

    def deaf(self, node: int) -> bool:
        """Tell whether a peer has not heard this node directly for so long that the link must be broken."""
        return self._replica.detector.deaf(node, self._clock.now)

    def called(self, node: int) -> None:
        """Note that a peer's call has reached this machine, which cannot answer it yet."""
        self._signs.called(node)

    def turned_away(self, node: int, reason: str) -> None:
        """Note that a peer has closed the link that this node dialled, and why it will not have this node."""
        self._signs.turned_away(node, reason)

    def unreachable(self, node: int, reason: str, refuses: bool = False) -> None:
        """Note that a peer cannot be dialled at all, maybe because nothing listens at its port."""
        self._signs.unreachable(node, reason, refuses)

    def accept(self, address: str) -> Link:
        """Return the link of a new connection to the nodes' port."""
        self._accepted += 1
        return Link(Incoming(self._identity, self._chance(NONCE_BYTES)), address, self._accepted)

    def receive(self, link: Link, data: bytes) -> bool:
        """Take what came on a link; it may be `closing` afterwards, or have something `unread`.

        Returns:
            Whether it was of writes alone, while everybody is served: then nothing but that has changed.
        """
        incoming = link.incoming
        greeted = incoming.node is not None
        try:
            messages = incoming.receive(data)
        except PeerError as error:
            link.closing = True
            host = link.address.rpartition(":")[0]
            self._limited_log.about(host, NODE_TURNED_AWAY(host=host, reason=str(error)))
            self.closed(link)
            return False
        node = incoming.node
        if node is None:
            return False
        if not greeted and link.number < self._latest.get(node, 0):
            link.closing = True  # the last words of a former process, which have come late
            link.take()
            return False
        if not greeted:
            self._latest[node] = link.number
            self._limited_log.settled(link.address.rpartition(":")[0])
            former = self._calling.get(node)
            if former is not None:
                former.closing = True
            self._calling[node] = link
            self._signs.linked(node, incoming.inc)
        if self._calling.get(node) is not link:
            return False
        # Where somebody is missed, to hear anybody may change everything.
        of_writes = greeted and bool(self._replica.leases.serves_all_until)
        self._signs.heard(node)
        link.unread.extend(messages)
        return self.go_on(link) and of_writes

    def go_on(self, link: Link) -> bool:
        """Take what is unread of a link, as far as there is time; nothing if another one has its place.

        Returns:
            Whether all that was taken is of writes alone.
        """
        node, unread = link.incoming.node, link.unread
        of_writes = True
        while unread:
            if node is None or self._calling.get(node) is not link:
                unread.clear()
                return False
            of_writes &= self._replica.receive(node, unread.popleft())
            if self._spent():
                break
        return of_writes

    def closed(self, link: Link) -> None:
        """Note that a peer's connection to this node is closed."""
        node = link.incoming.node
        if node is not None and self._calling.get(node) is link:
            del self._calling[node]
            self._signs.unlinked(node)

    def refused(self, node: int, reason: str) -> None:
        """Note that this node's link to a peer was closed and its port refuses now."""
        self._signs.refused(node, reason)
