"""SEAM: whether a node is in service, as JSON: what is asked of it, and what it answers; see `memrep drain`."""

from __future__ import annotations

from typing import Final

import msgspec

#: A node is in service as long as nobody has asked for anything else, whether it can serve or not.
IN_SERVICE: Final = "in service"
DRAINING: Final = "draining"
DRAINED: Final = "drained"

#: How long a drain may take at most, s, and how long clients are let in meanwhile, if nothing else is asked.
WAIT_S: Final = 10.0
LAME_DUCK_S: Final = 2.0


class DrainOrder(msgspec.Struct, frozen=True):
    """How a node is to be drained.

    Attributes:
        wait_s: how long it may take at most.
        lame_duck_s: how long clients are let in meanwhile, though /ready says no: what looks at that has so
            long to send them elsewhere.
        force: whether it is to be done though users will notice.
    """

    wait_s: float = WAIT_S
    lame_duck_s: float = LAME_DUCK_S
    force: bool = False


class ServiceStatus(msgspec.Struct, frozen=True):
    """Whether a node is in service.

    Attributes:
        node: its address.
        state: one of the above.
        ready: whether clients may come.
        why: why not; or why the last drain came to nothing, if it did.
        format: of all this.
    """

    node: str
    state: str
    ready: bool
    why: str = ""
    format: int = 1
