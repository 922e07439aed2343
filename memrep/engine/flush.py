"""flush_all: everything ends at once, or at some later time.

It is one write, of the key that no client can name (storage/store.py): all that has an older version counts as
expired, on every node. A delayed flush is remembered by this node alone, as memcached's is by one server; it is
carried out, and goes round, when it is due. There is one at a time: a newer one takes the place of an older.
"""

from __future__ import annotations

from memrep.engine.counters import Counters
from memrep.engine.future import Future
from memrep.engine.keyspace import Keyspace
from memrep.engine.operations import FLUSHED, Outcome
from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSH_KEY
from memrep.storage.version import ZERO


class Flush:
    """Ends everything that one node's keyspace holds.

    Args:
        keyspace: what is ended.
        counters: where that is counted.

    Attributes:
        due: when a delayed flush is, own monotonic ms; None if there is none.
    """

    def __init__(self, keyspace: Keyspace, counters: Counters) -> None:
        self.due: int | None = None
        self._keyspace = keyspace
        self._counters = counters

    def now(self) -> Outcome | Future:
        """Let everything expire that has been written before now; a delayed flush is called off."""
        self._counters.cmd_flush += 1
        self.due = None
        entry = Entry(ZERO, b"flush", 0, NEVER)
        replicator = self._keyspace.replicator
        if replicator.commit(FLUSH_KEY, entry):
            return FLUSHED
        future = Future(outcome=FLUSHED)
        replicator.propose(FLUSH_KEY, entry, None, future)
        return future

    def at(self, due: int) -> Outcome:
        """Let everything expire at this time, own monotonic ms, that will have been written before it."""
        self._counters.cmd_flush += 1
        self.due = due
        return FLUSHED

    def tick(self) -> None:
        """Carry out what is due by the clock."""
        if self.due is not None and self.due <= self._keyspace.clock.now:
            self.now()
