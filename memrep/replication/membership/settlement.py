"""Settlement: what becomes of the writes in flight when a view begins, and whose data it starts from.

Problem: a coordinator dies with some of its writes known to some members. Whether a client was answered
nobody can tell. So the new view must decide each write for all members at once, the same way, and every
acknowledged write must be among those decided for.

Rule (M7 of the rules in docs/replication.md): an acknowledged write is held, pending or committed, by every
member of its view. The votes carry all pending writes of all voters; of the voters only those count that were
full in the latest view. Per key the highest plain write stands, or else the highest read-modify-write. One
node, the proposer, gives it a new version in the new generation: only then does it outrank whatever an
isolated node accepted meanwhile in an older one, and only one node may do it, for two would apply it twice.
A flush that may be done already keeps its version: what was committed behind it must not be ended by it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from memrep.replication.membership.history import NOTHING, Rank, begins, inherited, rank
from memrep.replication.membership.view import View
from memrep.replication.membership.view_id import number_of
from memrep.replication.message import ColdInstall, ColdVote, Install, Settled, Vote, Write
from memrep.storage.namespaces import FLUSH_KEY, FLUSHES, flush_key_of
from memrep.storage.version import ZERO, Clock, Version, cas_unique, stamped_by


def settle(
    vid: int,
    members: Mapping[int, int],
    votes: Mapping[int, Vote],
    configured: int,
    clock: Clock,
    before: View,
) -> Install:
    """Make a view of these votes, one from each of its members.

    It is a majority's, and begins a new generation, if a majority brings the same data along, or if everybody
    is there. An empty node does not count: it has forgotten what it once acknowledged, and with its help a node
    that was cut off meanwhile would outrank those that hold it. It counts when it has caught up (`ViewChange`
    asks for a view then).

    Args:
        vid: its name.
        members: node numbers to incarnations.
        votes: by node number, one for each member.
        configured: how many nodes there are in all.
        clock: the proposer's; it is raised above all that the voters have seen, then stamps what is settled.
        before: the view in which the proposer is.
    """
    # Finding 19 (V3): only who was full in the latest view counts towards a majority.
    full = _full_voters(votes)
    quorate = len(members) == configured or len(full) > configured // 2
    # Versions of a later generation outrank all earlier ones; a minority's view must not begin one.
    gen = number_of(vid) if quorate else max(vote.gen for vote in votes.values())
    # Above all that any voter has stamped: what is settled has to outrank what it was stamped over.
    for vote in votes.values():
        clock.observe_logical(vote.logical)
    # M7: an acknowledged write is in the vote of every full voter, for each of them held it.
    chosen: dict[bytes, Write] = {}
    for node in full:
        for write in votes[node].pending:
            chosen[write.key] = _stronger(chosen.get(write.key), write)
    # Finding 52: a flush ends what stands before it, and nothing that stands behind.
    done = _maybe_done(chosen, votes, full, before)
    settled = [
        Settled(_restamped(write, _ended_at(write, done) or clock.stamp(gen)), write.version)
        for write in sorted(chosen.values(), key=_moment)
    ]
    # Their clients' locks and the like are nobody's: those may go on at other nodes (see `Install`).
    alone = sorted(node for node, vote in votes.items() if vote.alone)
    # J3: a key below it that a newcomer alone has may be one whose tombstone was purged.
    horizon = max(votes[node].horizon for node in full)
    # N5: what those have stamped since the sides parted gives way.
    # Finding 27: each side has settled what was in flight at the cut; one of the two copies must not count.
    yields = _yielding(votes, full)
    # Findings 40 and 45: what voters know of views and of what has happened goes on with the data.
    past = inherited([votes[node].past for node in full], [vote.past for vote in votes.values()])
    # N6, finding 33: whether it does begin anything shows when all its members have been in it.
    if quorate:
        past = begins(past, vid, members.values())
    # N5, finding 34. The earliest reading: what was stamped after that some member may not have seen.
    apart = min(votes[node].apart or votes[node].logical for node in full)
    # P4: what was brought back from disks counts only where nobody is full.
    return (ColdInstall if is_cold(votes) else Install)(
        vid,
        gen,
        dict(members),
        sorted(full),
        quorate,
        settled,
        horizon,
        alone,
        yields=yields,
        past=past,
        apart=apart,
    )


def is_cold(votes: Mapping[int, Vote]) -> bool:
    """Tell whether these voters have nothing but what they bring back from their disks."""
    return any(isinstance(vote, ColdVote) for vote in votes.values()) and not any(
        vote.full for vote in votes.values()
    )


def _full_voters(votes: Mapping[int, Vote]) -> frozenset[int]:
    """Return the voters whose data the view starts from.

    Those that were full in the latest view; one in which a member of it has never been makes nobody later (rule
    N6). Of views without a majority, whose order means nothing, one that has parted from others comes before
    what all of them had in common, then the one on whose side more has happened since (rule N4). If none was
    full it is a cold start: all of them where nobody has any data, else the one that knows most, from which the
    others take and to which they add.
    """
    full = {node for node, vote in votes.items() if vote.full}
    if full:
        # N4, N6: first by what the sides have behind them. View numbers alone say nothing (finding 26), and
        # nodes of one side are of one rank, whoever of them the clients were connected to (finding 32).
        ranks = _ranks(votes)
        order = {node: (ranks[votes[node].last], votes[node].last) for node in full}
        latest = max(order.values())
        return frozenset(node for node in full if order[node] == latest)
    # P4: whoever brings back the latest of the latest view. What others have taken since they started is newer,
    # but not all that there is, so it is they who add it.
    cold = {node: vote for node, vote in votes.items() if isinstance(vote, ColdVote)}
    if cold:
        return frozenset(
            [max(cold, key=lambda n: (cold[n].gen, cold[n].last, cold[n].at, cold[n].records, -n))]
        )
    # M3: a cold start of empty nodes. Nobody has anything to lose, and all are full at once.
    if not any(vote.records for vote in votes.values()):
        return frozenset(votes)
    return frozenset(
        [max(votes, key=lambda node: (votes[node].gen, votes[node].last, votes[node].records, -node))]
    )


def _ranks(votes: Mapping[int, Vote]) -> dict[int, Rank]:
    """Return where each side, known by its view, stands by what all voters know."""
    known = [vote.past for vote in votes.values()]
    ranks: dict[int, Rank] = {}
    for vote in votes.values():
        own = rank(vote.past, known)
        ranks[vote.last] = max(own, ranks.get(vote.last, own))
    return ranks


def _yielding(votes: Mapping[int, Vote], full: frozenset[int]) -> list[int]:
    """Return the voters that, cut off, told no client anything or had less to do than the full ones (rule N5).

    What they have stamped since the cut was in flight then, and settled for nobody; a read-modify-write of it
    was computed from what the others have gone on from. What is older stays, for the full ones have it, too, or
    have lost all that they had. Of who is full in a later generation nobody knows how much there was to do.
    """
    ranks = _ranks(votes)
    # All full voters are of one rank, so any of them will do to compare with.
    first = ranks[votes[min(full)].last]
    sides = {node: ranks[vote.last] for node, vote in votes.items() if vote.full and node not in full}
    # Finding 34: nobody was told of anything there, so it yields whatever the other side has done.
    return sorted(
        node
        for node, side in sides.items()
        if side.activity == NOTHING or (side.generation == first.generation and side.activity < first.activity)
    )


def _maybe_done(
    chosen: Mapping[bytes, Write], votes: Mapping[int, Vote], full: frozenset[int], before: View
) -> dict[bytes, Version]:
    """Return those flushes in flight that somebody may have been told of, by key with their versions.

    What was written behind such a flush may be acknowledged and committed, so the flush must not come to stand
    above that: it keeps its version, as what it ends does. It does not outrank what an isolated node writes
    then, and need not: such a node has it, too, or nobody could have been told.
    """
    # Who was in the view in which they were made, as far as this is known, and is not here.
    known = bool(before.vid) and all(votes[node].last == before.vid for node in full)
    away = before.members.keys() - votes.keys()
    done = {}
    for key in chosen.keys() & FLUSHES:
        version = Version(chosen[key].version)
        maker = stamped_by(version)
        # It has all acknowledgements where its maker has done with it. Else who has not acknowledged it is a
        # voter now, and has it, or it may be one that is away.
        finished = maker in full and key not in {write.key for write in votes[maker].pending}
        if finished or (known and away <= {maker}):
            done[key] = version
    return done


def _ended_at(write: Write, done: Mapping[bytes, Version]) -> Version | None:
    """Return the version of a write in flight that is a flush which may be done, or ended by one; else None.

    It is the write's own, for some member may have committed it. That of a flush, which ends a value of its
    version, too, is for what was computed from something that it ends by who did not know of it.
    """
    own = Version(write.version)
    if write.key in FLUSHES:
        return done.get(write.key)
    end = max(done.get(FLUSH_KEY, ZERO), done.get(flush_key_of(write.key), ZERO))
    return min(own, end) if _moment(write) <= end else None


def _moment(write: Write) -> Version:
    """Return the version at which a write in flight stands among those of other keys.

    Whoever stamps a write stamps it above all that was answered before it was asked for. A read-modify-write of
    something stands where that stands: its coordinator knew of no flush that has ended it.
    """
    # Finding 50: it was each flush last, and what had been stamped behind one was gone. Finding 17: not so what
    # was computed from what the flush ends, whatever its own version.
    if write.base is None or write.dead or write.key in FLUSHES:
        return Version(write.version)
    return Version(write.base)


def _restamped(write: Write, version: Version) -> Write:
    """Put the write under its new version. Its cas unique stays: a member may have shown it to a client."""
    # Finding 2: a `cas` with the number that was shown must still find it.
    unique = write.cas or cas_unique(Version(write.version))
    return msgspec.structs.replace(write, version=version, base=None, dead=False, cas=unique)


def _stronger(one: Write | None, other: Write) -> Write:
    """Return, of two writes in flight for a key, the plain one, or else the one with the higher version."""
    # I2: a plain write beats a read-modify-write, whatever their versions.
    if one is None:
        return other
    return max(one, other, key=lambda write: (write.base is None, write.version))
