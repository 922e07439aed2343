"""A vote: what a node says of itself and of all that is in flight here, when it promises a view (rule M6)."""

from __future__ import annotations

from memrep.replication.membership.state import ReplicaState
from memrep.replication.message import Vote
from memrep.replication.rounds import Rounds
from memrep.storage.store import Store
from memrep.storage.version import Clock


def make_vote(vid: int, state: ReplicaState, rounds: Rounds, store: Store, clock: Clock) -> Vote:
    """Return this node's vote for a view."""
    return Vote(
        vid,
        state.view.gen,
        state.view.vid,
        state.full,
        rounds.settled.in_flight(),
        clock.logical,
        store.horizon,
        len(store.values) + len(store.tombstones),
        state.closed_clients,
        state.past,
        state.apart,
    )
