"""Where the keys of a scan are: in the order of their CRC-32, which is the same on every node.

Problem: SCAN is many commands, with a cursor that its client brings back, to another node maybe. Every key that
is there all the while must be told, and the node must neither look through all keys for each page nor sort them
all.

Rule: a cursor tells when its scan began, and a place in the order of the keys' CRC-32. An index sorts keys into
parts by how that begins; a part is put in order when a page needs it. A key that is there all the while is in
every index that was made since the scan began; so one is used for this very scan, or if it is so much younger
that no difference between the clocks of two nodes matters.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

#: A place is the first bits of a CRC-32; 24 tell a million keys apart, nearly.
_PLACE_BITS: Final = 24
_PLACE_SHIFT: Final = 32 - _PLACE_BITS

#: Keys whose places begin alike are one part of the index, about so many; and so many parts it has at most.
_PART_KEYS: Final = 256
_PART_BITS_MAX: Final = 12

#: Wall-clock ms of 2026: times in cursors count from here, so that a cursor is below 2^63.
_EPOCH_MS: Final = 1_767_225_600_000
_TIME_MASK: Final = (1 << 39) - 1

#: The clocks of two nodes may differ by so much, ms.
_SKEW_MS: Final = 2_000


class Index:
    """The keys of one database by their CRC-32.

    Args:
        began: when it was begun, wall-clock ms.
        size: about how many keys there are.
    """

    def __init__(self, began: int, size: int) -> None:
        self.began = (began - _EPOCH_MS) & _TIME_MASK
        bits = min((size // _PART_KEYS).bit_length(), _PART_BITS_MAX)
        self._shift = _PLACE_BITS - bits  # a place without these bits is a part's number
        self._parts: list[list[bytes]] = [[] for _ in range(1 << bits)]

    def add(self, stored: bytes) -> None:
        """Take in a key by its stored name."""
        self._parts[crc32(stored) >> _PLACE_SHIFT >> self._shift].append(stored)

    def serves(self, cursor: int) -> bool:
        """Tell whether all keys are here that the scan of this cursor must tell."""
        began = cursor >> _PLACE_BITS
        return self.began == began or self.began >= began + _SKEW_MS

    def page(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Return the cursor behind the next names, 0 at the end, and so many stored names or a few more.

        Args:
            cursor: 0 at the beginning; then a scan begins, as old as this index.
            count: how many names.
        """
        began, first = (cursor >> _PLACE_BITS, cursor & ((1 << _PLACE_BITS) - 1)) if cursor else (self.began, 0)
        page: list[bytes] = []
        for number in range(first >> self._shift, len(self._parts)):
            places = sorted((crc32(stored) >> _PLACE_SHIFT, stored) for stored in self._parts[number])
            before = -1
            for place, stored in places:
                if place < first:
                    continue
                if len(page) >= count and place != before:
                    return began << _PLACE_BITS | place, page
                page.append(stored)
                before = place
            if len(page) >= count and number + 1 < len(self._parts):
                return began << _PLACE_BITS | (number + 1) << self._shift, page
        return 0, page
