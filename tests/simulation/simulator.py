"""The simulator: whole nodes under a clock and a network that obey one seed.

The same `Node` that the daemon runs is driven here in virtual time. Everything that is left to chance (delays,
faults, what clients do, when a dialler tries again) is drawn from one seeded generator, so a seed replays to
the byte. Clients speak one protocol or another (tests/simulation/codecs.py), change nodes as PHP does when a
port refuses, and write down when they sent each command and what came back. Afterwards every key's history must
be linearizable, all stores equal, nothing in flight, and every node serving. PHP workers with either session
handler (php_worker.py, php_memcached_worker.py) count visits in one session, and none may be lost.

Five kinds of run. In `whole` ones processes crash, freeze and leave, links break, and single links are cut in
one direction or both, but always so that the cluster hangs together: every promise must hold. In `majority`
ones nodes are cut off, too, and run with `--partition majority`: every promise but availability must hold. In
`split` ones the same happens in the default mode: the sides go on by themselves, and what must hold is that in
the end all nodes have the same, and nothing that a majority accepted has given way to what a minority did.
In `isolated` ones a part of the nodes that is no majority is cut off, in the default mode, and from all clients
as well, who come back at once when the cut heals (ways.py): every promise must hold.

In `spiteful` ones, too, and faults come where they hurt most: in the very turn in which a node votes, or a view
begins, before anybody else has heard of it (spite.py).

Faults are limited to what a cluster can survive: one node is always spared that is awake, open and in the
newest view.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from memrep.node.node import Node
from tests.simulation.checks import HEAL_MS, check_healed, check_histories
from tests.simulation.phpredis_worker import wait_for_locks
from tests.simulation.plan import Broken
from tests.simulation.redis_clients import RedisClient
from tests.simulation.resp_codec import Resp
from tests.simulation.toggler import Switch, Toggler
from tests.simulation.token_locks import Hold, TokenLocker
from tests.simulation.trace import Watch
from tests.simulation.workload import CLIENT_TIMEOUT_MS, MemcachedClient, PlainClient
from tests.simulation.world import World


@attrs.frozen
class Outcome:
    """What a run that broke no promise was like."""

    commands: int
    slowest: float
    undecided: int


def simulate(
    seed: int, only: str = "", watch: Callable[[World], Watch] | None = None, *, redis: bool = True
) -> Outcome:
    """Run one seed from cold start to healed cluster, and check every promise.

    Args:
        seed: what everything is drawn from.
        only: the kind of run, instead of the one that would be drawn.
        watch: makes what is told of everything that happens.
        redis: whether there may be clients of Redis' protocol.

    Raises:
        Broken: with the reason, what happened, and the command that replays it.
    """
    world = World(seed, only, redis=redis)
    world.watch = watch(world) if watch is not None else None
    try:
        return _simulate(world)
    except AssertionError as error:
        tail = "\n".join(world.trace[-400:])
        raise Broken(f"seed {seed} ({world.plan})\n{tail}\n{error}\n{replay(seed, only)}") from error


def replay(seed: int, only: str = "") -> str:
    """How to see such a run again."""
    return f"Replay: python -m tests.simulate --seed {seed}" + (f" --kind {only}" if only else "")


def _simulate(world: World) -> Outcome:
    for number in world.hosts:
        world.later(world.rng.random() * 30, partial(world.start, number))
    world.run(1_500)
    for number, host in world.hosts.items():
        assert host.node is not None and host.node.open, f"node {number} does not serve after a cold start"
    _fill(world)
    redis = world.plan.redis
    for number in range(world.plan.clients):
        kind = RedisClient if number < redis.share * world.plan.clients else MemcachedClient
        world.later(world.rng.random() * 20, kind(world, number).go)
    for number in range(world.plan.plain):
        tongue = Resp(world.rng) if redis.tokens and not number else None
        client = PlainClient(world, world.plan.clients + number, tongue)
        world.later(world.rng.random() * 20, client.go)
    if redis.tokens:
        holds: dict[bytes, Hold] = {}
        world.lockers = [TokenLocker(world, number, holds) for number in range(3)]
        for locker in world.lockers:
            world.later(world.rng.random() * 20, locker.go)
    for visitor in world.visitors:
        world.later(world.rng.random() * 20, visitor.go)
    switch, redundancy = Switch(), world.rng.randint(1, world.plan.nodes)
    for number in range(world.plan.togglers):
        toggler = Toggler(world, world.plan.visitors + number, switch, redundancy)
        world.later(world.rng.random() * 20, toggler.go)
    world.later(world.rng.random() * 300, world.faults.strike)
    world.run(1_500 + world.plan.busy_ms)
    world.quiet = True
    while world.ways.answer_is_due():
        world.run(world.now + 1)
    world.faults.heal()
    for number, host in world.hosts.items():
        if host.frozen:
            host.thaw()
        world.later(0, partial(world.start, number))
    _wait_until_healed(world)
    wait_for_locks(world)
    check_healed(world)
    undecided = 0 if world.plan.kind == "split" else check_histories(world)
    return Outcome(world.commands, world.slowest, undecided)


def _fill(world: World) -> None:
    """Store the plan's records through the first node."""
    host = world.hosts[1]
    lines = b"".join(b"set record%d 0 0 1 noreply\r\nx\r\n" % i for i in range(world.plan.records))
    if lines:
        node = host.node
        assert node is not None
        connection = node.clients.connect()
        host.turn(lambda node: host.reply(connection, node.clients.receive(connection, lines)))
        world.run(world.now + 500)
        node.clients.disconnect(connection)


def _wait_until_healed(world: World) -> None:
    """Give the cluster time to heal; go on a moment after every node serves and nothing is in flight."""
    end = world.now + HEAL_MS
    while world.now < end:
        world.run(world.now + 250)
        for number in world.hosts:  # one that was still leaving
            world.start(number)
        if all(_is_quiet(host.node) for host in world.hosts.values()) and all(
            worker.idle for worker in (*world.visitors, *world.lockers)
        ):
            break
    world.run(world.now + CLIENT_TIMEOUT_MS + 250)


def _is_quiet(node: Node | None) -> bool:
    return node is not None and node.serving and not node.replica.rounds
