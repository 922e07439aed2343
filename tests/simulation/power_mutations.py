"""The rules of power cuts, each broken on purpose: some seed has to notice (rule_mutations.py tells why)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from msgspec.structs import replace
from pytest import MonkeyPatch

from memrep.node.feed import ChangeFeed
from memrep.replication.membership import settlement
from memrep.replication.membership.state import ReplicaState
from memrep.replication.message import ColdVote, Vote
from memrep.replication.recovery import Recovery
from memrep.replication.state_transfer import Joiner
from memrep.storage import saved
from memrep.storage.saved import SavedFacts
from memrep.storage.version import ZERO
from tests.simulation.plan import Broken
from tests.simulation.power import simulate_power


@attrs.frozen
class PowerBreakage:
    """A rule that is taken away.

    Attributes:
        why: what it is there for.
        seed: one that notices.
        breaks: takes it away.
    """

    why: str
    seed: int
    breaks: Callable[[MonkeyPatch], None]

    def caught(self, seed: int) -> str | None:
        """What this seed says of it; None if it does not notice."""
        with MonkeyPatch.context() as patch:
            self.breaks(patch)
            try:
                simulate_power(seed)
            except Broken as error:
                return str(error.__cause__)[:200]
        return None


def _says_too_soon(patch: MonkeyPatch) -> None:
    """A batch says that this is all before its last piece (P1)."""
    patch.setattr(ChangeFeed, "left", property(lambda self: 0))
    begin = ChangeFeed.begin

    def begins(self: ChangeFeed) -> bool:
        self._taking.clear()
        return begin(self)

    patch.setattr(ChangeFeed, "begin", begins)


def _disk_counts_beside_full(patch: MonkeyPatch) -> None:
    """What is in buckets that differ is kept, too (P3)."""
    patch.setattr(Recovery, "compared", lambda self, differing: setattr(self, "_differing", frozenset()))


def _begins_with_any(patch: MonkeyPatch) -> None:
    """A cold start begins with the disk that is oldest (P4)."""
    full_voters = settlement._full_voters

    def worst(votes: Mapping[int, Vote]) -> frozenset[int]:
        cold = {node: vote for node, vote in votes.items() if isinstance(vote, ColdVote)}
        if cold and not any(vote.full for vote in votes.values()):
            return frozenset([min(cold, key=lambda node: (cold[node].gen, cold[node].last, cold[node].at))])
        return full_voters(votes)

    patch.setattr(settlement, "_full_voters", worst)
    patch.setattr(Recovery, "_add", lambda self, pairs, horizon: {})


def _forgets_horizon(patch: MonkeyPatch) -> None:
    """What the others add may have been deleted long ago (P4)."""
    add, announce = Recovery._add, Joiner._announce
    patch.setattr(Recovery, "_add", lambda self, pairs, horizon: add(self, pairs, ZERO))

    def announces(self: Joiner) -> None:
        self._horizon = ZERO
        announce(self)

    patch.setattr(Joiner, "_announce", announces)


def _horizon_not_saved(patch: MonkeyPatch) -> None:
    """The purge horizon is not saved (P4)."""
    facts = ChangeFeed.facts

    def without(self: ChangeFeed, **how: bool) -> SavedFacts:
        return replace(facts(self, **how), horizon=bytes(ZERO))

    patch.setattr(ChangeFeed, "facts", without)


def _ends_by_own_clock(patch: MonkeyPatch) -> None:
    """Each takes the end of a value from its own disk (P4)."""

    def begin(self: Recovery) -> Any:
        snapshot = self._snapshot
        self._left, self._differing = [], None
        if snapshot is None:
            return None
        self.counts = False
        self._left = snapshot.store.pieces()
        return list(snapshot.store.digest.sums)

    patch.setattr(Recovery, "begin", begin)


def _new_below_old(patch: MonkeyPatch) -> None:
    """Views and versions may come out below those that were saved (P5)."""
    init = ReplicaState.__init__

    def forgets(self: ReplicaState, *args: Any, **named: Any) -> None:
        init(self, *args, **{**named, "former": 0})

    patch.setattr(ReplicaState, "__init__", forgets)


def _run_out_comes_back(patch: MonkeyPatch) -> None:
    """What ran out while the power was off is not, so something older may pass it (expiry)."""
    patch.setattr(saved, "offset_of", lambda facts, now, wall: facts.time - now if facts.time else wall - now)


BREAKAGES: Final = {
    "a batch says that this is all before its last piece": PowerBreakage(
        "P1: a copy that is not whole would be what all begin with", 1, _says_too_soon
    ),
    "beside a full node all that was saved is kept": PowerBreakage(
        "P3: what was deleted would come back, and nodes differ", 4, _disk_counts_beside_full
    ),
    "a cold start begins with the oldest disk": PowerBreakage(
        "P4: what was acknowledged would be lost", 1, _begins_with_any
    ),
    "what others add is not held against the horizon": PowerBreakage(
        "P4: what was deleted long ago would come back from an old disk", 4, _forgets_horizon
    ),
    "the horizon is not saved": PowerBreakage("P4: the same", 4, _horizon_not_saved),
    "each takes the end of a value from its own disk": PowerBreakage(
        "P4: nodes would differ for good, and no version would tell", 2, _ends_by_own_clock
    ),
    "views begin below those that were saved": PowerBreakage(
        "P5: what is written after the power cut would lose to what was before", 2, _new_below_old
    ),
    "time stands still while the power is off": PowerBreakage(
        "what ran out would be back", 12, _run_out_comes_back
    ),
}
