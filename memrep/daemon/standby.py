"""Standby: an operator takes this node out of service, and lets it in again; its process lives all the while.

Problem: before a server is worked upon, its users are to be served elsewhere, and whoever works on it wants to
see that. To stop the process does it, but then nobody can be asked, and a probe or a supervisor starts it anew.

So a node is drained as it is at the end of its process (drain.py), by the same steps, and only the process goes
on: it has left, holds nothing that counts, hears of nobody, and can be asked. What comes later is not this node
again but another one in its place, empty, as after a restart (serve.py). So there is no way in which it could
show anything old, and no state of replication that a restart does not have.

    in service --begin--> draining --it has left--> drained --resume--> (another one)
         ^                    |
         +--------------------+  resume, or it turns out that it may not leave

Until it leaves nothing has happened that cannot be taken back. Rule: each step has its time, which together are
no more than was asked for; and unless forced a node leaves only while another one holds everything, which is
looked at before clients are refused, and again in the last moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from memrep.daemon.drain import BESIDES_S, Drain
from memrep.events import DRAINED as LEFT
from memrep.events import DRAINS, DRAINS_NOT, RESUMES, Tell
from memrep.node.node import Node
from memrep.status.safe_to_stop import reasons_to_wait
from memrep.status.service_facts import DRAINED, DRAINING, IN_SERVICE, DrainOrder

#: How long a drain takes at least beside its lame duck, s: what is looked at on the way takes its time, too.
LEAST_S: Final = BESIDES_S + 0.2


class Standby:
    """Whether one node has been taken out of service.

    Args:
        node: this node.
        drain: its drain.
        left: called when it has left, and when another one is to come after that.
        log: takes a line for the operator.

    Attributes:
        has_left: whether this node is gone for all others.
        resumes: whether another one is to take its place.
        why: why the last drain came to nothing.
    """

    def __init__(self, node: Node, drain: Drain, left: Callable[[], None], log: Tell) -> None:
        self.has_left = False
        self.resumes = False
        self.why = ""
        self._node = node
        self._drain = drain
        self._left = left
        self._log = log
        self._order: DrainOrder | None = None  # while it drains
        self._leaves = False  # from now on it cannot be taken back
        self._ends = False
        self._asked = trio.Event()
        self._scope: trio.CancelScope | None = None

    @property
    def state(self) -> str:
        """Tell whether it is in service, in one of the words of service_facts.py."""
        if self.has_left:
            return DRAINED
        return DRAINING if self._order is not None else IN_SERVICE

    # --- asked for by an operator

    def begin(self, order: DrainOrder, caller: str) -> str:
        """Begin to drain, unless that is done already.

        Args:
            order: how.
            caller: who asks for it, for the log.

        Returns:
            Why not; "" if it drains, or has.
        """
        if self.state != IN_SERVICE:
            return ""
        if not order.force and (reason := self._reason()):
            return reason
        self._order, self.why = order, ""
        forced = "whatever it costs" if order.force else ""
        self._log(DRAINS(lame_duck_s=order.lame_duck_s, wait_s=order.wait_s, forced=forced, who=caller))
        self._asked.set()
        return ""

    def resume(self, caller: str) -> None:
        """Serve again; if this node has left already, by another one in its place."""
        if self.state == IN_SERVICE:
            return
        self._log(RESUMES(who=caller))
        if self._leaves or self.has_left:
            self.resumes = True
            if self.has_left:
                self._left()
        elif self._scope is not None:
            self.why = "it was taken back"
            self._scope.cancel()

    def give_way(self) -> None:
        """Drop a drain that is under way: the process ends, and drains by itself."""
        self._ends = True
        if self._scope is not None:
            self._scope.cancel()

    # --- the drain

    async def keep(self) -> None:
        """Drain whenever that is asked for, until this node has left."""
        while not self.has_left:
            await self._asked.wait()
            self._asked = trio.Event()
            if self._order is None:
                continue
            try:
                with trio.CancelScope() as self._scope:
                    await self._take_out(self._order)
            finally:
                self._scope = None
                self._order = None
                if not (self.has_left or self._ends):
                    self._take_back()
        self._left()

    def _take_back(self) -> None:
        self._leaves = self.resumes = False
        self._drain.take_back()
        self._log(DRAINS_NOT(reason=self.why or "something failed"))

    async def _take_out(self, order: DrainOrder) -> None:
        """Leave, or say in `why` what speaks against it."""
        ends_at = trio.current_time() + order.wait_s - LEAST_S
        await trio.sleep(order.lame_duck_s)
        self.why = "" if order.force else self._reason()
        if self.why:
            return
        await self._drain.hand_over(max(0, ends_at - trio.current_time()), self._log)
        await self._drain.let_finish(round(1000 * max(0, ends_at - trio.current_time())))
        if not (order.force or self._node.replaceable):
            self.why = "no other node holds everything any more"
            return
        self._leaves = True
        if await self._drain.leave() or order.force:
            self.has_left = True
            self._log(LEFT())
        else:
            self.why = "its last writes are not acknowledged by all; see `memrep status`"

    def _reason(self) -> str:
        """Return why it may not leave now, and what to do first; "" if it may."""
        found = reasons_to_wait(self._node.report.status())
        return "; ".join(f"{finding.text}: {finding.remedy}" for finding in found)
