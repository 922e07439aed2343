"""What goes out to peers in one turn, and by which way.

The order in which it was said is kept. Who cannot be reached directly gets everything over another node, one
hop (relay.py); what this node passes on for others takes its own link, whatever way its own words take.
"""

from __future__ import annotations

from collections.abc import Iterable

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.state import ReplicaState
from memrep.replication.message import Relay
from memrep.replication.wire import encode


class Outbox:
    """What one node says in a turn.

    Args:
        state: who it is.
        detector: the peers, and over whom they are reached.

    Attributes:
        probe: what goes over the links that are gone round, to see whether they work again.
    """

    def __init__(self, state: ReplicaState, detector: FailureDetector) -> None:
        self.probe = b""
        self._state = state
        self._detector = detector
        self._out: dict[int, list[bytes]] = {node: [] for node in detector.peers}
        self._passed: list[tuple[int, bytes]] = []
        self._is_empty = True

    def tell(self, nodes: Iterable[int], data: bytes) -> None:
        """Say this to these nodes."""
        self._is_empty = False
        for node in nodes:
            self._out[node].append(data)

    def pass_on(self, node: int, data: bytes) -> None:
        """Pass on to this node what another one says to it; nothing if there is no such node."""
        if node in self._out:
            self._is_empty = False
            self._passed.append((node, data))

    def take(self) -> list[tuple[int, bytes]]:
        """Take the bytes for each peer to which there is something to say."""
        taken: list[tuple[int, bytes]] = []
        # In most turns there is nothing.
        if self._is_empty and not self.probe:
            return taken
        self._is_empty = True
        peers = self._detector.peers
        for node, parts in self._out.items():
            if parts:
                data = b"".join(parts)
                parts.clear()
                via = peers[node].contact.via
                # R1: in one envelope, so that the order in which it was said is kept on the way round.
                if via:
                    state = self._state
                    taken.append((via, encode(Relay(node, state.me, state.inc, data))))
                else:
                    taken.append((node, data))
        # R1: over this node's own links. A second bridge would make a circle possible.
        if self._passed:
            taken += self._passed
            self._passed = []
        if self.probe:
            taken += [(peer.node, self.probe) for peer in peers.values() if peer.contact.via]
            self.probe = b""
        return taken
