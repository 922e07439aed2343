"""A node restarts among many sessions: `python -m bench.join`.

Three real nodes are filled, one is killed and started again while clients go on reading and writing through
the other two. Shown: how long it took to serve again, that it held everything when it did, and what the
others' clients waited before and meanwhile. The exit status is 1 if the restarted node answered before it
held everything.
"""

from __future__ import annotations

import sys
import time
from typing import Final

import attrs
import click

from bench.asking import stats, wait_until
from bench.filling import fill
from bench.load import Load, Outcome
from bench.loading import loading, measure, outcome
from bench.peers import THREE_NODES, Servers, launch, memrep_command

_RATE: Final = 500
#: What a session takes at most beside its value, of the memory that a node is given.
_ENTRY_BYTES: Final = 700
_JOIN_S_MAX: Final = 120.0


@attrs.frozen
class Restart:
    """How a restart went: `held` of the `wanted` items were there when the node first answered."""

    took_s: float
    held: int
    wanted: int
    before: Outcome
    meanwhile: Outcome


def restart(sessions: int, size: int, normal_s: float) -> Restart:
    """Restart one of three nodes among so many sessions; the others are watched for so long before it."""
    megabytes = 64 + sessions * (size + _ENTRY_BYTES) // (1 << 20)
    load = Load("mixed", normal_s, _RATE)
    with THREE_NODES["memrep x3"](megabytes) as servers:
        fill(servers, sessions, size=size)
        others = Servers(servers.ports[1:], servers.processes[1:])
        before = measure(others, load)
        servers.processes[0].kill()
        servers.processes[0].wait()
        meanwhile = loading(others, attrs.evolve(load, seconds=_JOIN_S_MAX))
        try:
            took_s, held = _started(servers, megabytes)
        finally:
            meanwhile.terminate()  # it tells what came until now
            told = outcome(meanwhile)
    return Restart(took_s, held, sessions + load.connections, before, told)


def _started(servers: Servers, megabytes: int) -> tuple[float, int]:
    """Start the first one again: after how many seconds it answers, and what it holds then."""
    began = time.perf_counter()
    port = servers.ports[0]
    servers.processes[0] = launch(memrep_command(servers.ports, port, megabytes))
    told = wait_until(lambda: stats(port), f"{port} serves", _JOIN_S_MAX)
    return time.perf_counter() - began, int(told["curr_items"])


@click.command()
@click.option("--sessions", default=100_000, show_default=True)
@click.option("--size", default=1_000, show_default=True, help="Bytes of a session.")
@click.option("--normal", default=5.0, show_default=True, help="Seconds to watch the others before.")
def main(sessions: int, size: int, normal: float) -> None:
    """Restart one of three nodes among many sessions."""
    done = restart(sessions, size, normal)
    click.echo(f"{sessions} sessions of {size} bytes; one node restarted, the other two at {_RATE} requests/s")
    click.echo(f"served again after {done.took_s:.2f} s, then holding {done.held} of {done.wanted} items")
    for when, others in (("before", done.before), ("meanwhile", done.meanwhile)):
        click.echo(
            f"the others {when}: {others.requests} requests, p50 {others.p50_us / 1000:.1f} ms, "
            f"p99 {others.p99_us / 1000:.1f} ms, the slowest {others.slowest_us / 1000:.1f} ms"
        )
    sys.exit(done.held < done.wanted)


if __name__ == "__main__":
    main()
