"""Signs of life: what links and messages show of a peer's process, and what follows from it at once.

Most of it is only noted (membership/peer_process.py). Two things have consequences in the same turn:

- A process has ended (rule M1): its link to us is closed *and* its port refuses, or it said goodbye. Then a
  view without it is needed now, not after the failure timeout. Either sign alone is none, for a firewall that
  answers with resets may break one of the two.
- A missed node is heard again (rule N3). It may have gone on, and what this node holds may be old: nothing more
  is said to clients until there is a view with it, or it is silent again.
"""

from __future__ import annotations

from memrep.replication.heartbeat import Heartbeats
from memrep.replication.membership.leases import Leases
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.peer import Peer
from memrep.replication.membership.peer_process import TOOK_LEAVE
from memrep.replication.membership.view_change import ViewChange
from memrep.replication.message import Relay
from memrep.replication.observer import ReplicationObserver
from memrep.storage.entry import NEVER


class SignsOfLife:
    """What one node learns of its peers' processes.

    Args:
        membership: the peers.
        leases: weighed anew when a peer is gone or back.
        view_change: asked for a view then.
        heartbeats: one goes out at once when a link opens or a peer is back.
        observer: told when this node turns out to have been out of touch.
    """

    def __init__(
        self,
        membership: Membership,
        leases: Leases,
        view_change: ViewChange,
        heartbeats: Heartbeats,
        observer: ReplicationObserver,
    ) -> None:
        self._state = membership.state
        self._detector = membership.detector
        self._clock = membership.clock
        self._let_in_again = membership.timing.ignore
        self._leases = leases
        self._view_change = view_change
        self._heartbeats = heartbeats
        self._observer = observer

    # --- a peer's link to us

    def linked(self, node: int, inc: int) -> None:
        """Note that this peer has opened its link to us."""
        peer = self._detector.peers[node]
        self._may_be_back(peer, dead=bool(peer.process.gone))
        peer.opened_link(inc, self._clock.now)
        self._detector.heard(node, self._clock.now)
        # It must know soon that it is heard, or it counts this node as deaf (finding 9).
        self._heartbeats.hurry()

    def unlinked(self, node: int) -> None:
        """Note that this peer's link to us is closed."""
        peer = self._detector.peers[node]
        peer.process.closed_link()
        # M1: the second of the two signs; the other one may have come first.
        if peer.process.refused:
            self._is_gone(peer, peer.process.refused)

    def heard(self, node: int) -> None:
        """Note that some bytes have come from this peer, be it only a part of a message."""
        # Where everybody is served nobody is missed; this is asked for each piece that comes.
        if not self._leases.serves_all_until:
            self._may_be_back(self._detector.peers[node])
        self._detector.heard(node, self._clock.now)

    def called(self, node: int) -> None:
        """Note that this peer's call has come, be it that nothing gets back to it yet: it lives."""
        # N3: for a second after a cable was plugged in the kernel may not know where to send its answer.
        peer = self._detector.peers[node]
        if node in self._detector.missed.nodes or peer.process.gone:
            self._may_be_back(peer, dead=bool(peer.process.gone))
            self._detector.called(peer, self._clock.now)

    # --- our link to a peer

    def dialled(self, node: int) -> None:
        """Note that our link to this peer is open; let it hear of us at once."""
        self._detector.peers[node].process.was_dialled()
        self._heartbeats.greet()

    def let_in(self, node: int, *, stands: bool) -> None:
        """Note that this peer let in our link, so it lives; or that it closed, and may soon be open again."""
        until = NEVER if stands else self._clock.now + self._let_in_again
        self._detector.peers[node].process.let_us_in(until)

    def turned_away(self, node: int, reason: str) -> None:
        """Note that this peer lives but will not have this node, which must not begin without it meanwhile."""
        self._detector.peers[node].process.turned_us_away(reason)

    def refused(self, node: int, reason: str) -> None:
        """Note that our link to this peer closed and its port refuses; with its own closed it is gone (M1)."""
        peer = self._detector.peers[node]
        peer.process.port_refuses(reason)
        if not peer.process.linked:
            self._is_gone(peer, reason)

    def unreachable(self, node: int, reason: str, refuses: bool = False) -> None:
        """Note that our link to this peer cannot open, maybe as its port refuses; for `stats` if unknown."""
        peer = self._detector.peers[node]
        # Finding 35: a death that is seen anew is not in doubt any more.
        if refuses and peer.process.gone:
            self._detector.ended(peer, peer.process.gone, self._clock.now)
        peer.process.cannot_be_dialled(reason, refuses)

    # --- messages

    def came_over_another(self, message: Relay) -> Peer | None:
        """Note that a peer has spoken over another node; return it, or None if that is not to be believed."""
        peer = self._detector.peers.get(message.origin)
        dead = peer is not None and bool(peer.process.gone)
        if peer is None or not self._detector.believes(peer, message.inc, self._clock.now):
            return None
        self._may_be_back(peer, dead=dead)
        self._detector.lives(peer, self._clock.now)
        return peer

    def took_leave(self, peer: Peer) -> None:
        """Take this peer's goodbye: it has finished everything, and the others need not await its silence."""
        self._is_gone(peer, TOOK_LEAVE)

    def view_began(self, votes_at: int) -> None:
        """Note that a view stands whose votes this node has given at that moment, own monotonic ms."""
        # Finding 36: who spoke since is not silent any more, and yet the view knows nothing of it.
        for peer in self._detector.missed.returned(votes_at):
            self._is_back(peer)

    # --- what follows

    def _is_gone(self, peer: Peer, reason: str) -> None:
        # A heartbeat that says goodbye comes more than once; only news needs a view.
        if not peer.process.gone or peer.process.doubted:
            self._detector.ended(peer, reason, self._clock.now)
            self._view_change.consider()
            self._leases.weigh()

    def _may_be_back(self, peer: Peer, *, dead: bool = False) -> None:
        """Note a sign of life of this peer; if it was missed it may have gone on, and a view must be first.

        So must one be if it was dead for all that was known, and others are missed: it may have met them.
        """
        missed = self._detector.missed
        if missed.is_back(peer.node, self._clock.now) or (dead and missed.may_have_met(peer.node)):
            self._is_back(peer)

    def _is_back(self, peer: Peer) -> None:
        # Finding 35: this node was out of touch, so what it knows of others' ends may be old, too.
        self._detector.missed.doubt_deaths(self._clock.now)
        # Finding 51: it was cut off and not frozen, so it may have told a client what it could not tell this
        # node; and that client may be waiting for it, or for its end, of which it will not hear if it dies now.
        self._observer.out_of_touch()
        self._state.meet(peer.name)
        # Finding 10: what was heard before the cut shows them deaf; they get time to speak.
        self._view_change.was_stopped()
        self._leases.weigh()
        self._heartbeats.hurry()
