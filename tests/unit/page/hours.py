"""Last hours, as a node has noted them."""

from __future__ import annotations

import math

from memrep.status.last_hour import EACH_S, SPAN_S, LastHour


def busy_hour(until_s: float = 0.0, minutes: int = 60) -> LastHour:
    """So many minutes of a site's day, which ended so long ago: always the same."""
    ages = [until_s + EACH_S * number for number in reversed(range(minutes * 60 // EACH_S))]
    far = [(SPAN_S - age) / SPAN_S for age in ages]
    both = [(part, math.sin(97 * part) * math.cos(389 * part)) for part in far]
    return LastHour(
        ages_s=ages,
        items=[round(98_000 + 2_212 * part + 400 * math.sin(9 * part)) for part in far],
        used=[round((58 + 3 * part) * (1 << 20)) for part in far],
        clients=[round(190 + 25 * math.sin(5 * part) + 9 * away) for part, away in both],
        rates=[2_600 + 500 * math.sin(5 * part) + 160 * away for part, away in both],
        views=[number in (50, 58) for number in range(len(ages))],
        evicted=[0] * len(ages),
    )
