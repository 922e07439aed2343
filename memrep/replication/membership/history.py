"""The past: what a side has behind it, by which sides of a cut are compared when they meet (rules N4, N6).

Problem: a majority's view begins a generation, which outranks all that was there before. But a cut may come in
the very moment in which it is formed. Then some of its members stand in it and one never does. Nobody was
served in it, for all its members must be known to be in it first; and the one that was left out may have gone
on, with clients, in the generation before. By the time both sides meet, all processes that knew of this may be
gone, and others have taken over what they held.

Rule: each node keeps facts, which are handed on with the data, so that they outlive processes.

- `begun`: the views that may have begun a generation of the data that it holds, and the members' incarnations.
- `parted`: the first view that has left out a member that may live. There is another side since, until all
  members of a majority's view are known to be in it; what was done before, the sides have in common.
- `activity`: how much has happened since each of these views, which is one number, for what has more weight
  includes what has less; at 0 what has happened before any.
- `stood`: of which generation each process was when it last voted, and for which view. Who votes installs no
  earlier view any more. So whoever has voted for a later view than V, and was not of V's generation then, has
  never been in V and never will be.

If that is so of a member of V, then V has begun nothing, and the generation before it counts, with what has
happened since that one began. A node that has seen all members of V in it forgets what was before: nobody can
say that of V, and what is older is outranked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace

from memrep.replication.membership.view_id import number_of
from memrep.replication.message import Past

#: How much has happened on a side since its last majority; each includes those before it. A client on a node's
#: own machine has had an answer; one elsewhere has, as that machine's kernel says; a client has written.
NOTHING: Final = 0
TOLD_HERE: Final = 1
ANSWERED: Final = 2
WRITTEN: Final = 3

#: How many views, and how many processes of one generation, are remembered; of those forgotten the rule is not
#: known to hold. So many come together only where a minority's nodes restart again and again.
REMEMBERED: Final = 50

_Fact = TypeVar("_Fact")


class Rank(NamedTuple):
    """What sides are compared by: the higher one comes first.

    Attributes:
        generation: that of the data.
        parted: whether there is another side.
        activity: how much has happened on this one.
    """

    generation: int
    parted: bool
    activity: int


def rank(past: Past, known: Iterable[Past]) -> Rank:
    """Return where a side with this past stands, by all that is known."""
    stood = [last for one in known for last in one.stood.items()]
    # N6, finding 33: of the views that may have begun a generation, the last one that all members have been in,
    # as far as anybody knows. That some never were is known by their votes, which outlive them (finding 40).
    began = max((vid for vid, incs in past.begun.items() if not _is_void(vid, incs, stood)), default=0)
    # Finding 43: what was done before the sides parted they have in common.
    since = max(began, past.parted)
    # Finding 44: a view that began nothing has ended nothing, so what happened before it counts on.
    activity = max((one for vid, one in past.activity.items() if vid >= since), default=NOTHING)
    return Rank(number_of(began), bool(past.parted), activity)


def _is_void(vid: int, incs: Iterable[int], stood: Iterable[tuple[int, dict[int, int]]]) -> bool:
    """Tell whether a member of this view has never been in it."""
    return any(last.get(inc, 0) > vid for gen, last in stood if gen < number_of(vid) for inc in incs)


def activity_of(past: Past) -> int:
    """Return how much happened since the last view that may have begun a generation, or parted the sides."""
    # Whether the latest one has begun anything its own members cannot know; for them it has.
    return past.activity.get(_latest(past), NOTHING)


def _latest(past: Past) -> int:
    return max(past.parted, *past.begun, 0)


def happened(past: Past, activity: int) -> Past:
    """Return what is known once this has happened."""
    # Finding 45: one number. What weighs more includes what weighs less, so less is no news.
    if activity <= activity_of(past):
        return past
    return replace(past, activity={**past.activity, _latest(past): activity})


def voted(past: Past, inc: int, gen: int, vid: int) -> Past:
    """Return what is known once this process, which is of this generation, has voted for this view."""
    return replace(past, stood=_stood([past, Past({}, {gen: {inc: vid}})]))


def inherited(donors: Iterable[Past], voters: Collection[Past]) -> Past:
    """Return what is handed on by a view that starts from the data of these donors, with these voters.

    What has happened on any side has now on that of them all, for its newer data go round; but not what the
    donors' side has in common with it.
    """
    donors = list(donors)
    parted = max(past.parted for past in donors)
    begun: dict[int, list[int]] = {}
    activity: dict[int, int] = {}
    for past in donors:
        begun.update(past.begun)
        for vid, one in past.activity.items():
            activity[vid] = max(one, activity.get(vid, NOTHING))
    # N4: who joins a side on which something has happened stands on it from now on.
    most = max(rank(past, voters).activity for past in voters if past.parted or not parted)
    return happened(Past(_newest(begun), _stood(voters), _newest(activity), parted), most)


def begins(past: Past, vid: int, members: Iterable[int]) -> Past:
    """Return what is known once a majority's view, of these incarnations, has been formed."""
    return replace(past, begun={**past.begun, vid: sorted(members)})


def parts(past: Past, vid: int) -> Past:
    """Return what is known once a view has been formed without a member that may live."""
    # The first one: what happened since is what the other side does not have.
    return replace(past, parted=past.parted or vid)


def began(vid: int, members: Iterable[int]) -> Past:
    """Return what matters once this view is known to have been installed by all its members."""
    # Nobody can say of it that a member has never been in it, so all older facts are outranked.
    return begins(Past(), vid, members)


def _stood(pasts: Iterable[Past]) -> dict[int, dict[int, int]]:
    stood: dict[int, dict[int, int]] = {}
    for past in pasts:
        for gen, last in past.stood.items():
            mine = stood.setdefault(gen, {})
            for inc, vid in last.items():
                mine[inc] = max(vid, mine.get(inc, 0))
    lasts = {
        gen: dict(sorted(last.items(), key=lambda one: one[1])[-REMEMBERED:]) for gen, last in stood.items()
    }
    return _newest(lasts)


def _newest(facts: dict[int, _Fact]) -> dict[int, _Fact]:
    return dict(sorted(facts.items())[-REMEMBERED:])
