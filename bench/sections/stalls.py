"""The longest answers while very many sessions come, expire all together, or are evicted by others.

What has to be done for a million sessions is in danger of being done in one go. One client asks for a key of
its own again and again meanwhile; its slowest answer is the longest stall.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from bench.load import Load, loading, outcome
from bench.peers import BY_REDIS, ONE_NODE, Servers, Start
from bench.rounds import Figures, Scale, Shapes, measured
from bench.sections.entries import fill

TITLE: Final = "Stalls"
NOTE: Final = (
    "One client asks for a key 50 times a second while another one writes sessions of 500 bytes in pipelines, "
    "while these expire in the same second, and while as many have room for a quarter of them. The machine "
    "itself stands still now and then, which shows here, with everybody."
)

_SESSIONS: Final = {True: 100_000, False: 1_000_000}
#: Room for all of them, and for a quarter of them.
_MEGABYTES: Final = {True: (200, 32), False: (2_000, 320)}
#: For how long it is watched what becomes of those that have expired.
_EXPIRE_S: Final = {True: 5.0, False: 20.0}
#: Rarely enough that one long turn does not make the next question late, too.
_PING: Final = Load("get", seconds=600.0, rate=50, connections=1)


def measure(scale: Scale) -> Shapes:
    """Each phase once a round, on one node."""
    sessions, (plenty, little) = _SESSIONS[scale.quick], _MEGABYTES[scale.quick]

    def turn(start: Start) -> dict[str, Figures]:
        with start(plenty) as servers:
            lives_s = _lifetime(servers, sessions)
            begun = time.monotonic()
            come = _watched(servers, lambda: fill(servers, sessions, lives_s=lives_s))
            time.sleep(max(0.0, begun + lives_s - 1 - time.monotonic()))
            expire = _watched(servers, lambda: time.sleep(_EXPIRE_S[scale.quick]))
        with start(little) as servers:
            evicted = _watched(servers, lambda: fill(servers, sessions))
        return {"they come": come, "they expire": expire, "they are evicted": evicted}

    alone = {name: start for name, start in ONE_NODE.items() if name not in (BY_REDIS, "redis-server")}
    return measured(alone, 1 if scale.quick else scale.rounds, turn)


def _lifetime(servers: Servers, sessions: int) -> int:
    """How long they have to live so that none expires before all are there, s."""
    probe = sessions // 20
    began = time.monotonic()
    fill(servers, probe)
    return int(30 * (time.monotonic() - began)) + 2


def _watched(servers: Servers, act: Callable[[], None]) -> Figures:
    """What the one who asks had to wait for meanwhile."""
    pinger = loading(servers, _PING)
    time.sleep(1)  # until it asks
    try:
        act()
    finally:
        pinger.terminate()
    waits = outcome(pinger)
    return {"longest ms": waits.slowest_us / 1000, "p99 ms": waits.p99_us / 1000}
