"""Writes in flight: keys that have a pending entry beside their committed one, and who waits for them.

Two slots a key, not one. The committed entry stays in the store while a newer one is on its way round the
cluster, so that an aborted write leaves the old value behind, and a node that has to discard what is pending
loses nothing that was ever acknowledged. This is the "invalid" state of Hermes (Katsarakis et al., ASPLOS
2020): a key is either clean, and then any node may answer for it, or pending, and then a reader waits.

Waiters are plain callables. They are not run the moment a key becomes clean but collected in `woken`: the
owner of the turn runs them when the node may serve, which it may not in the middle of a view change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import attrs

from memrep.flow_control import FlowControl
from memrep.storage.entry import Entry, RequestId
from memrep.storage.version import Version


class Attempt(Protocol):
    """One try to write, as seen by whoever carries it round the cluster. Exactly one method is called, once."""

    def committed(self) -> None:
        """Answer the client: every member holds the write."""

    def aborted(self) -> None:
        """Compute it again when the key is clean: another write won, and nothing was changed."""


@attrs.define(eq=False)
class Pending:
    """The newest write of a key that is not known to be held by every member.

    Attributes:
        entry: the value and version that the key will have.
        base: the version that a read-modify-write was computed from; None for a write that needs none.
        attempt: whom to tell, if this node is the write's coordinator.
        request_id: by what copies of this write are known, if there may be any.
        dead: whether it was a miss that a read-modify-write was computed from.
    """

    entry: Entry
    base: Version | None
    attempt: Attempt | None
    request_id: RequestId | None = None
    dead: bool = False


class PendingWrites:
    """The pending entries of one node.

    Args:
        flow: counts them.

    Attributes:
        flow: how much of it there is.
        pending: by key. Empty most of the time: "is this key clean" is one look into a small dict.
        woken: waiters whose key has become clean, in the order in which they came.
    """

    __slots__ = ("_waiters", "flow", "pending", "woken")

    def __init__(self, flow: FlowControl | None = None) -> None:
        self.flow = flow or FlowControl()
        self.pending: dict[bytes, Pending] = {}
        self.woken: deque[Callable[[], object]] = deque()
        self._waiters: dict[bytes, list[Callable[[], object]]] = {}

    def wait(self, key: bytes, waiter: Callable[[], object]) -> None:
        """Call `waiter` in some later turn, after `key` is clean; at once in the next if it is clean now."""
        if key in self.pending:
            self._waiters.setdefault(key, []).append(waiter)
        else:
            self.woken.append(waiter)

    def clear(self, key: bytes) -> None:
        """Drop the key's pending entry, committed or not, and wake what waited for it."""
        self.pending.pop(key, None)
        if self._waiters and key in self._waiters:
            self.woken.extend(self._waiters.pop(key))

    def clear_all(self) -> None:
        """Drop the pending entry of every key, and wake what waited for them."""
        self.pending.clear()
        for waiters in self._waiters.values():
            self.woken.extend(waiters)
        self._waiters.clear()
