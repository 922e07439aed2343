"""Relay: a way round a link that is cut, one hop over a third node that hears both ends.

Problem: a single cable, switch port or firewall rule parts two nodes that both hear the third. If membership
had to decide, one of two healthy nodes would be thrown out, or each side would vote for another view for ever.
So the transport goes round it, and membership sees clean partitions only.

Every heartbeat tells whom its sender hears directly. Who is not heard directly any more by a peer gives what it
has for that peer to a node that both hear; that node passes it on, one hop and no further (rule R1). Heartbeats
still go out on the direct link, too: hearing them again is what ends the detour. A change of way inside a view
may overtake or lose frames; their numbers show it, and a new view settles what was in flight.
"""

from __future__ import annotations

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.storage.version import Clock


class Routes:
    """Over whom this node reaches each peer.

    Args:
        state: who this node is.
        detector: the peers; `Peer.via` is set here.
        timing: the constants.
        clock: the time.

    Attributes:
        detours: whether any peer is reached over another one.
    """

    def __init__(self, state: ReplicaState, detector: FailureDetector, timing: Timing, clock: Clock) -> None:
        self.detours = False
        self._me = state.me
        self._detector = detector
        self._timing = timing
        self._clock = clock

    def consider(self) -> None:
        """Choose the ways by what is heard now."""
        now = self._clock.now
        peers = self._detector.peers.values()
        for peer in peers:
            peer.note_whether_heard_directly(self._me)
            if self._works(peer, now):
                peer.reach_over(0)
            elif not peer.via or not self._bridges(peer.via, peer, now):
                peer.reach_over(self._bridge(peer, now))
        self.detours = any(peer.via for peer in peers)

    def _works(self, peer: Peer, now: int) -> bool:
        """Whether our own link to this peer works, or is young and may still come to."""
        if now - peer.heard < self._timing.relay:
            young = not peer.had_direct and now - peer.met < self._timing.silence
            return young or peer.beat is None or peer.hears_directly(self._me)
        return not peer.inc

    def _bridge(self, peer: Peer, now: int) -> int:
        """A node over which this peer can be reached; 0 if there is none."""
        return next((n for n in self._detector.peers if self._bridges(n, peer, now)), 0)

    def _bridges(self, node: int, peer: Peer, now: int) -> bool:
        """Whether this node hears us directly and is heard directly by the peer, by the last they said."""
        bridge = self._detector.peers[node]
        heard = not bridge.gone and now - bridge.heard_directly < self._timing.relay
        if bridge is peer or not heard or not bridge.hears_directly(self._me):
            return False
        if now - peer.heard < self._timing.relay:
            return peer.hears_directly(node)
        # A peer that has stopped is silent to the bridge, too, which says so only after the same time.
        fresh = bridge.beat_at - peer.heard > self._timing.relay + self._timing.beat
        return fresh and bridge.hears_directly(peer.node)
