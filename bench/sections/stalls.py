"""The longest answers while very many sessions come, expire all together, or are evicted by others.

What has to be done for a million sessions is in danger of being done in one go. One client asks for a key of
its own again and again meanwhile; its slowest answer is the longest stall.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from bench.filling import fill
from bench.load import Load
from bench.loading import loading, outcome
from bench.peers import ALONE, CannotMeasure, Servers, Start
from bench.rounds import Figures, Scale, Shapes, measured

TITLE: Final = "Stalls"
NOTE: Final = (
    "One client asks for a key 50 times a second while another one writes sessions of 500 bytes in pipelines, "
    "while these expire in the same second, and while as many come to a server with room for about a quarter. "
    "The machine itself stands still now and then, which shows here, with everybody."
)
EXPECTED_S: Final = {True: 40, False: 600}

_SESSIONS: Final = {True: 100_000, False: 1_000_000}
#: Room for all of them, and for about a quarter, which differs with what an entry takes.
_MEGABYTES: Final = {True: (200, 20), False: (2_000, 200)}
#: A round takes five minutes.
_ROUNDS_MAX: Final = 2
#: For how long it is watched what becomes of those that have expired.
_EXPIRE_S: Final = {True: 3.0, False: 20.0}
#: How many times as long as expected sessions live, one try after the other.
_SLACKS: Final = (1.5, 3.0, 6.0)
#: Rarely enough that one long turn does not make the next question late, too.
_PING: Final = Load("get", seconds=600.0, rate=50, connections=1, evicted=True)


def measure(scale: Scale) -> Shapes:
    """Each phase once a round, on one node."""
    sessions, (plenty, little) = _SESSIONS[scale.quick], _MEGABYTES[scale.quick]

    def turn(start: Start) -> dict[str, Figures]:
        come, expire = _come_and_expire(start, plenty, sessions, _EXPIRE_S[scale.quick])
        with start(little) as servers:
            evicted = _watched(servers, partial(fill, servers, sessions))
        return {"they come": come, "they expire": expire, "they are evicted": evicted}

    return measured(ALONE, 1 if scale.quick else min(scale.rounds, _ROUNDS_MAX), turn)


def _come_and_expire(start: Start, megabytes: int, sessions: int, expire_s: float) -> tuple[Figures, Figures]:
    """None may expire before all are there; a machine that others slow down meanwhile is given more time."""
    for slack in _SLACKS:
        with start(megabytes) as servers:
            lives_s = _lifetime(servers, sessions, slack)
            expires_at = time.monotonic() + lives_s
            come = _watched(servers, partial(fill, servers, sessions, lives_s=lives_s))
            if (left_s := expires_at - time.monotonic()) > 0:
                time.sleep(max(0.0, left_s - 1))
                return come, _watched(servers, partial(time.sleep, expire_s))
    raise CannotMeasure("the machine is too busy: sessions expired before all were there")


def _lifetime(servers: Servers, sessions: int, slack: float) -> int:
    """How long they have to live so that all may come, s: what a few take, and that many times as much."""
    probe = sessions // 20
    began = time.monotonic()
    fill(servers, probe)
    return int(slack * 20 * (time.monotonic() - began)) + 2


def _watched(servers: Servers, act: Callable[[], None]) -> Figures:
    """What the one who asks had to wait for meanwhile."""
    pinger = loading(servers, _PING)
    try:
        act()
    finally:
        pinger.terminate()
    waits = outcome(pinger)
    return {"longest ms": waits.slowest_us / 1000, "p99 ms": waits.p99_us / 1000}
