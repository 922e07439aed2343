"""What does it cost to be watched? `python -m bench.watched`: the same nodes under the same load, with and
without.

Three nodes are asked at a site's pace, in turns: a Prometheus scrapes each of them once a second and a
browser has the page of each open, or nobody looks. Both turns of a round are of the same processes, and every
other round begins with the other one, so that what the machine does besides falls on both alike.
"""

from __future__ import annotations

from statistics import median
from typing import Final

import attrs
import click

from bench.asking import wait_until
from bench.load import Load, Outcome
from bench.loading import measure
from bench.peers import Servers, free_ports, memrep_command, running, serves_among
from bench.watchers import watching
from tests.real.processes import PortLease

_NODES: Final = 3
_MEGABYTES: Final = 64


@attrs.frozen
class Pair:
    """One round: what came of both turns."""

    alone: Outcome
    watched: Outcome

    def core(self, rate: int) -> float:
        """Return how much of a core it costs each node, percent."""
        return (self.watched.cpu_us - self.alone.cpu_us) * rate / 1e6 / _NODES * 100


@click.command()
@click.option("--rounds", default=7, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="How long a turn is.")
@click.option("--rate", default=500, show_default=True, help="Requests a second, over all nodes.")
def main(rounds: int, seconds: float, rate: int) -> None:
    """Measure what one scrape a second and an open page cost three nodes, and whether their clients notice."""
    lease = PortLease(_NODES)
    with free_ports(_NODES) as ports:
        commands = [
            [*memrep_command(ports, own, _MEGABYTES), "--http", str(http)]
            for own, http in zip(ports, lease.ports, strict=True)
        ]
        with running(commands) as processes:
            servers = Servers(ports, processes)
            for port in ports:
                wait_until(lambda port=port: serves_among(port, _NODES), "the nodes serve")  # type: ignore[misc]
            load = Load("mixed", seconds, rate)
            measure(servers, attrs.evolve(load, seconds=1.0))
            pairs = [_round(servers, lease.ports, load, number % 2 == 1) for number in range(rounds)]
    lease.close()
    _tell("CPU to be watched, % of a core for each node", [pair.core(rate) for pair in pairs])
    _tell("p50, watched / alone", [pair.watched.p50_us / pair.alone.p50_us for pair in pairs])
    _tell("p99, watched / alone", [pair.watched.p99_us / pair.alone.p99_us for pair in pairs])
    _tell("slowest alone, ms", [pair.alone.slowest_us / 1000 for pair in pairs])
    _tell("slowest watched, ms", [pair.watched.slowest_us / 1000 for pair in pairs])


def _round(servers: Servers, http: list[int], load: Load, watched_first: bool) -> Pair:
    found: dict[bool, Outcome] = {}
    for watched in (watched_first, not watched_first):
        if watched:
            with watching(http) as answers:
                found[watched] = measure(servers, load)
            if answers.failures or not {"/metrics", "/"} <= answers.answers.keys():
                raise click.ClickException(f"not all was answered: {answers}")
        else:
            found[watched] = measure(servers, load)
    return Pair(found[False], found[True])


def _tell(what: str, figures: list[float]) -> None:
    click.echo(f"{what:48} {median(figures):7.3f}  ({min(figures):.3f} to {max(figures):.3f})")


if __name__ == "__main__":
    main()
