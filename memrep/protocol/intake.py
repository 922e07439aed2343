"""Room for commands that have come half: a value of a megabyte costs memory long before it is stored.

Problem: each client may send the most part of a large value and then nothing more. Hundreds of them would take
many times the memory that the entries may have, and no eviction would give it back.

So a command above HALF_MAX is read on only while it has room here, for the whole of it. The others leave the
rest in their sockets and come in when there is room, in the order in which they came. As long as everybody
sends, everybody's turn comes. Who has room, sends nothing, and keeps others waiting by it, is refused after a
while as memcached refuses what it has no memory for; the rest of his value is passed over.

Who had to wait for long may have given up and gone to another node. Then he has hung up, too, which the shell
can see before it reads on.
"""

from __future__ import annotations

from typing import Final, Protocol

from memrep.storage.version import Clock

#: A command up to this size, bytes, needs no room.
HALF_MAX: Final = 1 << 14

#: The room is this share of the memory for entries,
_SHARE: Final = 8

#: but not more than this, bytes: what is in must also go round the cluster before its client loses patience.
ROOM_MAX: Final = 8 << 20

#: How long (ms) who has room may send nothing while others wait for it.
PATIENCE_MS: Final = 2_000

#: Who has waited for so long (ms) may have given up.
LATE_MS: Final = 750


class Guest(Protocol):
    """Who wants room; see `Connection`."""

    @property
    def incomplete(self) -> bool:
        """Tell whether it has to send more before its command can be executed."""
        ...

    def admit(self, late: bool) -> None:
        """Note that there is room now."""

    def refuse(self) -> None:
        """Drop the command: there is no room."""


class Intake:
    """The room of one node.

    Args:
        memory: the limit for entries, bytes.
        clock: the time of the present turn.

    Attributes:
        limit: the room there is, bytes. One command may have it all, however large it is.
        taken: the room that has been given, bytes.
        refused: how many commands were dropped.
    """

    def __init__(self, memory: int, clock: Clock) -> None:
        self.taken = 0
        self.refused = 0
        self._clock = clock
        self._inside: dict[
            Guest, tuple[int, int]
        ] = {}  # how much each has, and when it was last heard; by that
        self._queue: dict[Guest, tuple[int, int]] = {}  # how much each wants, and since when; by that
        self.allow(memory)

    def allow(self, memory: int) -> None:
        """Let commands have their share of a limit for entries (bytes) that is another one now."""
        self.limit = min(memory // _SHARE, ROOM_MAX)

    @property
    def waiting(self) -> int:
        """Return how many guests wait for room."""
        return len(self._queue)

    def enter(self, guest: Guest, size: int) -> bool:
        """Give a guest room for a command of this size; if there is none, it is admitted later."""
        self.leave(guest)
        if self._queue or not self._fits(size):
            self._queue[guest] = size, self._clock.now
            return False
        self._give(guest, size)
        return True

    def heard(self, guest: Guest) -> None:
        """Note that a guest that has room has sent something."""
        size, _ = self._inside.pop(guest)
        self._inside[guest] = size, self._clock.now

    def leave(self, guest: Guest) -> None:
        """Take out a guest that needs no room any more, or not yet."""
        size, _ = self._inside.pop(guest, (0, 0))
        self.taken -= size
        self._queue.pop(guest, None)
        while self._queue:
            first, (wanted, since) = next(iter(self._queue.items()))
            if not self._fits(wanted):
                return
            del self._queue[first]
            self._give(first, wanted)
            first.admit(self._clock.now - since > LATE_MS)

    def tick(self) -> None:
        """Refuse guests that keep others waiting."""
        late = self._clock.now - PATIENCE_MS
        for guest, (_, heard) in list(self._inside.items()) if self._queue else []:
            if not self._queue or heard > late:
                return
            if guest.incomplete:
                self.refused += 1
                guest.refuse()
                self.leave(guest)

    def _fits(self, size: int) -> bool:
        return not self.taken or self.taken + size <= self.limit

    def _give(self, guest: Guest, size: int) -> None:
        self.taken += size
        self._inside[guest] = size, self._clock.now
