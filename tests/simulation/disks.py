"""The disks of simulated nodes: what each has saved, by the very feed and form of the daemon.

What is missing is only the engine. A batch is taken in pieces, a few ms apart, and comes about as a whole some
time later, or not at all if the power has gone meanwhile. A disk may hang for seconds; then its copy is old.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

import attrs
from msgspec.structs import replace

from memrep.node.node import Node
from memrep.storage.saved import SavedEntry, SavedFacts, empty_store, offset_of, restore
from memrep.storage.snapshot import Snapshot
from tests.harness.lone_node import WALL

if TYPE_CHECKING:
    from tests.simulation.world import World

#: From one batch to the next, ms; how many names are looked up at a time, and how long a transaction takes.
EVERY_MS = 1_000.0
_PIECE = 3
_PIECES_MS = 10.0
_COMMIT_MS = 30.0

#: How often a disk hangs, and how long, ms.
_HANGS = 0.12
_HANGS_MS = 9_000.0

#: Added to the monotonic clock of what is saved: the machine has been started anew.
_ANOTHER_BOOT = 1 << 40


@attrs.define
class Disk:
    """One node's disk.

    Attributes:
        entries: what is saved.
        facts: what is known beside it.
        saved: the virtual time of which everything is saved, ms.
        life: which start of the node writes on it.
    """

    entries: dict[bytes, SavedEntry] = attrs.Factory(dict)
    facts: SavedFacts = attrs.Factory(SavedFacts)
    saved: float = -1.0
    life: int = 0
    hung_until: float = 0.0


class Disks:
    """All disks of a world.

    Attributes:
        powered: whether there is power; no node starts without.
    """

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = Random(f"disks {seed}")
        self.powered = True
        self.disks = {number: Disk() for number in world.hosts}

    # --- at the start of a node

    def snapshot(self, number: int, now: int, wall: int) -> Snapshot | None:
        """What this node brings back."""
        disk = self.disks[number]
        if not disk.facts.time:
            return None
        if self._rng.random() < 0.5:
            disk.facts = replace(disk.facts, mono=disk.facts.mono + _ANOTHER_BOOT)
        plan = self._world.plan
        store = empty_store(64 << 20, plan.tombstone, compared=plan.nodes > 1)
        snapshot, _ = restore(disk.entries.values(), disk.facts, store, now, wall)
        return snapshot

    def attach(self, number: int, node: Node, now: int, wall: int) -> None:
        """Save what changes in this node from now on."""
        disk = self.disks[number]
        disk.life += 1
        node.feed.open(disk.facts, offset_of(disk.facts, now, wall))
        self._world.later(EVERY_MS * self._rng.random(), partial(self._begin, number, node, disk.life))

    def erase(self, number: int) -> None:
        """This disk is another one, or what was on it is torn."""
        self.disks[number] = Disk(life=self.disks[number].life)

    # --- batches

    def _runs(self, number: int, node: Node, life: int) -> bool:
        return self._world.hosts[number].node is node and self.disks[number].life == life

    def _begin(self, number: int, node: Node, life: int) -> None:
        if not self._runs(number, node, life):
            return
        world, disk, rng = self._world, self.disks[number], self._rng
        if rng.random() < _HANGS:
            disk.hung_until = world.now + _HANGS_MS * rng.random()
        frozen = world.hosts[number].frozen
        if world.now < disk.hung_until or frozen or not node.feed.begin():
            world.later(50, partial(self._begin, number, node, life))
            return
        self._take(number, node, life, [], world.now)

    def _take(self, number: int, node: Node, life: int, taken: list[SavedEntry], began: float) -> None:
        if not self._runs(number, node, life):
            return
        world = self._world
        if not world.hosts[number].frozen:
            taken += node.feed.take(_PIECE)
        if node.feed.left or world.hosts[number].frozen:
            world.later(_PIECES_MS * self._rng.random(), partial(self._take, number, node, life, taken, began))
            return
        facts = node.feed.facts(whole=True)
        world.later(
            _COMMIT_MS * self._rng.random(),
            partial(self._commit, number, node, life, taken, facts, began),
        )

    def _commit(
        self, number: int, node: Node, life: int, taken: list[SavedEntry], facts: SavedFacts, began: float
    ) -> None:
        if not self._runs(number, node, life):
            return
        disk = self.disks[number]
        for entry in taken:
            if entry.version:
                disk.entries[entry.key] = entry
            else:
                disk.entries.pop(entry.key, None)
        disk.facts, disk.saved = facts, began
        node.feed.confirmed(facts)
        left = max(0.0, EVERY_MS - (self._world.now - began))
        self._world.later(left, partial(self._begin, number, node, life))


def wall_of(world: World, number: int) -> int:
    """The wall clock of a node's machine, ms."""
    return WALL + world.hosts[number].skew + int(world.now)
