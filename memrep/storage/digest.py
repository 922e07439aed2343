"""Digests: two stores find where they differ without listing their keys.

Every key falls into one of 1,024 buckets by its crc32. A bucket's digest is the sum over its keys of
(a number from the key) x (the crc32 of the version), modulo the Mersenne prime 2^61-1, so it is kept up to date
by one multiplication a write, in any order of writes. A plain xor of checksums would not do: crc32 is linear,
and two keys whose versions differ by the same bits would cancel out.

Equal sums mean equal (key, version) pairs but for one chance in 2^32 a bucket; a bucket that is missed by such
a chance differs until its next write.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from memrep.storage.version import ZERO, Version

BUCKETS: Final = 1024
PRIME: Final = (1 << 61) - 1


def bucket_of(key: bytes) -> int:
    """Return the bucket, 0 to BUCKETS-1, that this key falls into."""
    return crc32(key) & (BUCKETS - 1)


class Digest:
    """The running sums of one store.

    Attributes:
        sums: one number a bucket; two stores with equal sums hold the same versions of the same keys.
    """

    __slots__ = ("sums",)

    def __init__(self) -> None:
        self.sums = [0] * BUCKETS

    def replace(self, key: bytes, old: Version, new: Version) -> None:
        """Account for a key whose version changes; ZERO stands for a key that is not there."""
        check = crc32(key)
        bucket = check & (BUCKETS - 1)
        delta = (crc32(new) if new is not ZERO else 0) - (crc32(old) if old is not ZERO else 0)
        self.sums[bucket] = (self.sums[bucket] + (check | 1 << 32) * delta) % PRIME

    def without(self, part: Digest, first: int, end: int) -> list[int]:
        """Return the sums of these buckets over all that is not in `part`, the digest of some of the same."""
        pairs = zip(self.sums[first:end], part.sums[first:end], strict=True)
        return [(whole - less) % PRIME for whole, less in pairs]

    def differing(self, theirs: list[int]) -> frozenset[int]:
        """Return the buckets in which another store's `sums` are not ours."""
        return frozenset(i for i, (a, b) in enumerate(zip(self.sums, theirs, strict=True)) if a != b)
