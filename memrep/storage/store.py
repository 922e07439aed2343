"""The store: every key's committed entry, its expiry, its place in the least-recently-used order, its cost.

Rules:
- The entry with the higher version stands; `put` is idempotent and may be called in any order.
- An expired value becomes a tombstone of the same version, so nothing older can ever revive it; the digest
  does not change, hence nodes that notice the expiry a moment apart still have equal digests.
- A tombstone is purged after `tombstone_ms`, or earlier when memory is short. `horizon` is the highest version
  ever purged: a returning node whose entry is not above it cannot tell "never seen here" from "deleted long
  ago", and discards it.
- `flush_all` is an entry too, under the empty key, which no client can name: everything at or below its
  version counts as expired, here and on whatever arrives later. It takes no time; a sweep clears up after it.
  So is the flush of one namespace (namespaces.py).
- `used` counts what entries really cost (ENTRY_BYTES was measured as resident memory, see bench/memory.py).

Values and tombstones live in two tables, each in the order in which its entries are to go: values by their
last use, tombstones by their death (table.py says how exactly). Reads check the clock themselves. What has run
out, or was flushed, and tombstones that have had their time, are found by sweeps, which go round all of them
and never take long (sweep.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from msgspec.structs import replace

from memrep.storage.census import Census
from memrep.storage.digest import Digest
from memrep.storage.entry import Entry
from memrep.storage.flushes import Flushes
from memrep.storage.namespaces import FLUSHES
from memrep.storage.owned_keys import OwnedKeys
from memrep.storage.owner import Owner
from memrep.storage.sweep import Sweep, purgeable
from memrep.storage.table import Table
from memrep.storage.version import ZERO, Clock, Version, milliseconds

#: How long a deleted or expired key remembers its version, ms, if a store is not told otherwise. A node that
#: was away for longer starts empty.
TOMBSTONE_MS: Final = 3_600_000

#: How a key ended that nobody deleted, told by its tombstone's `seen`; on each node as that node found it.
RAN_OUT: Final = -1
WAS_FLUSHED: Final = -2

#: How long an evicted key does, on a node that is still joining: long enough to outlive the transfer's chunks
#: that are under way. Anywhere else an eviction leaves no tombstone: it has to give memory back.
EVICTED_MS: Final = 10_000

#: The flags of a tombstone that stands for an eviction.
EVICTED: Final = 1

#: What one entry costs beside its key and value: the struct, the version, the table, the digest, and what
#: malloc loses. Values whose lengths change leave larger holes than those of the bench, which sees less.
ENTRY_BYTES: Final = 520

#: Tombstones may take this share of the memory; if more is needed the oldest go before any value does.
_TOMBSTONE_SHARE: Final = 8


class Store:
    """Keys to committed entries of one node.

    Args:
        limit: the memory that entries may cost, bytes.
        compared: whether to keep digests; a node without peers is compared with nobody.
        owned: what follows from an entry's owner; nothing by default.
        tombstone_ms: how long tombstones are kept, ms.

    Attributes:
        values: entries with a value, least recently used first.
        tombstones: entries without, first dead first.
        digest: bucketed digests over all (key, version) pairs,
        dead: and the part of them that is the tombstones'.
        horizon: the highest version of any purged tombstone.
        used: the cost of all entries, bytes.
        limit: the cost above which entries are evicted, bytes.
        flushes: what has been flushed.
        census: how many values there are.
        expired: how many values have run out so far.
        expired_unfetched: how many of them nobody had read here.
        owned: the keys whose entry has an owner.
        behind: whether a sweep has more to do at once.
        joining: whether entries older than these may still arrive; see EVICTED_MS.
        holding: whether that may take any time, so that no tombstone may go meanwhile.
    """

    def __init__(
        self,
        limit: int,
        compared: bool = True,
        owned: OwnedKeys | None = None,
        tombstone_ms: int = TOMBSTONE_MS,
    ) -> None:
        self.values: Table[Entry] = Table()
        self.tombstones: Table[Entry] = Table()
        self.digest = Digest()
        self.dead = Digest()
        self.horizon: Version = ZERO
        self.used = 0
        self.limit = limit
        self.expired = 0
        self.expired_unfetched = 0
        self.joining = False
        self.holding = False
        self._compared = compared
        self._tombstone_ms = tombstone_ms
        self.flushes = Flushes()
        self.census = Census()
        self.owned = owned or OwnedKeys()
        self.behind = False
        self._sweep_values = Sweep(self.values, self._ended_in, self._end)
        self._sweep_tombstones = Sweep(self.tombstones, purgeable, self._purge)

    def get(self, key: bytes, now: int) -> Entry | None:
        """Return the entry that a read at monotonic `now` (ms) finds, which makes it the most recently used."""
        part = self.values.part(key)
        entry = part.get(key)
        if entry is None or entry.expires <= now:
            return None
        if entry.version <= self.flushes.newest and self.flushes.end(key, entry.version):
            return None
        del part[key]  # and behind all others with it
        part[key] = entry
        return entry

    def peek(self, key: bytes) -> Entry | None:
        """Return what is here of this key, be it a value (even one that has run out) or a tombstone."""
        return self.values.get(key) or self.tombstones.get(key)

    def version(self, key: bytes) -> Version:
        """Return the version this key has here, be it a value or a tombstone; ZERO if it has none."""
        entry = self.peek(key)
        return ZERO if entry is None else entry.version

    def is_miss(self, key: bytes, now: int) -> bool:
        """Tell whether a read at `now` (ms) would miss this key, whatever the reason."""
        entry = self.values.get(key)
        return entry is None or entry.expires <= now or self.flushes.end(key, entry.version)

    def age(self, clock: Clock) -> int:
        """Return for how many seconds the least recently used value is unused, as far as this node knows."""
        firsts = (
            next((entry for key, entry in part.items() if key not in FLUSHES), None)
            for part in self.values.parts
        )
        return max((idle(entry, clock) for entry in firsts if entry is not None), default=0)

    def end_of(self, key: bytes, now: int) -> int:
        """Tell how a key came to miss at `now` (ms): RAN_OUT or WAS_FLUSHED, if that was it and is known."""
        entry = self.values.get(key)
        if entry is None:
            entry = self.tombstones.get(key)
            return 0 if entry is None else entry.seen
        return WAS_FLUSHED if self.flushes.end(key, entry.version) else RAN_OUT if entry.expires <= now else 0

    def walk(self) -> Iterator[tuple[bytes, ...]]:
        """Yield all keys that have an entry, tombstones among them, a bounded number at a time.

        One that has an entry all the time comes at least once: who dies meanwhile is among the tombstones then.
        """
        yield from self.values.walk()
        yield from self.tombstones.walk()

    def pieces(self) -> list[tuple[tuple[bytes, ...], tuple[Entry, ...]]]:
        """Return all keys that have an entry, and their entries, in pieces of bounded size."""
        return self.values.pieces() + self.tombstones.pieces()

    def __len__(self) -> int:
        """Return how many keys have a value (some may have run out or been flushed and not been swept yet)."""
        return len(self.values) - self.census.flushes

    def put(self, key: bytes, entry: Entry, now: int) -> bool:
        """Commit an entry if it is newer than what is here; say whether it was."""
        old = self.values.get(key) or self.tombstones.get(key)
        if old is not None and old.version >= entry.version:
            return False
        if key in FLUSHES and entry.value is not None:
            self.flushes.took_place(key, entry.version)
            self._sweep_values.hurry()
            self._sweep_values.go_on(now)
            self._look_at_sweeps()
        elif entry.value is not None:
            flushed = self.flushes.end(key, entry.version)
            if flushed or entry.expires <= now:
                entry = self._ended(entry, now, WAS_FLUSHED if flushed else RAN_OUT)
        elif entry.flags == EVICTED and not self.joining:
            self.remove(key)
            return True
        self._place(key, old, entry)
        if self._compared:
            self.digest.replace(key, ZERO if old is None else old.version, entry.version)
        return True

    def tombstone(self, now: int) -> Entry:
        """Make what a key becomes that is deleted at `now` (ms); it has no version yet."""
        return Entry(ZERO, None, 0, now + self._tombstone_ms)

    def _ended(self, entry: Entry, now: int, end: int) -> Entry:
        """Make what is left of a value that nobody deleted: its version, and how it ended."""
        return Entry(entry.version, None, 0, now + self._tombstone_ms, seen=end)

    def remove(self, key: bytes) -> None:
        """Forget a key without a trace but the horizon; a key that is not here is left so."""
        entry = self.peek(key)
        if entry is None:
            return
        self._take_out(key, entry)
        self.owned.removed(key)
        # Finding 18: what was evicted raised it then, by its own version; the eviction's is as good as now.
        if entry.flags != EVICTED or entry.value is not None:
            self.horizon = max(self.horizon, entry.version)
        if self._compared:
            self.digest.replace(key, entry.version, ZERO)

    def sweep(self, now: int) -> None:
        """Turn values that have ended into tombstones, purge old ones: a piece of what is due at `now`."""
        left = self._sweep_values.go_on(now)
        if not self.holding:
            self._sweep_tombstones.go_on(now, left)
        self._look_at_sweeps()

    def _look_at_sweeps(self) -> None:
        self.behind = self._sweep_values.behind or self._sweep_tombstones.behind

    def _ended_in(self, part: dict[bytes, Entry], now: int) -> tuple[bytes, ...]:
        """Find the values in a part that have run out, or been flushed."""
        newest, end = self.flushes.newest, self.flushes.end
        if newest is ZERO:
            return tuple([key for key, entry in part.items() if entry.expires <= now])
        # Older than some flush is all that stood when another namespace was flushed.
        return tuple(
            [
                key
                for key, entry in part.items()
                if entry.expires <= now or (entry.version <= newest and end(key, entry.version))
            ]
        )

    def _end(self, key: bytes, now: int) -> None:
        """Make a tombstone of a value, if it has ended."""
        entry = self.values.get(key)
        if entry is None:
            return
        if self.flushes.end(key, entry.version) and key not in FLUSHES:
            self._place(key, entry, self._ended(entry, now, WAS_FLUSHED))
        elif entry.expires <= now:
            self.expired += 1
            self.expired_unfetched += not entry.seen
            self._place(key, entry, self._ended(entry, now, RAN_OUT))

    def _purge(self, key: bytes, now: int) -> None:
        """Forget a tombstone, if it has had its time."""
        entry = self.tombstones.get(key)
        if entry is not None and entry.expires <= now:
            self.remove(key)

    def purge(self, excess: int) -> int:
        """Forget old tombstones early, to get `excess` bytes back; how many bytes that gave.

        As long as they have no more than their share of the memory nothing is purged.
        """
        freed = 0
        while (
            not self.holding
            and freed < excess
            and len(self.tombstones) * ENTRY_BYTES * _TOMBSTONE_SHARE > self.limit
        ):
            oldest = self.tombstones.turn()
            if oldest is None:
                break
            freed += cost_of(*oldest)
            self.remove(oldest[0])
        return freed

    def disown(self, nodes: Collection[int]) -> list[tuple[bytes, Entry, Owner]]:
        """Let no client of these nodes own an entry any more; whose an entry is is no part of its version.

        Returns:
            Each entry that has lost its owner, with its key and that owner.
        """
        disowned = []
        for key in list(self.owned.keys):
            entry = self.values[key]
            owner = entry.owner
            if owner is not None and owner.node in nodes:
                entry.owner = replace(owner, node=0)
                disowned.append((key, entry, owner))
        return disowned

    def victims(self, excess: int) -> Iterator[tuple[bytes, Entry, int]]:
        """Yield the least recently used values that together cost `excess` bytes, each with its cost.

        Entries that are pinned are passed over. Each key that was looked at moves to the other end, so that it
        is not named again while its eviction is on its way, and pinned ones do not stand before the rest; each
        is looked at once.
        """
        for _ in range(len(self.values)):
            oldest = self.values.turn() if excess > 0 else None
            if oldest is None:
                return
            key, entry = oldest
            self.values.append(key, entry)
            if key not in FLUSHES and not (entry.owner is not None and self.owned.pinned(entry)):
                cost = cost_of(key, entry)
                excess -= cost
                yield key, entry, cost

    def _place(self, key: bytes, old: Entry | None, new: Entry) -> None:
        """Put `new` where `old` was: table, order, cost, census; `put` and `remove` keep the digest."""
        if new.owner is not None or self.owned.keys:
            self.owned.placed(key, new)
        if old is not None and old.value is not None and new.value is not None and old.expires == new.expires:
            self.used += len(new.value) - len(old.value)
            self.values.append(key, new)
            return
        if old is not None:
            self._take_out(key, old)
        self.used += cost_of(key, new)
        if new.value is None:
            self.tombstones.append(key, new)
            if self._compared:
                self.dead.replace(key, ZERO, new.version)
            return
        self.values.append(key, new)
        self.census.change(key, new.expires, 1)

    def _take_out(self, key: bytes, entry: Entry) -> None:
        """Take an entry out of its table, cost and census."""
        self.used -= cost_of(key, entry)
        if entry.value is None:
            del self.tombstones[key]
            if self._compared:
                self.dead.replace(key, entry.version, ZERO)
        else:
            del self.values[key]
            self.census.change(key, entry.expires, -1)


def cost_of(key: bytes, entry: Entry) -> int:
    """Return what an entry counts in memory, bytes."""
    return ENTRY_BYTES + len(key) + len(entry.value or b"")


def idle(entry: Entry, clock: Clock) -> int:
    """Return for how many seconds no client has read or written this entry, as far as this node knows."""
    written = clock.now - max(0, clock.hybrid - milliseconds(entry.version))
    return (clock.now - max(entry.seen, written)) // 1000
