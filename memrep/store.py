"""The store: every key's committed entry, its expiry, its place in the least-recently-used order, its cost.

Rules:
- The entry with the higher version stands; `put` is idempotent and may be called in any order.
- An expired value becomes a tombstone of the same version, so nothing older can ever revive it; the digest
  does not change, hence nodes that notice the expiry a moment apart still have equal digests.
- A tombstone is purged after TOMBSTONE_MS. `horizon` is the highest version ever purged: a returning node
  whose entry is not above it cannot tell "never seen here" from "deleted long ago", and discards it.
- `flush_all` is an entry too, under the empty key, which no client can name: everything at or below its
  version counts as expired, here and on whatever arrives later.
- `used` counts what entries really cost (ENTRY_BYTES was measured as resident memory, see bench/memory.py).

Expiry needs no timer for each key. Keys are kept in slots of SLOT_MS by the time at which they are due; a
rewritten key moves from slot to slot, so the slots hold each key once. Nor does a sweep ever take long: it
stops after a number of keys and goes on in the next turn. Reads check the clock themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from memrep.digest import Digest
from memrep.entry import NEVER, Entry
from memrep.locks import is_lock
from memrep.version import ZERO, Version

#: How long a deleted or expired key remembers its version. A node that was away longer starts empty.
TOMBSTONE_MS: Final = 3_600_000

#: How long an evicted key does, on a node that is still joining: long enough to outlive the transfer's chunks
#: that are under way. Anywhere else an eviction leaves no tombstone: it has to give memory back.
EVICTED_MS: Final = 10_000

#: The flags of a tombstone that stands for an eviction.
EVICTED: Final = 1

#: What one entry costs beside its key and value: the struct, the version, the order and the slot. Measured.
ENTRY_BYTES: Final = 420

#: The key that no client can name: its entry's version is the last flush_all.
FLUSH_KEY: Final = b""

_SLOT_BITS: Final = 12  # 4.096 s
_SWEEP_KEYS: Final = 2_000
_VICTIM_TRIES: Final = 50


class Store:
    """Keys to committed entries of one node.

    Attributes:
        entries: least recently used first; tombstones are in it too.
        digest: bucketed digests over all (key, version) pairs.
        horizon: the highest version of any purged tombstone.
        used: the cost of all entries, bytes.
        limit: the cost above which entries are evicted, bytes.
        tombstones: how many of the entries have no value.
        expired: how many values have run out so far.
        joining: whether entries older than these may still arrive; see EVICTED_MS.
    """

    def __init__(self, limit: int) -> None:
        self.entries: OrderedDict[bytes, Entry] = OrderedDict()
        self.digest = Digest()
        self.horizon: Version = ZERO
        self.used = 0
        self.limit = limit
        self.tombstones = 0
        self.expired = 0
        self.joining = False
        self._flushed: Version = ZERO
        self._slots: dict[int, set[bytes]] = {}
        self._swept = 0

    def live(self, key: bytes, now: int) -> Entry | None:
        """The entry that a read at monotonic `now` (ms) finds, which makes it the most recently used."""
        entry = self.entries.get(key)
        if entry is None or entry.value is None or entry.expires <= now:
            return None
        self.entries.move_to_end(key)
        return entry

    def dead(self, key: bytes, now: int) -> bool:
        """Whether a read at `now` (ms) would miss this key, whatever the reason."""
        entry = self.entries.get(key)
        return entry is None or entry.value is None or entry.expires <= now

    def version(self, key: bytes) -> Version:
        """The version this key has here, be it a value or a tombstone; ZERO if it has none."""
        entry = self.entries.get(key)
        return ZERO if entry is None else entry.version

    def put(self, key: bytes, entry: Entry, now: int) -> bool:
        """Commit an entry if it is newer than what is here; say whether it was."""
        old = self.entries.get(key)
        if old is not None and old.version >= entry.version:
            return False
        if entry.value is None and entry.flags == EVICTED and not self.joining:
            self.remove(key)
            self.horizon = max(self.horizon, entry.version)
            return True
        if key == FLUSH_KEY:
            self._flush(entry.version, now)
        elif entry.value is not None and (entry.expires <= now or entry.version <= self._flushed):
            entry = _tombstone(entry, now)
        self._place(key, old, entry)
        self.digest.replace(key, ZERO if old is None else old.version, entry.version)
        return True

    def remove(self, key: bytes) -> None:
        """Forget a key without a trace but the horizon; a key that is not here is left so."""
        entry = self.entries.pop(key, None)
        if entry is None:
            return
        self._leave_slot(key, entry)
        self.used -= _cost(key, entry)
        self.tombstones -= entry.value is None
        self.horizon = max(self.horizon, entry.version)
        self.digest.replace(key, entry.version, ZERO)

    def sweep(self, now: int) -> None:
        """Turn values that have run out into tombstones and purge old tombstones, a bounded number of them."""
        budget = _SWEEP_KEYS
        due = now >> _SLOT_BITS
        if not self._slots:
            self._swept = due
        while self._swept < due:
            keys = self._slots.get(self._swept)
            while keys and budget:
                self._run_out(keys.pop(), now)
                budget -= 1
            if not budget:
                return
            self._slots.pop(self._swept, None)
            self._swept += 1

    def victims(self, excess: int) -> Iterator[tuple[bytes, Entry, int]]:
        """The least recently used values that together cost `excess` bytes, each with its cost.

        Tombstones and session locks are passed over: the first must outlive what they deny, the second would
        free a session under its holder. Each victim moves to the other end, so that it is not named again
        while its eviction is on its way; after a number of tries the search gives up.
        """
        for _ in range(_VICTIM_TRIES):
            if excess <= 0 or not self.entries:
                return
            key, entry = next(iter(self.entries.items()))
            self.entries.move_to_end(key)
            if entry.value is not None and key != FLUSH_KEY and not is_lock(key):
                cost = _cost(key, entry)
                excess -= cost
                yield key, entry, cost

    def __len__(self) -> int:
        """How many keys have a value (some of them may have run out and not been swept yet)."""
        return len(self.entries) - self.tombstones - (FLUSH_KEY in self.entries)

    def _flush(self, version: Version, now: int) -> None:
        self._flushed = version
        for key, entry in list(self.entries.items()):
            if entry.value is not None and key != FLUSH_KEY and entry.version <= version:
                self._place(key, entry, _tombstone(entry, now))

    def _run_out(self, key: bytes, now: int) -> None:
        entry = self.entries[key]
        if entry.value is None:
            self.remove(key)
        else:
            self.expired += 1
            self._place(key, entry, _tombstone(entry, now))

    def _place(self, key: bytes, old: Entry | None, new: Entry) -> None:
        """Put `new` where `old` was: entries, order, slot, cost. The digest is the caller's."""
        slot = new.expires >> _SLOT_BITS
        if old is None:
            self.used += _cost(key, new)
        else:
            self.used += len(new.value or b"") - len(old.value or b"")
            self.tombstones -= old.value is None
            self.entries.move_to_end(key)
            if old.expires >> _SLOT_BITS != slot:
                self._leave_slot(key, old)
        self.tombstones += new.value is None
        self.entries[key] = new
        if new.expires < NEVER:
            slot = max(slot, self._swept)
            keys = self._slots.get(slot)
            if keys is None:
                keys = self._slots[slot] = set()
            keys.add(key)

    def _leave_slot(self, key: bytes, entry: Entry) -> None:
        slot = max(entry.expires >> _SLOT_BITS, self._swept)
        keys = self._slots.get(slot)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._slots[slot]


def _tombstone(entry: Entry, now: int) -> Entry:
    return Entry(entry.version, None, 0, now + TOMBSTONE_MS)


def _cost(key: bytes, entry: Entry) -> int:
    return ENTRY_BYTES + len(key) + len(entry.value or b"")
