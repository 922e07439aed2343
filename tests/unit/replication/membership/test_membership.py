"""Membership: the peers of a node are the other nodes, under their numbers and names, and of its own state."""

from __future__ import annotations

from memrep.replication.membership.membership import Membership
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.storage.version import Clock


def test_the_peers_are_all_nodes_but_this_one() -> None:
    state = ReplicaState(2, 7, 3)
    membership = Membership(["web1", "web2", "web3"], state, Timing(), Clock(2, 1_000, 1_000))
    assert {n: peer.name for n, peer in membership.detector.peers.items()} == {1: "web1", 3: "web3"}
    assert membership.detector.reach(1_000) == {2: 7}
