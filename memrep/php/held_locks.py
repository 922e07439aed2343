"""The locks that are held, as an operator is told of them: whose session, since when, by whom.

Every node knows every lock, for each is an entry; which client holds it only the client's own node knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from memrep.php.lock_holder import LockHolder
from memrep.php.lock_names import REDIS_SUFFIX, is_free, may_name
from memrep.php.lock_table import LockTable
from memrep.protocol.connection import Connection
from memrep.storage.entry import NEVER
from memrep.storage.version import milliseconds


@attrs.frozen(kw_only=True)
class HeldLock:
    """A lock that is held.

    Attributes:
        session: the session that it is for.
        node: the number of the node that has granted it; 0 if that has lost its clients since.
        connection: its holder's; None if that is another node's client, or nobody knows.
        age_ms: for how long it has been as it is.
        left_ms: how long it lives unless it is released; None if for ever.
        waiting: how many clients of this node ask for it again and again.
        in_doubt: whether perhaps nobody holds it, and it ends soon.
        maybe: whether it may be something else, under a prefix that nobody has declared.
    """

    session: bytes
    node: int
    connection: Connection | None
    age_ms: int
    left_ms: int | None
    waiting: int
    in_doubt: bool
    maybe: bool


def held_locks(table: LockTable, clients: Mapping[Connection, LockHolder]) -> Iterator[HeldLock | None]:
    """Yield what there is to say of each key that may be a lock; None of one that is not held.

    Between two of them anything may happen.

    Args:
        table: what this node knows of locks.
        clients: those of this node, by their connections.
    """
    waiting = table.waiters.counts()
    connections = {holder: connection for connection, holder in clients.items()}
    for key in tuple(table.store.owned.keys):
        entry = table.store.values.get(key)
        now = table.clock.now
        if entry is None or entry.owner is None or is_free(entry.value) or table.store.is_miss(key, now):
            yield None
            continue
        owner, unique = table.owners.get(key, (None, 0))
        yield HeldLock(
            session=_session_of(table, key, maybe=entry.owner.maybe),
            node=entry.owner.node,
            connection=connections.get(owner) if owner is not None and unique == entry.cas_unique else None,
            age_ms=max(0, table.clock.hybrid - milliseconds(entry.version)),
            left_ms=None if entry.expires >= NEVER else entry.expires - now,
            waiting=waiting.get(key, 0),
            in_doubt=table.is_in_doubt(key, entry),
            maybe=entry.owner.maybe,
        )


def _session_of(table: LockTable, lock: bytes, *, maybe: bool) -> bytes:
    if maybe:
        return may_name(lock)
    if lock.endswith(REDIS_SUFFIX):
        return lock.removesuffix(REDIS_SUFFIX)
    return table.php_options.session_of(lock)
