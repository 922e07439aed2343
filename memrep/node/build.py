"""The wiring: what clients see of a node. Beside the node's options it alone knows php/ and handlers/ here.

A node asks here for the three ends of its policy, at the moments of its making at which each is needed: what
follows from an entry's owner (the store asks that), what is made of what replication tells, and what clients
mean by their commands.
"""

from __future__ import annotations

from memrep.engine.counters import Counters
from memrep.engine.engine import Engine
from memrep.engine.eviction import MemoryLimit
from memrep.engine.fallback import Elsewhere, FallbackEngine
from memrep.engine.item_limit import ItemLimit
from memrep.engine.keyspace import Keyspace
from memrep.events import Tell
from memrep.flow_control import FlowControl
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell, Start
from memrep.node.stats import VERSION, StatsGroups
from memrep.php.lock_index import LockIndex
from memrep.php.lock_table import LockTable
from memrep.php.observer import PhpObserver
from memrep.php.policy import PhpPolicy
from memrep.protocol.client_policy import ClientPolicy
from memrep.protocol.dialect import ServerContext
from memrep.protocol.intake import Intake
from memrep.protocol.resp.server import Server
from memrep.replication.handshake import Identity
from memrep.replication.membership.state import ReplicaState
from memrep.storage.store import Store
from memrep.storage.version import Clock


def make_store(options: NodeOptions, clock: Clock) -> tuple[Store, PhpObserver]:
    """Make the store of a node, and what hears of other nodes' writes and owners for its policy."""
    index = LockIndex()
    compared = len(options.nodes) > 1
    store = Store(options.memory, compared, index, options.tombstone_ms)
    return store, PhpObserver(store, index, clock)


def make_state(options: NodeOptions, start: Start) -> ReplicaState:
    """Make what a node knows of where it stands, at this start."""
    former = start.snapshot.promised if start.snapshot is not None else 0
    return ReplicaState(options.me, start.inc, len(options.nodes), strict=options.strict, former=former)


def make_identity(options: NodeOptions, start: Start) -> Identity:
    """Make what a node says of itself to greet the others."""
    return Identity(
        me=options.me, inc=start.inc, nodes=options.nodes, terms=options.terms, secrets=options.secrets
    )


def make_engine(
    options: NodeOptions, shell: Shell, keyspace: Keyspace, counters: Counters, limit: MemoryLimit
) -> Engine:
    """Make the engine of a node; only one that has an old store looks anywhere else."""
    item_limit = ItemLimit(options.item_max)
    if options.old_store is None:
        return Engine(keyspace, counters, limit, item_limit)
    return FallbackEngine(keyspace, counters, limit, item_limit, elsewhere(options), shell.look_up)


def elsewhere(options: NodeOptions) -> Elsewhere | None:
    """Return where else sessions may be, as the engine is told of it; None if nowhere."""
    old = options.old_store
    if old is None:
        return None
    return Elsewhere(
        may_hold=lambda key: old.name(key) is not None,
        patience_ms=round(old.within_s * 1000),
        lifetime_ms=round(old.lifetime_s * 1000),
    )


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
