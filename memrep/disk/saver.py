"""The saver: what is handed to the thread that writes, and when; and what is made of its troubles.

It is called with each tick of the loop and does a bit: for a moment it looks up what has changed
(node/feed.py), and when that is all of it, or enough for one transaction, the thread gets it. A second after
that began the next one begins. While the thread is busy nothing is looked up, so a slow disk costs names, not
values.

What could not be written is told of again with the next batch. Nothing that has been saved is worth less for
that, but how recent it is: `SavedFacts` that say "this is all" are only saved behind all that they speak of.

If the file is another one, all is written anew; so it is, a bit with each batch, when what has been overtaken
is as much as what counts. When that is done what is older is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import attrs

from memrep.disk.writer import Batch, Result, Writer
from memrep.events import DISK_FAILS, DISK_WORKS, Tell
from memrep.node.feed import ChangeFeed
from memrep.storage.saved import SavedEntry, SavedFacts

#: From the beginning of one batch to that of the next, s,
_EVERY_S: Final = 1.0

#: and after one that failed.
_AGAIN_S: Final = 2.0

#: A disk is slow, and the operator told, if it takes so long for one, s.
SLOW_S: Final = 5.0

#: For how long entries are looked up in one tick, s, and how many between two looks at the clock.
_LOOK_S: Final = 0.002
_LOOKS: Final = 50

#: If nothing changes this is said again after so long, s.
_FACTS_EVERY_S: Final = 60.0

#: So many entries, and so many bytes of values, are enough for a batch: to put 4 MB together takes the thread
#: a few ms, in which the loop may have to wait.
_ENTRIES_MAX: Final = 10_000
_BYTES_MAX: Final = 4 << 20

#: How many entries of a batch may be such as have not changed.
_OLD_MAX: Final = 5_000

#: The file may have so many entries more than twice what the node has.
_OVERTAKEN: Final = 50_000


@attrs.define
class SavedFigures:
    """What is told of it.

    Attributes:
        failing: why nothing is saved now; empty if that goes well.
        failed: how many batches could not be saved.
        batches: how many were.
        entries: how many entries were saved, in all,
        size: and their bytes.
        seconds: how long the last one took.
        saved: until when everything is saved, by the time of what is saved, ms; 0 if that was never so.
    """

    failing: str = ""
    failed: int = 0
    batches: int = 0
    entries: int = 0
    size: int = 0
    seconds: float = 0.0
    saved: int = 0


class Saver:
    """Hands a node's changes to the thread that writes.

    Args:
        feed: what has changed.
        held: tells how many entries the node has.
        writer: the thread, which is idle.
        log: takes a line for the operator.
        file: the number of the file's last segment, and how many entries it has.

    Attributes:
        figures: what is told of it.
    """

    def __init__(
        self,
        feed: ChangeFeed,
        held: Callable[[], int],
        writer: Writer,
        log: Tell,
        file: tuple[int, int],
    ) -> None:
        self.figures = SavedFigures()
        self._feed = feed
        self._held = held
        self._writer = writer
        self._log = log
        self._last, self._in_file = file
        self._entries: list[SavedEntry] = []
        self._size = 0
        self._old = 0
        self._gathers = False
        self._whole = False  # the batch that the thread has is all that there is
        self._view = 0  # in which the node was when facts were saved last
        self._told = 0.0  # when that was, s
        self._due = 0.0
        self._cut = 0  # what is in segments below this one is being written anew; 0 if it is not
        self._drop = 0  # those below this one are not needed any more, and not gone yet
        self._lacks = False  # the file is another one, and has not everything
        self._failing_since = 0.0

    def tick(self, now: float) -> None:
        """Do a bit of it.

        Args:
            now: the monotonic clock, s.
        """
        result = self._writer.take()
        if result is not None:
            self._written(result, now)
        since = self._writer.since
        if since is not None:
            if now - since > SLOW_S:
                self._fails(f"it takes more than {SLOW_S:g} s", now)
            return
        if not self._gathers and not self._begin(now):
            return
        if self._gather(time.monotonic() + _LOOK_S):
            self._hand()

    def _begin(self, now: float) -> bool:
        """Begin a batch, if it is time and there is something to be said."""
        if now < self._due or not self._feed.begin():
            return False
        self._due = now + _EVERY_S
        if not self._cut and not self._drop and self._in_file > 2 * self._held() + _OVERTAKEN:
            self._rewrite()
        news = self._feed.left or self._cut or self._drop or self._feed.view != self._view
        if not news and now - self._told < _FACTS_EVERY_S:
            return False
        self._view, self._told = self._feed.view, now
        self._gathers = True
        return True

    def _rewrite(self) -> None:
        self._cut = self._last + 1
        self._feed.rewrite()

    def _gather(self, end: float) -> bool:
        """Look up some entries, until then; tell whether there are enough."""
        feed = self._feed
        while time.monotonic() < end:
            if len(self._entries) >= _ENTRIES_MAX or self._size >= _BYTES_MAX:
                return True
            if feed.left:
                some = feed.take(_LOOKS)
                if not some:
                    return False  # the node does not serve
            elif feed.rewrites and self._old < _OLD_MAX:
                some = feed.take_old(_LOOKS)
                self._old += len(some)
            else:
                return True
            self._entries += some
            self._size += sum(len(one.value) for one in some if one.value is not None)
        return False

    def _hand(self, *, in_order: bool = False) -> None:
        feed = self._feed
        # What is written anew comes behind what has changed: with the last of it the file has everything.
        rewritten = bool(self._cut) and not feed.rewrites and not feed.left
        self._whole = not feed.left and (rewritten or not self._lacks)
        facts = feed.facts(whole=self._whole, in_order=in_order and self._whole)
        drop = self._drop or (self._cut if rewritten else 0)
        self._writer.hand(Batch(entries=self._entries, facts=facts, drop=drop))
        self._entries, self._size, self._old = [], 0, 0
        self._gathers = bool(feed.left)

    def _written(self, result: Result, now: float) -> None:
        figures, batch = self.figures, result.batch
        figures.seconds = result.seconds
        if result.error:
            figures.failed += 1
            # Also what was written anew: it counts as changed now, so the file gets everything all the same.
            self._feed.again([one.key for one in batch.entries])
            self._gathers = False
            self._due = now + _AGAIN_S
            self._fails(result.error, now)
            return
        figures.batches += 1
        figures.entries += len(batch.entries)
        figures.size += result.size
        self._last, self._in_file = result.last, result.entries
        if result.anew:
            self._lacks, self._drop = True, 0
            self._feed.confirmed(SavedFacts())
            self._feed.rewrite()
            self._cut = result.first  # nothing is older than this
        else:
            if batch.drop:
                self._cut = self._cut if self._drop else 0
                self._drop = batch.drop if result.first < batch.drop else 0
            if self._whole:
                self._lacks = False
                self._feed.confirmed(batch.facts)
                figures.saved = batch.facts.whole
        if self._failing_since:
            self._log(DISK_WORKS(seconds=round(now - self._failing_since, 1)))
            self._failing_since = 0.0
            figures.failing = ""

    def _fails(self, reason: str, now: float) -> None:
        self.figures.failing = reason
        if not self._failing_since:
            self._failing_since = now
            self._log(DISK_FAILS(reason=reason))

    @property
    def failing(self) -> str:
        """Return why nothing is saved now; empty if that goes well."""
        return self.figures.failing

    def describe(self) -> Iterator[tuple[str, object]]:
        """Tell of it, for `stats`."""
        figures = self.figures
        yield "disk_transactions", figures.batches
        yield "disk_transactions_failed", figures.failed
        yield "disk_entries_written", figures.entries
        yield "disk_bytes_written", figures.size
        yield "disk_unsaved", self._feed.waiting
        yield "disk_last_transaction_ms", f"{figures.seconds * 1000:.0f}"
        yield "disk_trouble", figures.failing or "none"

    def finish(self, seconds: float) -> None:
        """Save what is not saved yet: the node stops, and serves nobody any more.

        Args:
            seconds: for so long at most; 0 for not at all.
        """
        if not seconds:
            return
        end = time.monotonic() + seconds
        while self._writer.wait(max(0.0, end - time.monotonic())):
            result = self._writer.take()
            if result is not None:
                self._written(result, time.monotonic())
                if result.error or result.batch.facts.in_order:
                    return
            if not (self._gathers or self._feed.begin()):
                return
            self._gathers = True
            while not self._gather(time.monotonic() + _LOOK_S):
                if time.monotonic() >= end or not self._feed.open_now:
                    return
            self._hand(in_order=True)
