"""A policy for clients: no client may delete what another one has stored.

The seam is protocol/client_policy.py. A policy gives each client the commands that its dialect calls; what it
does not bend goes to the engine as it is. This one remembers which keys a client has stored itself.
"""

from __future__ import annotations

from collections.abc import Callable

from memrep.engine.counters import Counters
from memrep.engine.engine import Engine
from memrep.engine.eviction import MemoryLimit
from memrep.engine.future import Future
from memrep.engine.item_limit import ItemLimit
from memrep.engine.keyspace import Keyspace
from memrep.engine.operations import NOT_FOUND, Operation, Result
from memrep.engine.replicator import Alone
from memrep.protocol.client_policy import ClientCommands, ClientPolicy
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext
from memrep.protocol.negotiation import connect
from memrep.storage.entry import Entry
from memrep.storage.pending import PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import Clock


class OwnKeysOnly:
    """The commands of one client."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._own: set[bytes] = set()

    def set(
        self,
        key: bytes,
        flags: int,
        deadline: int,
        value: bytes,
        *,
        sent: int = 0,
        show: bool = False,
        quiet: bool = False,
    ) -> Result | Future:
        """Store it, and remember by whom."""
        self._own.add(key)
        return self._engine.set(key, flags, deadline, value, show=show)

    def delete(self, key: bytes, *, quiet: bool = False) -> Result | Future:
        """Delete what this client has stored; anything else is not there for it."""
        return self._engine.delete(key) if key in self._own else NOT_FOUND

    def add(
        self, key: bytes, flags: int, deadline: int, value: bytes, *, show: bool = False
    ) -> Result | Future:
        """As everybody's."""
        return self._engine.add(key, flags, deadline, value, show=show)

    def incr(
        self, key: bytes, delta: int, initial: Entry | None = None, *, show: bool = False
    ) -> Result | Future:
        """As everybody's."""
        return self._engine.incr(key, delta, initial, show=show)

    def decr(self, key: bytes, delta: int) -> Result | Future:
        """As everybody's."""
        return self._engine.decr(key, delta)

    def touch(self, key: bytes, deadline: int, *, show: bool = False) -> Result | Future:
        """As everybody's."""
        return self._engine.touch(key, deadline, show=show)

    def missed(self, key: bytes) -> Entry | None:
        """As everybody's."""
        return None

    def modify(
        self, key: bytes, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        """As everybody's."""
        return self._engine.modify(key, decide, count)

    def store_if(
        self, key: bytes, length: int, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        """As everybody's."""
        return self._engine.store_if(key, length, decide, count)


class Policy(ClientPolicy):
    """Each client has keys of its own."""

    def commands(self, connection: Connection) -> ClientCommands:
        """The commands of a client that has just come, over this connection."""
        return OwnKeysOnly(self.engine)


def engine_alone() -> Engine:
    """An engine that has never heard of peers."""
    clock = Clock(1, 1_000, 1_790_000_000_000)
    store = Store(16 << 20)
    keyspace, counters = Keyspace(store, PendingWrites(), Alone(store, clock), clock), Counters()
    return Engine(keyspace, counters, MemoryLimit(keyspace, counters), ItemLimit(1 << 20))


def main() -> None:
    """Two clients, one key."""
    policy = Policy(engine_alone())
    context = ServerContext(
        version=b"example", reports={}, reset=lambda: None, set_verbosity=lambda level: None, shutdown=None
    )
    ann, bob = (connect(policy, context, lambda connection: None) for _ in range(2))
    print("ann:", ann.receive(b"set basket 0 60 3\r\ntea\r\n").decode().strip())
    print("bob:", bob.receive(b"delete basket\r\n").decode().strip())
    print("ann:", ann.receive(b"delete basket\r\n").decode().strip())


if __name__ == "__main__":
    main()
