"""From a source to a target, batch by batch, and counted: what was written, was there, or left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from memrep.handlers.item import BATCH, BATCH_BYTES, STORED, THERE, Item, LeftOut, Source, Target
from memrep.move.pace import Pace

#: Reasons that are told one by one; a server may have any number of words for its refusals.
_REASONS_MAX: Final = 12


class Tally(msgspec.Struct):
    """What has come of a move so far.

    Attributes:
        written: items that the target has taken, or would take.
        size: of their values, bytes.
        there: items that it had already.
        left: others, by reason,
        lost: and how many of those somebody may miss.
    """

    written: int = 0
    size: int = 0
    there: int = 0
    left: Counter[str] = msgspec.field(default_factory=Counter)
    lost: int = 0

    @property
    def found(self) -> int:
        """Return how many there were in all."""
        return self.written + self.there + self.left.total()

    def leave(self, out: LeftOut) -> None:
        """Count what is not taken along."""
        reason = out.reason if out.reason in self.left or len(self.left) < _REASONS_MAX else "for other reasons"
        self.left[reason] += out.count
        self.lost += out.count * out.is_loss

    def line(self, is_dry: bool) -> str:
        """Return all of it as one line.

        Args:
            is_dry: whether nothing was written.
        """
        verb = "would be written" if is_dry else "written"
        parts = [f"{self.found:,} found", f"{self.written:,} {verb} ({_sized(self.size)})"]
        parts += [f"{self.there:,} there already"] if self.there else []
        if self.left:
            reasons = "; ".join(f"{count:,} {reason}" for reason, count in self.left.most_common())
            parts.append(f"{self.left.total():,} left out: {reasons}")
        return ", ".join(parts)


def transfer(
    source: Source,
    change: Callable[[Item], Item | LeftOut],
    target: Target | None,
    pace: Pace,
    progress: Callable[[Tally], None] = lambda tally: None,
    tally: Tally | None = None,
) -> Tally:
    """Take everything along; return what has come of it.

    Args:
        source: whence.
        change: makes what the target keeps of what the source has.
        target: where to; None to try what would be written.
        pace: how fast.
        progress: is told each time how far it has come.
        tally: goes on counting there.
    """
    tally = tally or Tally()
    for batch in _batches(source.read(), change, tally, pace):
        outcomes = [STORED] * len(batch) if target is None else target.write(batch)
        for item, outcome in zip(batch, outcomes, strict=True):
            if outcome == STORED:
                tally.written += 1
                tally.size += len(item.value)
            elif outcome == THERE:
                tally.there += 1
            else:
                tally.leave(LeftOut(outcome))
        pace.spend(len(batch))
        progress(tally)
    progress(tally)
    return tally


def _batches(
    found: Iterator[Item | LeftOut], change: Callable[[Item], Item | LeftOut], tally: Tally, pace: Pace
) -> Iterator[list[Item]]:
    """Yield what is taken along, a batch at a time: no more than half a second's."""
    most = max(1, min(BATCH, int(pace.rate / 2))) if pace.rate else BATCH
    batch: list[Item] = []
    size = 0
    for each in found:
        item = change(each) if isinstance(each, Item) else each
        if isinstance(item, LeftOut):
            tally.leave(item)
            continue
        if batch and size + len(item.value) > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.value)
        if len(batch) >= most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _sized(size: int) -> str:
    return f"{size:,} bytes" if size < 10_000 else f"{size / 1e6:,.1f} MB"
