"""What servers cost that nobody asks anything: ticks, heartbeats, and timers of their own."""

from __future__ import annotations

import time
from typing import Final

from bench.costs import cpu_s
from bench.peers import ALONE, THREE_NODES, Servers, Start
from bench.rounds import Figures, Scale, Shapes, measured

TITLE: Final = "Idle"
NOTE: Final = "Nobody is connected. Percent of a core for each process, watched for twice as long as a load."
EXPECTED_S: Final = {True: 40, False: 260}

_MEGABYTES: Final = 64
_EACH: Final = "each"
#: What a start leaves to do is not idleness.
_SETTLE_S: Final = 1.0


def measure(scale: Scale) -> Shapes:
    """Alone, and three together."""

    def turn(start: Start) -> dict[str, Figures]:
        with start(_MEGABYTES) as servers:
            time.sleep(_SETTLE_S)
            return {_EACH: idle(servers, scale.seconds * 2)}

    one, three = (measured(group, scale.rounds, turn) for group in (ALONE, THREE_NODES))
    return {"alone": one[_EACH], "three together": three[_EACH]}


def idle(servers: Servers, seconds: float) -> Figures:
    """What each of the processes uses while it is left alone."""
    before, began = cpu_s(servers.pids), time.perf_counter()
    time.sleep(seconds)
    spent, passed = cpu_s(servers.pids) - before, time.perf_counter() - began
    return {"% of a core": 100 * spent / passed / len(servers.pids)}
