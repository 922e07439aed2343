"""Later views: what has come that belongs to a view which is not installed here yet (rule F1).

Messages overtake each other on their way from different nodes. A member that has the view writes in it at once,
and its frames may be here before the proposer's message that the view stands. Were they dropped, each of them
would be a gap and each gap a further view; a newcomer's request for data, dropped, would leave it closed. So
they are kept, in their order, until that view is installed, or a later one, which makes them void.
"""

from __future__ import annotations

from typing import Final

from memrep.replication.message import Ack, ChunkRequest, Frame, Install, TransferRequest

#: How many messages are kept: a member that has promised a view and never gets it must not run out of memory.
#: What is dropped beyond is a gap, and asks for a view (F2).
HELD_MAX: Final = 4096

#: What belongs to one view. All else is not of a view, or says itself what it makes of another one.
OF_A_VIEW: Final = (Frame, Ack, TransferRequest, ChunkRequest)
OfAView = Frame | Ack | TransferRequest | ChunkRequest


class LaterViews:
    """The messages that one node holds back."""

    def __init__(self) -> None:
        self._held: list[tuple[int, OfAView]] = []

    def hold(self, node: int, message: OfAView) -> None:
        """Keep this message of a node, which belongs to a view that is not installed here yet."""
        if len(self._held) < HELD_MAX:
            self._held.append((node, message))

    def release(self, view: Install) -> list[tuple[int, OfAView]]:
        """Release what belongs to the view installed now, or to a later one; in the order of its coming."""
        held, self._held = self._held, []
        return [(node, message) for node, message in held if message.vid >= view.vid]
