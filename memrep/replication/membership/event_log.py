"""What the operator reads in the log: who is in the view, and each change of a peer, with its reason."""

from __future__ import annotations

from collections.abc import Callable

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

    def __init__(self, membership: Membership, log: Callable[[str], None]) -> None:
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

    def installed(self, before: View, was_full: bool, troubles: list[str]) -> None:
        """Log that a view stands, and why it was asked for, if not for nodes that have come or gone."""
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
        alone = "" if view.quorate else ", no majority"
        self._log(
            f"view {number_of(view.vid)}: {len(view.members)} of {len(self._names)} nodes{alone}"
            + (" (" + "; ".join(changes) + ")" if changes else "")
        )
        absent = [peer for n, peer in self._detector.peers.items() if n not in view.members]
        if not before.vid and self._state.full and absent:
            whom = ", ".join(
                f"{peer.name} ({peer.process.gone or 'it is not within reach'})" for peer in absent
            )
            self._log(f"warning: begins without {whom}; if it holds sessions they are not here")
        if not self._state.full:
            donor = self._names[min(view.full) - 1]
            again = "lost touch with the others and closes its port; " if was_full else ""
            self._log(f"{again}fetches what it lacks from {donor}")

    def report(self) -> None:
        """Log one line for each change of a peer's state, with its reason."""
        now, wall = self._clock.now, self._clock.wall
        for peer in self._detector.peers.values():
            state, reason = self._state_of(peer, now)
            if state != peer.state:
                self._log(f"{peer.name} is {state}" + (f": {reason}" if reason else ""))
                peer.reported(state, wall)

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
