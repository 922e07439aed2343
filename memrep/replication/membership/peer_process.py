"""A peer's process: whether it lives, as far as this node can tell. A state machine, with all its transitions.

Problem: silence proves nothing. A process that has ended and one behind a cut cable look alike, and to take the
second for the first makes two nodes go on side by side. A few signs do prove something, and they are kept here:
the peer's link to us stands, or something of it came over others (alive); its port refuses and its link to us
is closed, or it said goodbye (gone, rule M1); this node was out of touch since it saw that end (doubted: it may
have been started again, finding 35). How long a living process may be silent is no affair of this state, see
failure_detector.py.

The state is not stored. It is what the fields come to, and each change is held against the table at the end.

"""

from __future__ import annotations

from enum import Enum
from typing import Final

import attrs

from memrep.replication.membership.transitions import Table, check

#: Why a peer is gone that has said goodbye.
TOOK_LEAVE: Final = "it was stopped"

#: In front of why a peer will not have this node.
TURNED_AWAY: Final = "it turned this node away: "


class Liveness(Enum):
    """What is known of a peer's process."""

    UNKNOWN = "Unknown"  # never heard
    ALIVE = "Alive"  # linked, or heard over others; it may be silent
    GONE = "Gone"  # its port refuses, or it said goodbye
    DOUBTED = "Doubted"  # it was gone before this node was out of touch


@attrs.define(eq=False)
class PeerProcess:
    """What is known of a peer's process.

    Attributes:
        inc: its incarnation, 0 before it was heard.
        met: since when this incarnation is known, own monotonic ms.
        linked: whether its link to us is open.
        refused: why its port is known to refuse since our link was closed; empty if it does not.
        refuses: whether nobody listens at its port, as far as this node has seen.
        undialled: why our link to it could not be opened the last time; empty if it could.
        gone: why it is known to be gone; empty if it is not.
        gone_at: when that was seen last, own monotonic ms.
        doubted: whether what is known of its end is old, and it may have come back.
        disagrees: why it turned this node away; empty if it did not.
        let_in: until when it is known to live, for it has let in the link that this node has dialled, own
            monotonic ms; NEVER while that link is open.
    """

    inc: int = 0
    met: int = 0
    linked: bool = False
    refused: str = ""
    refuses: bool = False
    undialled: str = ""
    gone: str = "never heard"
    gone_at: int = 0
    doubted: bool = False
    disagrees: str = ""
    let_in: int = 0

    @property
    def liveness(self) -> Liveness:
        """Return what is known of it."""
        if not self.gone:
            return Liveness.ALIVE
        if self.doubted:
            return Liveness.DOUBTED
        # That nothing was ever heard of it proves no end: it may be on the other side of a cut since before.
        return Liveness.GONE if self.inc or self.refuses else Liveness.UNKNOWN

    def restarted(self, inc: int, now: int) -> None:
        """Begin anew with another incarnation of it."""
        self.inc = inc
        self.met = now

    # --- its link to us

    def opened_link(self) -> None:
        """Note that it has opened its link to us."""
        before = self.liveness
        self.linked = True
        # It lives, whatever was seen before: this is the only sign that only a process itself can give.
        self.gone = self.refused = self.disagrees = ""
        check(EDGES, "opened_link", before, self.liveness)

    def closed_link(self) -> None:
        """Note that its link to us is closed."""
        # That ends no process: a firewall may have broken it. M1 asks for its port's refusal, too.
        self.linked = False

    # --- our link to it

    def was_dialled(self) -> None:
        """Note that our link to it is open."""
        self.refused = self.undialled = ""

    def port_refuses(self, reason: str) -> None:
        """Note that our link to it was closed, and its port refuses."""
        self.refused = reason

    def cannot_be_dialled(self, reason: str, refuses: bool) -> None:
        """Note that our link to it cannot be opened, maybe because nothing listens at its port."""
        before = self.liveness
        self.refuses = refuses
        self.undialled = reason
        # Why it is gone says more than why it cannot be dialled now, if it was ever heard.
        if self.gone and not self.inc:
            self.gone = reason
        check(EDGES, "cannot_be_dialled", before, self.liveness)

    def let_us_in(self, until: int) -> None:
        """Note that it has let in our link, so it is known to live until then (own monotonic ms)."""
        self.let_in = until

    def turned_us_away(self, reason: str) -> None:
        """Note that it lives but will not have this node."""
        self.disagrees = reason
        # Whom it turns away it does not call, so nothing is heard of it; that is no life to count on.
        self.gone = self.gone and f"{TURNED_AWAY}{reason}"

    # --- its life and its end

    def shows_life(self) -> None:
        """Note that it is known to live, by a sign that does not come over its link."""
        before = self.liveness
        self.gone = ""
        check(EDGES, "shows_life", before, self.liveness)

    def spoken(self) -> None:
        """Note that something came from it on whatever way, while its end was in doubt."""
        before = self.liveness
        self.doubted = False
        check(EDGES, "spoken", before, self.liveness)

    def ended(self, reason: str, now: int) -> None:
        """Note that it is gone, as is seen now (rule M1)."""
        before = self.liveness
        self.gone = reason
        self.doubted = False
        self.gone_at = now
        check(EDGES, "ended", before, self.liveness)

    def doubt(self) -> None:
        """Doubt its end: what is known of that is old, and it may have come back (finding 35)."""
        before = self.liveness
        self.doubted = True
        check(EDGES, "doubt", before, self.liveness)


_ANY: Final = frozenset(Liveness)
_ALIVE: Final = frozenset([Liveness.ALIVE])
_ENDED: Final = frozenset([Liveness.GONE, Liveness.UNKNOWN])
_STAY: Final = {liveness: frozenset([liveness]) for liveness in Liveness}

#: Which states each event may come in, and lead to.
EDGES: Final[Table[Liveness]] = {
    "opened_link": dict.fromkeys(_ANY, _ALIVE),
    "shows_life": dict.fromkeys(_ANY, _ALIVE),
    "ended": dict.fromkeys(_ANY, _ENDED),
    "spoken": {Liveness.DOUBTED: _ENDED, Liveness.ALIVE: _ALIVE},
    "doubt": dict.fromkeys(_ANY - _ALIVE, frozenset([Liveness.DOUBTED])),
    "cannot_be_dialled": _STAY | dict.fromkeys(_ENDED, _ENDED),
}
