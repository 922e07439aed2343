"""Heartbeats: what each node says of itself to all others, when, and what is made of the others'.

A heartbeat is four things at once. It is a sign of life, so it goes out in each interval whatever happens. It
asks for a lease: who answers it will not go on without its sender for a while (leases.py). It tells what the
others must know to judge this node: its view, its promise, whether it holds everything, whether it is in
trouble, whom it hears. And it tells how many frames there were, so that the loss of the last one is noticed,
which no later number would show (rule F2).

For the operator, whom any node must be able to tell about all, a heartbeat now and then brings along what its
sender says of itself; here that is bytes (node/status.py makes them, and reads them).

Nodes beat in step, as fireflies flash (Mirollo and Strogatz, Synchronization of pulse-coupled biological
oscillators, 1990): who hears a peer when half of its own interval is over lets its own heartbeat go out in that
turn. So all of them speak within the same few milliseconds, and a node is woken once or twice for what would
wake it three times and more; to be woken costs an idle node more than what it is woken for. Nothing rests on
it: no interval gets longer, and none shorter than its half. Of two groups that beat at different times one
hears the other in the second half of its interval, so they meet. Only who is near is followed: else what each
has caused at the next would come round to it in the second half of its interval, for ever.

What cannot wait for the interval is said at the end of the turn in which it has changed: that a link is open,
that a view stands, that this node needs one or leaves, and what has happened on its side (finding 45).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memrep.replication.frames import FrameStream
from memrep.replication.membership.history import NOTHING, activity_of
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.peer import Peer
from memrep.replication.message import Heartbeat, LeaseGrant
from memrep.storage.entry import NEVER

#: Who answers within this part of an interval is near: what eight such nodes cause at one another, each at the
#: next, has come round before half an interval is over.
_NEAR: Final = 16

#: Between two heartbeats that say something for the operator, ms.
_ABOUT_MS: Final = 1_000


class Heartbeats:
    """One node's heartbeats, and what it makes of its peers'.

    Args:
        membership: where this node stands, and whom it hears.
        stream: the frames of this view.
        send: sends a message to a node.

    Attributes:
        leaving: whether this node is about to stop, and says so.
        about: what this node says of itself for the operator; asked about once a second.
    """

    def __init__(
        self, membership: Membership, stream: FrameStream, send: Callable[[int, LeaseGrant], None]
    ) -> None:
        self.leaving = False
        self.about: Callable[[], bytes] = lambda: b""
        self._about_due = membership.clock.now
        self._state = membership.state
        self._detector = membership.detector
        self._clock = membership.clock
        self._interval = membership.timing.beat
        self._stream = stream
        self._send = send
        self._next = self._clock.now
        self._is_due = False
        self._near = False  # one of a near peer has come since `join` was asked last
        self._took: dict[int, int] = {}  # by peer, how long the answer to one took, ms
        self._told = NOTHING  # of this side's activity
        self._past = self._state.past  # what it had behind it when that was looked at last

    def tick(self) -> None:
        """Let one go out if the interval is over."""
        if self._clock.now >= self._next:
            self._next = self._clock.now + self._interval
            self._is_due = True

    def join(self) -> bool:
        """Let one go out at the end of this turn, if a near peer's has come and half the interval is over.

        Returns:
            Whether one goes out before it is due. To be asked in each turn.
        """
        near, self._near = self._near, False
        if not near or 2 * (self._next - self._clock.now) > self._interval:
            return False
        self._next = self._clock.now + self._interval
        self._is_due = True
        return True

    def hurry(self) -> None:
        """Let one go out at the end of this turn."""
        self._is_due = True

    def greet(self) -> None:
        """Let one go out at the end of this turn to who has heard none yet: with all that there is to say."""
        self._is_due = True
        self._about_due = self._clock.now

    def take(self) -> Heartbeat | None:
        """Take the heartbeat that goes out at this turn's end, behind this turn's frames; None if none does."""
        state = self._state
        # In most turns nothing happens that was not told before.
        if not self._is_due and state.past is self._past:
            return None
        self._past = state.past
        # Finding 45: who was answered must outlive the node that has answered, so it is told at once.
        if not self._is_due and self._told == state.activity:
            return None
        self._is_due = False
        self._told = state.activity
        now = self._clock.now
        about = b""
        if now >= self._about_due:
            self._about_due = now + _ABOUT_MS
            about = self.about()
        return Heartbeat(
            state.view.vid,
            state.promised,
            state.full,
            state.view_change_reason,
            self.leaving,
            now,
            self._stream.sent,
            self._clock.logical,
            self._clock.wall,
            self._detector.hears(now),
            self._detector.hears_directly(now),
            state.past,
            about,
        )

    def came(self, peer: Peer, beat: Heartbeat) -> None:
        """Take a peer's heartbeat, which has come: this is what it last said of itself."""
        was_full = peer.beat is not None and peer.beat.full
        # The hybrid clock's rule: what this node stamps from now on is above all that this peer has seen.
        self._clock.observe_logical(beat.logical)
        if self._took.get(peer.node, NEVER) * _NEAR <= self._interval:
            self._near = True
        peer.took(beat, self._clock.now, self._clock.wall, self._state.me)
        if beat.full and not was_full and not beat.leaving and self.is_of_this_view(peer, beat):
            peer.became_full(self._clock.now)

    def answered(self, node: int, at: int) -> None:
        """Note that a peer has answered the one that this node sent at this time, own monotonic ms."""
        self._took[node] = self._clock.now - at

    def is_of_this_view(self, peer: Peer, beat: Heartbeat) -> bool:
        """Tell whether it comes from a member that stands in this node's view."""
        view = self._state.view
        return beat.vid == view.vid and view.members.get(peer.node) == peer.process.inc

    def answer(self, peer: Peer, beat: Heartbeat) -> None:
        """Answer a member that stands in this node's view, with a lease if this one has promised no other."""
        state = self._state
        # F2: links keep order, so all frames that it tells of should be here.
        self._stream.heard_of(peer.node, beat.sent)
        # N4, finding 32: this node holds what that one has written, and tells of it when that one is killed.
        state.happened(activity_of(beat.past))
        # M6: who has promised a later view lets nobody serve in this one.
        if not state.paused:
            self._stream.owe(peer.node)
            self._send(peer.node, LeaseGrant(beat.vid, beat.at))
