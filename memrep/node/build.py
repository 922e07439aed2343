"""The wiring: which policy for clients a node has. Beside the node's options it alone knows php/ here.

A node asks here for the three ends of its policy, at the moments of its making at which each is needed: what
follows from an entry's owner (the store asks that), what is made of what replication tells, and what clients
mean by their commands.
"""

from __future__ import annotations

from collections.abc import Callable

from memrep.engine.engine import Engine
from memrep.node.options import NodeOptions
from memrep.php.lock_index import LockIndex
from memrep.php.lock_table import LockTable
from memrep.php.observer import PhpObserver
from memrep.php.policy import PhpPolicy
from memrep.protocol.client_policy import ClientPolicy
from memrep.replication.membership.state import ReplicaState
from memrep.storage.store import Store
from memrep.storage.version import Clock


def make_store(options: NodeOptions, clock: Clock) -> tuple[Store, PhpObserver]:
    """Make the store of a node, and what hears of other nodes' writes and owners for its policy."""
    index = LockIndex()
    compared = len(options.nodes) > 1
    store = Store(options.memory, compared, index, options.tombstone_ms)
    return store, PhpObserver(store, index, clock)


def make_policy(
    options: NodeOptions,
    engine: Engine,
    observer: PhpObserver,
    state: ReplicaState,
    log: Callable[[str], None],
) -> ClientPolicy:
    """Make the policy that tells what clients of this node mean by their commands.

    Args:
        options: of this node.
        engine: its engine.
        observer: made with its store.
        state: which node this is.
        log: takes a line for the operator.
    """
    return PhpPolicy(LockTable(options.php_options, engine, observer, state, log))
