"""What all Redis clients of one node share: who may come in, what it tells of itself, the loaded scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, Protocol

import attrs

from memrep.protocol.claim import Claim, as_said
from memrep.protocol.farewell import Farewell
from memrep.protocol.resp.plan import Plan
from memrep.protocol.resp.scan_index import Index
from memrep.protocol.resp.subscriptions import Receiver, Subscriptions
from memrep.protocol.resp.topology import Topology
from memrep.protocol.users import Users
from memrep.storage.store import Store
from memrep.storage.version import Clock

#: What a script does; see scripts.py.
Script = Callable[..., Plan]

#: The Redis whose behaviour this is: clients compare it.
REDIS_VERSION: Final = b"7.0.15"

#: What HELLO and INFO say a node is.
STANDALONE: Final = b"standalone"
CLUSTER: Final = b"cluster"

#: phpredis 5 hangs where it finds the end of its connection before it looks for a reply
#: (daemon/lingering_close.py); nothing was seen to go wrong at 5 ms.
_HOLD_S: Final = 0.005

#: A Redis Cluster says this where it cannot serve: its clients ask again elsewhere. It is the one error that
#: phpredis does not take for "there is no such key".
_CLUSTER_DOWN: Final = b"-CLUSTERDOWN The cluster is down\r\n"

#: So many scripts that were loaded by texts of their own are remembered.
_SCRIPTS_MAX: Final = 1000


class Connected(Receiver, Protocol):
    """A client as the others see it; see client.py."""

    number: int
    user: bytes | None

    @property
    def kind(self) -> bytes: ...

    def described(self, command: bytes) -> bytes: ...

    def hang_up(self) -> None: ...


@attrs.define(eq=False, kw_only=True)
class Server:
    """One node, as its Redis clients see it.

    Attributes:
        clock: the time of the present turn.
        store: what it holds.
        users: who may come in; None if everybody may.
        stats: the general group of `stats`.
        reset_stats: `stats reset`.
        random_below: gives a number from 0 up to one less than this.
        flush_all: whether FLUSHALL and FLUSHDB are obeyed.
        lists_keys: whether KEYS, SCAN and RANDOMKEY are.
        topology: where the serving nodes are.
        claim: how a client stores only where there is nothing.
        run_id: 40 hexadecimal digits that no other start of any node has.
        port: where its Redis clients come to.
        mode: what HELLO and INFO say it is.
        loaded_scripts: scripts that have been loaded, by SHA1.
        indexes: those of scans that are under way, by database.
        subscriptions: who has subscribed to what.
    """

    clock: Clock
    store: Store
    users: Users | None = None
    stats: Callable[[], Iterable[tuple[str, object]]] = lambda: ()
    reset_stats: Callable[[], None] = lambda: None
    random_below: Callable[[int], int] = lambda limit: 0
    flush_all: bool = True
    lists_keys: bool = True
    topology: Topology = attrs.Factory(Topology)
    claim: Callable[[Any], Claim] = lambda connection: as_said
    run_id: bytes = b"0" * 40
    port: int = 0
    mode: bytes = STANDALONE
    redis_version: bytes = REDIS_VERSION
    loaded_scripts: dict[bytes, Script] = attrs.field(init=False, factory=dict)
    indexes: dict[int, Index] = attrs.field(init=False, factory=dict)
    subscriptions: Subscriptions = attrs.field(init=False, factory=Subscriptions)
    _clients: dict[Connected, None] = attrs.field(init=False, factory=dict)
    _numbers: int = attrs.field(init=False, default=0)

    @property
    def clients(self) -> Sequence[Connected]:
        """Return the clients that are connected, the oldest first."""
        return list(self._clients)

    @property
    def farewell(self) -> Farewell:
        """Return how this node hangs up on those of whom it knows no more."""
        return Farewell(_HOLD_S, _CLUSTER_DOWN if self.mode == CLUSTER else b"")

    def next_number(self) -> int:
        """Return a number that no client has had."""
        self._numbers += 1
        return self._numbers

    def came(self, client: Connected) -> None:
        """Take in a client that has come."""
        self._clients[client] = None

    def left(self, client: Connected) -> None:
        """Forget a client that is gone; what was kept for scans with the last."""
        self._clients.pop(client, None)
        self.subscriptions.drop(client)
        if not self._clients:
            self.indexes.clear()

    def tick(self) -> None:
        """Tell clients that listen for it when a node that they may take for the master is lost."""
        for switch in self.topology.switches():
            self.subscriptions.publish(b"+switch-master", switch)

    def keys(self) -> Iterator[bytes]:
        """Yield the stored names of all keys with a value; those that have one all the time come once."""
        return chain.from_iterable(self.store.values.walk())

    def load_script(self, sha: bytes, script: Script) -> None:
        """Remember a script by its SHA1."""
        if len(self.loaded_scripts) >= _SCRIPTS_MAX:
            del self.loaded_scripts[next(iter(self.loaded_scripts))]
        self.loaded_scripts[sha] = script

    def lets_in(self, user: bytes, password: bytes) -> bool:
        """Tell whether this is the user's password; the default user, which has no name, has that of any."""
        assert self.users is not None
        if user != b"default" or user in self.users.passwords:
            return self.users.admit(user, password)
        return self.users.admit_any(password)
