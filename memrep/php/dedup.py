"""Copies: is this write of a session one that the cluster has already accepted through another node?

Problem: with `memcache.session_redundancy` PHP sends every write of a session to several nodes, and each of
them replicates. A copy that is late arrives when another request has already written something newer, and would
undo it.

Rule: a write is its lock's holder's. The grant of the lock, which all nodes know by its cas unique, names the
holder's tenure. Whoever accepts a write sends round with it a mark made of everything that the client sent, its
tenure, and a number: the k-th write of that mark in that tenure. Each of them comes to each node once. So who
has heard of the k-th, and gets such a write from its clients for the k-th time, has got a copy. The same
content in a newer tenure is another write, known by its own tenure, and executed where its holder sends it.

What has to be seen beside that before a write is taken for a copy is for memrep/php to judge; here is only
remembered what was written.

Copies that are on their way at the same time need no rule: whoever has acknowledged the first knows of it, and
what was sent before is ordered before every lock that is granted afterwards (docs/replication.md).
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

import attrs

from memrep.storage.entry import RequestId
from memrep.storage.version import Clock

#: The mark of a delete, which has no content.
DELETE_MARK: Final = 1

#: Nobody's copy is later than this; PHP gives up long before.
_WINDOW_MS: Final = 60_000

#: The same for deletes, which all look alike.
_DELETE_WINDOW_MS: Final = 2_000

#: Of one content so many tenures are remembered.
_TENURES_MAX: Final = 16

_COUNT_MAX: Final = 65_536


def fingerprint_of(flags: int, sent: int, value: bytes) -> int:
    """Return the mark of a `set` as the client sent it."""
    digest = blake2b(value, digest_size=7, salt=b"%d" % flags, person=b"%d" % sent)
    return int.from_bytes(digest.digest(), "big") << 1


@attrs.define(eq=False)
class _Seen:
    """Writes of one mark in one tenure.

    Attributes:
        tenure: the cas unique of the lock's grant.
        known: how many the cluster has accepted.
        here: how many of them have come to this node.
        at: when this was looked at last, own monotonic ms.
    """

    tenure: int
    known: int = 0
    here: int = 0
    at: int = 0


class DuplicateWrites:
    """What one node knows of the last minute's session writes.

    Args:
        clock: the time.

    Attributes:
        copies: how many were recognised here.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.copies = 0
        self._seen: OrderedDict[tuple[bytes, int], list[_Seen]] = OrderedDict()
        self._latest: OrderedDict[bytes, int] = (
            OrderedDict()
        )  # keys, and the tenure in which each was written last

    def tenure_of(self, key: bytes, fingerprint: int, only: int = 0) -> int:
        """Return the tenure whose copy this would be, if it came to this node now; 0 if it would be none.

        Args:
            key: the session's key.
            fingerprint: see `fingerprint_of`.
            only: the one tenure that comes into question; 0 if any does.
        """
        for seen in self._fresh(key, fingerprint):
            if seen.here < seen.known and (not only or seen.tenure == only):
                return seen.tenure
        return 0

    def is_written(self, key: bytes, tenure: int) -> bool:
        """Tell whether this session has been written in this tenure, as far as this node knows."""
        return self._latest.get(key, 0) >= tenure

    def came(self, key: bytes, fingerprint: int, tenure: int) -> None:
        """Note that the copy that belongs to this tenure has come to this node."""
        self._look_up(key, fingerprint, tenure).here += 1
        self.copies += 1

    def accepted(self, key: bytes, fingerprint: int, tenure: int, *, original: bool = False) -> RequestId:
        """Note that this node executes such a write of that tenure; return what is to be sent round with it.

        Args:
            key: the session's key.
            fingerprint: see `fingerprint_of`.
            tenure: the cas unique of the lock's present grant.
            original: whether it is known not to be a copy, though one may be due.
        """
        seen = self._look_up(key, fingerprint, tenure)
        seen.here = seen.known + 1 if original else seen.here + 1
        seen.known = max(seen.known, seen.here)
        self._note(key, tenure)
        return fingerprint, seen.known, tenure

    def heard(self, key: bytes, request_id: RequestId) -> None:
        """Note that another node has accepted this write."""
        fingerprint, number, tenure = request_id
        self._note(key, tenure)
        seen = self._look_up(key, fingerprint, tenure)
        if number > seen.known:
            seen.here += number - 1 - seen.known  # what was before this node was there will not come to it
            seen.known = number

    def clear(self) -> None:
        """Forget all writes: this node has lost touch with the others, and no copies are on their way to it."""
        self._seen.clear()
        self._latest.clear()

    def _note(self, key: bytes, tenure: int) -> None:
        self._latest[key] = max(tenure, self._latest.pop(key, 0))
        if len(self._latest) > _COUNT_MAX:
            self._latest.popitem(last=False)

    def _fresh(self, key: bytes, fingerprint: int) -> list[_Seen]:
        """Return the tenures of this mark that are still remembered, oldest first."""
        found = self._seen.get((key, fingerprint))
        if found is None:
            return []
        window = _DELETE_WINDOW_MS if fingerprint == DELETE_MARK else _WINDOW_MS
        found[:] = [seen for seen in found if self._clock.now - seen.at <= window][-_TENURES_MAX:]
        return found

    def _look_up(self, key: bytes, fingerprint: int, tenure: int) -> _Seen:
        found = self._fresh(key, fingerprint)
        seen = next((one for one in found if one.tenure == tenure), None)
        if seen is None:
            seen = _Seen(tenure)
            found.append(seen)
        seen.at = self._clock.now
        self._seen[key, fingerprint] = found
        self._seen.move_to_end((key, fingerprint))
        oldest = next(iter(self._seen))
        latest = max((one.at for one in self._seen[oldest]), default=0)
        if len(self._seen) > _COUNT_MAX or self._clock.now - latest > _WINDOW_MS:
            del self._seen[oldest]
        return seen
