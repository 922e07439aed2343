"""Numbered frames inside a view: what one node says to all members, in order, and how far they have heard it.

Everything that happens in one turn goes out as one frame, encoded once and the same for every member. Frames
are numbered from 1 in each view. There is no resending: links keep order, and a number that does not follow
the last one, or a heartbeat that tells of frames that never came, means that something was lost; then the
node takes nothing more of that peer in this view and asks for a new one, which settles what was in flight.

Acknowledgements are cumulative. One counts only if this node has had every frame that the peer had sent
before it: an objection in such a frame must be seen before the acknowledgement behind it.

A frame that says nothing but that writes are committed is not acknowledged by itself (rule F3). A write is
waited for, and so is an abort; nobody waits to hear that a commit was heard. The next acknowledgement covers
it, at the latest that which follows a heartbeat. Each write would else cost every member a message more.
"""

from __future__ import annotations

from typing import Final

from memrep.replication.membership.state import ReplicaState
from memrep.replication.message import Abort, Ack, Commit, Frame, Nack, Write

#: A frame is closed when its values reach this many bytes,
FRAME_BYTES: Final = 1 << 20

#: or when it says so many things: who takes it can do nothing else in between.
FRAME_ITEMS: Final = 256

Item = Write | Commit | Abort | Nack


class FrameStream:
    """One node's frames to the members of its view, and theirs to it.

    Attributes:
        others: the other members of this view.
        sent: the frames sent in this view.
        taken: by member, the number of its frames taken.
        acked: by member, how many frames it is known to have taken.
        owed: the members to which an acknowledgement is due.
        unsent: whether something has been said that `take_frames` has not taken yet.
    """

    def __init__(self, state: ReplicaState) -> None:
        self.others: list[int] = []
        self.sent = 0
        self.taken: dict[int, int] = {}
        self.acked: dict[int, int] = {}
        self.owed: set[int] = set()
        self.unsent = False
        self._state = state
        self._broken: set[int] = set()
        self._items: list[Item] = []
        self._bytes = 0
        self._frames: list[Frame] = []

    def reset(self) -> None:
        """Begin anew with a view: nothing has been said, nothing heard, nothing is lost."""
        self.others = self._state.others
        self.sent = 0
        self.taken = dict.fromkeys(self.others, 0)
        self.acked = dict.fromkeys(self.others, 0)
        self.owed.clear()
        self.unsent = False
        self._broken.clear()
        self._items = []
        self._bytes = 0
        self._frames = []

    def add(self, item: Item) -> int:
        """Say something to every member; return the number of the frame that will carry it."""
        number = self.sent + 1
        self.unsent = True
        self._items.append(item)
        if type(item) is Write and item.value:
            self._bytes += len(item.value)
        if self._bytes >= FRAME_BYTES or len(self._items) >= FRAME_ITEMS:
            self._close()
        return number

    def _close(self) -> None:
        self.sent += 1
        self._frames.append(Frame(self._state.view.vid, self.sent, self._items))
        self._items = []
        self._bytes = 0

    @property
    def silent(self) -> bool:
        """Tell whether nothing is to be said to members, and nothing of theirs to be acknowledged."""
        return not (self.unsent or self.owed)

    def take_frames(self) -> list[Frame]:
        """Take the frames of this turn, to be sent to every member."""
        self.unsent = False
        if self._items:
            self._close()
        frames, self._frames = self._frames, []
        return frames

    def take_acks(self) -> list[tuple[int, Ack]]:
        """Take the acknowledgements that are due, and to whom; to be sent behind the frames."""
        vid = self._state.view.vid
        acks = [(node, Ack(vid, self.taken[node], self.sent)) for node in self.owed]
        self.owed.clear()
        return acks

    def accept(self, node: int, frame: Frame) -> bool:
        """Tell whether this frame of the present view is that member's next one; if not, the view is broken."""
        if node in self._broken or node not in self.taken:
            return False
        # F2: nothing is sent again; a view settles what was lost.
        if frame.n != self.taken[node] + 1:
            self._break(node, f"frame {frame.n} came after frame {self.taken[node]}")
            return False
        self.taken[node] = frame.n
        for item in frame.items:
            # F3: a commit ends what is waited for; anything else is waited for, or goes with what is.
            if type(item) is not Commit:
                self.owed.add(node)
                break
        return True

    def owe(self, node: int) -> None:
        """Acknowledge to this member again, even if nothing new has come: the last time may have been lost."""
        # F2: frames are never sent again, acknowledgements are.
        if self.taken.get(node) and node not in self._broken:
            self.owed.add(node)

    def heard_of(self, node: int, sent: int) -> None:
        """Check that all frames that a member says it sent are here; links keep order, so they should be."""
        if node in self.taken and node not in self._broken and sent > self.taken[node]:
            self._break(node, f"{sent - self.taken[node]} frames were lost")

    def acknowledged(self, node: int, ack: Ack) -> bool:
        """Take an acknowledgement; say whether it counts."""
        # K1: an objection in a frame that has not come would be overtaken by this acknowledgement.
        if node not in self.acked or node in self._broken or self.taken[node] < ack.sent:
            return False
        self.acked[node] = max(self.acked[node], ack.n)
        return True

    def held_by_all(self) -> int:
        """Return the number of the last frame that every other member has taken."""
        return min(self.acked.values(), default=self.sent + 1)

    def _break(self, node: int, reason: str) -> None:
        # Later frames of its would be taken without what was lost before them.
        self._broken.add(node)
        self._state.need_view(f"from node {node} {reason}")
