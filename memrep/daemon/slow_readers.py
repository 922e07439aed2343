"""Slow readers: clients that do not read their replies, which then lie in this node's memory.

Problem: replies that no socket takes cost memory, and there is a limit to it (flow_control.py): above that all
commands that show values wait. One client that never reads could make everybody else wait for ever.

So whoever has taken nothing for a while gives way, but only while others really wait for that memory; the one
that has been silent the longest goes first, and no more go than must.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from memrep.engine.counters import Counters
from memrep.events import SLOW_READERS, Tell
from memrep.flow_control import FlowControl
from memrep.log_limit import Recurrence

#: How long a client may take nothing while others have to wait for the memory that its replies cost, s.
_SLOW_S: Final = 0.75

Reader = TypeVar("Reader")


class SlowReaders(Generic[Reader]):
    """The clients for whom something is unsent, by when they last took something.

    Args:
        flow: knows what all unsent replies cost, and who waits because of that.
        counters: counts those that had to go.
        log: takes a line for the operator.
    """

    def __init__(self, flow: FlowControl, counters: Counters, log: Tell) -> None:
        self._flow = flow
        self._counters = counters
        self._since: dict[Reader, float] = {}  # in the order of their times
        self._drops = Recurrence(log, lambda count: SLOW_READERS(clients=count))

    def keeps(self, reader: Reader, unsent: int, more: int) -> None:
        """Note that so many bytes for a client are unsent now, and so many more than before."""
        self._since.pop(reader, None)
        if unsent:
            self._since[reader] = time.monotonic()
        if more:
            self._flow.keep(more)

    def overdue(self) -> Iterator[Reader]:
        """Name, one by one, those that have to go; each is to be closed before the next is asked for."""
        late = time.monotonic() - _SLOW_S
        for reader, since in list(self._since.items()) if self._flow.reads_wait else []:
            if since > late or not self._flow.reads_wait:
                return
            self._counters.slow_readers += 1
            self._drops.happened()
            yield reader

    def tick(self) -> None:
        """Tell the operator what is due."""
        self._drops.tick(time.monotonic_ns() // 1_000_000)
