"""A steady pace far below what the servers could do, as a site has it.

Each request finds a process that sleeps, with cold caches: it costs several times what it costs under
saturation, with everybody.
"""

from __future__ import annotations

from typing import Final

from bench.load import Load, Outcome
from bench.loading import measure as load_and_measure
from bench.peers import ONE_NODE, THREE_NODES, Start
from bench.rounds import KEPT, Figures, Scale, Shapes, measured

TITLE: Final = "A steady pace"
NOTE: Final = (
    "32 connections, one request at a time on each, spread over the nodes; values of 500 bytes. CPU is what "
    "all processes of a row used together, for each request; latencies are what the client saw, since the "
    "request was due. Where a pace was not kept, requests that queue up are served together: that is cheaper, "
    "and is compared with nobody."
)
EXPECTED_S: Final = {True: 70, False: 420}

MEGABYTES: Final = 64
#: Requests a second, and what is asked at that pace.
_RATES: Final = {500: ("get", "set"), 4_000: ("mixed",)}


def measure(scale: Scale) -> Shapes:
    """One node and three, at each pace."""
    loads = {
        f"{what}, {rate}/s": Load(what, scale.seconds, rate) for rate, whats in _RATES.items() for what in whats
    }
    return one_and_three(loads, scale)


def one_and_three(loads: dict[str, Load], scale: Scale) -> Shapes:
    """These loads on one node and on three."""

    def turn(start: Start) -> dict[str, Figures]:
        with start(MEGABYTES) as servers:
            return {name: figures(load_and_measure(servers, load), load) for name, load in loads.items()}

    return {
        f"{nodes}, {name}": shape
        for nodes, group in (("one node", ONE_NODE), ("three nodes", THREE_NODES))
        for name, shape in measured(group, scale.rounds, turn).items()
    }


def figures(outcome: Outcome, load: Load) -> Figures:
    """What came of a load; what went wrong is there only if something did."""
    found = {"CPU us": outcome.cpu_us, "p50 us": outcome.p50_us, "p99 us": outcome.p99_us}
    found["answers/s"] = outcome.requests_per_s
    if load.rate:
        found[KEPT] = 100 * outcome.requests / (outcome.requests + outcome.missed)
    if outcome.reconnects:
        found["hung up on"] = outcome.reconnects
    return found
