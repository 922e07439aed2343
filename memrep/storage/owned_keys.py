"""The keys whose entry has an owner, found without looking at all others; and what a policy makes of them.

The store tells of every entry that it places. A policy that gives owned entries a meaning of their own passes
a subclass to the store: it may keep an index beside this one, and say which entries may not be evicted.
"""

from __future__ import annotations

from memrep.storage.entry import Entry


class OwnedKeys:
    """The keys of values that have an owner; nothing follows from that.

    Attributes:
        keys: those keys, each under itself: a plain dict, so that the store can see at once that there is none.
    """

    def __init__(self) -> None:
        self.keys: dict[bytes, None] = {}

    def placed(self, key: bytes, entry: Entry) -> None:
        """Note an entry that the store has now; not told of entries without an owner while `keys` is empty."""
        if entry.owner is not None and entry.value is not None:
            self.keys[key] = None
        else:
            self.keys.pop(key, None)

    def removed(self, key: bytes) -> None:
        """Note that the store has forgotten a key."""
        self.keys.pop(key, None)

    def pinned(self, entry: Entry) -> bool:
        """Tell whether this entry may not be evicted."""
        return False
