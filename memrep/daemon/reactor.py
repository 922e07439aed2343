"""The reactor: all sockets of a node, served a turn at a time.

Theory: most of a request's cost is the kernel's, and what is left must not go into switching tasks. A trio
task for each client costs 30 to 50 us a request; one epoll for all sockets costs little more than memcached
does. So the loop of the node (host.py) waits here, then every socket that is ready is handled without waiting
in between (receive, Node, send), and the turn ends: everything that happened in it goes to each peer as one
frame.

Ticks and links that come and go are turns too: `turn` runs any function as one.

A turn in which clients have only read has nothing to end: nobody is to be told of it, and nobody waits for it.
Nor has one in which peers have only told that writes are committed, or the first of them that it has one. The
node tells (`Node.quiet`), and what turns end with is left to the next one, at the latest to the next tick.

No turn may be long, whatever comes: heartbeats, the others' frames and everybody's answers wait for its end.
So each part of a turn has a slice of time: first the links of peers, then clients, then what the node itself
has to go on with. When a slice is spent the part ends after what it has just begun, and the next turn goes on
where this one stopped: links are asked first again, but a client that has had its share comes last.

A gap between two looks at the clock means that the process was stopped, unless it has worked all the time: then
its thread was on a CPU. That is asked only after a gap, and held against what was noted a moment before it, so
that a turn does not pay for it.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from operator import itemgetter
from time import monotonic
from typing import Final, Protocol

from memrep.daemon.time_slice import Slice
from memrep.daemon.wall_clock import WallClock
from memrep.node.node import Node
from memrep.protocol.connection import Connection

READ: Final = select.EPOLLIN
WRITE: Final = select.EPOLLOUT
HUNG_UP: Final = select.EPOLLRDHUP

_DESCRIPTOR: Final = itemgetter(0)  # of an event

#: How old the last note of the time on the CPU may become, s.
_NOTED_S: Final = 0.02


class Handler(Protocol):
    """Somebody with a file descriptor in the epoll."""

    def ready(self, events: int) -> object:
        """Read or write what can be; inside a turn.

        Returns:
            Of an urgent one, whether the turn need not be ended for it if the node is quiet; only True counts.
        """


class Owner(Protocol):
    """Whose turns these are. It may be unfinished when the reactor is made: it is asked in turns only."""

    def end_turn(self) -> None:
        """Send what there is to send."""

    def unread(self, connection: Connection) -> bool:
        """Tell whether something of this client lies in its socket; asked after the process was stopped."""
        ...

    def fence(self) -> None:
        """Close what waits to be accepted, for the process was stopped; see `Node.turn`."""

    def distrust(self, error: Exception) -> None:
        """Take an error that has happened in the midst of what the node itself does."""


class Reactor:
    """The sockets of one node.

    Args:
        node: what they serve.
        owner: ends each turn, and is told what has happened in it.
        part: the slice of time that the present part of a turn has.

    Attributes:
        errands: what a turn asks of trio, which is not called from a turn: to wake a task. See host.py.
        turns: how many turns there were.
        cut_short: how many of them have left something to the next.
        longest_turn: s.
        distrust: see `Owner`.
        spent: whether the present part has had its time; what has not begun yet is left to the next turn.
    """

    def __init__(self, node: Node, owner: Owner, part: Slice) -> None:
        self.errands: deque[Callable[[], object]] = deque()
        self.turns = 0
        self.cut_short = 0
        self.longest_turn = 0.0
        self._node = node
        self._wall_clock = WallClock()
        self._end_turn = owner.end_turn
        self.distrust = owner.distrust
        self._fence = owner.fence
        self._unread = owner.unread
        self._fence_s = node.options.fence / 1000
        self._part = part
        self.spent = part.spent
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], object]] = {}
        self._urgent: set[int] = set()  # those of links
        self._again: dict[int, None] = {}  # who has something to do though nothing may come
        self._left: list[int] = []  # who was ready but not served, in this order
        self._has_stopped = False  # so much that it shows in this turn
        self._began = self._noted = monotonic()
        self._worked = time.thread_time()

    def register(self, fd: int, handler: Handler, events: int, *, urgent: bool = False) -> None:
        """Call `handler.ready` whenever `fd` is ready for these events; before all others if it is urgent.

        Raises:
            OSError: the system has no room for it.
        """
        try:
            self._epoll.register(fd, events)
        except FileExistsError:  # it could not be forgotten
            self._epoll.modify(fd, events)
        self._handlers[fd] = handler.ready
        if urgent:
            self._urgent.add(fd)

    def modify(self, fd: int, events: int) -> None:
        """Wait for other events on a registered descriptor.

        Raises:
            OSError: the system does not allow it.
        """
        self._epoll.modify(fd, events)

    def unregister(self, fd: int) -> None:
        """Forget a descriptor; to be called before it is closed."""
        if self._handlers.pop(fd, None) is not None:
            self._urgent.discard(fd)
            self._again.pop(fd, None)
            with suppress(OSError):  # the kernel forgets it when it is closed
                self._epoll.unregister(fd)

    def again(self, fd: int) -> None:
        """Call the handler of an urgent descriptor in the next turn, with no events if there are none."""
        self._again[fd] = None

    # --- time

    def turn(self, act: Callable[[], None]) -> None:
        """Run `act` as a turn of the node."""
        self._take_turn(act)

    def _take_turn(self, act: Callable[..., object], *args: object) -> None:
        """Run `act` as a turn; there may be nothing to end, if `act` tells that it need not be for its sake."""
        began = monotonic()
        try:
            self._has_stopped = False
            self._look_at_clock()
            may_be_quiet = act(*args)
            if self._has_stopped or not (may_be_quiet and self._node.quiet):
                self._part.begin(monotonic())
                self._end_turn()
        except Exception as error:  # no system call's, for each of those has its own guard: the node's
            self.distrust(error)
        self.turns += 1
        took = monotonic() - began
        self.longest_turn = max(self.longest_turn, took)

    def _look_at_clock(self) -> bool:
        before, now = self._began, monotonic()
        gap, worked = now - before, 0.0
        if now - self._noted > _NOTED_S:
            on_cpu = time.thread_time()
            if gap > self._fence_s:  # what it has worked between the note and the gap at most does not count
                worked = max(0.0, on_cpu - self._worked - (before - self._noted))
            self._noted, self._worked = now, on_cpu
        self._began = now
        self._part.begin(now)
        ms = int(now * 1000)
        stopped = self._node.turn(ms, self._wall_clock.at(ms), self._unread, worked=int(worked * 1000))
        if stopped:
            self._has_stopped = True
            self._fence()
        return stopped

    def stopped(self) -> bool:
        """Tell whether the process was stopped within this turn; to be asked before executing what was read."""
        now = monotonic()
        if now <= self._part.end:
            return False
        stopped = now - self._began > self._fence_s and self._look_at_clock()
        self._part.over = True
        return stopped

    # --- sockets

    def _serve(self, events: list[tuple[int, int]]) -> bool:
        """Serve who is ready; return whether the turn need not be ended for what links of peers had a part."""
        may_be_quiet = True
        if self._again or not self._urgent.isdisjoint(map(_DESCRIPTOR, events)):
            events, may_be_quiet = self._serve_urgent(events)
        if self._left:
            events = self._in_order(events)
        handlers, part = self._handlers, self._part
        for fd, mask in events:
            ready = handlers.get(fd)
            if ready is not None:  # an earlier one of this turn may have closed it
                ready(mask)
                if part.over:
                    self._leave(events, fd)
                    break
        return may_be_quiet

    def _leave(self, events: list[tuple[int, int]], last: int) -> None:
        """Leave to the next turn those that come behind this one."""
        place = next(place for place, (fd, _) in enumerate(events) if fd == last)
        self._left = [fd for fd, _ in events[place + 1 :]]
        self.cut_short += bool(self._left)

    def _serve_urgent(self, events: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], bool]:
        """Serve the links of peers; return the other events, and whether the turn may be quiet for these."""
        urgent, again = self._urgent, self._again
        self._again = {}
        others = []
        may_be_quiet = True
        for fd, mask in events:
            if fd in urgent:
                again.pop(fd, None)
                may_be_quiet &= self._handlers[fd](mask) is True
            else:
                others.append((fd, mask))
        for fd in again:
            if fd in self._urgent:
                may_be_quiet &= self._handlers[fd](0) is True
        if others:
            self._part.begin(monotonic())
        return others, may_be_quiet

    def _in_order(self, events: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Put those first that had to wait in the turn before, if they are still ready."""
        ready = dict(events)
        left = [(fd, ready.pop(fd)) for fd in self._left if fd in ready]
        self._left = []
        return left + list(ready.items())

    @property
    def pending(self) -> bool:
        """Tell whether there is something to do though nothing may come."""
        return bool(self._left or self._again or self._node.behind)

    def fileno(self) -> int:
        """Return a descriptor that is readable when something has come."""
        return self._epoll.fileno()

    def serve(self, timeout: float) -> None:
        """Wait until there is something to do, for so many seconds at most, and do it in a turn."""
        pending = self.pending
        events = self._epoll.poll(0 if pending else max(0, timeout))
        if events or pending:
            self._take_turn(self._serve, events)

    def close(self) -> None:
        """Close the epoll; the sockets are their owners' to close."""
        self._epoll.close()
