"""Breakages of what Redis' clients are promised; see rule_mutations.py, in whose table they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest import MonkeyPatch

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import Decision, Operation, Result, touched
from memrep.php.policy import PhpPolicy
from memrep.protocol.claim import as_said
from memrep.protocol.connection import Connection
from memrep.protocol.resp import keys, spelling, transactions
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.dialect import Resp
from memrep.protocol.resp.plan import Step
from memrep.storage.entry import Entry


def grants_without_agreement(patch: MonkeyPatch) -> None:
    """SET NX is decided by what this node has, and then stored whatever the others have."""

    def store_if(
        self: Engine, key: bytes, length: int, decide: Operation, count: Callable[[Result], None] | None = None
    ) -> Result | Future:
        if key in self.keyspace.writes.pending or not (
            key.endswith(b"_LOCK") or key in (b"job", b"cache:lock")
        ):
            return real(self, key, length, decide, count)
        decision = decide(self.keyspace.store.get(key, self.clock.now))
        if not isinstance(decision, tuple):
            return decision
        entry, result = decision
        if self.keyspace.replicator.commit(key, entry):
            return result
        future = Future(count, outcome=result)
        self.keyspace.replicator.propose(key, entry, None, future)
        return future

    real = Engine.store_if
    patch.setattr(Engine, "store_if", store_if)


def releases_without_comparing(patch: MonkeyPatch) -> None:
    """A release deletes what is there, whoever's it is."""

    def removing_if(self: Client, value: bytes, removed: bytes, refused: bytes) -> Operation:
        return lambda entry: refused if entry is None else (self.engine.tombstone(), removed)

    patch.setattr(Client, "removing_if", removing_if)


def leaves_locks_behind(patch: MonkeyPatch) -> None:
    """phpredis' locks are keys like any other."""
    patch.setattr(PhpPolicy, "claim", lambda self, connection: as_said)


def renews_what_it_saw_first(patch: MonkeyPatch) -> None:
    """EXPIRE that is tried again stores the value that it found at first."""

    def expiring(ends: int, now: int, *rest: Any) -> Operation:
        seen: list[Entry] = []

        def decide(entry: Entry | None) -> Decision:
            if entry is None:
                return spelling.ZERO
            seen.append(entry)
            return touched(seen[0], ends, now), spelling.ONE

        return decide

    patch.setattr(keys, "expiring", expiring)


def looks_at_watches_once(patch: MonkeyPatch) -> None:
    """What is watched is looked at when EXEC begins, and not in the moment of the change."""

    def together(self: transactions._Execution, key: bytes, steps: list[Step]) -> Step:
        self._watched.pop(key, None)
        return real(self, key, steps)

    real: Callable[..., Step] = transactions._Execution._together
    patch.setattr(transactions._Execution, "_together", together)


def does_a_queue_piecemeal(patch: MonkeyPatch) -> None:
    """Each command of a transaction is a change of its own."""
    patch.setattr(transactions, "NO_KEYS", ~0)


def answers_who_was_given_up(patch: MonkeyPatch) -> None:
    """What waited behind a reply is done, and told, though nobody knows that reply any more."""

    def abandon(self: Connection, unheard: bool = False) -> None:
        real(self, unheard)
        self._abandoned = False

    real = Connection.abandon
    patch.setattr(Connection, "abandon", abandon)
    patch.setattr(Resp, "left", lambda self: self._client.server.left(self._client))
