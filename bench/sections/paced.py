"""A steady pace far below what the servers could do, as a site has it.

Each request finds a process that sleeps, with cold caches: it costs several times what it costs under
saturation, with everybody.
"""

from __future__ import annotations

from typing import Final

from bench.load import WHATS, Load, Outcome
from bench.load import measure as load_and_measure
from bench.peers import ONE_NODE, THREE_NODES, Start
from bench.rounds import Figures, Scale, Shapes, measured

TITLE: Final = "A steady pace"
NOTE: Final = (
    "32 connections, one request at a time on each, spread over the nodes; values of 500 bytes. CPU is what "
    "all processes of a row used together, for each request; latencies are what the client saw."
)

MEGABYTES: Final = 64
#: Requests a second, and what is asked at that pace in a short run.
_RATES: Final = {500: ("get", "set"), 4_000: ("mixed",)}


def measure(scale: Scale) -> Shapes:
    """One node and three, at each pace, get, set and both in turn."""
    loads = {
        f"{what}, {rate}/s": Load(what, scale.seconds, rate)
        for rate, quick in _RATES.items()
        for what in (quick if scale.quick else WHATS)
    }
    return one_and_three(loads, scale)


def one_and_three(loads: dict[str, Load], scale: Scale) -> Shapes:
    """These loads on one node and on three."""

    def turn(start: Start) -> dict[str, Figures]:
        with start(MEGABYTES) as servers:
            return {name: _figures(load_and_measure(servers, load), load) for name, load in loads.items()}

    return {
        f"{nodes}, {name}": shape
        for nodes, group in (("one node", ONE_NODE), ("three nodes", THREE_NODES))
        for name, shape in measured(group, scale.rounds, turn).items()
    }


def _figures(outcome: Outcome, load: Load) -> Figures:
    """A pace that was not kept shows as a smaller rate."""
    latencies = {"p50 us": outcome.p50_us, "p99 us": outcome.p99_us}
    return {"CPU us": outcome.cpu_us, **latencies, "answers/s": outcome.requests_per_s}
