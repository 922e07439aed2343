"""SEAM: what a node has noted of itself in the last hour, for whoever draws it.

It is for people who look at a page: whoever wants to keep figures, or those of another day, collects metrics.
So it is told by no route of its own, and `Status` stays small.
"""

from __future__ import annotations

from typing import Final

import msgspec

#: How far back it goes, and how far apart two samples are, seconds.
SPAN_S: Final = 3_600
EACH_S: Final = 20


class LastHour(msgspec.Struct, frozen=True):
    """Samples, the oldest first: each list has as many. A node that was stopped has none of that time.

    Attributes:
        ages_s: how long ago each was taken, seconds.
        items: sessions and other items that it held then,
        used: their bytes,
        clients: and how many clients were connected.
        rates: clients' commands a second since the sample before,
        views: how often the view has changed since that one,
        evicted: and how many live items had to end for want of room.
    """

    ages_s: list[float] = []
    items: list[int] = []
    used: list[int] = []
    clients: list[int] = []
    rates: list[float] = []
    views: list[int] = []
    evicted: list[int] = []
