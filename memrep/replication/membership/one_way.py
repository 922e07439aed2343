"""One way only: of two nodes of which one hears the other and is not heard, one goes on, and both tell which.

Problem: a cable or a firewall stops one direction, and no third node is there to go round it. Who is heard but
hears nothing cannot know that the other one lives: it goes on without it, as after its death. If the one that
hears did so, too, clients would reach two nodes that know nothing of each other, though one of them knows.

Rule: the one that hears gives way. While it hears a node with data that does not hear it, it forms no view
without that node, so it serves nobody (and refuses, see serving.py); when both directions work again it joins.
It does not give way where it stands with a majority of the configured nodes, all of them with data and in the
same view as it: then the other one is in a minority, or alone, whatever it has done since.

Likewise where nobody has data yet: who hears a node by which it is not heard leaves the beginning to that one,
and who is let in by a majority that it does not hear leaves it to them: they live, and cannot reach this node.
"""

from __future__ import annotations

from collections.abc import Mapping

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.history import WRITTEN, Rank, rank
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.state import ReplicaState
from memrep.replication.message import Heartbeat


def gives_way_to(
    state: ReplicaState, detector: FailureDetector, reach: Mapping[int, int], now: int
) -> Peer | None:
    """Return the node without which no view may be formed, though it is out of reach; None if there is none.

    That is one with data that is heard, and has a later view (it has gone on meanwhile, and holds what this
    node has missed), or is deaf to this node and about to go on. It need not be deaf: this node may make it
    wait for falling silent too often.

    Args:
        state: where this node stands.
        detector: the peers.
        reach: the nodes that could form a view with this one.
        now: own monotonic ms.
    """
    for peer in detector.here(now):
        beat = peer.beat
        # Finding 20: it comes before this node, so it may hold what this one has missed.
        later = beat is not None and beat.full and _has_gone_on(beat, state)
        if later and peer.node not in reach and peer.hears(state.me):
            return peer
    return deaf_rival(state, detector, reach, now)


def deaf_rival(
    state: ReplicaState, detector: FailureDetector, members: Mapping[int, int], now: int
) -> Peer | None:
    """Return a node with data that is deaf to this one, and goes on without it; None if there is none to count.

    Who votes asks, too: the proposer may not hear it.

    Args:
        state: where this node stands.
        detector: the peers.
        members: those of the view that is to be formed.
        now: own monotonic ms.
    """
    # Finding 23: who hears nobody must not stop the rest. It is in a minority, whatever it has done.
    if _stands_with_majority(state, detector, members):
        return None
    vid = state.view.vid
    for peer in detector.here(now):
        beat = peer.beat
        if peer.node in members:
            continue
        if state.met and peer.node in detector.missed.nodes:
            # N3: what is heard first after a cut its kernel may have kept since: it says nothing of today, not
            # even whom it hears.
            if beat is None or _may_come_first(beat, state):
                return peer
        elif peer.hears(state.me):
            continue
        elif beat and beat.full and (_has_gone_on(beat, state) or (state.full and beat.vid == vid)):
            return peer
    return None


def _may_come_first(beat: Heartbeat, state: ReplicaState) -> bool:
    """Tell whether the sender has clients, if this node has; what it says of before they parted is no claim."""
    theirs, mine = _ranks(beat, state)
    written, wrote = theirs.activity == WRITTEN, mine.activity == WRITTEN
    # Finding 43: it does not know yet that they have parted, so it cannot tell what happened since.
    if mine.parted and not theirs.parted:
        return (theirs.generation, False) >= (mine.generation, wrote)
    return (theirs.generation, theirs.parted, written) >= (mine.generation, mine.parted, wrote)


def _has_gone_on(beat: Heartbeat, state: ReplicaState) -> bool:
    """Tell whether the sender of this heartbeat comes before this node, by the order in `view.settle`."""
    theirs, mine = _ranks(beat, state)
    return (theirs, beat.vid) > (mine, state.view.vid)


def _ranks(beat: Heartbeat, state: ReplicaState) -> tuple[Rank, Rank]:
    """Return where the sender of this heartbeat and this node stand, by what both know."""
    known = (beat.past, state.past)
    return rank(beat.past, known), rank(state.past, known)


def _stands_with_majority(state: ReplicaState, detector: FailureDetector, reach: Mapping[int, int]) -> bool:
    beats = [detector.peers[node].beat for node in reach if node != state.me]
    vid = state.view.vid
    together = sum(beat is not None and beat.full and beat.vid == vid for beat in beats)
    return state.full and together + 1 >= state.majority


def leaves_beginning_to(
    state: ReplicaState, detector: FailureDetector, reach: Mapping[int, int], now: int
) -> list[Peer]:
    """Return live peers that cannot be met while no node has data; this node must not begin without them."""
    here = detector.here(now)
    if len(reach) < state.majority:
        unmet = [peer for peer in here if peer.beat is not None and not peer.hears(state.me)]
        if unmet:
            return unmet
    mute = [peer for peer in detector.peers.values() if peer.process.let_in > now and peer not in here]
    return mute if len(mute) >= state.majority else []
