"""The wiring: what clients see of a node. Beside the node's options it alone knows php/ here.

A node asks here for the three ends of its policy, at the moments of its making at which each is needed: what
follows from an entry's owner (the store asks that), what is made of what replication tells, and what clients
mean by their commands.
"""

from __future__ import annotations

from memrep.engine.engine import Engine
from memrep.events import Tell
from memrep.flow_control import FlowControl
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell
from memrep.node.stats import VERSION, StatsGroups
from memrep.php.lock_index import LockIndex
from memrep.php.lock_table import LockTable
from memrep.php.observer import PhpObserver
from memrep.php.policy import PhpPolicy
from memrep.protocol.client_policy import ClientPolicy
from memrep.protocol.dialect import ServerContext
from memrep.protocol.intake import Intake
from memrep.protocol.resp.server import Server
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
    log: Tell,
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


def make_context(
    options: NodeOptions,
    shell: Shell,
    reports: StatsGroups,
    flow: FlowControl,
    intake: Intake,
    redis: Server,
) -> ServerContext:
    """Make what connections see of a node.

    Args:
        options: of this node.
        shell: what drives it.
        reports: what `stats` tells.
        flow: how much is on its way.
        intake: what clients have sent half.
        redis: what Redis' clients see of it besides.
    """
    return ServerContext(
        version=VERSION.encode(),
        reports=reports.groups,
        reset=reports.reset,
        set_verbosity=shell.set_verbosity,
        shutdown=shell.shutdown,
        users=options.users,
        flush_all=options.flush_all,
        lists=options.lists,
        prefixes=reports.prefixes,
        spent=shell.process.spent,
        flow=flow,
        intake=intake,
        redis=redis,
    )
