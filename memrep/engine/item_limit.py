"""The size limit of one item: what a client may store under one key.

An item counts as memcached counts it, so that -I means the same and a value that one refuses the other does,
too. What an entry costs in memory here is another matter (storage/store.py).
"""

from __future__ import annotations

from typing import Final

import attrs

#: What memcached adds to key and value when it holds an item against its size limit, bytes; and for flags.
_ITEM_HEADER: Final = 59
_ITEM_FLAGS: Final = 4


@attrs.define(eq=False)
class ItemLimit:
    """How large an item may be.

    Attributes:
        item_max: the largest, bytes, as memcached counts it.
    """

    item_max: int

    @property
    def small(self) -> int:
        """Return how many bytes key and value may have together, whatever they are."""
        return self.item_max - _ITEM_HEADER - _ITEM_FLAGS

    def too_large(self, key: bytes, flags: int, length: int) -> bool:
        """Tell whether a value of this length (bytes) is above the limit."""
        return _ITEM_HEADER + len(key) + (_ITEM_FLAGS if flags else 0) + length > self.item_max

    def fits(self, key: bytes, flags: int, length: int) -> bool:
        """Tell whether a value of this length (bytes) may be stored; the opposite of `too_large`."""
        return not self.too_large(key, flags, length)
