"""What a user notices of the pages that PHP made: lost, stale, failed, and how long each took.

A page reads its session's count, writes the next one, and tells how it went (tests/real/cycle.php). From that
alone a ledger for each session knows what the next page may find: the last count that was acknowledged, or a
later one whose write failed, for nobody knows whether that arrived. A page that finds something else has shown
its user another state than the last one; from then on that is the user's state.

A page counts once, by the worst that happened on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

import attrs

#: What may be wrong with a page, worst first.
LOST: Final = "lost"
STALE: Final = "stale"
FAILED: Final = "failed"
KINDS: Final = (LOST, STALE, FAILED)

_WHYS_MAX: Final = 5

#: The time in which the picture tells pages apart, seconds.
SLICE_S: Final = 0.25


@attrs.frozen
class Page:
    """One page as its user saw it.

    Attributes:
        at_s: when it was asked for, seconds behind the fault.
        ms: how long it took.
        kind: what was wrong with it, one of KINDS; empty if nothing.
        notices: what PHP wrote to its log, which no user sees.
    """

    at_s: float
    ms: float
    kind: str
    notices: tuple[str, ...] = ()


class Ledger:
    """What one session may hold."""

    def __init__(self, count: int) -> None:
        self._possible = {count}

    def judge(self, told: Mapping[str, Any]) -> str:
        """Take what PHP tells of one page; return what was wrong with it."""
        trouble = told["anomaly"] or ""
        if "failed start" in trouble:
            return FAILED
        found, failed = told["found"], "failed write" in trouble
        kind = self._seen(found, torn="torn" in trouble)
        written = (found or 0) + 1
        if failed:
            self._possible.add(written)
        else:
            self._possible = {written}
        return kind or (FAILED if failed else "")

    def _seen(self, found: int | None, *, torn: bool) -> str:
        if found in self._possible:
            self._possible = {found}
            return STALE if torn else ""
        if found is None:
            # What is acknowledged next decides; until then the session may come back.
            return LOST
        return STALE


def pages_of(lines: Iterable[Mapping[str, Any]], fault_at: float, *, first_count: int) -> list[Page]:
    """Judge what one PHP told of its pages, in their order.

    Args:
        lines: what it told.
        fault_at: when the fault came, in seconds of the wall clock.
        first_count: what each session held before.
    """
    ledgers: dict[str, Ledger] = {}
    pages = []
    for told in lines:
        ledger = ledgers.setdefault(told["id"], Ledger(first_count))
        began = told["at"] - told["ms"] / 1000 - fault_at
        pages.append(Page(round(began, 3), told["ms"], ledger.judge(told), tuple(told["notices"])))
    return pages


@attrs.frozen
class Slice:
    """The pages that were asked for within SLICE_S: the slowest of all, and of each kind of wrong ones.

    Attributes:
        at_s: when it begins, seconds behind the fault.
        slowest_ms: how long the slowest page took.
        wrong_ms: for each kind that there was, how long the slowest page of it took.
    """

    at_s: float
    slowest_ms: float
    wrong_ms: dict[str, float]


@attrs.frozen
class Measured:
    """What came of one story with one set-up.

    Attributes:
        setup: which set-up.
        story: what was done to one of its servers.
        pages: how many pages there were.
        lost: how many found an empty session: the user was logged out.
        stale: how many found another state of the session than the last one.
        failed: how many ended in an error, or could not store their session.
        noticed: how many wrote a notice to PHP's log.
        whys: the last notices of pages with which something was wrong, and on how many they were.
        median_ms: how long half of them took at most.
        longest_ms: how long the slowest took.
        over_s: when the fault was over, seconds behind its beginning.
        slices: the pages over time.
    """

    setup: str
    story: str
    pages: int
    lost: int
    stale: int
    failed: int
    noticed: int
    whys: dict[str, int]
    median_ms: float
    longest_ms: float
    over_s: float
    slices: list[Slice]


def measure(setup: str, story: str, over_s: float, pages: Sequence[Page]) -> Measured:
    """Sum up the pages of one story."""
    times = [page.ms for page in pages]
    counts = {kind: sum(page.kind == kind for page in pages) for kind in KINDS}
    return Measured(
        setup=setup,
        story=story,
        pages=len(pages),
        lost=counts[LOST],
        stale=counts[STALE],
        failed=counts[FAILED],
        noticed=sum(bool(page.notices) for page in pages),
        whys=dict(
            Counter(page.notices[-1] for page in pages if page.kind and page.notices).most_common(_WHYS_MAX)
        ),
        median_ms=round(median(times), 1),
        longest_ms=round(max(times), 1),
        over_s=round(over_s, 2),
        slices=slices_of(pages),
    )


def slices_of(pages: Iterable[Page]) -> list[Slice]:
    """Sort pages by when they were asked for."""
    found: dict[int, list[Page]] = {}
    for page in pages:
        found.setdefault(int(page.at_s // SLICE_S), []).append(page)
    return [
        Slice(
            number * SLICE_S,
            max(page.ms for page in within),
            {
                kind: max(page.ms for page in within if page.kind == kind)
                for kind in KINDS
                if any(page.kind == kind for page in within)
            },
        )
        for number, within in sorted(found.items())
    ]
