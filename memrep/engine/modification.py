"""Read-modify-writes: decide on what is there, propose what becomes of it, begin anew if another wins.

Problem: `add`, `cas`, `incr` and all others whose outcome depends on what they find must be atomic on all
nodes, and any node may run one at any moment. Nobody is locked out; as in any compare-and-swap loop who loses
tries again.

Rule (I4 in docs/replication.md): a command is a pure function of the live entry (operations.py). It is run on a
clean key only. What it makes is proposed with the version that it was computed from, and every member refuses
it whose key has another one by then. So of two that were computed from the same entry at most one succeeds, and
the other one is run again on what has won. The client never sees that; its outcome is that of the run that
counted.

Where no other node must hold the write there is nothing to wait for: the command is decided, committed and
answered in one call, and no object is made but the entry.
"""

from __future__ import annotations

from collections.abc import Callable

from memrep.engine.future import Future
from memrep.engine.keyspace import Keyspace
from memrep.engine.operations import Operation, Result
from memrep.storage.entry import Entry, RequestId


class Modification(Future):
    """A read-modify-write that has no outcome yet: it is decided anew each time, on what is there then.

    Args:
        keyspace: where.
        key: of what.
        decide: what becomes of it.
        count: told the outcome, once.
        request_id: makes copies of this very write known (php/dedup.py).
    """

    __slots__ = ("_decide", "_key", "_keyspace", "_request_id")

    def __init__(
        self,
        keyspace: Keyspace,
        key: bytes,
        decide: Operation,
        count: Callable[[Result], None],
        request_id: RequestId | None,
    ) -> None:
        super().__init__(count)
        self._keyspace = keyspace
        self._key = key
        self._decide = decide
        self._request_id = request_id

    def run(self) -> None:
        """Decide on what is there now, if nothing of it is on its way and the client is still there."""
        if self.abandoned or self.settled:
            return
        keyspace, key = self._keyspace, self._key
        obstacle = keyspace.obstacle(key)
        if obstacle is not None:
            keyspace.writes.wait(obstacle, self.run)
            return
        # Finding 16: on what is there now, for it may be another thing than when the command came.
        decision = self._decide(keyspace.store.get(key, keyspace.clock.now))
        if not isinstance(decision, tuple):
            self.resolve(decision)
            return
        entry, result = decision
        if keyspace.replicator.commit(key, entry):
            self.resolve(result)
        else:
            self.propose(entry, result)

    def propose(self, entry: Entry, result: Result) -> None:
        """Send round what this makes of its key, and what is told if that succeeds."""
        self._outcome = result
        keyspace, key = self._keyspace, self._key
        # I4: the version that is there is the one that was decided on, for nothing happens in between.
        keyspace.replicator.propose(key, entry, keyspace.store.version(key), self, self._request_id)

    def aborted(self) -> None:
        """Decide anew when the key is clean, in some later turn: another write has won."""
        self._keyspace.writes.wait(self._key, self.run)


def modify(
    keyspace: Keyspace,
    key: bytes,
    decide: Operation,
    count: Callable[[Result], None],
    request_id: RequestId | None = None,
) -> Result | Future:
    """Run a read-modify-write.

    Returns:
        Its outcome; a `Modification` if it has to wait, for a clean key or for other nodes.
    """
    obstacle = keyspace.obstacle(key) if keyspace.writes.pending else None
    if obstacle is None:
        decision = decide(keyspace.store.get(key, keyspace.clock.now))
        if not isinstance(decision, tuple):
            count(decision)
            return decision
        entry, result = decision
        if keyspace.replicator.commit(key, entry):
            count(result)
            return result
    modification = Modification(keyspace, key, decide, count, request_id)
    if obstacle is None:
        modification.propose(entry, result)
    else:
        keyspace.writes.wait(obstacle, modification.run)
    return modification
