"""Where a node stands: its view, its promise, what it lacks. All transitions are made here, and nowhere else.

The words are those of Viewstamped Replication (Liskov, Cowling 2012): in normal operation a node acknowledges,
commits and serves; from its vote until the view stands it does none of that (view change); one without data
joins first (there: recovering). What is added is the state of a node that may have been left behind: it was
stopped, or hears a node again that its view is without. It waits for a view as if it had voted.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import attrs

from memrep.replication.membership.history import activity_of, began, happened, parts, voted
from memrep.replication.membership.transitions import Table, check
from memrep.replication.membership.view import View, installed, out_of_touch
from memrep.replication.message import Install, Past


class Status(Enum):
    """What a node may do."""

    STARTING = "Starting"  # it has had no view
    VIEW_CHANGE = "ViewChange"  # it has voted, and the view does not stand yet
    JOINING = "Joining"  # it is a member, and lacks data
    NORMAL = "Normal"  # it holds everything; with enough leases it serves
    OUT_OF_TOUCH = "OutOfTouch"  # others may have gone on without it


@attrs.define(eq=False)
class ReplicaState:
    """Where this node stands: its view, what it has promised, what it lacks.

    Attributes:
        me: this node's number.
        inc: its incarnation.
        configured: how many nodes there are in all.
        view: the installed view,
        views: and how many there were so far.
        promised: the highest view it has voted for. Above `view.vid` it is paused: it acknowledges nothing,
            commits nothing and serves nobody until that view or a later one stands.
        full: whether it holds everything acknowledged so far.
        view_change_reason: why it needs a new view; empty if it does not.
        was_stopped: whether it was stopped for a while and has not had a view since. It is paused then, too:
            the others may have gone on without it.
        closed_clients: whether it has closed all its clients' connections since its last view.
        met: whether a node is heard again that may have gone on, and there was no view since. It is paused.
        past: what its side has behind it; see history.py.
        apart: the reading of the hybrid clock above which everything is stamped since this side has parted
            from the others, or stands in a view in which not every member is known to be; else 0.
        strict: whether views without a majority are forbidden (`--partition majority`).
        former: the highest view that an earlier life of this node knew of, as its disk says; 0 if none does.
    """

    me: int
    inc: int
    configured: int
    view: View = attrs.Factory(View)
    views: int = 0
    promised: int = 0
    full: bool = False
    view_change_reason: str = ""
    was_stopped: bool = False
    closed_clients: bool = False
    met: bool = False
    past: Past = attrs.Factory(Past)
    apart: int = 0
    strict: bool = False
    former: int = 0

    @property
    def paused(self) -> bool:
        """Tell whether a promise, a stop of this process, or a node that may have gone on, stops everything."""
        # M6, T1, N3: in each of the three cases others may act, or have acted, without this node.
        return self.promised > self.view.vid or self.was_stopped or self.met

    @property
    def activity(self) -> int:
        """Return how much has happened since its side parted from the others, or the last majority's view."""
        return activity_of(self.past)

    @property
    def majority(self) -> int:
        """Return how many nodes are a majority of the configured ones."""
        return self.configured // 2 + 1

    @property
    def others(self) -> list[int]:
        """Return the other members of the view."""
        return [node for node in self.view.members if node != self.me]

    @property
    def status(self) -> Status:
        """Return what all of this comes to."""
        if self.was_stopped or self.met:
            return Status.OUT_OF_TOUCH
        if self.promised > self.view.vid:
            return Status.VIEW_CHANGE
        if not self.view.vid:
            return Status.STARTING
        return Status.NORMAL if self.full else Status.JOINING

    def need_view(self, reason: str) -> None:
        """Ask for a new view; the first reason is the one that is told."""
        self.view_change_reason = self.view_change_reason or reason

    def promise(self, vid: int) -> None:
        """Promise this view, for which it votes: from now on it installs none before it (rule M5)."""
        before = self.status
        self.promised = vid
        # N6: by this others will tell of which earlier views this process has never been a member.
        self.past = voted(self.past, self.inc, self.view.gen, vid)
        check(EDGES, "promise", before, self.status)

    def become_full(self) -> None:
        """Note that it holds everything that was acknowledged (rule J4)."""
        before = self.status
        self.full = True
        check(EDGES, "become_full", before, self.status)

    def stopped(self, ms: int) -> None:
        """Note that its process was stopped for so long: the others may have gone on without it (rule T1)."""
        before = self.status
        self.was_stopped = True
        self.need_view(f"it was stopped for {ms} ms")
        check(EDGES, "stopped", before, self.status)

    def meet(self, name: str) -> None:
        """Say nothing before there is a view: a missed node is heard again, and may have gone on."""
        before = self.status
        self.met = True
        self.need_view(f"{name} is heard again, and may have gone on")
        check(EDGES, "meet", before, self.status)

    def lose_clients(self) -> None:
        """Note that it closed its clients' connections: the others have to know, for those own nothing now."""
        self.closed_clients = True
        self.need_view("it has closed its clients' connections")

    def install(self, message: Install) -> None:
        """Begin a view (rule M8)."""
        before = self.status
        self.view = installed(message)
        self.views += 1
        self.promised = max(self.promised, message.vid)
        # Finding 43: from the first view on that is without a member which may live there is another side.
        self.past = parts(message.past, message.vid) if out_of_touch(message) else message.past
        self.apart = message.apart
        self.full = self.me in message.full
        self.view_change_reason = ""
        # M8: all of these asked for a view, and here is one in which the others know of them.
        self.was_stopped = self.closed_clients = self.met = False
        check(EDGES, "install", before, self.status)

    def confirmed(self) -> None:
        """Note that every member is in this view: if a majority's, it began its generation beyond doubt."""
        # N6: from here on nobody can say that a member has never been in it. Not while a promise is out: this
        # node may be about to leave it.
        if self.view.quorate and not self.paused:
            self.past = began(self.view.vid, self.view.members.values())
        # N5: there is no other side, so nothing has to yield to one.
        if not (self.past.parted or self.paused):
            self.apart = 0

    def happened(self, activity: int) -> None:
        """Note that this has happened on its side, here or at another member, which holds the same."""
        self.past = happened(self.past, activity)


_ANY: Final = frozenset(Status)
_MEMBER: Final = frozenset([Status.JOINING, Status.NORMAL])
_STAY: Final = {status: frozenset([status]) for status in Status}

#: Which states each event may come in, and lead to.
EDGES: Final[Table[Status]] = {
    "promise": dict.fromkeys(_ANY, frozenset([Status.VIEW_CHANGE]))
    | {Status.OUT_OF_TOUCH: frozenset([Status.OUT_OF_TOUCH])},
    "install": dict.fromkeys(_ANY, _MEMBER),
    "become_full": _STAY | {Status.JOINING: frozenset([Status.NORMAL])},
    "stopped": dict.fromkeys(_ANY, frozenset([Status.OUT_OF_TOUCH])),
    "meet": dict.fromkeys(_ANY, frozenset([Status.OUT_OF_TOUCH])),
}
