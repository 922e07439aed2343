"""How long writes take on their way round: how many there were, their time in all, and those that took long.

A client that writes waits for as long as the slowest member takes to acknowledge, or for a view that does
without it. Times are differences between turns of the loop, in whole ms: a single one may be off by one, as
often too much as too little, so that their sum is right.
"""

from __future__ import annotations

from typing import Final

import attrs

#: From here on a write counts as slow, ms: a person may notice two of them in a page.
SLOW_MS: Final = 100


@attrs.define(eq=False)
class RoundTimes:
    """What the writes of one node took.

    Attributes:
        count: how many have ended.
        total_ms: their time in all.
        slow: how many took `SLOW_MS` or more.
    """

    count: int = 0
    total_ms: int = 0
    slow: int = 0

    def note(self, ms: int) -> None:
        """Note that a write has ended after so long."""
        self.count += 1
        self.total_ms += ms
        if ms >= SLOW_MS:
            self.slow += 1
