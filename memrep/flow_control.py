"""Flow: how much is on its way through this node, round the cluster and out to clients, and who has to wait.

What is on its way round has to fit into a vote, and what clients have not read yet into memory. Above a limit
nothing is dropped: commands that would add to it wait where they are, with all that stands behind them on their
connection, and go on in the order in which they came. Commands that would not add to it go on; so a crowd of
writers with large values holds up no reader.

`tight` is the one thing that is looked at for each command.
"""

from __future__ import annotations

from typing import Final

#: Bytes of this node's own writes on their way round above which no further one begins.
ROUND_MAX: Final = 4 << 20

#: What a write counts beside its value; many small ones take time rather than room.
WRITE_BYTES: Final = 2_048

#: Replies that clients have not read may take this share of the memory for entries.
_UNSENT_SHARE: Final = 8


class FlowControl:
    """What is on its way through one node.

    Args:
        memory: the limit for entries, bytes.

    Attributes:
        round: bytes of this node's own writes on their way.
        unsent: bytes of replies that their clients have not taken.
        unsent_max: above this nothing more is shown.
        tight: whether one of the two is above its limit.
    """

    __slots__ = ("round", "tight", "unsent", "unsent_max")

    def __init__(self, memory: int = 1 << 26) -> None:
        self.round = 0
        self.unsent = 0
        self.tight = False
        self.allow(memory)

    def allow(self, memory: int) -> None:
        """Bound what is on its way by a limit for entries (bytes) that is another one now."""
        self.unsent_max = memory // _UNSENT_SHARE

    @property
    def writes_wait(self) -> bool:
        """Tell whether commands that write have to wait."""
        return self.round > ROUND_MAX

    @property
    def reads_wait(self) -> bool:
        """Tell whether commands that show values have to wait."""
        return self.unsent > self.unsent_max

    def begin(self, size: int) -> None:
        """Count a write with a value of this size that starts its round."""
        self.round += size + WRITE_BYTES
        self._look()

    def end(self, size: int) -> None:
        """Count off a write that has ended, by success or not."""
        self.round -= size + WRITE_BYTES
        self._look()

    def clear(self) -> None:
        """Note that no write is on its way any more."""
        self.round = 0
        self._look()

    def keep(self, size: int) -> None:
        """Count so many bytes more that could not be sent; fewer if it is negative."""
        self.unsent += size
        self._look()

    def _look(self) -> None:
        self.tight = self.writes_wait or self.reads_wait
