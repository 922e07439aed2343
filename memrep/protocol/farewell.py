"""How a node hangs up on a client of which it may owe a reply: what it says to that, and when it ends.

Most clients take an end without a word for what it is. But some have to hear one first, and where the end comes
too soon behind a command some are lost. Which they are, the protocol knows; when a node hangs up, others do.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Farewell:
    """How one client is hung up on.

    Attributes:
        hold_s: nothing must have come from it for so long before its connection is ended, s.
        word: the reply to the first command that is not answered any more; empty if the end has to say it.
        due: whether there is such a command already.
    """

    hold_s: float = 0.0
    word: bytes = b""
    due: bool = False
