"""What a node would have on its disk now, made by the feed and the form of the daemon, without a disk."""

from __future__ import annotations

from collections.abc import Callable

from memrep.node.node import Node
from memrep.storage.saved import SavedEntry, SavedFacts, empty_store, restore
from memrep.storage.snapshot import Snapshot
from tests.harness.lone_node import WALL

#: Makes a snapshot of what was saved: told the monotonic and the wall clock of the start, ms.
Brings = Callable[[int, int], Snapshot]


def everything_of(node: Node) -> tuple[list[SavedEntry], SavedFacts]:
    """All that this node, which serves, would have saved by now; from now on it notes what changes."""
    now = node.feed.facts(whole=False).mono
    node.feed.open(SavedFacts(), WALL)
    assert node.feed.begin(), f"it does not serve at {now}"
    node.feed.rewrite()
    entries: list[SavedEntry] = []
    while node.feed.rewrites:
        entries += node.feed.take_old(1_000)
    return entries, node.feed.facts(whole=True)


def saved_of(node: Node) -> Brings:
    """Save everything now, to be brought back later."""
    entries, facts = everything_of(node)
    limit, tombstone_ms = node.options.memory, node.options.tombstone_ms

    def bring(now: int, wall: int) -> Snapshot:
        return restore(entries, facts, empty_store(limit, tombstone_ms, compared=True), now, wall)[0]

    return bring
