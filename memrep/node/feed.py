"""The feed: what has changed in a node since it was saved last, each key once, however often it was written.

Problem: no write may wait for a disk, and a disk that is slow or full must cost no memory that grows with what
is written. So the store notes nothing but names (storage/table.py). Now and then all names that have come
together are taken, and one after the other is looked up, a few in a turn. When the last of them is saved the
disk has all that the node held when the first was looked up, and some that is newer.

Rule P1 (replication/recovery.py): only of a node that serves is anything told. It holds nothing then that a
member of its view does not hold, and lacks nothing that was acknowledged.

The whole is told once more, bit by bit and between what has changed, when whoever saves it wants to throw away
what was saved long ago.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from memrep.replication.replica import Replica
from memrep.storage.saved import SavedEntry, SavedFacts, saved
from memrep.storage.store import Store
from memrep.storage.version import Clock


class ChangeFeed:
    """What changes in one node.

    Args:
        store: what it holds.
        replica: whether it serves, and where it stands.
        clock: of the node.
    """

    def __init__(self, store: Store, replica: Replica, clock: Clock) -> None:
        self._store = store
        self._replica = replica
        self._clock = clock
        self._offset = 0
        self._changed: set[bytes] = set()
        self._taking: set[bytes] = set()
        self._whole = SavedFacts()  # of the last moment of which everything is saved, or taken to be
        self._begun = SavedFacts()
        self._walk: Iterator[tuple[bytes, ...]] | None = None
        self._piece: tuple[bytes, ...] = ()

    def open(self, whole: SavedFacts, offset: int, changed: Collection[bytes] = ()) -> None:
        """Note from now on what changes.

        Args:
            whole: what was saved by an earlier start, if anything was.
            offset: how far the time of what is saved is ahead of the monotonic clock, ms.
            changed: keys of which something else is saved.
        """
        self._whole, self._offset = whole, offset
        self._note(set(changed))

    def _note(self, changed: set[bytes]) -> None:
        self._changed = changed
        self._store.values.changed = self._store.tombstones.changed = changed

    @property
    def open_now(self) -> bool:
        """Tell whether anything may be told now: the node serves."""
        return self._replica.may_serve

    @property
    def view(self) -> int:
        """Return the name of the view in which the node stands."""
        return self._replica.state.view.vid

    @property
    def left(self) -> int:
        """Return how many keys are still to be told of."""
        return len(self._taking)

    @property
    def waiting(self) -> int:
        """Return how many keys have changed that are not saved, or not known to be."""
        return len(self._taking) + len(self._changed)

    @property
    def rewrites(self) -> bool:
        """Tell whether the whole is being told once more."""
        return self._walk is not None

    def begin(self) -> bool:
        """Take the names of all that has changed; False if nothing may be told now, or something is left."""
        if self._taking or not self._replica.may_serve:
            return False
        view = self._replica.state.view
        self._begun = SavedFacts(
            gen=view.gen, view=view.vid, at=self._clock.logical, whole=self._clock.now + self._offset
        )
        self._taking = self._changed
        self._note(set())
        return True

    def take(self, most: int) -> list[SavedEntry]:
        """Look up some of them; none while the node does not serve."""
        if not self._replica.may_serve:
            return []
        taking, peek, offset = self._taking, self._store.peek, self._offset
        keys = [taking.pop() for _ in range(min(most, len(taking)))]
        return [saved(key, peek(key), offset) for key in keys]

    def rewrite(self) -> None:
        """Begin to tell the whole once more."""
        self._walk = self._store.walk()

    def take_old(self, most: int) -> list[SavedEntry]:
        """Look up some of the whole; afterwards `rewrites` tells whether that was the last of it."""
        if not self._replica.may_serve or self._walk is None:
            return []
        if not self._piece:
            self._piece = next(self._walk, ())
            if not self._piece:
                self._walk = None
                return []
        keys, self._piece = self._piece[-most:], self._piece[:-most]
        entries = ((key, self._store.peek(key)) for key in keys)
        return [saved(key, entry, self._offset) for key, entry in entries if entry is not None]

    def again(self, keys: Collection[bytes]) -> None:
        """Tell of these keys once more: they could not be saved, whatever was told of them."""
        self._changed.update(keys)
        self._changed.update(self._taking)
        self._taking.clear()

    def confirmed(self, facts: SavedFacts) -> None:
        """Take it that these are saved, with all that was taken before them."""
        self._whole = facts

    def facts(self, *, whole: bool, in_order: bool = False) -> SavedFacts:
        """Return what is known beside the entries, once all that has been taken so far is saved.

        Args:
            whole: whether that is everything, as it was when `begin` was called last.
            in_order: whether the node stops now, as it was told to.
        """
        clock, state = self._clock, self._replica.state
        return replace(
            self._begun if whole else self._whole,
            clock=clock.logical,
            promised=max(state.promised, state.view.vid, state.former),
            horizon=bytes(self._store.horizon),
            time=clock.now + self._offset,
            mono=clock.now,
            wall=clock.wall,
            in_order=in_order,
        )
