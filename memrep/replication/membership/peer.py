"""What a node knows of another one: its process, the contact with it, its steadiness, and what it said last.

Each of the first three is an idea of its own, with all its transitions: peer_process.py, peer_contact.py,
flap_damping.py. Here they are one peer, with what it has said and granted; an event that touches several of
them is made here, so that nobody can forget one. All of it is written in these four places. Whoever else learns
something of a peer tells it by one of their methods.
"""

from __future__ import annotations

import attrs

from memrep.replication.membership.flap_damping import FlapDamping
from memrep.replication.membership.peer_contact import PeerContact
from memrep.replication.membership.peer_process import PeerProcess
from memrep.replication.message import Heartbeat


@attrs.define(eq=False)
class Peer:
    """What this node knows of another one.

    Attributes:
        node: its number.
        name: its address as in --nodes.
        process: whether it lives.
        contact: when it was heard, and by which way.
        damping: how steady it is as a member.
        beat: its last heartbeat,
        beat_at: and when it came, own monotonic ms.
        about: what it last said of itself for the operator, as it came; empty if nothing is known to be true,
        about_at: and when it came, own monotonic ms.
        offset: how far its clock was ahead of ours, ms.
        lease: until when it lets this node serve, own monotonic ms.
        installed: the latest view that it is known to have installed.
        reminded: when it was last sent the present view, own monotonic ms.
        ignored: until when it is left out because it did not vote.
        synced: when it last became full in our view, own monotonic ms; None for never.
        state: its state as last reported, for `stats` and the log.
        since: when that last changed, own monotonic ms; None for never.
    """

    node: int
    name: str
    process: PeerProcess = attrs.Factory(PeerProcess)
    contact: PeerContact = attrs.Factory(PeerContact)
    damping: FlapDamping = attrs.Factory(FlapDamping)
    beat: Heartbeat | None = None
    beat_at: int = 0
    about: bytes = b""
    about_at: int = 0
    offset: int = 0
    lease: int = 0
    installed: int = 0
    reminded: int = 0
    ignored: int = 0
    synced: int | None = None
    state: str = "down"
    since: int | None = None

    # --- what touches several parts of it

    def opened_link(self, inc: int, now: int) -> None:
        """Note that it has opened its link to us, as this incarnation."""
        if self.process.inc != inc:
            self.restarted(inc, now)
        self.process.opened_link()

    def restarted(self, inc: int, now: int) -> None:
        """Begin anew with another incarnation of it: what was known of its process is void."""
        self.process.restarted(inc, now)
        self.contact.restarted()
        # M10: the old process's word, lease and views are not its successor's. Only its steadiness goes on.
        self.beat = None
        self.lease = 0
        self.installed = 0
        self.synced = None
        self.about = b""

    def spoken(self, now: int, silence: int) -> None:
        """Note that something came from it on whatever way; after so long a silence (ms) it has returned."""
        self.contact.spoken(now, silence)
        # This comes with each piece of data; a doubt, which it ends, is rare.
        if self.process.doubted:
            self.process.spoken()

    def ended(self, reason: str, now: int) -> None:
        """Note that its process is gone, as is seen now (rule M1)."""
        self.process.ended(reason, now)
        # S1: it grants nothing any more, and what it last said of itself is true no longer.
        self.lease = 0
        self.beat = None
        self.about = b""

    # --- what it says

    def took(self, beat: Heartbeat, now: int, wall: int, me: int) -> None:
        """Take the heartbeat that has come from it.

        Args:
            beat: the heartbeat.
            now: own monotonic ms.
            wall: own wall clock, ms.
            me: this node's number.
        """
        self.offset = beat.wall - wall
        self.beat = beat
        self.beat_at = now
        # It says more of itself only now and then.
        if beat.about:
            self.about, self.about_at = beat.about, now
        if self.hears_directly(me):
            self.contact.hears_our_link(now)

    def hears(self, node: int) -> bool:
        """Tell whether it last said that it hears this node."""
        return self.beat is not None and bool(self.beat.hears >> node & 1)

    def hears_directly(self, node: int) -> bool:
        """Tell whether it last said that this node's own link to it works."""
        return self.beat is not None and bool(self.beat.direct >> node & 1)

    def stands_in(self, vid: int) -> bool:
        """Note that it has shown that it has installed this view; tell whether that is news."""
        is_news = vid > self.installed
        # What comes over two ways may come in another order.
        self.installed = max(self.installed, vid)
        return is_news

    def became_full(self, now: int) -> None:
        """Note that it holds everything in our view since now."""
        self.synced = now

    # --- what it grants, and is granted

    def grant_lease(self, until: int) -> None:
        """Note that it lets this node serve until then, own monotonic ms (rule S1)."""
        # A later answer to an earlier heartbeat takes nothing back: the peer still keeps what it has granted.
        self.lease = max(self.lease, until)

    def revoke_lease(self) -> None:
        """Let what it has granted count no more."""
        self.lease = 0

    def ignore(self, until: int) -> None:
        """Leave it out of proposals until then, own monotonic ms."""
        self.ignored = until

    def was_reminded(self, now: int) -> None:
        """Note that it was sent the present view."""
        self.reminded = now

    # --- for the operator

    def reported(self, state: str, now: int) -> None:
        """Note that its state as it is logged has changed."""
        self.state, self.since = state, now
