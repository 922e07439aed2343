"""A view: which nodes work together, and how writes in flight are settled when it begins.

Problem: a coordinator dies with some of its writes known to some members. Whether a client was answered
nobody can tell. So the new view must decide each write for all members at once, the same way, and every
acknowledged write must be among those decided for.

Rule (M7 of the rules in docs/replication.md): an acknowledged write is held, pending or committed, by every
member of its view. The votes carry all pending writes of all voters; of the voters only those count that were
full in the latest view. Per key the highest plain write stands, or else the highest read-modify-write. One
node, the proposer, gives it a new version in the new generation: only then does it outrank whatever an
isolated node accepted meanwhile in an older one, and only one node may do it, for two would apply it twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import msgspec

from memrep.replication.message import Install, Past, Settled, Vote, Write
from memrep.replication.past import generation, inherited, voted
from memrep.replication.vid import number_of
from memrep.store import FLUSH_KEY
from memrep.version import Clock, Version, cas_unique

#: The activity of a node that has written for clients.
WRITTEN: Final = 2


@attrs.frozen(kw_only=True)
class View:
    """Who works together.

    Attributes:
        vid: its name; 0 before the first one.
        gen: the generation its writes belong to: the number of the last view that had a majority.
        members: node numbers to incarnations.
        full: the members that held everything when it began.
        quorate: whether the members are a majority of the configured nodes.
    """

    vid: int = 0
    gen: int = 0
    members: Mapping[int, int] = attrs.Factory(dict)
    full: frozenset[int] = frozenset()
    quorate: bool = False


@attrs.define(eq=False)
class Standing:
    """Where this node stands: its view, what it has promised, what it lacks.

    Attributes:
        me: this node's number.
        inc: its incarnation.
        configured: how many nodes there are in all.
        view: the installed view.
        promised: the highest view it has voted for. Above `view.vid` it is paused: it acknowledges nothing,
            commits nothing and serves nobody until that view or a later one stands.
        full: whether it holds everything acknowledged so far.
        trouble: why it needs a new view; empty if it does not.
        slept: whether it was stopped for a while and has not had a view since. It is paused then, too: the
            others may have gone on without it.
        alone: whether it has closed all its clients' connections since its last view.
        since: when the view was installed, the hybrid clock's ms.
        met: whether a node is heard again that may have gone on, and there was no view since. It is paused.
        parted: whether the view, or one before it, has left out a member that may live: there is another side
            then, until every member of a majority's view is in it.
        active: whether it, or another member, has written for clients since its side has parted from the
            others, or else since the last view that had a majority.
        answered: whether an answer of since then has arrived at a client's machine.
        told: the same for any client, be it on this very machine.
        past: which generations its data may be of; see past.py.
        apart: the reading of the hybrid clock above which everything is stamped since this side has parted
            from the others, or stands in a view in which not every member is known to be; else 0.
        strict: whether views without a majority are forbidden (`--partition majority`).
    """

    me: int
    inc: int
    configured: int
    view: View = attrs.Factory(View)
    promised: int = 0
    full: bool = False
    trouble: str = ""
    slept: bool = False
    alone: bool = False
    since: int = 0
    met: bool = False
    parted: bool = False
    active: bool = False
    answered: bool = False
    told: bool = False
    past: Past = attrs.Factory(Past)
    apart: int = 0
    strict: bool = False

    @property
    def paused(self) -> bool:
        """Whether a promise, a stop of this process, or a node that may have gone on, stops everything."""
        return self.promised > self.view.vid or self.slept or self.met

    @property
    def activity(self) -> int:
        """How much it has been a cluster of its own: WRITTEN, 1 if a client has had an answer, or 0."""
        return WRITTEN if self.active else int(self.answered)

    @property
    def majority(self) -> int:
        """How many nodes are a majority of the configured ones."""
        return self.configured // 2 + 1

    @property
    def others(self) -> list[int]:
        """The other members of the view."""
        return [node for node in self.view.members if node != self.me]

    def promise(self, vid: int) -> None:
        """It votes for this view: from now on it installs none before it."""
        self.promised = vid
        self.past = voted(self.past, self.inc, self.view.gen, vid)

    def install(self, message: Install, hybrid: int) -> None:
        """A view begins, at this ms of the hybrid clock."""
        self.view = installed(message)
        self.promised = max(self.promised, message.vid)
        self.past = message.past
        self.apart = message.apart
        self.full = self.me in message.full
        self.trouble = ""
        self.slept = self.alone = self.met = False
        parted = message.parted or bool(out_of_touch(message))
        if message.quorate or (parted and not self.parted):  # what was done before is in common with the others
            self.active = self.answered = self.told = False
        self.parted = parted
        self.since = hybrid

    def confirmed(self) -> None:
        """Every member is in this view: if it is a majority's, it has begun its generation beyond doubt."""
        if self.view.quorate and not self.paused:
            self.past = Past({self.view.vid: sorted(self.view.members.values())}, {})
            self.parted = False
        if not (self.parted or self.paused):
            self.apart = 0


def settle(
    vid: int, members: Mapping[int, int], votes: Mapping[int, Vote], configured: int, clock: Clock
) -> Install:
    """The view that these votes, one from each of its members, make.

    It is a majority's, and begins a new generation, if a majority brings the same data along, or if everybody
    is there. An empty node does not count: it has forgotten what it once acknowledged, and with its help a node
    that was cut off meanwhile would outrank those that hold it. It counts when it has caught up (`Election`
    asks for a view then).

    Args:
        vid: its name.
        members: node numbers to incarnations.
        votes: by node number, one for each member.
        configured: how many nodes there are in all.
        clock: the proposer's; it is raised above all that the voters have seen, then stamps what is settled.
    """
    full = _full_voters(votes)
    quorate = len(members) == configured or len(full) > configured // 2
    gen = number_of(vid) if quorate else max(vote.gen for vote in votes.values())
    for vote in votes.values():
        clock.observe_logical(vote.logical)
    chosen: dict[bytes, Write] = {}
    for node in full:
        for write in votes[node].pending:
            chosen[write.key] = _stronger(chosen.get(write.key), write)
    in_order = sorted(chosen.values(), key=lambda write: write.key == FLUSH_KEY)  # a flush_all ends the rest
    settled = [Settled(_restamped(write, clock.stamp(gen)), write.version) for write in in_order]
    alone = sorted(node for node, vote in votes.items() if vote.alone)
    horizon = max(votes[node].horizon for node in full)
    yields = _yielding(votes, full)
    past = inherited([votes[node].past for node in full], [vote.past for vote in votes.values()])
    if quorate:
        past.begun[vid] = sorted(members.values())
    apart = min(votes[node].apart or votes[node].logical for node in full)
    return Install(
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
        parted=any(votes[node].parted for node in full),
    )


def _full_voters(votes: Mapping[int, Vote]) -> frozenset[int]:
    """The voters whose data the view starts from.

    Those that were full in the latest view; one in which a member of it has never been makes nobody later (rule
    N6). Of views without a majority, whose order means nothing, one that has parted from others comes before
    what all of them had in common, then one in which a client has written since, then one in which a client was
    answered (rule N4). If none was full it is a cold start: all of them where nobody has any data, else the one
    that knows most, from which the others take and to which they add.
    """
    full = {node for node, vote in votes.items() if vote.full}
    if full:
        active, gens = _activity(votes), _generations(votes)
        parted = {vote.last for vote in votes.values() if vote.parted}
        lasts = {n: votes[n].last for n in full}
        order = {n: (gens[n], last in parted, active[last], last) for n, last in lasts.items()}
        latest = max(order.values())
        return frozenset(node for node in full if order[node] == latest)
    if not any(vote.records for vote in votes.values()):
        return frozenset(votes)
    return frozenset(
        [max(votes, key=lambda node: (votes[node].gen, votes[node].last, votes[node].records, -node))]
    )


def _generations(votes: Mapping[int, Vote]) -> dict[int, int]:
    """Each full voter's generation, as far as it counts by what all voters know (rule N6)."""
    known = [vote.past for vote in votes.values()]
    return {node: generation(vote.past, known) for node, vote in votes.items() if vote.full}


def _activity(votes: Mapping[int, Vote]) -> dict[int, int]:
    """How much each side, known by its view, has been a cluster of its own (see `Standing.activity`)."""
    active: dict[int, int] = {}
    for vote in votes.values():
        active[vote.last] = max(vote.active, active.get(vote.last, 0))
    return active


def _yielding(votes: Mapping[int, Vote], full: frozenset[int]) -> list[int]:
    """The voters that were cut off and told nobody anything, or had less to do than who is full now (rule N5).

    What they have stamped since the cut was in flight then, and settled for nobody; a read-modify-write of it
    was computed from what the others have gone on from. What is older stays, for the full ones have it, too, or
    have lost all that they had. Of who is full in a later generation nobody knows how much there was to do.
    """
    donor = min(full)
    gens = _generations(votes)
    active = _activity(votes)
    told = {vote.last for vote in votes.values() if vote.told}
    most = max(active[votes[node].last] for node in full)
    return sorted(
        node
        for node, vote in votes.items()
        if vote.full and node not in full
        if not (active[vote.last] or vote.last in told)
        or (gens[node] == gens.get(donor) and active[vote.last] < min(most, WRITTEN))
    )


def _restamped(write: Write, version: Version) -> Write:
    """The write under its new version. Its cas unique stays: some member may have shown it to a client."""
    unique = write.cas or cas_unique(Version(write.version))
    return msgspec.structs.replace(write, version=version, base=None, cas=unique)


def _stronger(one: Write | None, other: Write) -> Write:
    """Of two writes in flight for a key: the plain one, or else the one with the higher version."""
    if one is None:
        return other
    return max(one, other, key=lambda write: (write.base is None, write.version))


def installed(message: Install) -> View:
    """The view that a message brings."""
    return View(
        vid=message.vid,
        gen=message.gen,
        members=message.members,
        full=frozenset(message.full),
        quorate=message.quorate,
    )


def out_of_touch(message: Install) -> list[int]:
    """The nodes of the last view that this one is without, and that may yet live: clients may be waiting there.

    Not those who come back: whoever was their client knows of it.
    """
    return [node for node in message.silent if node not in message.members]


def horizon_of(message: Install) -> Version:
    """The purge horizon that a message brings."""
    return Version(message.horizon)
