"""The commands where what is not here may be elsewhere: on the day of a move, in the store that was before.

Problem: web servers are switched to this store one by one, and visitors have begun elsewhere. Who comes here
first must find what he left there; and what has been ended here must not come back from there.

Rule: whoever wants to know what is under a key, be it to read or to change it, waits if nothing is known of the
key here and it may be elsewhere. It is looked for there once, whoever else asks meanwhile. What is found is
taken over by a read-modify-write that stores only where there is nothing, so of several nodes that have found
it one wins, and what has been written here stands. Then the command is executed as if nothing had been.

- Known is also what was ended: a tombstone ends the search, and so does any flush. A delete leaves one even
  where nothing was, for it may be elsewhere yet; tombstones live as long as anything that was found. What has
  only run out here may have been kept alive there: its time there counts.
- What was looked for and is not there is not looked for again for a while.
- It is waited for so long and no longer. Then, and where nobody answers, the key counts as not there; it is
  looked for anew when it is asked for again.
- A plain `set` knows better, and waits for nothing.

A node that has nowhere else to look has an `Engine`, and nothing of this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from memrep.engine.counters import Counters
from memrep.engine.engine import Engine
from memrep.engine.eviction import MemoryLimit
from memrep.engine.future import Future
from memrep.engine.item_limit import ItemLimit
from memrep.engine.keyspace import Keyspace
from memrep.engine.modification import modify
from memrep.engine.operations import DELETED, NOT_FOUND, NOT_STORED, STORED, Decision, Operation, Result
from memrep.storage.entry import NEVER, Entry, RequestId
from memrep.storage.version import ZERO

#: For how long what is not there is not looked for again, ms, and for how many keys that is known: a client
#: that waits for something to appear asks some times a second, and clients make up keys as they like.
ABSENT_MS: Final = 10_000
ABSENT_MAX: Final = 10_000

#: So many keys are looked for at a time; what comes above that counts as not there.
ASKED_MAX: Final = 5_000

#: Tombstones live no longer than this, ms, whatever was found.
_REMEMBERED_MAX_MS: Final = 30 * 86_400_000


@attrs.frozen
class Elsewhere:
    """Where else something may be.

    Attributes:
        may_hold: tells whether what has this key may be there at all.
        patience_ms: how long it is waited for.
        lifetime_ms: how long what is there lives at least, as far as that is known.
    """

    may_hold: Callable[[bytes], bool]
    patience_ms: int
    lifetime_ms: int = 0


@attrs.frozen
class Found:
    """What was found elsewhere.

    Attributes:
        value: the value,
        flags: its client's bits,
        left_ms: and how long it lives; None if for ever.
    """

    value: bytes
    flags: int = 0
    left_ms: int | None = None


@attrs.define(eq=False)
class _Search:
    """A key that is looked for, since when (ms), and what has to be done then; `ends` once that is known."""

    since: int
    waiting: list[tuple[Future, Callable[[], Result | Future]]] = attrs.Factory(list)
    ends: bool = False


@attrs.define(eq=False)
class Tally:
    """What has come of it.

    Attributes:
        asked: keys that were looked for;
        taken: those of them that were taken over,
        absent: that were not there,
        unanswered: of which nobody told anything in time,
        refused: and for which there was no room.
    """

    asked: int = 0
    taken: int = 0
    absent: int = 0
    unanswered: int = 0
    refused: int = 0


class FallbackEngine(Engine):
    """Executes commands, and lets what is not here be looked for elsewhere; see `Engine`.

    Args:
        keyspace: see `Engine`.
        counters: see there.
        memory_limit: see there.
        item_limit: see there.
        elsewhere: where to look.
        look_up: has a key looked for; `found` is told what came of it, or `unanswered`, in a turn.

    Attributes:
        elsewhere: None as soon as there is nothing elsewhere any more.
        tally: what has come of it.
    """

    def __init__(
        self,
        keyspace: Keyspace,
        counters: Counters,
        memory_limit: MemoryLimit,
        item_limit: ItemLimit,
        elsewhere: Elsewhere | None,
        look_up: Callable[[bytes], None],
    ) -> None:
        super().__init__(keyspace, counters, memory_limit, item_limit)
        self.elsewhere = elsewhere
        self.tally = Tally()
        self._look_up = look_up
        self._searches: dict[bytes, _Search] = {}
        self._absent: dict[bytes, int] = {}  # until when, in that order
        self._longest_ms = 0

    # --- what was found

    def found(self, key: bytes, found: Found | None) -> None:
        """Take over what was found; None if it is known not to be there."""
        search = self._searches.get(key)
        if search is None or search.ends:
            return
        search.ends = True
        if found is None:
            self.tally.absent += 1
            self._absent[key] = self.clock.now + ABSENT_MS
            self._end(key)
        else:
            self.keyspace.writes.woken.append(partial(self._take, key, found))  # when this node may serve

    def unanswered(self, key: bytes) -> None:
        """Go on without an answer."""
        search = self._searches.get(key)
        if search is not None and not search.ends:
            self.tally.unanswered += 1
            self._end(key)

    def tick(self) -> None:
        """Wait no longer for what has been looked for long enough, and forget what was not there long ago."""
        now = self.clock.now
        patience = 0 if self.elsewhere is None else self.elsewhere.patience_ms
        late = [
            key for key, search in self._searches.items() if not search.ends and now - search.since >= patience
        ]
        for key in late:
            self.unanswered(key)
        while self._absent:
            oldest = next(iter(self._absent))
            if self._absent[oldest] > now and len(self._absent) <= ABSENT_MAX:
                break
            del self._absent[oldest]

    def _take(self, key: bytes, found: Found) -> None:
        if not self._has_room(key, found):
            self.tally.refused += 1
            self._end(key)
            return
        taken = modify(self.keyspace, key, self._taking(key, found), self._count_taken)
        if isinstance(taken, Future) and not taken.settled:
            taken.callback = partial(self._end, key)
        else:
            self._end(key)

    def _has_room(self, key: bytes, found: Found) -> bool:
        length = len(found.value)
        return self.item_limit.fits(key, found.flags, length) and self.has_memory(key, length)

    def _taking(self, key: bytes, found: Found) -> Operation:
        left = found.left_ms
        expires = NEVER if left is None else min(NEVER, self.clock.now + left)
        self._longest_ms = max(self._longest_ms, _REMEMBERED_MAX_MS if left is None else left)

        def decide(entry: Entry | None) -> Decision:
            # Whatever has become of the key here meanwhile is newer: a value, or the end of one.
            if entry is not None or not self.keyspace.is_open(key):
                return NOT_STORED
            return Entry(ZERO, found.value, found.flags, expires), STORED

        return decide

    def _count_taken(self, result: Result) -> None:
        self.tally.taken += result is STORED

    def _end(self, key: bytes) -> None:
        """Let all go on who have waited for this key, when this node may serve them."""
        search = self._searches.pop(key)
        woken = self.keyspace.writes.woken
        for future, command in search.waiting:
            woken.append(partial(_go_on, future, command))

    # --- who has to wait for it

    def _is_unknown(self, key: bytes) -> bool:
        """Tell whether nothing is known of a key here that may be elsewhere."""
        elsewhere = self.elsewhere
        return (
            elsewhere is not None
            and key not in self._pending
            and self.keyspace.is_open(key)
            and self._absent.get(key, 0) <= self.clock.now
            and self._store.flushes.newest == ZERO
            and elsewhere.may_hold(key)
            and (key in self._searches or len(self._searches) < ASKED_MAX)
        )

    def _after_search(self, key: bytes, command: Callable[[], Result | Future]) -> Future:
        """Execute a command when the key has been looked for."""
        search = self._searches.get(key)
        if search is None:
            search = self._searches[key] = _Search(self.clock.now)
            self.tally.asked += 1
            self._look_up(key)
        future = Future()
        search.waiting.append((future, command))
        return future

    # --- the commands, see `Engine`

    def get(self, key: bytes) -> Entry | Future | None:
        """Return the live entry, None for a miss, or a future."""
        if self._is_unknown(key):
            return self._after_search(key, partial(super().get, key))
        return super().get(key)

    def get_and_touch(self, key: bytes, deadline: int) -> Result | Future:
        """Return what `get` does, and let the entry end at another time."""
        if self._is_unknown(key):
            return self._after_search(key, partial(super().get_and_touch, key, deadline))
        return super().get_and_touch(key, deadline)

    def touch(self, key: bytes, deadline: int, *, show: bool = False) -> Result | Future:
        """Let the entry end at another time."""
        if self._is_unknown(key):
            return self._after_search(key, partial(super().touch, key, deadline, show=show))
        return super().touch(key, deadline, show=show)

    def incr(
        self, key: bytes, delta: int, initial: Entry | None = None, *, show: bool = False
    ) -> Result | Future:
        """Add to a number."""
        if self._is_unknown(key):
            return self._after_search(key, partial(super().incr, key, delta, initial, show=show))
        return super().incr(key, delta, initial, show=show)

    def decr(self, key: bytes, delta: int) -> Result | Future:
        """Subtract from a number."""
        if self._is_unknown(key):
            return self._after_search(key, partial(super().decr, key, delta))
        return super().decr(key, delta)

    def modify(
        self, key: bytes, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        """Run any read-modify-write."""
        if self._is_unknown(key):
            return self._after_search(key, partial(super().modify, key, decide, count))
        return super().modify(key, decide, count)

    def store_if(
        self, key: bytes, length: int, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        """Run a read-modify-write that stores: `add` and all its kin."""
        if self._is_unknown(key):
            return self._after_search(key, partial(super().store_if, key, length, decide, count))
        return super().store_if(key, length, decide, count)

    def delete(
        self, key: bytes, request_id: RequestId | None = None, *, quiet: bool = False
    ) -> Result | Future:
        """Remove a value, leaving a tombstone, even where there is none if it may be elsewhere yet."""
        if self._is_unknown(key):
            return self._after_search(key, partial(self._delete, key, request_id))
        return self._delete(key, request_id)

    def _delete(self, key: bytes, request_id: RequestId | None) -> Result | Future:
        elsewhere = self.elsewhere
        may_be_there = elsewhere is not None and key not in self._absent and elsewhere.may_hold(key)

        def decide(entry: Entry | None) -> Decision:
            if entry is not None:
                return self.tombstone(), DELETED
            if may_be_there and self.keyspace.is_open(key):
                return self.tombstone(), NOT_FOUND
            return NOT_FOUND

        return modify(self.keyspace, key, decide, self.counters.counted("delete"), request_id)

    def tombstone(self) -> Entry:
        """Make what a key becomes that is deleted now: it lasts as long as what is elsewhere may."""
        tombstone = super().tombstone()
        if self.elsewhere is not None:
            longest = max(self._longest_ms, self.elsewhere.lifetime_ms)
            tombstone.expires = max(tombstone.expires, self.clock.now + min(longest, _REMEMBERED_MAX_MS))
        return tombstone


def _go_on(future: Future, command: Callable[[], Result | Future]) -> None:
    """Execute a command that has waited, unless its client is gone; its outcome is that of the future."""
    if future.abandoned:
        return
    result = command()
    if not isinstance(result, Future):
        future.resolve(result)
    elif result.settled:
        future.resolve(result.result)
    else:
        result.callback = lambda: future.resolve(result.result)
