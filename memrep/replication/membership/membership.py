"""What one node has of its membership: where it stands, whom it hears, and the time by which both are judged.

These are asked for together by all that decide who works together or what is said to whom: a peer is silent by
the clock and the constants, out of reach by what it said last and by the view in which this node is.
"""

from __future__ import annotations

import attrs

from memrep.replication.membership.failure_detector import FailureDetector
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.storage.version import Clock


@attrs.frozen(eq=False)
class Membership:
    """One node's part in the cluster.

    Attributes:
        names: the addresses of all nodes, in the same order on every node; node n is the n-th.
        state: where this node stands.
        timing: the constants.
        clock: the time of the present turn.
        detector: the peers.
    """

    names: list[str]
    state: ReplicaState
    timing: Timing
    clock: Clock
    detector: FailureDetector = attrs.field(init=False)

    @detector.default
    def _detector(self) -> FailureDetector:
        return FailureDetector(self.state, self.names, self.timing)
