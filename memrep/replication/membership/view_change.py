"""View change: who proposes the next view, who votes for it, and when.

A view is needed when the nodes within reach are not the members, when anybody within reach is in trouble (a
lost frame, a missing chunk), or when a promise has waited too long. The lowest full node within reach proposes
and the others follow one after another should it fail to; a node that lacks data never proposes beside one
that is full, or an empty newcomer would take the others' data away from them. All that are proposed must vote.

A vote is a promise: it stops acknowledging, committing and serving until that view or a later one stands.
Nobody votes for a view that leaves out a member that it still hears: the lease which that member may hold
from it would outlive the vote.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from msgspec.structs import replace

from memrep.replication.membership.lost_clients import lost_clients, still_living
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.one_way import deaf_rival, gives_way_to, leaves_beginning_to
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.settlement import settle
from memrep.replication.membership.view_id import make_vid, number_of, proposer_of
from memrep.replication.message import Install, Propose, Refuse, Vote

#: How patient a proposer becomes at most, in times of the first wait.
_PATIENCE_MAX: Final = 32


#: The part of the first wait after which a first refusal is not taken for the last word.
_SOON: Final = 8


@attrs.define(eq=False)
class _Proposal:
    vid: int
    members: dict[int, int]
    at: int
    votes: dict[int, Vote] = attrs.Factory(dict)
    refusals: set[int] = attrs.Factory(set)


class ViewChange:
    """One node's part in changes of view.

    Attributes:
        promised_at: when it voted last, own monotonic ms.

    Args:
        membership: where this node stands, which a vote changes; who is within reach; the clock, which
            stamps what is settled.
        vote: makes this node's vote for a view.
        send: sends a message to a node.
        install: takes over a view that this node has settled, after it was sent to all members.
    """

    def __init__(
        self,
        membership: Membership,
        vote: Callable[[int], Vote],
        send: Callable[[int, Propose | Vote | Refuse | Install], None],
        install: Callable[[Install], None],
    ) -> None:
        self._membership = membership
        self._state = membership.state
        self._detector = membership.detector
        self._timing = membership.timing
        self._clock = membership.clock
        self._vote = vote
        self._send = send
        self._install = install
        self._born = self._clock.now
        self._proposal: _Proposal | None = None
        self._needed: int | None = None  # since when a view is needed
        self.promised_at = 0
        self._patience = self._timing.propose  # how long to wait for the votes of the next proposal
        self._patient_until = 0  # until when no view is formed without those that are heard
        self._latest: Install | None = None  # for who has missed it
        self._highest = self._state.former  # the highest view anybody is known to have promised

    @property
    def needed(self) -> bool:
        """Tell whether a view was needed when that was asked last."""
        return self._needed is not None

    def saw_promise(self, vid: int) -> None:
        """Note that a node has promised this view; the next proposal must be above it."""
        self._highest = max(self._highest, vid)

    def consider(self) -> None:
        """Propose a view if one is needed and it is this node's turn."""
        now = self._clock.now
        # M2: a view is needed when who is in reach is not who is in the view, or a node that is heard asks.
        reach = self._detector.reach(now)
        if not self._need(reach, now):
            self._needed = None
            return
        # From when on it was needed, or each look would begin the wait for the lower ranks anew.
        if self._needed is None:
            self._needed = now
        # M3: one after the other, so that as a rule only one proposes.
        rank = self._rank(reach, now)
        if rank is None or now < self._needed + rank * self._timing.propose:
            return
        proposal = self._proposal
        if proposal is not None:
            # It is not waited for once one of them is out of reach: that one's vote will not come.
            if now < proposal.at + self._patience and proposal.members.items() <= reach.items():
                return
            # M5: who has not answered keeps the view from standing.
            # Votes may be large; asking faster than they travel would pile them up.
            self._patience = min(2 * self._patience, _PATIENCE_MAX * self._timing.propose)
            self._proposal = None
            members = self._state.view.members
            # M5: a newcomer that is silent is left out for a while; a member never is, it must be known to be
            # gone.
            answered = proposal.votes.keys() | proposal.refusals
            silent = [n for n in proposal.members if n not in answered and n not in members]
            self._detector.ignore(silent, now + self._timing.ignore)
            reach = self._detector.reach(now)
        # Finding 14: asked after the patience has grown, so that this does not go on doubling it for nothing.
        if self._may_form(reach, now):
            self._propose(reach, now)

    def was_stopped(self) -> None:
        """Drop what this process had proposed, which is stale as it was stopped; give the others time to speak.

        What they said before shows them deaf to this node, as they were. Without that time it could form a
        view with an empty newcomer, beside the one that has gone on and holds what was written meanwhile.
        """
        self._proposal = None
        # T2 (finding 10): a fresh heartbeat from each of them comes within this time.
        self._patient_until = self._clock.now + self._timing.promise

    def _may_form(self, reach: dict[int, int], now: int) -> bool:
        """Tell whether these nodes may form a view: not without one that has gone on, or goes on, meanwhile."""
        state = self._state
        # M2, findings 20 and 23.
        if gives_way_to(state, self._detector, reach, now) is not None:
            return False
        if now < self._patient_until:
            # T2: nobody that is heard may be missing, and alone is no view while there may be others.
            heard = {peer.node for peer in self._detector.here(now)}
            if not heard <= reach.keys() or len(reach) == 1 < state.configured:
                return False
        # S3: by what heartbeats tell; the votes themselves are weighed again when all are in.
        peers = self._detector.peers
        beats = [peers[node].beat for node in reach if node != state.me]
        return self._has_majority(len(reach), state.full + sum(b is not None and b.full for b in beats))

    def _has_majority(self, members: int, full: int) -> bool:
        """Tell whether a view of so many members, so many of them full, is allowed by `--partition` (rule S3).

        In majority mode only nodes with data count: an empty one has forgotten what it once acknowledged, and
        its vote would let a node that was cut off since then form a majority with it. All together may begin.
        """
        state = self._state
        return not state.strict or members == state.configured or full >= state.majority

    def _need(self, reach: dict[int, int], now: int) -> bool:
        state = self._state
        if state.promised > state.view.vid:
            # M2: a promise pauses this node (M6), so it must not wait for ever for a view that nobody forms.
            proposer = proposer_of(state.promised)
            return (
                now - self.promised_at > self._timing.promise
                or (proposer != state.me and proposer not in reach)
                or proposer == state.me  # how long that one has waited `consider` knows
            )
        # M2: incarnations are compared, too, for a member that has restarted is another one (M10).
        # Finding 19: nodes that have caught up may make a majority's view of it.
        if state.view_change_reason or reach != state.view.members or self._has_grown_to_majority():
            return True
        return any(
            # Finding 30: in this view; or in a later one of its own, made when it heard nobody for a moment.
            peer.beat is not None and peer.beat.view_change_reason and peer.beat.vid >= state.view.vid
            for peer in self._detector.here(now)
        )

    def _has_grown_to_majority(self) -> bool:
        """Tell whether nodes that caught up in this view make it a majority's, which it was not at first."""
        state = self._state
        view = state.view
        # Finding 19 (V3): who was empty made no majority, for it had forgotten what it acknowledged.
        if view.quorate or len(view.members) < state.majority:
            return False
        beats = (self._detector.peers[node].beat for node in state.others)
        caught_up = sum(beat is not None and beat.full and beat.vid == view.vid for beat in beats)
        return state.full + caught_up >= state.majority

    def _rank(self, reach: dict[int, int], now: int) -> int | None:
        """Return this node's place among those that may propose; None if it may not."""
        state = self._state
        beats = {node: self._detector.peers[node].beat for node in reach if node != state.me}
        # M3: a node without data never proposes beside one with data, whose data it would end.
        full = [node for node, beat in beats.items() if beat is not None and beat.full]
        if state.full:
            candidates = [*full, state.me]
        elif full:
            return None
        elif len(reach) == state.configured or self._begins_without_the_rest(reach, now):
            candidates = list(reach)
        else:
            return None
        return sorted(candidates).index(state.me)

    def _begins_without_the_rest(self, reach: dict[int, int], now: int) -> bool:
        """Tell whether nodes without data have waited long enough for the others.

        Never while a node that lives has turned this one away: it belongs to a cluster that may have the data,
        and an operator has to correct one of the lists. Nor while a node with data is heard, which this one
        cannot reach itself, nor while another one without data should begin (one_way.py).
        """
        # Finding 23: two that began side by side would be two sides, of which one gives way when they meet.
        if leaves_beginning_to(self._state, self._detector, reach, now):
            return False
        disagree = any(peer.process.disagrees for peer in self._detector.peers.values())
        others_serve = any(peer.beat is not None and peer.beat.full for peer in self._detector.here(now))
        return not disagree and not others_serve and now - self._born >= self._timing.cold_start

    def _propose(self, reach: dict[int, int], now: int) -> None:
        state = self._state
        # M4: above all that anybody has promised; the wall clock keeps it above what was before a cold start.
        number = 1 + max(number_of(state.promised), number_of(self._highest), self._clock.wall // 1000)
        vid = make_vid(number, state.me)
        # M6: the proposer votes first, and for nothing else from now on.
        self._promise(vid)
        self._proposal = _Proposal(vid, reach, now, {state.me: self._vote(vid)})
        for node in reach:
            if node != state.me:
                self._send(node, Propose(vid, reach))
        self._count()

    def _promise(self, vid: int) -> None:
        self._state.promise(vid)
        self._highest = max(self._highest, vid)
        self.promised_at = self._clock.now

    def on_propose(self, node: int, message: Propose) -> None:
        """Vote, or say why not."""
        state = self._state
        # Whether it votes or not: its own next proposal has to be above this one.
        self.saw_promise(message.vid)
        reach = self._detector.reach(self._clock.now)
        # M10: meant is a former process of this node's; the proposer will hear of this one.
        if message.members.get(state.me) != state.inc:
            return
        # M6: a member that this node hears may be serving, by a lease that this node has granted.
        left_out = [
            member
            for member, inc in state.view.members.items()
            if member not in message.members and reach.get(member) == inc
        ]
        # M6, finding 23: nor beside a node with data that goes on because it does not hear this one.
        rival = deaf_rival(state, self._detector, message.members, self._clock.now)
        # M6: two promises would let two views stand, each without what the other one acknowledges.
        # P5: nor is anything new to come out below what was there before the power failed.
        promised = max(state.promised, state.former)
        if message.vid <= max(promised, state.view.vid) or left_out or rival is not None:
            self._send(node, Refuse(message.vid, promised, left_out))
            return
        # Its own proposal is below what it promises now, and could not be installed.
        self._proposal = None
        self._promise(message.vid)
        self._send(node, self._vote(message.vid))

    def on_vote(self, node: int, message: Vote) -> None:
        """Count it; with the last one the view stands."""
        proposal = self._proposal
        if proposal is not None and proposal.vid == message.vid and node in proposal.members:
            proposal.votes[node] = message
            self._count()

    def _count(self) -> None:
        # M5: all of them. One that has not promised may go on in the view before.
        proposal = self._proposal
        if proposal is None or len(proposal.votes) < len(proposal.members):
            return
        self._proposal = None
        state = self._state
        # S3: heartbeats told of enough data when it was proposed; the votes are what counts.
        if not self._has_majority(len(proposal.votes), sum(vote.full for vote in proposal.votes.values())):
            return
        if state.full and gives_way_to(state, self._detector, proposal.members, self._clock.now):
            return  # findings 20 and 23: it was heard while the votes came
        # M7.
        view = settle(proposal.vid, proposal.members, proposal.votes, state.configured, self._clock, state.view)
        # Finding 21: the proposer says for all whose clients are gone; by themselves nodes would differ.
        lost = lost_clients(view, self._membership)
        view = replace(view, lost=lost, silent=still_living(lost, self._membership))
        # Once: who misses it shows an older view in its heartbeat, and gets it again (M9).
        for node in view.members:
            if node != state.me:
                self._send(node, view)
        self._install(view)

    def on_refuse(self, node: int, message: Refuse) -> None:
        """Remember what was promised elsewhere, and hear again whom the other one hears."""
        self.saw_promise(message.promised)
        if self._proposal is not None and self._proposal.vid == message.vid:
            self._proposal.refusals.add(node)
            if message.reach and self._patience == self._timing.propose:
                # It hears a node that has just died; the news will have reached it in a moment.
                self._proposal.at = self._clock.now - self._patience + self._timing.propose // _SOON
        # M6: whom this node ignores, for it did not vote in time, is heard there; no view can be without it.
        self._detector.ignore((n for n in message.reach if n in self._detector.peers), 0)

    def installed(self, message: Install) -> None:
        """Keep the view that stands now; what was proposed before it is over."""
        self._latest = message
        self._proposal = None
        self._needed = None
        self._patience = self._timing.propose

    def remind(self, peer: Peer) -> None:
        """Send a member the view again that it has not got (rule M9); not faster than a large one travels."""
        now = self._clock.now
        if self._latest is not None and now - peer.reminded >= self._timing.propose:
            peer.was_reminded(now)
            self._send(peer.node, self._latest)
