"""PHP's locks among the entries of a store: which session each may guard; held ones are not evicted."""

from __future__ import annotations

from memrep.php.lock_names import is_endless, is_held, may_name
from memrep.storage.entry import Entry
from memrep.storage.owned_keys import OwnedKeys


class LockIndex(OwnedKeys):
    """The keys of PHP's locks.

    Attributes:
        guarded: sessions that may be php-memcached's, each with the lock that told so as long as something is
            left of that; see `Owner.maybe`.
        endless: phpredis' locks without a timeout, each under itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.guarded: dict[bytes, bytes] = {}
        self.endless: dict[bytes, None] = {}

    def placed(self, key: bytes, entry: Entry) -> None:
        """Index a lock, and the session that it may guard."""
        super().placed(key, entry)
        if entry.owner is not None and entry.owner.maybe and entry.value is not None:
            self.guarded[may_name(key)] = key
        if key in self.keys and is_endless(key, entry):
            self.endless[key] = None
        else:
            self.endless.pop(key, None)

    def removed(self, key: bytes) -> None:
        """Forget a key of which nothing is left."""
        super().removed(key)
        self.endless.pop(key, None)
        if self.guarded:
            self.guarded.pop(may_name(key), None)

    def pinned(self, entry: Entry) -> bool:
        """Tell whether a request holds this lock: evicting it would free a session under its holder."""
        return is_held(entry.value, entry.owner)
