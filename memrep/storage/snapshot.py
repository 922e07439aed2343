"""A snapshot: what a node that starts has brought back of an earlier life of its own, and how old that is.

It is a store of its own beside the node's, for nobody knows yet what it is worth. Where others hold everything
it is only a hint of what need not be fetched; where nobody does, it is all that is left
(replication/recovery.py decides). Its entries have times of this process's clock. To make it the node's own
takes no time, however much it is.
"""

from __future__ import annotations

import attrs

from memrep.storage.store import Store


@attrs.frozen(kw_only=True, eq=False)
class Snapshot:
    """What was saved of a node.

    Attributes:
        store: the entries.
        gen: the generation of the view in which that node served when this was all that it held,
        view: and that view's name.
        at: the reading of its hybrid clock then.
        clock: a reading that is above everything in here; `at`, or later, for some of it may be newer.
        promised: the highest view that node knew anybody to have promised.
        saved: when that was, ms of this process's monotonic clock; before its start, so mostly negative.
        exact: whether that is beyond doubt: the machine has not started anew since.
    """

    store: Store
    gen: int
    view: int
    at: int
    clock: int
    promised: int
    saved: int
    exact: bool


def adopt(store: Store, other: Store, now: int) -> None:
    """Let a store hold what another one holds, and of keys that both have the newer version.

    Args:
        store: mostly an empty one; what it holds is put in one by one.
        other: not to be used any more.
        now: own monotonic ms.
    """
    own, horizon = store.pieces(), store.horizon
    store.values.take_over(other.values)
    store.tombstones.take_over(other.tombstones)
    store.digest, store.dead = other.digest, other.dead
    store.flushes, store.census = other.flushes, other.census
    store.used = other.used
    store.horizon = max(horizon, other.horizon)
    for key in other.owned.keys:
        store.owned.placed(key, store.values[key])
    for keys, entries in own:
        for key, entry in zip(keys, entries, strict=True):
            store.put(key, entry, now)
