"""The anteroom: who has connected but not yet shown who he is. He may not stay, and there is not much room.

Whoever opens connections and says nothing would otherwise use up descriptors until nobody can come in. So each
guest has a few seconds. When all seats are taken somebody goes for the one who comes: not the newcomer, or a
crowd that waits would keep out everybody, but the oldest guest of the host that has the most of them here.
"""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

Guest = TypeVar("Guest")


class PendingHandshakes(Generic[Guest]):
    """Those who have to show who they are.

    Args:
        seats: for how many there is room.
        patience_s: how long they may stay.
    """

    def __init__(self, seats: int, patience_s: float) -> None:
        self._seats = seats
        self._patience_s = patience_s
        self._guests: dict[Guest, tuple[str, float]] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._guests)

    def enter(self, guest: Guest, host: str, now: float) -> Guest | None:
        """Take in a guest; return the one that has to go for it, if any."""
        self._guests[guest] = host, now
        if len(self._guests) <= self._seats:
            return None
        crowd = Counter(host for host, _ in self._guests.values()).most_common(1)[0][0]
        return next(guest for guest, (host, _) in self._guests.items() if host == crowd)

    def leave(self, guest: Guest) -> None:
        """Forget a guest that has shown who it is, or is gone."""
        self._guests.pop(guest, None)

    def overdue(self, now: float) -> list[Guest]:
        """Return those who have been here for too long."""
        return [guest for guest, (_, came) in self._guests.items() if now - came > self._patience_s]

    def all(self) -> list[Guest]:
        """Return all guests."""
        return list(self._guests)
