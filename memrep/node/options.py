"""What a node has to be told; the operator's many options end up here, checked and in the node's units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from memrep.addresses import Address
from memrep.handlers.old_store import OldStore
from memrep.node.slow_commands import SLOW_MS
from memrep.php.options import PhpOptions
from memrep.protocol.users import Users
from memrep.replication.membership.timing import Timing
from memrep.storage.store import TOMBSTONE_MS

#: A node without peers need not know quite so soon that it was stopped: nobody has gone on without it.
_FENCE_ALONE_MS: Final = 350


@attrs.frozen(kw_only=True)
class NodeOptions:
    """What a node has to be told.

    Attributes:
        nodes: the addresses of all nodes, in the same order on every node.
        me: this node's place in that list, from 1.
        memory: the memory limit for entries, bytes.
        item_max: the largest item, bytes.
        tombstone_ms: how long a deleted key's version is remembered, ms.
        timing: the constants of membership.
        php_options: which of PHP's habits are provided for.
        users: who may come in; None if everybody may.
        secrets: what nodes prove to each other that they know: the first is proved, any is taken; empty if
            nothing has to be proved.
        flush_all: whether any client may end everything at once.
        lists: whether a client that wants a list of keys gets an empty one, and no refusal.
        redis_port: where clients of Redis' protocol come in; 0 if they do not.
        redis_lists: whether they may list keys.
        redis_address: where they are told to find this node; None for its own host and that port.
        redis_masters: names under which the nodes are known to them as a sentinel's master.
        redis_cluster: whether the nodes are a cluster to them.
        slow_ms: which commands are slow: those that have waited for so long, ms.
        strict: whether a node without a majority in reach serves nobody (`--partition majority`).
        old_store: where sessions are looked for that are not here; None if nowhere.
    """

    nodes: list[str] = attrs.Factory(lambda: ["127.0.0.1:11211"])
    me: int = 1
    memory: int = 64 << 20
    item_max: int = 1 << 20
    tombstone_ms: int = TOMBSTONE_MS
    timing: Timing = attrs.Factory(Timing)
    secrets: tuple[bytes, ...] = attrs.field(default=(), repr=False)
    slow_ms: int = SLOW_MS
    strict: bool = False
    redis_port: int = 0
    redis_lists: bool = True
    redis_address: Address | None = None
    redis_masters: Sequence[bytes] = (b"mymaster",)
    redis_cluster: bool = False
    php_options: PhpOptions = attrs.Factory(PhpOptions)
    users: Users | None = None
    flush_all: bool = True
    lists: bool = True
    old_store: OldStore | None = None

    @property
    def alone(self) -> bool:
        """Tell whether this node has no peers."""
        return len(self.nodes) == 1

    @property
    def fence(self) -> int:
        """Return for how long (ms) this process may be stopped without any consequence."""
        return max(self.timing.fence, _FENCE_ALONE_MS) if self.alone else self.timing.fence

    @property
    def terms(self) -> str:
        """Return what all nodes must agree on beside the list of nodes, in words."""
        partition = "majority" if self.strict else "available"
        return f"--partition {partition} --failure-timeout {self.timing.silence / 1000:g}"
