"""What a node knows of another one: whether its process lives, what it said last, until when its lease counts.

All of it is written here. Whoever else learns something of a peer tells it by one of these methods.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import attrs

from memrep.replication.membership.transitions import Table, check
from memrep.replication.message import Heartbeat

#: Why a peer is gone that has said goodbye.
TOOK_LEAVE: Final = "it was stopped"

#: A membership that ends sooner was a false start: if its process ended, which costs the others little,
STEADY_MS: Final = 250

#: or if it fell silent, for which they had to wait.
HEARD_STEADY_MS: Final = 5_000

#: How long who has false starts is kept out, at first and at most.
_BACK_OFF_MS: Final = 1_000
_BACK_OFF_MAX_MS: Final = 5_000


class Liveness(Enum):
    """What is known of a peer's process."""

    UNKNOWN = "Unknown"  # never heard
    ALIVE = "Alive"  # linked, or heard over others; it may be silent
    GONE = "Gone"  # its port refuses, or it said goodbye
    DOUBTED = "Doubted"  # it was gone before this node was out of touch


@attrs.define(eq=False)
class Peer:
    """What this node knows of another one.

    Attributes:
        node: its number.
        name: its address as in --nodes.
        inc: its incarnation, 0 before it was heard.
        linked: whether its link to us is open.
        heard: when something last came from it on whatever way, own monotonic ms; or when it began to count as
            heard, for this node had been stopped, or a view with it began.
        spoke: when something last did come from it.
        heard_directly: the same for its own link to us.
        heard_us: when it last said that our own link to it works.
        refused: why its port is known to refuse; empty if it does not.
        gone: why it is known to be gone; empty if it is not.
        gone_at: when that was seen last, own monotonic ms.
        disagrees: why it turned this node away; empty if it did not.
        since: when its state for `stats` last changed, own wall ms.
        state: its state as last reported, for `stats` and the log.
        beat: its last heartbeat,
        beat_at: and when it came, own monotonic ms.
        lease: until when it lets this node serve, own monotonic ms.
        ignored: until when it is left out because it did not vote.
        installed: the latest view that it is known to have installed.
        reminded: when it was last sent the present view, own monotonic ms.
        offset: how far its clock was ahead of ours, ms.
        synced: when it last became full in our view, own wall ms; 0 for never.
        joined: when it last became a member, own monotonic ms.
        false_starts: how many of its last memberships were short.
        kept_out: until when it is not let in for that reason.
        met: since when this incarnation is known, own monotonic ms.
        had_direct: whether it has ever said that our link to it works.
        via: the node over which it is reached; 0 if directly (relay.py).
        refuses: whether nobody listens at its port, as far as this node has seen.
        let_in: until when it is known to live, for it has let in the link that this node has dialled, own
            monotonic ms; NEVER while that link is open.
        returned: when it was last heard after it had been silent, own monotonic ms.
        doubted: whether what is known of its end is old, and it may have come back.
    """

    node: int
    name: str
    inc: int = 0
    linked: bool = False
    heard: int = 0
    spoke: int = 0
    heard_directly: int = 0
    heard_us: int = 0
    refused: str = ""
    gone: str = "never heard"
    gone_at: int = 0
    disagrees: str = ""
    since: int = 0
    state: str = "down"
    beat: Heartbeat | None = None
    beat_at: int = 0
    lease: int = 0
    ignored: int = 0
    installed: int = 0
    reminded: int = 0
    offset: int = 0
    synced: int = 0
    joined: int = 0
    false_starts: int = 0
    kept_out: int = 0
    met: int = 0
    had_direct: bool = False
    via: int = 0
    refuses: bool = False
    let_in: int = 0
    returned: int = 0
    doubted: bool = False

    @property
    def liveness(self) -> Liveness:
        """What is known of its process."""
        if not self.gone:
            return Liveness.ALIVE
        if self.doubted:
            return Liveness.DOUBTED
        return Liveness.GONE if self.inc or self.refuses else Liveness.UNKNOWN

    # --- its process

    def opened_link(self, inc: int, now: int) -> None:
        """It has opened its link to us, as this incarnation."""
        before = self.liveness
        if self.inc != inc:
            self.restarted(inc, now)
        self.linked = True
        self.gone = self.refused = self.disagrees = ""
        check(EDGES, "opened_link", before, self.liveness)

    def closed_link(self) -> None:
        """Its link to us is closed."""
        self.linked = False

    def port_refuses(self, reason: str) -> None:
        """Our link to it was closed, and its port refuses."""
        self.refused = reason

    def was_dialled(self) -> None:
        """Our link to it is open."""
        self.refused = ""

    def let_us_in(self, until: int) -> None:
        """It has let in our link, so it is known to live until then (own monotonic ms)."""
        self.let_in = until

    def shows_life(self) -> None:
        """It is known to live, by a sign that does not come over its link."""
        before = self.liveness
        self.gone = ""
        check(EDGES, "shows_life", before, self.liveness)

    def spoken(self, now: int, silence: int) -> None:
        """Something came from it on whatever way; after so long a silence (ms) it has returned."""
        if now - self.spoke >= silence:
            self.returned = now
        self.heard = self.spoke = now
        if self.doubted:
            before = self.liveness
            self.doubted = False
            check(EDGES, "spoken", before, self.liveness)

    def ended(self, reason: str, now: int) -> None:
        """Its process is gone, as is seen now (rule M1)."""
        before = self.liveness
        self.gone = reason
        self.lease = 0
        self.beat = None
        self.doubted = False
        self.gone_at = now
        check(EDGES, "ended", before, self.liveness)

    def doubt(self) -> None:
        """What is known of its end is old: it may have come back (rule 35)."""
        before = self.liveness
        self.doubted = True
        check(EDGES, "doubt", before, self.liveness)

    def cannot_be_dialled(self, reason: str, refuses: bool) -> None:
        """Our link to it cannot be opened, maybe because nobody listens at its port."""
        before = self.liveness
        self.refuses = refuses
        if self.gone and not self.inc:
            self.gone = reason
        check(EDGES, "cannot_be_dialled", before, self.liveness)

    def turned_us_away(self, reason: str) -> None:
        """It lives but will not have this node."""
        self.disagrees = reason
        self.gone = self.gone and f"it turned this node away: {reason}"

    # --- what it says

    def took(self, beat: Heartbeat, now: int, wall: int, me: int) -> None:
        """Its heartbeat has come.

        Args:
            beat: the heartbeat.
            now: own monotonic ms.
            wall: own wall clock, ms.
            me: this node's number.
        """
        self.offset = beat.wall - wall
        self.beat = beat
        self.beat_at = now
        if self.hears_directly(me):
            self.heard_us = now

    def spoke_directly(self, now: int) -> None:
        """Something came on its own link."""
        self.heard_directly = now

    def counts_as_heard(self, now: int, *, both_ways: bool = False) -> None:
        """It need not have spoken: a view with it begins, or this node was stopped and knows of no silence."""
        self.heard = now
        if both_ways:
            self.heard_directly = self.heard_us = now

    def note_whether_heard_directly(self, node: int) -> None:
        """Remember that our link to it has worked, if it says so."""
        if self.hears_directly(node):
            self.had_direct = True

    def reach_over(self, node: int) -> None:
        """Reach it over this node; 0 for its own link."""
        self.via = node

    def became_full(self, wall: int) -> None:
        """It holds everything in our view since now (own wall ms)."""
        self.synced = wall

    def stands_in(self, vid: int) -> bool:
        """It has shown that it has installed this view; whether that is news."""
        is_news = vid > self.installed
        self.installed = max(self.installed, vid)
        return is_news

    def was_reminded(self, now: int) -> None:
        """It was sent the present view."""
        self.reminded = now

    def ignore(self, until: int) -> None:
        """Leave it out of proposals until then, own monotonic ms."""
        self.ignored = until

    def reported(self, state: str, wall: int) -> None:
        """Its state as it is logged has changed."""
        self.state, self.since = state, wall

    def grant_lease(self, until: int) -> None:
        """It lets this node serve until then, own monotonic ms (rule S1)."""
        self.lease = max(self.lease, until)

    def revoke_lease(self) -> None:
        """What it has granted does not count any more."""
        self.lease = 0

    def restarted(self, inc: int, now: int) -> None:
        """It has another incarnation than before: what was known of its process is void."""
        self.inc = inc
        self.met = now
        self.had_direct = False
        self.via = 0
        self.beat = None
        self.lease = 0
        self.installed = 0
        self.synced = 0

    def hears(self, node: int) -> bool:
        """Whether it last said that it hears this node."""
        return self.beat is not None and bool(self.beat.hears >> node & 1)

    def hears_directly(self, node: int) -> bool:
        """Whether it last said that this node's own link to it works."""
        return self.beat is not None and bool(self.beat.direct >> node & 1)

    # --- as a member

    def entered(self, now: int) -> None:
        """It has become a member."""
        self.joined = now

    def left(self, now: int) -> None:
        """It is no member any more."""
        if now - self.joined >= (STEADY_MS if self.gone else HEARD_STEADY_MS):
            self.false_starts = 0
            return
        if self.false_starts:
            self.kept_out = now + min(_BACK_OFF_MS << min(self.false_starts - 1, 10), _BACK_OFF_MAX_MS)
        self.false_starts += 1


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
