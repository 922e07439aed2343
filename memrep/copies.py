"""Copies: is this write one that the cluster has already accepted through another node?

Problem: with `memcache.session_redundancy` PHP sends every write of a session to several nodes, and each of
them replicates. A copy that is late arrives when another request has already written something newer, and would
undo it.

Rule: a logical write is known by its key, by a mark made of everything that the client sent, and by a number:
the k-th such write that arrives at one node is the k-th that arrives at any. The node that accepts one sends
mark and number round with it. Who has heard of the k-th takes the k-th that arrives by its own door for the
copy it is.

Copies that are on their way at the same time need no rule: whoever has acknowledged the first knows of it, and
what was sent before is ordered before every lock that is granted afterwards (docs/replication.md).
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

import attrs

from memrep.version import Clock, Version, cas_unique, latest_unique

#: A mark and a number, as they travel with a write.
Copy = tuple[int, int]

#: The mark of a delete, which has no content.
DELETE_MARK: Final = 1

#: Nobody's copy is later than this; PHP gives up long before.
_WINDOW_MS: Final = 60_000

#: The same for deletes. They are all alike, so that a real one must not be taken for a copy of another.
_DELETE_WINDOW_MS: Final = 2_000

#: A first write this long after the last one begins a new count, whether or not the old one has been forgotten.
_PAUSE_MS: Final = _WINDOW_MS // 2

_COUNT_MAX: Final = 65_536


def mark_of(flags: int, exptime: int, value: bytes) -> int:
    """The mark of a `set` as the client sent it."""
    digest = blake2b(value, digest_size=7, salt=b"%d" % flags, person=b"%d" % exptime)
    return int.from_bytes(digest.digest(), "big") << 1


@attrs.frozen
class Arrival:
    """A session's write has come to this node.

    Attributes:
        known: whether it is a copy of what the cluster has.
        copy: what to send round with it, if anything.
        stamp: when the cluster accepted it, on the hybrid clock, as a cas unique tells it.
    """

    known: bool
    copy: Copy | None
    stamp: int


@attrs.define(eq=False)
class _Seen:
    """How many writes of one mark the cluster has accepted, and how many of them have come to this node.

    Attributes:
        known: the former.
        here: the latter.
        at: when this was looked at last, own monotonic ms.
        stamp: when the last one was accepted, as in `Arrival`.
    """

    known: int = 0
    here: int = 0
    at: int = 0
    stamp: int = 0


class Copies:
    """What one node knows of the last minute's session writes.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[tuple[bytes, int], _Seen] = OrderedDict()

    def arrived(self, key: bytes, mark: int, original: bool, counts: bool = True) -> Arrival:
        """A client has sent this write to this node.

        Args:
            key: the session's key.
            mark: see `mark_of`.
            original: whether it is known not to be a copy: its sender holds the session's lock right here.
            counts: whether there may be copies of it. Who writes a session that nobody has locked is no PHP
                that sends copies, and what it writes makes nobody else's write a copy.
        """
        seen = self._look_up(key, mark)
        seen.at = self._clock.now
        seen.here += 1
        if original:
            seen.here = seen.known + 1
        if seen.here <= seen.known:
            return Arrival(True, None, seen.stamp)
        stamp = latest_unique(self._clock)
        if not counts:
            seen.here = seen.known
            return Arrival(False, None, stamp)
        seen.known = seen.here
        seen.stamp = stamp
        return Arrival(False, (mark, seen.known), stamp)

    def heard(self, key: bytes, copy: Copy, version: Version) -> None:
        """Another node has accepted this write, under this version."""
        mark, number = copy
        seen = self._look_up(key, mark)
        if number == 1 and self._clock.now - seen.at > _PAUSE_MS:
            seen.known = seen.here = 0
        seen.at = self._clock.now
        seen.stamp = max(seen.stamp, cas_unique(version))
        if number > seen.known:
            seen.here += number - 1 - seen.known  # what was before this node was there will not come to it
            seen.known = number

    def clear(self) -> None:
        """This node has lost touch with the others; nobody's copies are on their way to it."""
        self._seen.clear()

    def _look_up(self, key: bytes, mark: int) -> _Seen:
        now = self._clock.now
        seen = self._seen.pop((key, mark), None)
        window = _DELETE_WINDOW_MS if mark == DELETE_MARK else _WINDOW_MS
        if seen is None or now - seen.at > window:
            seen = _Seen(at=now)
        self._seen[key, mark] = seen
        oldest = next(iter(self._seen))
        if len(self._seen) > _COUNT_MAX or now - self._seen[oldest].at > _WINDOW_MS:
            del self._seen[oldest]
        return seen
