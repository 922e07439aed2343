"""What must hold when the simulated cluster has healed."""

from __future__ import annotations

from functools import partial

from memrep.node.node import Node
from memrep.storage.namespaces import prefix
from tests.simulation.linearizability import Keeps, Meaning, Operation, Undecided, explain, only
from tests.simulation.redis_clients import ELSEWHERE
from tests.simulation.sameness import differences
from tests.simulation.semantics import family
from tests.simulation.world import World

#: How long the cluster has to heal at most, virtual ms.
HEAL_MS = 8_000.0


def check_healed(world: World) -> None:
    """Every node serves, nothing is in flight, and all hold the same."""
    nodes = {}
    for number, host in world.hosts.items():
        assert host.node is not None and host.node.open, f"node {number} does not serve after the faults"
        nodes[number] = host.node
    first = nodes[1]
    for number, node in nodes.items():
        assert not node.replica.rounds, f"node {number} still has writes in flight"
        purged = world.plan.tombstone < HEAL_MS
        different = differences(first.store, node.store, 1_000 + int(world.now), purged=purged)
        assert not different, f"nodes 1 and {number} differ: " + ", ".join(different[:3])
        assert purged or node.store.digest.sums == first.store.digest.sums, (
            f"the digest of node {number} is wrong"
        )
        for i in range(world.plan.records):
            assert b"record%d" % i in node.store.values, f"node {number} has lost record{i}"
    if world.plan.kind == "split":
        _check_majority_won(world, first)
        return
    _check_visits(world, first)
    for key in world.history:
        value = _found(first, key)
        text = f"finally every node holds {value!r}"
        world.history[key].append(Operation(world.now, world.now + 1, b"", partial(_holds, value), text))


def _check_majority_won(world: World, node: Node) -> None:
    """Nothing that a majority acknowledged has given way to what a minority did that had not heard of it."""
    for key, (gen, text) in world.accepted.items():
        entry = node.store.values.get(key)
        since = gen if entry is None else world.minority.get(family(entry.value or b""), gen)
        assert since >= gen, f"{key!r} is {entry} in the end, a minority's; but a majority acknowledged {text}"


def _check_visits(world: World, node: Node) -> None:
    """Every counted visit is in the session."""
    if not world.visitors:
        return
    entry = node.store.values.get(world.visitors[0].data)
    count = 0 if entry is None else int(entry.value or b"0")
    counted = sum(visitor.counted for visitor in world.visitors)
    most = counted + sum(visitor.uncertain for visitor in world.visitors)
    assert counted <= count <= most, (
        f"the session counts {count} visits, between {counted} and {most} were made"
    )


def _found(node: Node, key: bytes) -> bytes | None:
    """The value of a key, as it is called in histories."""
    stored = prefix(1) + key.removeprefix(ELSEWHERE) if key.startswith(ELSEWHERE) else key
    entry = node.store.values.get(stored)
    return None if entry is None or node.store.flushes.end(stored, entry.version) else entry.value


def _holds(value: bytes | None, reply: bytes | None) -> Meaning:
    return Keeps(only(value))


def check_histories(world: World) -> int:
    """Every key's history is linearizable; returns how many were too large to decide."""
    undecided = 0
    for key, history in world.history.items():
        try:
            wrong = explain(history, family=family)
        except Undecided:
            undecided += 1
            continue
        if wrong is not None:
            lines = "\n".join(op.text for op in sorted(history, key=lambda op: op.begin))
            raise AssertionError(
                f"the history of {key!r} is not linearizable at\n{wrong}\nThe history:\n{lines}"
            )
    return undecided
