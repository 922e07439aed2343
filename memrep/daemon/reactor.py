"""The reactor: all sockets of a node, served by one task, a turn at a time.

Theory: most of a request's cost is the kernel's, and what is left must not go into switching tasks. A trio
task for each client costs 30 to 50 us a request; one task with an epoll of its own costs little more than
memcached does. So this task waits until the epoll itself is readable, then handles every socket that is ready
without waiting in between (receive, Node, send), and ends the turn: everything that happened in it goes to
each peer as one frame.

With few clients trio's wait costs more than the request. So before it waits the task asks the epoll again, a
bounded number of times; a client that answers at once is served without trio's scheduler. Every few turns it
yields, so that the other tasks (ticks, dialling) are never starved.

Ticks and links that come and go are turns too: `turn` runs any function as one.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import trio

from memrep.node import Node
from memrep.protocol.connection import Connection

READ: Final = select.EPOLLIN
WRITE: Final = select.EPOLLOUT

#: Turns in a row before the task yields to the others.
_TURNS: Final = 8

#: Fruitless looks at the epoll before the task waits in trio.
_LOOKS: Final = 2


class Handler(Protocol):
    """Somebody with a file descriptor in the epoll."""

    def ready(self, events: int) -> None:
        """Read or write what can be; inside a turn."""


class Fence(Protocol):
    """What has to be done about clients after the process was stopped."""

    def unread(self, connection: Connection) -> bool:
        """Whether something of this client lies in its socket."""
        ...

    def fence(self) -> None:
        """Close what waits to be accepted."""
        ...


class Reactor:
    """The sockets of one node.

    Args:
        node: what they serve.
        end_turn: called at the end of each turn, after the node's own; sends what there is to send.
        fence: knows what of clients lies unread when the process turns out to have been stopped for a while,
            and keeps out who waits at the door; see `Node.turn`.
        distrust: takes an error that has happened in the midst of what the node itself does.

    Attributes:
        turns: how many turns there were.
    """

    def __init__(
        self, node: Node, end_turn: Callable[[], None], fence: Fence, distrust: Callable[[Exception], None]
    ) -> None:
        self.turns = 0
        self._node = node
        self._end_turn = end_turn
        self.distrust = distrust
        self._fence = fence
        self._unread = fence.unread
        self._fence_s = node.options.timing.fence / 1000
        self._began = time.monotonic()
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}

    def register(self, fd: int, handler: Handler, events: int) -> None:
        """Call `handler.ready` whenever `fd` is ready for these events.

        Raises:
            OSError: the system has no room for it.
        """
        try:
            self._epoll.register(fd, events)
        except FileExistsError:  # it could not be forgotten
            self._epoll.modify(fd, events)
        self._handlers[fd] = handler.ready

    def modify(self, fd: int, events: int) -> None:
        """Wait for other events on a registered descriptor.

        Raises:
            OSError: the system does not allow it.
        """
        self._epoll.modify(fd, events)

    def unregister(self, fd: int) -> None:
        """Forget a descriptor; to be called before it is closed."""
        if self._handlers.pop(fd, None) is not None:
            with suppress(OSError):  # the kernel forgets it when it is closed
                self._epoll.unregister(fd)

    def turn(self, act: Callable[[], None]) -> None:
        """Run `act` as a turn of the node."""
        try:
            self._look_at_clock()
            act()
            self._end_turn()
        except Exception as error:  # no system call's, for each of those has its own guard: the node's
            self.distrust(error)
        self.turns += 1

    def _look_at_clock(self) -> None:
        now = self._began = time.monotonic()
        if self._node.turn(int(now * 1000), time.time_ns() // 1_000_000, self._unread):
            self._fence.fence()

    def stopped(self) -> bool:
        """Whether the process was stopped within this turn; to be asked before what was read is executed."""
        if time.monotonic() - self._began <= self._fence_s:
            return False
        self._look_at_clock()
        return True

    def _serve(self, events: list[tuple[int, int]]) -> None:
        for fd, mask in events:
            ready = self._handlers.get(fd)
            if ready is not None:  # an earlier one of this turn may have closed it
                ready(mask)

    async def run(self) -> None:
        """Serve for ever."""
        poll = self._epoll.poll
        fd = self._epoll.fileno()
        while True:
            await trio.lowlevel.wait_readable(fd)
            turns = looks = 0
            while turns < _TURNS and looks < _LOOKS:
                events = poll(0)
                if not events:
                    looks += 1
                    continue
                turns += 1
                looks = 0
                self.turn(lambda events=events: self._serve(events))  # type: ignore[misc]

    def close(self) -> None:
        """Close the epoll; the sockets are their owners' to close."""
        self._epoll.close()
