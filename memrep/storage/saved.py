"""What is saved of a node, in the form in which it is kept; and how a snapshot is made of it again.

Times. An entry ends by the monotonic clock, which begins anew with each boot, and wall clocks are set. So what
is saved has a time of its own: it is the wall clock's when the first of it is saved, and goes on evenly from
there, as the monotonic clock does. After a restart it goes on by the monotonic clock if the machine has not
been started anew, and that is exact. After a boot nothing but the wall clock can tell how long that took.

That time runs on for values: what ran out while the power was off has run out. It stands still for tombstones:
who keeps them longer can only be surer of what was deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from memrep.storage.entry import NEVER, Entry
from memrep.storage.owned_keys import OwnedKeys
from memrep.storage.owner import Owner
from memrep.storage.snapshot import Snapshot
from memrep.storage.store import Store
from memrep.storage.version import ZERO, Version

#: The time of what never ends, and the span of what nobody owns.
_NONE: Final = -1

#: A wall clock that is so far from the monotonic one as before, but for this, ms, was not set, and is of the
#: same boot.
_SAME_BOOT: Final = 1_000


class SavedEntry(msgspec.Struct, gc=False, array_like=True):
    """An entry, or that there is none any more.

    Attributes:
        key: the key.
        version: see `entry.Entry`; empty if the key is gone without a trace.
        value: None for a tombstone.
        flags: the client's bits.
        expires: when it ends, by the time of what is saved, ms; -1 if it never does.
        cas: see `entry.Entry`.
        marks: see there.
        span: of its owner; -1 for none. Whose it is is not saved: that client is gone.
        maybe: of its owner.
    """

    key: bytes
    version: bytes = b""
    value: bytes | None = None
    flags: int = 0
    expires: int = _NONE
    cas: int = 0
    marks: int = 0
    span: int = _NONE
    maybe: bool = False


class SavedFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the entries.

    Attributes:
        gen: the generation of the view in which the node served when what is saved was all that it held,
        view: and that view's name.
        at: its hybrid clock's reading then; 0 if that was never so.
        whole: that moment, by the time of what is saved, ms.
        clock: a later reading, which is above everything that is saved.
        promised: the highest view it had voted for.
        horizon: the highest version it had purged.
        time: when this was saved, by the time of what is saved, ms;
        mono: by the monotonic clock of then, ms;
        wall: and by the wall clock, ms since 1970.
        in_order: whether that was the last thing it did before it stopped as it was told to.
        node: its name.
    """

    gen: int = 0
    view: int = 0
    at: int = 0
    whole: int = 0
    clock: int = 0
    promised: int = 0
    horizon: bytes = bytes(ZERO)
    time: int = 0
    mono: int = 0
    wall: int = 0
    in_order: bool = False
    node: str = ""


def saved(key: bytes, entry: Entry | None, offset: int) -> SavedEntry:
    """Return what is to be saved of a key.

    Args:
        key: the key.
        entry: what it has; None if it has nothing.
        offset: how far the time of what is saved is ahead of the monotonic clock, ms.
    """
    if entry is None:
        return SavedEntry(key)
    expires = _NONE if entry.expires >= NEVER else entry.expires + offset
    owner = entry.owner
    if owner is None:
        return SavedEntry(key, entry.version, entry.value, entry.flags, expires, entry.cas, entry.marks)
    return SavedEntry(
        key,
        entry.version,
        entry.value,
        entry.flags,
        expires,
        entry.cas,
        entry.marks,
        owner.span,
        owner.maybe,
    )


def is_exact(facts: SavedFacts, now: int, wall: int) -> bool:
    """Tell whether the machine was not started anew, and its wall clock not set, since this was saved."""
    return now >= facts.mono and abs((wall - now) - (facts.wall - facts.mono)) <= _SAME_BOOT


def offset_of(facts: SavedFacts, now: int, wall: int) -> int:
    """Return how far the time of what is saved is ahead of the monotonic clock, ms.

    Args:
        facts: what is saved; without a time for a new beginning.
        now: the monotonic clock, ms.
        wall: the wall clock, ms since 1970.
    """
    if not facts.time:
        return wall - now
    elapsed = now - facts.mono if is_exact(facts, now, wall) else max(0, wall - facts.wall)
    return facts.time + elapsed - now


def restore(
    entries: Iterable[SavedEntry], facts: SavedFacts, store: Store, now: int, wall: int
) -> tuple[Snapshot, set[bytes]]:
    """Make a snapshot of what was saved.

    Args:
        entries: one for each key.
        facts: what is known beside them.
        store: an empty one, which takes them.
        now: the monotonic clock, ms.
        wall: the wall clock, ms since 1970.

    Returns:
        The snapshot, and the keys of which something else is to be saved, for they have ended meanwhile.
    """
    offset = offset_of(facts, now, wall)
    frozen = facts.time - now
    ended = set()
    store.joining = True  # tombstones of evictions are kept, too
    for one in entries:
        if not one.version:
            continue
        owner = None if one.span == _NONE else Owner(0, one.span, one.maybe)
        if one.value is None:
            expires = max(now, one.expires - frozen)
        elif one.expires == _NONE:
            expires = NEVER
        else:
            expires = one.expires - offset
            if expires <= now:
                ended.add(one.key)
        entry = Entry(Version(one.version), one.value, one.flags, expires, one.cas, owner, one.marks)
        store.put(one.key, entry, now)
    store.horizon = max(store.horizon, Version(facts.horizon))
    snapshot = Snapshot(
        store=store,
        gen=facts.gen,
        view=facts.view,
        at=facts.at,
        clock=facts.clock,
        promised=facts.promised,
        saved=facts.whole - offset,
        exact=is_exact(facts, now, wall),
    )
    return snapshot, ended


def empty_store(limit: int, tombstone_ms: int, *, compared: bool) -> Store:
    """Return a store for a snapshot of a node with this memory (bytes), tombstones' life (ms), and peers."""
    return Store(limit, compared, OwnedKeys(), tombstone_ms)
