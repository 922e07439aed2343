"""Admission: whether clients are let in. Who has not served for a second refuses, and says why.

Problem: a node may hold everything and yet be unable to serve: its lease has run out while its view stands, a
promise is not kept, a view is not confirmed, or it must give way to another node
(replication/membership/one_way.py). For a moment that is a change of view, and a client's command waits for
less than a second. If it lasts, everybody who comes waits in vain: PHP hangs for its timeout at each request,
while to be refused would send it to the next node at once.

Rule (finding 24): a node opens its client port when it serves, and closes it when it does not hold everything
any more, has no majority though one is demanded, or has not served for REFUSE ms (a second), for whatever
reason. So nobody is let in who could not be served, a short change of view shuts nobody out, and there is no
state in which a node neither serves nor refuses. With the port the connections are closed, as gently as ever,
idle ones, too: what is sent on them would wait and be closed unread. A stop of this process does not count: the
second begins when it goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Final

from memrep.events import DOES_NOT_BEGIN, SERVES, SERVES_AGAIN, SERVES_NOT, Tell
from memrep.replication.membership.one_way import gives_way_to, leaves_beginning_to
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view_id import number_of, proposer_of
from memrep.replication.replica import Replica
from memrep.storage.version import Clock

#: How often at most it is told why this node does not begin, ms.
_TOLD_MS: Final = 10_000


class Admission:
    """Whether one node's clients are let in.

    Args:
        names: the addresses of all nodes; node n is the n-th.
        replica: knows whether it may serve.
        timing: the constants.
        clock: the time of the present turn.
        log: takes a line for the operator.

    Attributes:
        open: whether clients are let in.
    """

    def __init__(self, names: list[str], replica: Replica, timing: Timing, clock: Clock, log: Tell) -> None:
        self.open = replica.may_serve  # a node without peers, from the start
        self._told = False
        self._rests = False
        self._names = names
        self._replica = replica
        self._timing = timing
        self._clock = clock
        self._log = log
        self._served = clock.now
        self._refused_since: int | None = None
        self._waited = ""
        self._waited_at = clock.now

    def look(self, items: Sized) -> None:
        """Open or close, at the end of each turn; `items` is what this node holds."""
        replica, now = self._replica, self._clock.now
        if self._rests:
            return
        if replica.open and replica.may_serve:
            self._served = now
            if not (self.open and self._told):
                self._opens(len(items))
        elif self.open:
            if not replica.open:
                self._closes(self._why_at_once())
            elif now - self._served >= self._timing.refuse:
                self._refused_since = self._served
                seconds = (now - self._served) / 1000
                self._closes(f"it could not for {seconds:.1f} s: {'; '.join(self.reasons())}")

    def rest(self) -> None:
        """Stay closed, whatever comes: this node has left."""
        self.open, self._rests = False, True

    def was_stopped(self) -> None:
        """Give this process, which was stopped, its second to meet the others again: they may have gone on."""
        self._served = self._clock.now

    def tick(self) -> None:
        """Say why a node without data does not begin, when that has changed."""
        replica, now = self._replica, self._clock.now
        if replica.state.view.vid or now - self._waited_at < self._timing.refuse:
            return
        reach = replica.detector.reach(now)
        unmet = leaves_beginning_to(replica.state, replica.detector, reach, now)
        line = "; ".join(self._reason_of(peer) for peer in unmet)
        if line and line != self._waited:
            self._waited, self._waited_at = line, now + _TOLD_MS
            self._log(DOES_NOT_BEGIN(reason=line))

    def _opens(self, items: int) -> None:
        self.open = self._told = True
        if self._refused_since is None:
            self._log(SERVES(items=items))
        else:
            seconds = (self._clock.now - self._refused_since) / 1000
            self._log(SERVES_AGAIN(seconds=seconds, items=items))
        self._refused_since = None

    def _closes(self, reason: str) -> None:
        self.open = False
        self._log(SERVES_NOT(reason=reason))

    def _why_at_once(self) -> str:
        if self._replica.state.full:
            return "it has no majority, and --partition majority demands one"
        return "it does not hold everything"

    def reasons(self) -> Iterator[str]:
        """Say why this node, which holds everything, does not serve."""
        replica, now = self._replica, self._clock.now
        state, detector = replica.state, replica.detector
        if state.was_stopped:
            yield "it was stopped, and has had no view since"
        if state.met:
            yield "a node that was silent is heard again and may have gone on"
        reach = detector.reach(now)
        first = gives_way_to(state, detector, reach, now)
        if first is not None:
            yield self._reason_of(first)
        for node in state.others:
            peer = detector.peers[node]
            if peer is not first and (reason := self._reason_of(peer)):
                yield reason
        if state.promised > state.view.vid:
            proposer = self._names[proposer_of(state.promised) - 1]
            yield f"it waits for view {number_of(state.promised)} of {proposer}"

    def _reason_of(self, peer: Peer) -> str:
        """Return what stands between this node and that one; empty if nothing does."""
        state, now = self._replica.state, self._clock.now
        beat = peer.beat
        lets_in = peer.process.let_in > now
        if peer.process.gone and not lets_in:
            return f"{peer.name} is down ({peer.process.gone})"
        if peer.process.gone or now - peer.contact.heard >= self._timing.silence:
            lives = ", but lets this one in: it cannot reach this node" if lets_in else ""
            return f"{peer.name} is not heard{lives}"
        if beat is not None and not peer.hears(state.me):
            later = "" if beat.vid <= state.view.vid else ", and has gone on without it"
            return f"{peer.name} is heard but does not hear this node{later}"
        if peer.installed < state.view.vid:
            return f"{peer.name} has not shown that it has view {number_of(state.view.vid)}"
        if peer.lease <= now:
            return f"{peer.name} has given no lease for {now - peer.lease} ms"
        return ""
