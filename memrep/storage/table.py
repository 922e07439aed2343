"""A table with which no turn becomes long: many small dicts, in each of which the entries keep an order.

One dict for a million keys stops its node twice. When it is full it is copied into one twice as large, for a
good part of a second; all nodes do so at once, as all hold the same, and one that cannot say a word for so long
is thrown out. So this is extendible hashing (Fagin, Nievergelt, Pippenger, Strong 1979): a directory of parts,
found by the last bits of a key's hash. A part that is full is split in two by one more bit, in about a
millisecond; the directory doubles when it has no bit left for that.

And whatever the garbage collector tracks it walks through, key by key, whenever clients have sent enough: half
a microsecond a key, for an OrderedDict. A plain dict of bytes and entries (entry.py) is not tracked. It keeps
the order in which keys were put in, so a key is moved behind all others by taking it out and putting it in
again.

Up to PART_MAX entries there is one part, and `turn` goes by its order exactly. Beyond that the parts take
turns, each with the first in its own order. As the keys of a part are a random sample of at least PART_MAX / 2
of all, the first of them is, of a thousand, about the first of all: the least recently used of a cache, near
enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

#: A part with more entries than this is split. To grow up to it, and to split, takes about 1 ms.
PART_MAX: Final = 4096


class Table(Generic[T]):
    """Keys to entries.

    Attributes:
        parts: the dicts that hold the entries, each once; only what reads many of them looks in here.
        changed: takes the names of the keys that are put in or taken out; None if nobody wants to know.
    """

    __slots__ = ("_count", "_depths", "_directory", "_mask", "_turn", "changed", "parts")

    def __init__(self) -> None:
        self.changed: set[bytes] | None = None
        self.parts: list[dict[bytes, T]] = [{}]
        self._directory = self.parts[:]
        self._depths = [0]  # by how many bits the part at this place of the directory is found
        self._mask = 0
        self._count = 0
        self._turn = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: bytes) -> bool:
        return key in self._directory[hash(key) & self._mask]

    def __getitem__(self, key: bytes) -> T:
        """Return the entry of a key that is here.

        Raises:
            KeyError: it is not.
        """
        return self._directory[hash(key) & self._mask][key]

    def __iter__(self) -> Iterator[bytes]:
        """Yield all keys; each part's in its order."""
        for part in self.parts:
            yield from part

    def walk(self, first: int = 0) -> Iterator[tuple[bytes, ...]]:
        """Yield the keys of one part after the other, from this part on, each as it is when its turn comes.

        A key that is here all the time comes just once, however long it takes: when a part is split two new
        ones take its place, and what is walked through is the old one, as it was then.
        """
        for part in self.parts[first:] + self.parts[:first]:
            if part:
                yield tuple(part)

    def pieces(self) -> list[tuple[tuple[bytes, ...], tuple[T, ...]]]:
        """Return the keys and the entries of each part that has any, as they are now."""
        return [(tuple(part), tuple(part.values())) for part in self.parts if part]

    def part(self, key: bytes) -> dict[bytes, T]:
        """Return the dict in which this key is, if it is here: to look it up, or put it behind the others."""
        return self._directory[hash(key) & self._mask]

    def get(self, key: bytes) -> T | None:
        return self._directory[hash(key) & self._mask].get(key)

    def append(self, key: bytes, entry: T) -> None:
        """Put an entry behind all others of its part, in the place of one that the key may have had."""
        if self.changed is not None:
            self.changed.add(key)
        place = hash(key) & self._mask
        part = self._directory[place]
        if key in part:
            del part[key]
        else:
            self._count += 1
        part[key] = entry
        if len(part) > PART_MAX:
            self._split(place)

    def __delitem__(self, key: bytes) -> None:
        """Take out the entry of a key that is here.

        Raises:
            KeyError: it is not.
        """
        del self._directory[hash(key) & self._mask][key]
        self._count -= 1
        if self.changed is not None:
            self.changed.add(key)

    def take_over(self, other: Table[T]) -> None:
        """Hold what another table holds, and nothing else; that one is not to be used any more."""
        self.parts, self._directory, self._depths = other.parts, other._directory, other._depths
        self._mask, self._count, self._turn = other._mask, other._count, other._turn

    def turn(self) -> tuple[bytes, T] | None:
        """Return the first entry of the part whose turn it is; None if there is no entry at all.

        The directory is gone through, not the parts: who holds twice as many has two turns.
        """
        for _ in self._directory:
            self._turn = (self._turn + 1) & self._mask
            part = self._directory[self._turn]
            if part:
                return next(iter(part.items()))
        return None

    def _split(self, place: int) -> None:
        old, depth = self._directory[place], self._depths[place]
        bit = 1 << depth
        if bit > self._mask:
            self._directory += self._directory
            self._depths += self._depths
            self._mask = len(self._directory) - 1
        without: dict[bytes, T] = {}
        with_it: dict[bytes, T] = {}
        for key, entry in old.items():
            (with_it if hash(key) & bit else without)[key] = entry
        for at in range(place & (bit - 1), len(self._directory), bit):
            self._directory[at] = with_it if at & bit else without
            self._depths[at] = depth + 1
        self.parts[next(i for i, part in enumerate(self.parts) if part is old)] = without
        self.parts.append(with_it)
