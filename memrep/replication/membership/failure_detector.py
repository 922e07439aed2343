"""The failure detector: which nodes are heard, which are gone, and whose lease this node holds.

A node is gone when it has been silent for the failure timeout T, directly and over any third node (relay.py);
or at once when its links to us and ours to it were closed and its port refuses, which is what a killed process
looks like and nothing else does: a firewall that rejects leaves established links alone, or one of the two.

Hearing is not enough, one must also be heard: a cable or a firewall may stop one direction only. Heartbeats
tell whom their sender hears, and who does not hear us is out of reach as if it were silent.

A lease lets a node serve. Each answered heartbeat allows it for LEASE counted from the moment it was *sent*,
so the lease ends at the holder before the granter could have done without it: LEASE + one tick < T, and a
node votes for a view that excludes another only after T of its own silence (view_change.py). So a node that
others have given up does not serve any more, even if it does not know.

A view without a majority that came about by silence is a guess: maybe the others are gone, maybe a cable is.
The nodes that it is without for that reason are *missed* until a majority has met again, or until they are
known to be gone. They may have gone on, and what this node holds may be old (memrep/node/host_gate.py).

Who comes and goes does not stall the others with a change of view each time: a node whose last membership was
too short waits before it is let in again, longer each time. But not where it is needed for a
majority: then two bad nodes are better than none. Once is no habit: the first time is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from memrep.replication.membership.peer import Peer
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.message import Heartbeat
from memrep.storage.entry import NEVER
from memrep.storage.version import Clock


class FailureDetector:
    """The peers of one node, by number.

    Args:
        state: where this node stands.
        names: the addresses of all nodes; node n is the n-th.
        timing: the constants.
    """

    def __init__(self, state: ReplicaState, names: list[str], timing: Timing) -> None:
        self.peers = {node: Peer(node, name) for node, name in enumerate(names, start=1) if node != state.me}
        self._state = state
        self._timing = timing
        self._left: frozenset[int] = frozenset()

    def here(self, now: int) -> list[Peer]:
        """The peers that are heard, whether ignored or not."""
        silence = self._timing.silence
        return [p for p in self.peers.values() if not p.gone and now - p.heard < silence]

    def reach(self, now: int) -> dict[int, int]:
        """The nodes that could form a view with this one, itself included: numbers to incarnations."""
        state = self._state
        # M1, finding 9: who does not hear us is out of reach as if it were silent.
        here = [p for p in self.here(now) if p.ignored <= now and self._hears_us(p)]
        # B1: who comes and goes waits; but two bad nodes are better than no majority.
        steady = [p for p in here if p.kept_out <= now or self._is_member(p)]
        if len(steady) + 1 < state.majority:
            steady = here
        reach = {p.node: p.inc for p in steady}
        reach[state.me] = state.inc
        return reach

    def _is_member(self, peer: Peer) -> bool:
        return self._state.view.members.get(peer.node) == peer.inc

    def _hears_us(self, peer: Peer) -> bool:
        """Whether this peer hears us, by the last it said. In a fresh view it has the benefit of the doubt."""
        # Its last heartbeat is from before the view: it could not know yet that it would hear us.
        if self._is_member(peer) and (peer.beat is None or peer.beat.vid < self._state.view.vid):
            return True
        return peer.hears(self._state.me)

    @property
    def held_elsewhere(self) -> bool:
        """Whether another member of the view says that it holds everything."""
        return any(
            peer.beat is not None and peer.beat.full and peer.beat.vid == self._state.view.vid
            for peer in self.peers.values()
            if self._is_member(peer) and not peer.gone
        )

    def hears(self, now: int) -> int:
        """The peers that this node hears, as bits; for its heartbeat."""
        return sum(1 << p.node for p in self.here(now))

    def hears_directly(self, now: int) -> int:
        """The peers whose own link to this node works, as bits; for its heartbeat."""
        relay = self._timing.relay
        return sum(1 << p.node for p in self.peers.values() if not p.gone and now - p.heard_directly < relay)

    def beat(self, clock: Clock, sent: int, leaving: bool) -> Heartbeat:
        """This node's heartbeat."""
        state, now = self._state, clock.now
        return Heartbeat(
            state.view.vid,
            state.promised,
            state.full,
            state.view_change_reason,
            leaving,
            now,
            sent,
            clock.logical,
            clock.wall,
            self.hears(now),
            self.hears_directly(now),
            state.past,
        )

    def deaf(self, node: int, now: int) -> bool:
        """Whether this peer has not said for the failure timeout that this node's own link to it works."""
        peer = self.peers[node]
        return now - max(peer.heard_us, peer.met) >= self._timing.silence

    def meets_majority(self, now: int) -> bool:
        """Whether the members that are heard and this node are a majority of the configured nodes."""
        return 1 + sum(map(self._is_member, self.here(now))) >= self._state.majority

    def believes(self, peer: Peer, inc: int, now: int) -> bool:
        """Whether what comes over another node is this peer's, and not the last words of a former process."""
        if peer.inc == inc:
            # A bridge passes on for a moment what a process said before it died.
            if peer.gone and now - peer.gone_at < self._timing.relay:
                return False
        else:
            # Another incarnation: only if the one that is known is gone, or a view has just said so (finding
            # 8).
            silent = peer.gone or now - peer.heard >= self._timing.silence
            if peer.linked or not (silent or self._state.view.members.get(peer.node) == inc):
                return False
            peer.restarted(inc, now)
        peer.shows_life()
        return True

    def all_heard(self, now: int) -> int:
        """When every other member had been heard last, own monotonic ms; now if there is none."""
        return min((self.peers[node].heard for node in self._state.others), default=now)

    def heard(self, node: int, now: int) -> None:
        """Something came from this peer on its own link."""
        self.lives(self.peers[node], now)
        self.peers[node].spoke_directly(now)

    def called(self, peer: Peer, now: int) -> None:
        """This peer's call has come, though nothing may get back to it: it lives, be it never heard."""
        peer.shows_life()
        self.lives(peer, now)

    def lives(self, peer: Peer, now: int) -> None:
        """Something came from this peer on whatever way."""
        peer.spoken(now, self._timing.silence)

    @property
    def missed(self) -> list[int]:
        """The nodes that a view without a majority is without, and that are not known to be gone."""
        # N1: known to be gone is who cannot have gone on: its port refuses, or it said goodbye.
        return [node for node in self._left if not _is_known_gone(self.peers[node])]

    def is_back(self, node: int, now: int) -> bool:
        """Whether a sign of life of this peer's, now, is the first of one that was missed and silent.

        Silent it was since it spoke: that nobody counts as silent to who was stopped brings nobody back.
        """
        peer = self.peers[node]
        # N3, finding 39: `heard` is set anew after a stop and by a view; `spoke` is not.
        return node in self._left and now - peer.spoke >= self._timing.silence and not _is_known_gone(peer)

    def ended(self, peer: Peer, reason: str, now: int) -> None:
        """This peer's process is gone, as is seen now; if it was missed the network may be whole again."""
        # Finding 35: that its port refuses came through a network that was cut; so may others.
        missed = peer.node in self.missed
        peer.ended(reason, now)
        if missed:
            self.doubt_deaths(now)

    def doubt_deaths(self, now: int) -> None:
        """This node was out of touch with another one: who died before may have come back, and have met it.

        Until their ports refuse again they are missed as well.
        """
        for peer in self.peers.values():
            # Finding 35: who died a moment ago is seen to be dead; who died before may have come back since.
            if peer.gone and now - peer.gone_at >= self._timing.silence:
                peer.doubt()
                self._left |= {peer.node}

    def returned(self, since: int) -> list[Peer]:
        """Those missed that were heard again after this moment: while this view was formed without them."""
        # Finding 36: heard between the votes and the view, it was not silent any more when that began.
        return [self.peers[node] for node in self.missed if self.peers[node].returned > since]

    def was_stopped(self, now: int) -> None:
        """This node was stopped for a while: no lease counts, and nobody was silent, for all it knows."""
        for peer in self.peers.values():
            # T1: a lease counts from when the heartbeat was sent, and this node does not know when that was.
            peer.revoke_lease()
            if not peer.gone:
                peer.counts_as_heard(now, both_ways=True)

    def installed(self, now: int, before: Mapping[int, int]) -> None:
        """A view begins: every member counts as heard now, no lease is left, nobody is ignored.

        Without the first a node that heals after a long silence would at once replace the fresh view. A member
        may have restarted without this node having noticed: others have heard it, so it gets its time to show.

        Args:
            now: own monotonic ms.
            before: the members of the view before, node numbers to incarnations.
        """
        members = self._state.view.members
        # Who joins such a view with nothing does not know whom a majority has gone on without.
        # N1: in a majority's view nobody is missed, for whoever is out of it cannot have gone on.
        left = (before.keys() or self.peers.keys()) - members.keys() - {self._state.me}
        self._left = frozenset() if self._state.view.quorate else (self._left | left) - members.keys()
        for peer in self.peers.values():
            peer.revoke_lease()
            peer.ignore(0)
            peer.was_reminded(now)
            inc = members.get(peer.node)
            # B1.
            if before.get(peer.node) not in (None, inc):
                peer.left(now)
            if inc is not None and before.get(peer.node) != inc:
                peer.entered(now)
            # Finding 8: others have heard a new process of it that this node has not.
            if peer.gone and inc not in (None, peer.inc):
                peer.restarted(inc, now)
                peer.shows_life()
            if inc == peer.inc and not peer.gone:
                peer.counts_as_heard(now)

    def ignore(self, nodes: Iterable[int], until: int) -> None:
        """Leave these nodes out of proposals for a while."""
        for node in nodes:
            self.peers[node].ignore(until)

    @property
    def confirmed(self) -> bool:
        """Whether every member is known to have installed the view.

        Before that nobody may be told of anything that the view has settled: a member that lost the message
        and all others would know nothing of it. Who is in a later view by now may have skipped this one.
        """
        # Finding 41: exactly this view. Who is in a later one may have skipped it.
        vid = self._state.view.vid
        return vid > 0 and all(self.peers[node].installed == vid for node in self._state.others)

    def serves_until(self) -> int:
        """Until when (own monotonic ms) this node may execute clients' commands (rule S1).

        Not at all unless it is full and not paused and every member has installed the view. In a view with a
        majority the leases of a majority of the configured nodes count, itself included; in one without, those
        of all members. The answer holds until a lease comes or anything else of these changes.
        """
        state = self._state
        if not state.full or state.paused or not self.confirmed:
            return 0
        # S1: the lease that the last needed one of them has granted is the end. Own time needs no lease.
        leases = sorted((self.peers[node].lease for node in state.others), reverse=True)
        needed = state.majority - 1 if state.view.quorate else len(leases)
        return leases[needed - 1] if needed else NEVER


def _is_known_gone(peer: Peer) -> bool:
    """Whether its process has ended: its port refuses, or it said goodbye. Never heard alone means nothing."""
    return bool(peer.gone) and not peer.doubted and (peer.inc != 0 or peer.refuses)
