"""Missed nodes: whom this node's view is without by mistake, perhaps, and how it learns that they are back.

Problem: a view without a majority that came about by silence is a guess (rule N1). Maybe the others are gone,
maybe a cable is. If it is a cable they may have gone on, and what this node holds may be old. So the nodes that
such a view is without are *missed*, until a majority has met again or until they are known to be gone: their
port refuses, or they said goodbye. While any is missed clients are looked at (memrep/node/host_gate.py), and
its first sign of life stops this node until there is a view with it (rule N3).

Known to be gone ages. A node that was dead before a cut may have been started during it, and have met the other
side. So whenever something shows that this node was out of touch, the older deaths are doubted: who died like
that is missed as well, until its port has refused again (finding 35). And who was dead and is heard while
others are missed is one of them (finding 48).
"""

from __future__ import annotations

from collections.abc import Mapping

from memrep.replication.membership.peer import Peer
from memrep.replication.membership.peer_process import Liveness
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing


class MissedNodes:
    """The nodes that this node's view is without, and that may have gone on.

    Args:
        state: where this node stands.
        peers: by number.
        timing: tells how long a silence is one.
    """

    def __init__(self, state: ReplicaState, peers: Mapping[int, Peer], timing: Timing) -> None:
        self._state = state
        self._peers = peers
        self._timing = timing
        self._left: frozenset[int] = frozenset()

    @property
    def nodes(self) -> list[int]:
        """Return the nodes that a view without a majority is without, and that are not known to be gone."""
        # N1: who is known to be gone cannot have gone on. Who was never heard may be there all the same.
        return [node for node in self._left if self._peers[node].process.liveness is not Liveness.GONE]

    def is_back(self, node: int, now: int) -> bool:
        """Tell whether a sign of life of this peer's, now, is the first of one that was missed and silent.

        Silent it was since it spoke: that nobody counts as silent to who was stopped brings nobody back.
        """
        peer = self._peers[node]
        # N3, finding 39: `heard` is set anew after a stop and by a view; `spoke` is not.
        silent = now - peer.contact.spoke >= self._timing.silence
        return node in self._left and silent and peer.process.liveness is not Liveness.GONE

    def may_have_met(self, node: int) -> bool:
        """Tell whether this peer, which was dead and shows life, may have met any that are missed.

        It is missed from then on, as they are.
        """
        # Finding 48: it was started on the other side of the cut, and is the first to be heard again.
        if not self.nodes or node in self._state.view.members:
            return False
        self._left |= {node}
        return True

    def returned(self, since: int) -> list[Peer]:
        """Return those missed that were heard again after this moment: while this view formed without them."""
        # Finding 36: heard between the votes and the view, it was not silent any more when that began.
        return [self._peers[node] for node in self.nodes if self._peers[node].contact.returned > since]

    def doubt_deaths(self, now: int) -> None:
        """Doubt older deaths: this node was out of touch with another, which peers that came back may have met.

        Until their ports refuse again they are missed as well.
        """
        for peer in self._peers.values():
            # Finding 35: who died a moment ago is seen to be dead; who died before may have come back since.
            if peer.process.gone and now - peer.process.gone_at >= self._timing.silence:
                peer.process.doubt()
                self._left |= {peer.node}

    def installed(self, before: Mapping[int, int]) -> None:
        """Begin a view; `before` are the members of the last one, node numbers to incarnations."""
        members = self._state.view.members
        # Who joins such a view with nothing does not know whom a majority has gone on without.
        left = (before.keys() or self._peers.keys()) - members.keys() - {self._state.me}
        # N1: in a majority's view nobody is missed, for whoever is out of it cannot have gone on.
        self._left = frozenset() if self._state.view.quorate else (self._left | left) - members.keys()
