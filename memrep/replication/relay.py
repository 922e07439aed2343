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

from memrep.errors import PeerError
from memrep.events import RELAY_UNUSABLE, Tell
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.peer import Peer
from memrep.replication.message import PeerMessage, Relay
from memrep.replication.outbox import Outbox
from memrep.replication.signs_of_life import SignsOfLife
from memrep.replication.wire import decode, encode


class Routes:
    """Over whom this node reaches each peer.

    Args:
        membership: who this node is, and its peers; over whom each is reached is decided here.

    Attributes:
        detours: whether any peer is reached over another one.
    """

    def __init__(self, membership: Membership) -> None:
        self.detours = False
        self._me = membership.state.me
        self._detector = membership.detector
        self._timing = membership.timing
        self._clock = membership.clock

    def consider(self) -> None:
        """Choose the ways by what is heard now."""
        now = self._clock.now
        peers = self._detector.peers.values()
        for peer in peers:
            if peer.hears_directly(self._me):
                peer.contact.had_direct_way()
            if self._works(peer, now):
                peer.contact.reach_over(0)
            elif not peer.contact.via or not self._bridges(peer.contact.via, peer, now):
                peer.contact.reach_over(self._bridge(peer, now))
        self.detours = any(peer.contact.via for peer in peers)

    def _works(self, peer: Peer, now: int) -> bool:
        """Tell whether our own link to this peer works, or is young and may still come to."""
        if now - peer.contact.heard < self._timing.relay:
            young = not peer.contact.had_direct and now - peer.process.met < self._timing.silence
            # Links are opened one after the other at a start; to go round them would be a gap each time.
            return young or peer.beat is None or peer.hears_directly(self._me)
        return not peer.process.inc

    def _bridge(self, peer: Peer, now: int) -> int:
        """Return a node over which this peer can be reached; 0 if there is none."""
        return next((n for n in self._detector.peers if self._bridges(n, peer, now)), 0)

    def _bridges(self, node: int, peer: Peer, now: int) -> bool:
        """Tell whether this node hears us directly and is heard directly by the peer, by the last they said."""
        # R1: one hop, so both ends of it must hear the bridge on their own links.
        bridge = self._detector.peers[node]
        heard = not bridge.process.gone and now - bridge.contact.heard_directly < self._timing.relay
        if bridge is peer or not heard or not bridge.hears_directly(self._me):
            return False
        if now - peer.contact.heard < self._timing.relay:
            return peer.hears_directly(node)
        # A peer that has stopped is silent to the bridge, too, which says so only after the same time.
        fresh = bridge.beat_at - peer.contact.heard > self._timing.relay + self._timing.beat
        return fresh and bridge.hears_directly(peer.node)


class Bridge:
    """What comes over another node for this one, and what this one passes on.

    Args:
        me: this node's number.
        signs: knows whether what comes over another node is to be believed.
        outbox: takes what is passed on.
        log: takes a line for the operator.
    """

    def __init__(self, me: int, signs: SignsOfLife, outbox: Outbox, log: Tell) -> None:
        self._me = me
        self._signs = signs
        self._outbox = outbox
        self._log = log

    def take(self, node: int, message: Relay) -> list[PeerMessage]:
        """Return what `origin` has said and came over this node; nothing if it is passed on, or of no use."""
        if message.to != self._me:
            # R1: only what its sender has said itself. Two bridges would pass it to each other for ever.
            if message.origin == node:
                self._outbox.pass_on(message.to, encode(message))
            return []
        peer = self._signs.came_over_another(message)
        if peer is None:
            return []
        try:
            relayed = decode(message.data)
        except PeerError as error:
            self._log(RELAY_UNUSABLE(peer=peer.name, bridge=node, error=str(error)))
            return []
        return [one for one in relayed if type(one) is not Relay]
