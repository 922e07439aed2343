"""What an operator asks of PHP's locks at the admin socket.

    /locks      the locks that have been held longest, as JSON (status/lock_facts.py); ?keys=1 tells sessions'
                keys, and no hashes of them

There are as many locks as PHP works on requests, and as many more as it has released within their timeout. So
they are looked through in slices, and a bounded number is told.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from memrep.daemon.http_exchange import Answer, Request, SlowHandle
from memrep.daemon.key_names import named
from memrep.daemon.slices import in_slices
from memrep.node.node import Node
from memrep.php.held_locks import HeldLock
from memrep.php.policy import PhpPolicy
from memrep.protocol.connection import Connection
from memrep.status.lock_facts import LocksStatus, LockStatus

#: Locks that are told.
TOLD_MAX: Final = 1_000


class _Longest:
    """The locks that have been held longest, of all that are looked at."""

    def __init__(self) -> None:
        self.total = 0
        self.waiting = 0
        self._heap: list[tuple[int, int, HeldLock]] = []

    def take(self, locks: Iterator[HeldLock | None]) -> Iterator[None]:
        """Look at these, one a step."""
        for lock in locks:
            if lock is not None:
                self.total += 1
                self.waiting += lock.waiting
                item = lock.age_ms, self.total, lock
                if len(self._heap) < TOLD_MAX:
                    heapq.heappush(self._heap, item)
                else:
                    heapq.heappushpop(self._heap, item)
            yield

    def locks(self) -> list[HeldLock]:
        """Return them, the one that has been held longest first."""
        return [lock for _, _, lock in sorted(self._heap, key=lambda item: -item[0])]


class LockDesk:
    """Answers an operator who looks for locks.

    Args:
        node: this node.
        address_of: tells where the client of a connection is.

    Attributes:
        pages: who answers what is read.
        acts: who answers what changes anything.
    """

    def __init__(self, node: Node, address_of: Callable[[Connection | None], str]) -> None:
        self._node = node
        self._address_of = address_of
        self.pages: dict[str, SlowHandle] = {"/locks": self._tell}
        self.acts: dict[str, SlowHandle] = {}

    async def _tell(self, request: Request) -> Answer:
        found = _Longest()
        policy = self._node.policy
        if isinstance(policy, PhpPolicy):
            await in_slices(found.take(policy.held_locks()))
        openly = request.parameters.get("keys") == b"1"
        options = self._node.options
        told = LocksStatus(
            node=options.nodes[options.me - 1],
            total=found.total,
            waiting=found.waiting,
            locks=[self._told(lock, openly) for lock in found.locks()],
            keys=openly,
        )
        return Answer(200, "application/json", msgspec.json.encode(told))

    def _told(self, lock: HeldLock, openly: bool) -> LockStatus:
        return LockStatus(
            session=named(lock.session, openly=openly),
            node=self._node.options.nodes[lock.node - 1] if lock.node else "",
            holder=self._address_of(lock.connection),
            age_s=lock.age_ms / 1000,
            left_s=None if lock.left_ms is None else lock.left_ms / 1000,
            waiting=lock.waiting,
            in_doubt=lock.in_doubt,
            maybe=lock.maybe,
        )
