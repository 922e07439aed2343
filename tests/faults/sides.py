"""Both sides of a partition take writes; what stays when it has healed.

In the mode `available` each side is a cluster of its own until the cut heals. Then all nodes hold the same, and
of what both sides have written the majority's stays, a delete included. What only the smaller side has written
stays too. For each cut some keys are used by nothing else, one for each pair of deeds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from tests.faults.client import Client, Walk
from tests.faults.findings import Diary
from tests.faults.queued import Expected

_DEEDS: Final = ("set", "delete", "nothing")
_PATIENCE_S: Final = 5.0


class Sides(Client):
    """Writes on both sides.

    Args:
        number: of the cut.
        small: the nodes without a majority.
    """

    def __init__(self, *args: object, number: int, small: Sequence[int]) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.expected: list[Expected] = []
        self._small = list(small)
        self._large = [node for node in range(self.world.count) if node not in small]
        pairs = [
            (large, other) for large in _DEEDS for other in _DEEDS if (large, other) != ("nothing", "nothing")
        ]
        self._plans = {f"sides{number}.{large}.{other}": (large, other) for large, other in pairs}
        self._diaries = {key: Diary() for key in self._plans}

    def before(self) -> None:
        """Fill the keys."""
        for key in list(self._plans):
            walk = self.set(key, b"base")
            self._diaries[key].note(self.name, "set base", walk)
            if not walk.answered:
                del self._plans[key]

    def apart(self) -> None:
        """Each side does its deeds, in either order."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and not self.get("nobody", self._small).answered:
            time.sleep(0.05)
        for key, (large, small) in self._plans.items():
            deeds = [("large", large, self._large), ("small", small, self._small)]
            self.rng.shuffle(deeds)
            done = {side: self._do(key, side, deed, nodes) for side, deed, nodes in deeds}
            if all(done.values()):
                self.expected.append(self._expect(key, large, small))

    def _do(self, key: str, side: str, deed: str, nodes: Sequence[int]) -> bool:
        """Whether it was answered, or there was nothing to do."""
        walk: Walk
        if deed == "nothing":
            return True
        walk = self.set(key, side.encode(), nodes) if deed == "set" else self.delete(key, nodes)
        self._diaries[key].note(self.name, f"{side} side: {deed}", walk)
        return walk.answered

    def _expect(self, key: str, large: str, small: str) -> Expected:
        side, deed = ("large", large) if large != "nothing" else ("small", small)
        value = side.encode() if deed == "set" else None
        kind = "lost" if value else "resurrected"
        story = f"nodes {self._small} were cut off; there: {small}, on the larger side: {large}"
        return Expected(key, value, self._diaries[key], kind, story)
