"""What the operator reads in the log: who is in the view, and each change of a peer, with its reason."""

from __future__ import annotations

from memrep.events import (
    BEGINS_EMPTY,
    BEGINS_FROM_DISK,
    BEGINS_WITHOUT,
    FETCHES,
    FETCHES_AGAIN,
    NODE_IS,
    VIEW,
    Tell,
)
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.view import View
from memrep.replication.membership.view_id import number_of


class MembershipLog:
    """What one node has to tell of itself and its peers.

    Args:
        membership: where this node stands, and its peers.
        log: takes a line.
    """

    def __init__(self, membership: Membership, log: Tell) -> None:
        self._names = membership.names
        self._state = membership.state
        self._detector = membership.detector
        self._timing = membership.timing
        self._clock = membership.clock
        self._log = log

    def troubles(self) -> list[str]:
        """Return why this node and those that it hears ask for a view, as far as they have said so."""
        beats = ((peer.name, peer.beat) for peer in self._detector.here(self._clock.now))
        others = [
            f"{name}: {beat.view_change_reason}"
            for name, beat in beats
            if beat is not None and beat.view_change_reason
        ]
        return ([self._state.view_change_reason] if self._state.view_change_reason else []) + others

    def installed(self, before: View, was_full: bool, troubles: list[str], brought: int) -> None:
        """Log that a view stands, and why it was asked for, if not for nodes that have come or gone.

        Args:
            before: the view before.
            was_full: whether this node held everything in it.
            troubles: for which it was asked for.
            brought: how many entries this node has brought back from its disk, from which the view starts.
        """
        view = self._state.view
        if len(self._names) == 1:
            return
        me = self._state.me
        names = {node: self._names[node - 1] for node in {*view.members, *before.members}}
        joined = [
            names[n] for n, inc in sorted(view.members.items()) if before.members.get(n) != inc and n != me
        ]
        left = [names[n] for n in sorted(before.members) if n not in view.members]
        changes = ["joined: " + " ".join(joined)] * bool(joined) + ["left: " + " ".join(left)] * bool(left)
        changes = changes or troubles
        self._log(
            VIEW(
                view=number_of(view.vid),
                members=len(view.members),
                of=len(self._names),
                lacks="" if view.quorate else "no majority",
                why="; ".join(changes),
            )
        )
        absent = [peer for n, peer in self._detector.peers.items() if n not in view.members]
        # Who begins full, in the first view that it has, begins with others as empty as itself (rule M3).
        first = not before.vid and self._state.full
        if first and brought:
            self._log(BEGINS_FROM_DISK(entries=brought))
        elif first:
            count = len(view.members)
            had = f"none of the {count} nodes had any" if count > 1 else "this node had none"
            self._log(BEGINS_EMPTY(reason=had))
        if first and absent:
            whom = ", ".join(
                f"{peer.name} ({peer.process.gone or 'it is not within reach'})" for peer in absent
            )
            self._log(BEGINS_WITHOUT(nodes=whom))
        if not self._state.full:
            donor = self._names[min(view.full) - 1]
            self._log((FETCHES_AGAIN if was_full else FETCHES)(donor=donor))

    def report(self) -> None:
        """Log one line for each change of a peer's state, with its reason."""
        now = self._clock.now
        for peer in self._detector.peers.values():
            state, reason = self._state_of(peer, now)
            if state != peer.state:
                self._log(NODE_IS(peer=peer.name, state=state, reason=reason))
                peer.reported(state, now)

    def _state_of(self, peer: Peer, now: int) -> tuple[str, str]:
        if peer.process.gone:
            return "down", peer.process.gone
        if now - peer.contact.heard >= self._timing.silence:
            return "silent", f"nothing heard for {now - peer.contact.heard} ms"
        if self._state.view.members.get(peer.node) != peer.process.inc:
            return "starting", ""
        if peer.beat is None or not peer.beat.full:
            return "joining", "it fetches what it lacks"
        return "serving", ""
