"""The keyspace: the keys as commands find them, with a committed entry each, and perhaps a newer one.

Problem: a write is on its way for as long as some node may not hold it yet. Who shows its value before that
shows what another node may still deny, and who shows the old one what another node has replaced already.

Rule: what is told of a key is told when the key is clean. A key that has a pending write, and every key while a
`flush_all` is pending, is an obstacle to whoever wants to read it: the reader waits, is called in a later turn,
and looks again, for by then there may be another one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from memrep.engine.future import Future
from memrep.engine.operations import Result
from memrep.engine.replicator import Replicator
from memrep.storage.entry import Entry
from memrep.storage.namespaces import FLUSH_KEY, flush_key_of
from memrep.storage.pending import PendingWrites
from memrep.storage.store import RAN_OUT, Store
from memrep.storage.version import Clock


@attrs.frozen(eq=False)
class Keyspace:
    """What the commands of one node work on.

    Attributes:
        store: the committed entries.
        writes: the pending ones.
        replicator: where changes go.
        clock: the time of the present turn.
    """

    store: Store
    writes: PendingWrites
    replicator: Replicator
    clock: Clock

    def obstacle(self, key: bytes) -> bytes | None:
        """Find the key that a read of this one has to wait for: itself, or a flush that is on its way."""
        pending = self.writes.pending
        if key in pending:
            return key
        if FLUSH_KEY in pending:
            return FLUSH_KEY
        flush = flush_key_of(key)
        return flush if flush in pending else None

    def is_open(self, key: bytes) -> bool:
        """Tell whether nothing is here, and nobody has ended what was: it has run out, or never was."""
        store = self.store
        return store.peek(key) is None or store.end_of(key, self.clock.now) == RAN_OUT

    def on_its_way(self, key: bytes) -> Entry | None:
        """Return the newest write of this key that is not known to be held everywhere, if there is one."""
        pending = self.writes.pending.get(key)
        return None if pending is None else pending.entry

    def read_later(self, key: bytes, count: Callable[[Result], None]) -> Future:
        """Return a future that shows the live entry, None for a miss, as soon as nothing stands in the way.

        Args:
            key: the key.
            count: told what was found.
        """
        future = Future(count)
        self._look(key, future)
        return future

    def _look(self, key: bytes, future: Future) -> None:
        # A client that is gone has read nothing: it must not make the entry look used, nor be counted.
        if future.abandoned:
            return
        obstacle = self.obstacle(key)
        if obstacle is not None:
            self.writes.wait(obstacle, partial(self._look, key, future))
            return
        now = self.clock.now
        entry = self.store.get(key, now)
        if entry is not None:
            entry.seen = now
        future.resolve(entry)

    def when_clean(self, key: bytes, result: Result) -> Result | Future:
        """Return this result as soon as no write of the key is on its way, whatever it holds then."""
        if key not in self.writes.pending:
            return result
        future = Future()
        self.writes.wait(key, partial(self._settle, key, result, future))
        return future

    def _settle(self, key: bytes, result: Result, future: Future) -> None:
        # The next write of the key may have begun in the very turn in which the last one ended.
        if key in self.writes.pending:
            self.writes.wait(key, partial(self._settle, key, result, future))
        else:
            future.resolve(result)
