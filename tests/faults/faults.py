"""What is done to the nodes: one round each, which ends when the cluster is whole again.

A round tells whether it came to that; the run ends early if not, for nothing that follows would mean anything.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from tests.faults.network import Networked
from tests.faults.nodes import Nodes
from tests.faults.queued import Queued
from tests.faults.report import Outcome
from tests.faults.run import Run
from tests.faults.sides import Sides

_LOG_LINES: Final = 25

#: How long a node is frozen, seconds.
_FREEZE_S: Final = (0.3, 10.0)

#: How long a link is cut, seconds.
_CUT_S: Final = (0.1, 4.0)

#: What was acknowledged so long before the power went must be there.
_SAVED_WITHIN_S: Final = 2.0

#: How long clients are cut off from a node that hears the others: longer than they wait.
_UNHEARD_S: Final = 1.5

#: After a cut, how long until the next one: nodes dial, and leave their detours, only now and then, and a cut
#: on a detour would be a second fault at the same time.
PAUSE_S: Final = 2.5


@attrs.frozen(kw_only=True)
class Fault:
    """A kind of fault.

    Attributes:
        what: what it does, for the help.
        strike: one round.
        count: how many nodes it needs.
        network: whether it cuts links, which needs network namespaces.
        disks: whether each node has a data directory.
        spares: whether some node goes on serving all the time, so that no request may fail.
        promised: whether every answer must be right all the same; else it runs only if it is named.
    """

    what: str
    strike: Callable[[Run], bool]
    count: int = 3
    network: bool = False
    disks: bool = False
    spares: bool = True
    promised: bool = True


def kill(run: Run) -> bool:
    """SIGKILL, and a restart a little later."""
    node = run.rng.randrange(run.nodes.count)
    run.strike([node], f"kill -9 node {node}")
    run.nodes.kill(node)
    return _restart(run, node, run.rng.uniform(0, 1.5))


def term(run: Run) -> bool:
    """SIGTERM, and a restart a little later."""
    node = run.rng.randrange(run.nodes.count)
    _stop(run, node)
    return _restart(run, node, run.rng.uniform(0, 1.0))


def rolling(run: Run) -> bool:
    """SIGTERM and restart of all nodes, one at a time."""
    for node in run.rng.sample(range(run.nodes.count), run.nodes.count):
        _stop(run, node)
        if not _restart(run, node, 0):
            return False
    return True


def full(run: Run) -> bool:
    """SIGKILL of all nodes, and a restart of all: the data is gone, and stays gone."""
    everyone = range(run.nodes.count)
    run.strike(everyone, "kill -9 all nodes")
    for node in everyone:
        run.nodes.kill(node)
    with run.world.stillness():
        run.wiped()
        run.world.event("start all nodes")
    for node in everyone:
        run.nodes.start(node)
    return run.recover()


def power(run: Run) -> bool:
    """SIGKILL of all nodes and a restart with their disks, at times as they were a moment before."""
    everyone = range(run.nodes.count)
    time.sleep(run.rng.uniform(0.5, 4.0))
    moment = time.monotonic()
    copies = run.rng.random() < 0.5
    run.strike(everyone, f"{'copy all disks, then ' if copies else ''}kill -9 all nodes")
    if copies:
        _copy_disks(run)
        time.sleep(run.rng.uniform(0, 1.0))
    for node in everyone:
        run.nodes.kill(node)
    with run.world.stillness():
        former = run.power_cut(moment - _SAVED_WITHIN_S)
        for node in everyone if copies else ():
            shutil.rmtree(run.nodes.data(node))
            _copy(run, node).rename(run.nodes.data(node))
        run.world.event("start all nodes")
    for node in run.rng.sample(everyone, run.nodes.count):
        run.nodes.start(node)
        time.sleep(run.rng.uniform(0, 0.3))
    whole = run.recover()
    if whole:
        run.judge_after_power_cut(moment - _SAVED_WITHIN_S, former)
    return whole


def _copy_disks(run: Run) -> None:
    """As a power cut leaves each disk: at one moment, whatever is being written."""
    for node in range(run.nodes.count):
        run.nodes.freeze(node)
        try:
            shutil.copytree(run.nodes.data(node), _copy(run, node))
        finally:
            run.nodes.thaw(node)


def _copy(run: Run, node: int) -> Path:
    return run.nodes.directory / f"copy{node}"


def freeze(run: Run) -> bool:
    """SIGSTOP for a while, with bytes of clients queued meanwhile, and SIGCONT."""
    node = run.rng.randrange(run.nodes.count)
    shortest, longest = _FREEZE_S
    # Short freezes, which a node may not notice, are as interesting as long ones.
    seconds = min(shortest * (longest / shortest) ** run.rng.random(), max(shortest, run.seconds / 2))
    queued = Queued(run.world, f"queued{run.rounds}", number=run.rounds, node=node, why="frozen")
    queued.before()
    run.strike([node], f"freeze node {node} for {seconds:.2f} s")
    run.nodes.freeze(node)
    thaw_at = time.monotonic() + seconds
    try:
        queued.deaf(seconds)
        time.sleep(max(0, thaw_at - time.monotonic()))
    finally:
        run.nodes.thaw(node)
    run.world.event(f"thaw node {node}")
    queued.watch(1.0)
    whole = run.recover()
    queued.watch(0.1)
    run.expected.extend(queued.expected)
    return whole


def isolate(run: Run) -> bool:
    """One node is cut off from nodes and clients: its switch or its cable fails."""
    nodes = _network(run)
    node = run.rng.randrange(nodes.count)
    pulled = run.rng.random() < 0.5
    run.strike([node], f"{'pull the cable of' if pulled else 'drop all packets of'} node {node}")
    (nodes.unplug if pulled else nodes.isolate)(node)
    return _cut_off(run)


def halves(run: Run) -> bool:
    """Two nodes are cut off from the other two, and from the clients."""
    nodes = _network(run)
    small = run.rng.sample(range(nodes.count), nodes.count // 2)
    run.strike(small, f"cut off nodes {small}")
    for node in small:
        nodes.block_clients(node)
    _part(run, small)
    return _cut_off(run)


def alone(run: Run) -> bool:
    """One node is cut off from the others; clients reach all."""
    nodes = _network(run)
    node = run.rng.randrange(nodes.count)
    sides = Sides(run.world, f"sides{run.rounds}", number=run.rounds, small=[node])
    sides.before()
    if not run.majority:
        run.world.avoid([node])
    run.strike([node], f"cut off node {node} from the others")
    _part(run, [node])
    if run.majority:
        time.sleep(_cut_s(run))
    else:
        sides.apart()
        time.sleep(run.rng.uniform(0, 1.5))
    whole = _heal(run)
    run.expected.extend(sides.expected)
    return whole


def unheard(run: Run) -> bool:
    """One node is cut off from clients, not from nodes; clients that gave up have bytes on the way to it."""
    nodes = _network(run)
    node = run.rng.randrange(nodes.count)
    queued = Queued(run.world, f"queued{run.rounds}", number=run.rounds, node=node, why="unreachable")
    queued.before()
    run.strike([node], f"drop what clients send to node {node}")
    nodes.block_clients(node)
    heal_at = time.monotonic() + max(_cut_s(run), _UNHEARD_S)
    queued.deaf(_UNHEARD_S)
    time.sleep(max(0, heal_at - time.monotonic()))
    whole = _heal(run)
    # The kernel of a client that hung up sends again after twice as long each time.
    queued.watch(2 * _CUT_S[1])
    run.expected.extend(queued.expected)
    return whole


def oneway(run: Run) -> bool:
    """What one node sends to another one is dropped."""
    return _cut_link(run, "drop what node {} sends to node {}", lambda nodes, i, j: nodes.block(i, j))


def link(run: Run) -> bool:
    """What two nodes send to each other is dropped."""

    def cut(nodes: Networked, i: int, j: int) -> None:
        nodes.block(i, j)
        nodes.block(j, i)

    return _cut_link(run, "drop what nodes {} and {} send to each other", cut)


def reset(run: Run) -> bool:
    """What two nodes send to each other is answered with TCP resets, as by a firewall."""

    def cut(nodes: Networked, i: int, j: int) -> None:
        nodes.reset(i, j)
        nodes.reset(j, i)

    return _cut_link(run, "reset what nodes {} and {} send to each other", cut)


def _cut_link(run: Run, what: str, cut: Callable[[Networked, int, int], None]) -> bool:
    nodes = _network(run)
    i, j = run.rng.sample(range(nodes.count), 2)
    run.strike([i, j], what.format(i, j))
    cut(nodes, i, j)
    time.sleep(_cut_s(run))
    return _heal(run)


def _part(run: Run, small: Sequence[int]) -> None:
    """Cut all links between these nodes and the others."""
    nodes = _network(run)
    for node in small:
        for other in set(range(nodes.count)) - set(small):
            nodes.block(node, other)
            nodes.block(other, node)


def _cut_off(run: Run) -> bool:
    """Wait, and heal what also cuts off the clients, who come back at once."""
    time.sleep(_cut_s(run))
    return _heal(run)


def _heal(run: Run) -> bool:
    _network(run).heal()
    run.world.event("heal")
    whole = run.recover()
    if whole:
        run.world.avoid([])
        time.sleep(run.pause)
    return whole


def _cut_s(run: Run) -> float:
    """How long a cut lasts: short ones, which no node may notice, as often as long ones."""
    shortest, longest = _CUT_S
    return float(shortest * (longest / shortest) ** run.rng.random())


def _network(run: Run) -> Networked:
    assert isinstance(run.nodes, Networked)
    return run.nodes


def _stop(run: Run, node: int) -> None:
    run.strike([node], f"SIGTERM to node {node}")
    status = run.nodes.stop(node)
    if status != 0:
        run.world.found("other", f"node {node} answered SIGTERM with exit status {status}")


def _restart(run: Run, node: int, after_s: float) -> bool:
    time.sleep(after_s)
    run.world.event(f"start node {node}")
    run.nodes.start(node)
    return run.recover()


FAULTS: Final = {
    "kill": Fault(what="kill -9 of one node, and restart", strike=kill),
    "term": Fault(what="SIGTERM to one node, and restart", strike=term),
    "rolling": Fault(what="restart of all nodes, one at a time", strike=rolling),
    "full": Fault(
        what="kill -9 of all nodes, and restart: data is lost, and stays lost", strike=full, spares=False
    ),
    "power": Fault(
        what="kill -9 of all nodes, and restart with their disks: all but the last two seconds is there",
        strike=power,
        disks=True,
        spares=False,
    ),
    "freeze": Fault(what="SIGSTOP of one node for 0.3 to 10 s, with clients' bytes queued", strike=freeze),
    "isolate": Fault(what="one node is cut off from nodes and clients", strike=isolate, network=True),
    "halves": Fault(
        what="two of four nodes are cut off, from clients too",
        strike=halves,
        count=4,
        network=True,
        spares=False,
    ),
    "alone": Fault(what="one node is cut off from nodes; clients reach both sides", strike=alone, network=True),
    "unheard": Fault(
        what="one node is cut off from clients only (nothing is promised: only if named)",
        strike=unheard,
        network=True,
        promised=False,
    ),
    "oneway": Fault(what="a cut from one node to another, in one direction", strike=oneway, network=True),
    "link": Fault(what="a cut between two nodes", strike=link, network=True),
    "reset": Fault(what="TCP resets between two nodes", strike=reset, network=True),
}


def run_fault(
    name: str,
    *,
    seconds: float,
    seed: int,
    kind: type[Nodes] | None = None,
    options: Sequence[str] = (),
    pause: float = PAUSE_S,
    progress: Callable[[Run], None] = lambda _run: None,
) -> Outcome:
    """Run one kind of fault for so long against a cluster of its own."""
    fault = FAULTS[name]
    directory = Path(tempfile.mkdtemp(prefix=f"faults-{name}-"))
    kind = kind or (Networked if fault.network else Nodes)
    nodes = kind(fault.count, directory, options)
    nodes.disks = fault.disks
    with nodes:
        run = Run(nodes, seed, seconds, pause)
        run.go(fault.strike, progress)
        tally = run.world.tally
        if fault.spares and tally.failed:
            walks = "; ".join(walk.told(run.world.start) for walk in tally.failures)
            run.world.found("other", f"{tally.failed} requests were answered by no node; the first: {walks}")
        logs = nodes.last_words(_LOG_LINES)
    outcome = Outcome(fault=name, rounds=run.rounds, world=run.world, directory=directory, logs=logs)
    if not outcome.wrong:
        shutil.rmtree(directory)
    return outcome
