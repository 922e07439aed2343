"""What goes out to peers in one turn, and by which way.

The order in which it was said is kept. Who cannot be reached directly gets everything over another node, one
hop (relay.py); what this node passes on for others takes its own link, whatever way its own words take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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

    def tell(self, nodes: Iterable[int], data: bytes) -> None:
        """Say this to these nodes."""
        for node in nodes:
            self._out[node].append(data)

    def pass_on(self, node: int, data: bytes) -> None:
        """Pass on to this node what another one says to it; nothing if there is no such node."""
        if node in self._out:
            self._passed.append((node, data))

    def take(self) -> Iterator[tuple[int, bytes]]:
        """Take the bytes for each peer to which there is something to say."""
        peers = self._detector.peers
        for node, parts in self._out.items():
            if parts:
                data = b"".join(parts)
                parts.clear()
                via = peers[node].contact.via
                # R1: in one envelope, so that the order in which it was said is kept on the way round.
                if via:
                    state = self._state
                    yield via, encode(Relay(node, state.me, state.inc, data))
                else:
                    yield node, data
        # R1: over this node's own links. A second bridge would make a circle possible.
        passed, self._passed = self._passed, []
        yield from passed
        probe, self.probe = self.probe, b""
        if probe:
            for peer in peers.values():
                if peer.contact.via:
                    yield peer.node, probe
