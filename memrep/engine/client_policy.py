"""The commands that may mean more than they say, depending on who sends them: PHP's, or the plain ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from memrep.engine.future import Future
from memrep.engine.operations import Operation, Result
from memrep.storage.entry import Entry


class Commands(Protocol):
    """The commands that PHP's habits may bend.

    `missed` tells what a retrieval shows that has found nothing: nothing, as a rule.
    With `show` a success is told by the entry as it was stored, which knows its cas unique, and not by STORED
    or the new number. `quiet` tells that the client asked for no answer: so libmemcached marks its replicas'
    copies. `modify` and `store_if` are for all others.

    Where the outcome is LATER nothing has been done: what stands behind the command will tell what it means
    (connection.py).
    """

    def set(
        self, key: bytes, flags: int, exptime: int, value: bytes, *, show: bool = False, quiet: bool = False
    ) -> Result | Future: ...

    def add(
        self, key: bytes, flags: int, exptime: int, value: bytes, *, show: bool = False
    ) -> Result | Future: ...

    def incr(
        self, key: bytes, delta: int, initial: Entry | None = None, *, show: bool = False
    ) -> Result | Future: ...

    def touch(self, key: bytes, exptime: int, *, show: bool = False) -> Result | Future: ...

    def missed(self, key: bytes) -> Entry | None: ...

    def delete(self, key: bytes, *, quiet: bool = False) -> Result | Future: ...

    def decr(self, key: bytes, delta: int) -> Result | Future: ...

    def modify(
        self, key: bytes, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future: ...

    def store_if(
        self, key: bytes, length: int, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future: ...
