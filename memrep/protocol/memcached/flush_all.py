"""flush_all as clients ask for it: at once, or when an exptime has passed (protocol.txt, "flush_all")."""

from __future__ import annotations

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import Outcome
from memrep.protocol.memcached.limits import deadline


def flush_all(engine: Engine, delay: int) -> Outcome | Future:
    """End everything.

    Args:
        engine: whose keys.
        delay: an exptime as a client sent it; at once if it is not above 0.
    """
    return engine.flush.at(deadline(engine.clock, delay)) if delay > 0 else engine.flush.now()
