"""A node starts beside peers with very many sessions: when it serves, and what the others' clients notice."""

from __future__ import annotations

from typing import Final

from bench.filling import VALUE_BYTES
from bench.join import restart
from bench.rounds import Figures, Scale, Shapes, measured

TITLE: Final = "Start beside many sessions"
NOTE: Final = (
    "One of three nodes is killed and started again, empty. The other two serve 500 requests a second before "
    "and meanwhile, get and set in turn. All nodes and the clients share the machine's cores."
)
EXPECTED_S: Final = {True: 15, False: 330}

_SESSIONS: Final = {True: 50_000, False: 1_000_000}
#: Filling three nodes takes minutes, and there is nobody to compare with.
_ROUNDS_MAX: Final = 2


def measure(scale: Scale) -> Shapes:
    """Once a round."""
    sessions = _SESSIONS[scale.quick]

    def turn(normal_s: float) -> dict[str, Figures]:
        done = restart(sessions, VALUE_BYTES, normal_s)
        return {
            f"{sessions} sessions": {
                "serves after s": done.took_s,
                "p99 ms before": done.before.p99_us / 1000,
                "p99 ms meanwhile": done.meanwhile.p99_us / 1000,
                "slowest ms before": done.before.slowest_us / 1000,
                "slowest ms meanwhile": done.meanwhile.slowest_us / 1000,
                "hung up on meanwhile": done.meanwhile.reconnects,
                "items missing": done.wanted - done.held,
            }
        }

    rounds = 1 if scale.quick else min(scale.rounds, _ROUNDS_MAX)
    return measured({"memrep x3": scale.seconds * 3}, rounds, turn)
