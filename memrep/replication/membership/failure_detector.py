"""The failure detector: which nodes are heard, which are gone, and with which of them a view can be formed.

A node is gone when it has been silent for the failure timeout T, directly and over any third node (relay.py);
or at once when its links to us and ours to it were closed and its port refuses, which is what a killed process
looks like and nothing else does: a firewall that rejects leaves established links alone, or one of the two.

Hearing is not enough, one must also be heard: a cable or a firewall may stop one direction only. Heartbeats
tell whom their sender hears, and who does not hear us is out of reach as if it were silent (finding 9).

Like every detector that rests on silence (Chandra and Toueg, 1996) it may be wrong, in two ways that are dealt
with elsewhere: who was given up and lives must not serve on (leases.py), and who was given up may be there
again (missed_nodes.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from memrep.replication.membership.missed_nodes import MissedNodes
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing


class FailureDetector:
    """The peers of one node, as far as it can tell.

    Attributes:
        peers: by number.
        missed: those that the view is without by mistake, perhaps.

    Args:
        state: where this node stands.
        names: the addresses of all nodes; node n is the n-th.
        timing: the constants.
    """

    def __init__(self, state: ReplicaState, names: list[str], timing: Timing) -> None:
        self.peers = {node: Peer(node, name) for node, name in enumerate(names, start=1) if node != state.me}
        self._state = state
        self._timing = timing
        self.missed = MissedNodes(state, self.peers, timing)

    def here(self, now: int) -> list[Peer]:
        """Return the peers that are heard, whether ignored or not."""
        # M1: the process has ended, or nothing came for T on whatever way.
        silence = self._timing.silence
        return [p for p in self.peers.values() if not p.process.gone and now - p.contact.heard < silence]

    def reach(self, now: int) -> dict[int, int]:
        """Return the nodes that could form a view with this one, itself included: numbers to incarnations."""
        state = self._state
        # M1, finding 9: who does not hear us is out of reach as if it were silent.
        here = [p for p in self.here(now) if p.ignored <= now and self._hears_us(p)]
        # B1: who comes and goes waits; but two bad nodes are better than no majority.
        steady = [p for p in here if p.damping.kept_out <= now or self._is_member(p)]
        if len(steady) + 1 < state.majority:
            steady = here
        reach = {p.node: p.process.inc for p in steady}
        # With incarnations: a view is one of processes, and a restarted one is another (M10).
        reach[state.me] = state.inc
        return reach

    def _is_member(self, peer: Peer) -> bool:
        # M10: a process that has restarted is no member, though its node is one.
        return self._state.view.members.get(peer.node) == peer.process.inc

    def _hears_us(self, peer: Peer) -> bool:
        """Tell whether this peer last said that it hears us; a fresh view gives it the benefit of the doubt."""
        # Its last heartbeat is from before the view: it could not know yet that it would hear us.
        if self._is_member(peer) and (peer.beat is None or peer.beat.vid < self._state.view.vid):
            return True
        return peer.hears(self._state.me)

    @property
    def held_elsewhere(self) -> bool:
        """Tell whether another member of the view says that it holds everything."""
        # Finding 46: asked before this node takes its leave, with everything that it alone holds.
        return any(
            peer.beat is not None and peer.beat.full and peer.beat.vid == self._state.view.vid
            for peer in self.peers.values()
            if self._is_member(peer) and not peer.process.gone
        )

    def hears_full(self, now: int) -> bool:
        """Tell whether some node is heard that says that it holds everything."""
        return any(peer.beat is not None and peer.beat.full for peer in self.here(now))

    def hears(self, now: int) -> int:
        """Return the peers that this node hears, as bits; for its heartbeat."""
        # Finding 9: by this they know that they are heard. Also who is ignored or kept out, or it would take
        # this node for deaf.
        return sum(1 << p.node for p in self.here(now))

    def hears_directly(self, now: int) -> int:
        """Return the peers whose own link to this node works, as bits; for its heartbeat."""
        # Sooner than T: a detour has to stand before a peer is given up (R1).
        relay = self._timing.relay
        return sum(
            1 << p.node
            for p in self.peers.values()
            if not p.process.gone and now - p.contact.heard_directly < relay
        )

    def deaf(self, node: int, now: int) -> bool:
        """Tell whether this peer has not said for the failure timeout that this node's own link to it works."""
        # A process that has just been met has had no time to say so.
        peer = self.peers[node]
        return now - max(peer.contact.heard_us, peer.process.met) >= self._timing.silence

    def meets_majority(self, now: int) -> bool:
        """Tell whether the members that are heard and this node are a majority of the configured nodes."""
        # S2: with `--partition majority` the port closes when these are none, be there a view or not.
        return 1 + sum(map(self._is_member, self.here(now))) >= self._state.majority

    def believes(self, peer: Peer, inc: int, now: int) -> bool:
        """Tell whether what comes over another node is this peer's, and not a former process's last words."""
        if peer.process.inc == inc:
            # A bridge passes on for a moment what a process said before it died.
            if peer.process.gone and now - peer.process.gone_at < self._timing.relay:
                return False
        else:
            # Finding 8: another incarnation only if the one that is known is gone, or a view has just said so.
            # Who has its own link here needs no bridge to tell of its restart.
            silent = peer.process.gone or now - peer.contact.heard >= self._timing.silence
            if peer.process.linked or not (silent or self._state.view.members.get(peer.node) == inc):
                return False
            peer.restarted(inc, now)
        peer.process.shows_life()
        return True

    def all_heard(self, now: int) -> int:
        """Return when every other member had been heard last, own monotonic ms; now if there is none."""
        # Finding 22: a doubt ends when all have been heard after it.
        return min((self.peers[node].contact.heard for node in self._state.others), default=now)

    def heard(self, node: int, now: int) -> None:
        """Note that something came from this peer on its own link."""
        peer = self.peers[node]
        peer.spoken(now, self._timing.silence)
        peer.contact.spoke_directly(now)

    def called(self, peer: Peer, now: int) -> None:
        """Note that this peer's call has come, though nothing may get back: it lives, be it never heard."""
        peer.process.shows_life()
        self.lives(peer, now)

    def lives(self, peer: Peer, now: int) -> None:
        """Note that something came from this peer on whatever way."""
        peer.spoken(now, self._timing.silence)

    def ended(self, peer: Peer, reason: str, now: int) -> None:
        """Note that this peer's process is gone, as is seen now; if missed, the network may be whole again."""
        # Finding 35: the news that its port refuses came through a network that was cut; so may others.
        was_missed = peer.node in self.missed.nodes
        peer.ended(reason, now)
        if was_missed:
            self.missed.doubt_deaths(now)

    def was_stopped(self, now: int) -> None:
        """Note that this node was stopped: no lease counts, and no peer was silent, for all it knows."""
        for peer in self.peers.values():
            # T1: what is granted from now on counts, when they have seen that this node is there again.
            peer.revoke_lease()
            # It was this node that was silent. What others said meanwhile may lie unread in its sockets.
            if not peer.process.gone:
                peer.contact.counts_as_heard(now, both_ways=True)

    def installed(self, now: int, before: Mapping[int, int]) -> None:
        """Begin a view: every member counts as heard now, no lease is left, no peer is ignored.

        Without the first a node that heals after a long silence would at once replace the fresh view. A member
        may have restarted without this node having noticed: others have heard it, so it gets its time to show.

        Args:
            now: own monotonic ms.
            before: the members of the view before, node numbers to incarnations.
        """
        members = self._state.view.members
        self.missed.installed(before)
        for peer in self.peers.values():
            # M8: leases are of one view, and so is that a peer did not vote when it was proposed.
            peer.revoke_lease()
            peer.ignore(0)
            # M9: the view is on its way to them, so nobody is reminded of it at once.
            peer.was_reminded(now)
            inc = members.get(peer.node)
            # B1: a member that is left out, or has restarted, has ended a membership.
            if before.get(peer.node) not in (None, inc):
                peer.damping.left(now, ended=bool(peer.process.gone))
            if inc is not None and before.get(peer.node) != inc:
                peer.damping.entered(now)
            # Finding 8: others have heard a new process of it that this node has not.
            if peer.process.gone and inc not in (None, peer.process.inc):
                peer.restarted(inc, now)
                peer.process.shows_life()
            # M8: the silence before this view is over with it, or a view without them would follow at once.
            if inc == peer.process.inc and not peer.process.gone:
                peer.contact.counts_as_heard(now)

    def ignore(self, nodes: Iterable[int], until: int) -> None:
        """Leave these nodes out of proposals for a while."""
        for node in nodes:
            self.peers[node].ignore(until)
