"""The replies of one connection, in the order of the commands, some of them not known yet.

Most replies are known at once and are appended to `out`. One that has to wait for the cluster leaves a slot in
a queue, and what comes behind it queues up, for clients expect replies in order.

Which commands may be *executed* before an earlier one has ended? Only plain writes behind plain writes: each
goes round on its own, and members take them in the order in which they were sent. Anything that reads must
wait. pecl-memcache sends "take the lock", "read the session" in one packet; a read that overtook the lock
would return what another request is about to change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from memrep.engine.future import Future
from memrep.engine.operations import Result

#: Replies are handed out up to about this many bytes at a time. A megabyte takes a millisecond to be put
#: together and another one to be sent: large values go one by one, with a look at the time in between.
OUTPUT_MAX: Final = 1 << 18

#: This many replies may wait for an outcome.
QUEUE_MAX: Final = 2000


class _Slot:
    """A reply that is not known yet, and how to spell it."""

    __slots__ = ("future", "spell")

    def __init__(self, future: Future, spell: Callable[[Result], bytes]) -> None:
        self.future = future
        self.spell = spell


class Replies:
    """What a connection has to say.

    Args:
        ready: called when a reply that was waited for has become known.

    Attributes:
        out: replies that stand behind all that are waiting; append to it.
        queue: from the first reply that is not known on; empty most of the time.
        plain: whether every command in the queue is a plain write.
        idle: whether `out` is all there is.
        limited: whether some replies are known but kept back until earlier ones have been sent.
    """

    __slots__ = ("_known", "_ready", "_size", "idle", "limited", "out", "plain", "queue")

    def __init__(self, ready: Callable[[], None]) -> None:
        self.out: list[bytes] = []
        self.queue: deque[bytes | _Slot] = deque()
        self.plain = True
        self.limited = False
        self.idle = True
        self._known: list[bytes] = []
        self._size = 0  # bytes of _known
        self._ready = ready

    def hold(self, future: Future, spell: Callable[[Result], bytes], *, plain: bool = False) -> None:
        """Make the next reply the outcome of this future, once there is one."""
        self._close_out()
        self.idle = False
        self.plain = plain and (self.plain or not self.queue)
        self.queue.append(_Slot(future, spell))
        future.callback = self._ready

    def settle(self) -> None:
        """See which of the waiting replies have become known."""
        queue = self.queue
        self.limited = False
        if not queue:
            return
        self._close_out()
        while queue:
            reply = queue[0]
            if isinstance(reply, _Slot):
                if not reply.future.settled:
                    return
                reply = reply.spell(reply.future.result)
            if self._size and self._size + len(reply) > OUTPUT_MAX:
                self.limited = True
                return
            self._size += len(reply)
            self._known.append(reply)
            queue.popleft()

    def take(self) -> bytes:
        """Return all that can be sent now: everything before the first reply that is not known."""
        if self.queue or self._known:
            self.settle()
            self._close_out()
            data = b"".join(self._known)
            self._known.clear()
            self._size = 0
            self.idle = not self.queue
            return data
        data = b"".join(self.out)
        self.out.clear()
        return data

    def abandon(self) -> None:
        """Give up all replies: no client is to be answered any more, and what has not been started need not be.

        Nothing more is said, either. What stands behind a reply that is not known, be it an END, would be taken
        for that reply.
        """
        for reply in self.queue:
            if isinstance(reply, _Slot):
                reply.future.abandoned = True
        self.queue.clear()
        self.out.clear()
        self._known.clear()
        self._size = 0
        self.idle = True

    def _close_out(self) -> None:
        """Put what is in `out` where it belongs: behind the queue, or to what is known if there is none."""
        if self.out:
            data = b"".join(self.out)
            self.out.clear()
            if self.queue:
                self.queue.append(data)
            else:
                self._size += len(data)
                self._known.append(data)
