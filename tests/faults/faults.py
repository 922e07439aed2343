"""What is done to the nodes: one round each, which ends when the cluster is whole again.

A round tells whether it came to that; the run ends early if not, for nothing that follows would mean anything.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from tests.faults.nodes import Nodes
from tests.faults.queued import Queued
from tests.faults.report import Outcome
from tests.faults.run import Run

_LOG_LINES: Final = 25

#: How long a node is frozen, seconds.
_FREEZE_S: Final = (0.3, 10.0)


@attrs.frozen(kw_only=True)
class Fault:
    """A kind of fault.

    Attributes:
        what: what it does, for the help.
        strike: one round.
        count: how many nodes it needs.
        network: whether it cuts links, which needs network namespaces.
        spares: whether some node goes on serving all the time, so that no request may fail.
    """

    what: str
    strike: Callable[[Run], bool]
    count: int = 3
    network: bool = False
    spares: bool = True


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


def freeze(run: Run) -> bool:
    """SIGSTOP for a while, with bytes of clients queued meanwhile, and SIGCONT."""
    node = run.rng.randrange(run.nodes.count)
    shortest, longest = _FREEZE_S
    # Short freezes, which a node may not notice, are as interesting as long ones.
    seconds = min(shortest * (longest / shortest) ** run.rng.random(), max(shortest, run.seconds / 2))
    queued = Queued(run.world, f"queued{run.rounds}", number=run.rounds, node=node)
    queued.before()
    run.strike([node], f"freeze node {node} for {seconds:.2f} s")
    run.nodes.freeze(node)
    thaw_at = time.monotonic() + seconds
    try:
        queued.frozen(seconds)
        time.sleep(max(0, thaw_at - time.monotonic()))
    finally:
        run.nodes.thaw(node)
    run.world.event(f"thaw node {node}")
    queued.watch(1.0)
    whole = run.recover()
    queued.watch(0.1)
    run.expected.extend(queued.expected)
    return whole


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
    "freeze": Fault(what="SIGSTOP of one node for 0.3 to 10 s, with clients' bytes queued", strike=freeze),
}


def run_fault(
    name: str,
    *,
    seconds: float,
    seed: int,
    kind: type[Nodes] = Nodes,
    options: Sequence[str] = (),
    progress: Callable[[Run], None] = lambda _run: None,
) -> Outcome:
    """Run one kind of fault for so long against a cluster of its own."""
    fault = FAULTS[name]
    directory = Path(tempfile.mkdtemp(prefix=f"faults-{name}-"))
    with kind(fault.count, directory, options) as nodes:
        run = Run(nodes, seed, seconds)
        run.go(fault.strike, progress)
        tally = run.world.tally
        if fault.spares and tally.failed:
            walks = "; ".join(walk.told(run.world.start) for walk in tally.failures)
            run.world.found("other", f"{tally.failed} requests were answered by no node; the first: {walks}")
        logs = nodes.last_words(_LOG_LINES)
    return Outcome(fault=name, rounds=run.rounds, world=run.world, directory=directory, logs=logs)
