"""Leases: until when this node may serve its clients (rule S1).

Problem: a node that others have gone on without must not serve any more, even if it does not know. It cannot be
told, for the cut that parts them is the reason.

Rule: each heartbeat that a member answers allows its sender to serve for LEASE, counted from the moment at
which it was *sent*. So the lease ends at the holder before the granter could have done without it: LEASE + one
tick < T, the failure timeout, and a node votes for a view that excludes another only after T of its own
silence. In a view with a majority the leases of a majority of the configured nodes count, for any later view
needs a vote of one of them. In one without, others may go on at any time, and the leases of all members count.

Nor does a node serve before every member is known to have installed the view (finding 1), or while it lacks
data, or while a promise, a stop or a node that is back pauses it.

The answer is asked for at each command (finding 7), and changes with messages only. So it is weighed when one
of these things has changed, and is two numbers in between.
"""

from __future__ import annotations

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.history import WRITTEN
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.storage.entry import NEVER


class Leases:
    """The leases that one node holds of its peers.

    Args:
        state: where this node stands.
        detector: the peers, and whom of them this node misses.
        timing: how long a lease is.

    Attributes:
        serves_until: until when clients' commands may be executed, own monotonic ms. Kept up to date within
            the turn: what comes behind a vote in the same turn must find it voted.
        serves_all_until: the same, if whoever comes may be served; 0 where that has to be asked (host_gate.py).
    """

    def __init__(self, state: ReplicaState, detector: FailureDetector, timing: Timing) -> None:
        self.serves_until = 0
        self.serves_all_until = 0
        self._state = state
        self._detector = detector
        self._timing = timing

    @property
    def confirmed(self) -> bool:
        """Tell whether every member is known to have installed the view.

        Before that nobody may be told of anything that the view has settled: a member that lost the message
        and all others would know nothing of it.
        """
        # Finding 41: exactly this view. Who is in a later one may have skipped it.
        vid, peers = self._state.view.vid, self._detector.peers
        return vid > 0 and all(peers[node].installed == vid for node in self._state.others)

    def end(self) -> int:
        """Return when the last lease ends that this node needs, own monotonic ms; 0 if it may not serve."""
        state = self._state
        if not state.full or state.paused or not self.confirmed:
            return 0
        # The lease of the last one that is needed is the end. Own time needs no lease.
        leases = sorted((self._detector.peers[node].lease for node in state.others), reverse=True)
        needed = state.majority - 1 if state.view.quorate else len(leases)
        return leases[needed - 1] if needed else NEVER

    def weigh(self) -> None:
        """Look anew until when this node may serve; whenever anything has changed of what that hangs on."""
        self.serves_until = self.end()
        self.serves_all_until = 0 if self._detector.missed.nodes else self.serves_until
        # N4: nobody looks any more whether a client writes here, so it has to be taken that one does.
        if self.serves_all_until and not self._state.view.quorate:
            self._state.happened(WRITTEN)

    def granted(self, peer: Peer, vid: int, at: int) -> None:
        """Note that a peer answered in this view the heartbeat that this node sent then (own monotonic ms)."""
        # Of another view it says nothing of today's members; a former process's answer grants nothing.
        if vid == self._state.view.vid and not peer.process.gone:
            peer.grant_lease(at + self._timing.lease)
