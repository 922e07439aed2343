"""The past: which generations have really begun (rule N6 of the rules in docs/replication.md).

Problem: a majority's view begins a generation, which outranks all that was there before. But a cut may come in
the very moment in which it is formed. Then some of its members stand in it and one never does. Nobody was
served in it, for all its members must be known to be in it first; and the one that was left out may have gone
on, with clients, in the generation before. By the time both sides meet, all processes that knew of this may be
gone, and others have taken over what they held.

Rule: each node keeps facts, which are handed on with the data, so that they outlive processes.

- `begun`: the views that may have begun a generation of the data that it holds, and the members' incarnations.
- `stood`: of which generation each process was when it last voted, and for which view. Who votes installs no
  earlier view any more. So whoever has voted for a later view than V, and was not of V's generation then, has
  never been in V and never will be.

If that is so of a member of V, then V has begun nothing, and the generation before it counts. A node that has
seen all members of V in it forgets what was before: nobody can say that of V, and what is older is outranked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from memrep.replication.message import Past
from memrep.replication.vid import number_of

#: How many views, and how many processes of one generation, are remembered; of those forgotten the rule is not
#: known to hold. So many come together only where a minority's nodes restart again and again.
REMEMBERED: Final = 50


def generation(past: Past, known: Iterable[Past]) -> int:
    """The generation of who has this past, as far as it counts by all that is known."""
    stood = [last for one in known for last in one.stood.items()]
    counting = (number_of(vid) for vid, incs in past.begun.items() if not _is_void(vid, incs, stood))
    return max(counting, default=0)


def _is_void(vid: int, incs: Iterable[int], stood: Iterable[tuple[int, dict[int, int]]]) -> bool:
    """Whether a member of this view has never been in it."""
    return any(last.get(inc, 0) > vid for gen, last in stood if gen < number_of(vid) for inc in incs)


def voted(past: Past, inc: int, gen: int, vid: int) -> Past:
    """What is known once this process, which is of this generation, has voted for this view."""
    return Past(past.begun, _stood([past, Past({}, {gen: {inc: vid}})]))


def inherited(donors: Iterable[Past], voters: Iterable[Past]) -> Past:
    """What is handed on by a view that starts from the data of these donors, with these voters."""
    begun = {vid: incs for past in donors for vid, incs in past.begun.items()}
    return Past(dict(sorted(begun.items())[-REMEMBERED:]), _stood(voters))


def _stood(pasts: Iterable[Past]) -> dict[int, dict[int, int]]:
    stood: dict[int, dict[int, int]] = {}
    for past in pasts:
        for gen, last in past.stood.items():
            mine = stood.setdefault(gen, {})
            for inc, vid in last.items():
                mine[inc] = max(vid, mine.get(inc, 0))
    newest = sorted(stood.items())[-REMEMBERED:]
    return {gen: dict(sorted(last.items(), key=lambda one: one[1])[-REMEMBERED:]) for gen, last in newest}
