"""Whether two nodes hold the same: what is stored is compared, not what a read shows at this very ms.

A value's time left travels, so the same entry ends some ms earlier on one node than on another, and a tombstone
is purged as much earlier. At any one moment a read may therefore miss on one node what another one still shows,
and neither is wrong. What must not differ are the versions, the values under them, and, but for what a message
may be under way, the ends: a version has one end (21 of the rules in docs/replication.md).
"""

from __future__ import annotations

from typing import Final

from memrep.storage.entry import Entry
from memrep.storage.store import Store

#: What messages may be under way, or lie in the kernel of a node that is stopped, ms: their values live for so
#: much longer there. No stop in the simulator is longer.
SLACK_MS: Final = 5_000


def differences(one: Store, other: Store, now: int, *, purged: bool) -> list[str]:
    """What these nodes hold differently, a line for each key.

    Args:
        one: a node's entries.
        other: another one's.
        now: their monotonic clock, ms.
        purged: whether tombstones may be purged by now, which nodes do at different moments.
    """
    keys = sorted({key for store in (one, other) for piece in store.walk() for key in piece})
    return [
        f"{key!r}: {one.peek(key)} against {other.peek(key)}"
        for key in keys
        if not _is_same(key, one, other, now, purged=purged)
    ]


def _is_same(key: bytes, one: Store, other: Store, now: int, *, purged: bool) -> bool:
    mine, theirs = one.peek(key), other.peek(key)
    if mine is None:
        return theirs is None or (purged and _is_purged(one, other, key, theirs, now))
    if theirs is None:
        return purged and _is_purged(other, one, key, mine, now)
    if mine.version != theirs.version:
        return False
    if (mine.value is None) == (theirs.value is None):  # who finds that a value has run out sets another end
        return mine.value == theirs.value and (
            mine.value is None or abs(mine.expires - theirs.expires) <= SLACK_MS
        )
    return one.is_miss(key, now + SLACK_MS) and other.is_miss(key, now + SLACK_MS)


def _is_purged(store: Store, other: Store, key: bytes, entry: Entry, now: int) -> bool:
    """Whether a node without a trace of this entry knows that it has had it, and its end has come elsewhere."""
    return store.horizon >= entry.version and other.is_miss(key, now + SLACK_MS)
