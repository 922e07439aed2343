"""SEAM: the reply gate of a connection: what a policy may ask for between a command and its reply.

Problem: what a client means by a command may show only by what it says next, and a reply may do harm if it
goes alone. memcached answers each command at once and knows nothing of either. So a policy
(client_policy.py) may put a gate on a client's connection, and at the gate

    look ahead   read the commands that have come behind the one that is being executed
    defer        leave the command where it is, and have it executed anew when there is news
    watch        execute it, and be shown what comes behind it until that is judged
    hold         keep all replies back, until one answers a retrieval or the policy releases them

Invariants. Nothing waits at the gate for ever: what is deferred or watched has a time, in ticks of the node,
after which nothing more is expected behind the command. Time runs only while nothing waits for the cluster,
for a client may wait for that reply before it goes on. Replies keep their order: while some are held, all
behind them are. What is held is no secret any more once the connection is closing or has too much to say.

A connection without a policy that asks for a gate has none, and pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from memrep.protocol.command import OTHER, Said
from memrep.protocol.replies import Replies

#: Judges what is said behind a command; None as long as that cannot be known.
Judge = Callable[[Iterator[Said | None]], bool | None]


class Line(Protocol):
    """What the gate sees of its connection; see `Connection`."""

    replies: Replies

    @property
    def asked(self) -> int | None: ...

    def ahead(self) -> Iterator[Said]: ...


class ReplyGate:
    """The gate of one connection.

    Args:
        line: the connection.

    Attributes:
        deferred: a command was left where it is, for what stands behind it tells what it means.
        holding: replies are kept back.
        held: those replies.
        timed_out: nothing more has been said behind the present command, for as long as that was waited for.
    """

    __slots__ = ("_judge", "_line", "_patience", "_waited", "deferred", "held", "holding", "timed_out")

    def __init__(self, line: Line) -> None:
        self._line = line
        self.deferred = False
        self.holding = False
        self.held = b""
        self.timed_out = False
        self._judge: Judge | None = None
        self._patience = 0  # ticks for which something is waited for
        self._waited = 0  # so many have passed

    # --- for the policy: commands

    @property
    def asked(self) -> int | None:
        """Return when what is executed now came if it had to wait, own monotonic ms; None if it did not."""
        return self._line.asked

    def lookahead(self) -> Iterator[Said | None]:
        """Yield the commands behind the present one; then None if more may come, OTHER if none is expected."""
        yield from self._line.ahead()
        yield OTHER if self.timed_out else None

    def defer(self, ticks: int) -> None:
        """Leave the present command where it is, and look at it again when there is news, and at each tick.

        Args:
            ticks: when so many have passed nothing more is waited for.
        """
        self.deferred = True
        self._patience = ticks

    def watch(self, judge: Judge, ticks: int) -> None:
        """Show this judge what is said behind the present command, until its judgement is known.

        Args:
            judge: whom.
            ticks: when the command is done and so many ticks have passed nothing more is waited for.
        """
        self._judge = judge
        self._patience = ticks
        self._waited = 0

    def unwatch(self) -> None:
        """Drop the judge: what is said behind the command is of no interest any more."""
        self._judge = None
        self._patience = self._waited = 0

    # --- for the policy: replies

    def hold(self) -> None:
        """Keep all replies back from now on, until a retrieval has been answered, too."""
        self.holding = True

    def release(self) -> None:
        """Keep nothing back any more; what was held goes with the next output."""
        self.holding = False

    # --- for the node and the connection

    @property
    def waiting(self) -> bool:
        """Tell whether a reply is held, or a command deferred."""
        return self.holding or self.deferred

    def tick(self) -> bool:
        """Count a tick; return whether there is something to be done now at the connection's next `resume`."""
        if self._line.replies.queue or not (self.deferred or self._judge):
            return False
        self._waited += 1
        self.timed_out = self._waited >= self._patience
        if self._judge is None:
            return True
        if self.timed_out:
            self.heard()
            self.timed_out = False
            self._waited = 0
            return True
        return False

    def heard(self) -> None:
        """Show the judge, if there is one, the input that has come."""
        # The watched command has been executed, and so taken out of the input: what is left stands behind it.
        if self._judge is not None and self._judge(self.lookahead()) is not None:
            self._judge = None

    def begin(self) -> None:
        """Note that the connection executes what it has kept, a deferred command first."""
        self.deferred = False

    def end(self) -> None:
        """Note that the connection has executed what it kept; each deferred command has its own time."""
        self.timed_out = False
        if not self.deferred:
            self._waited = 0

    def take(self, closing: bool, answers_retrieval: Callable[[bytes], bool]) -> bytes:
        """Return what can be sent now: nothing, as long as replies are held.

        Args:
            closing: whether the connection is: there is nothing left to wait for.
            answers_retrieval: whether that is among some replies; see `Dialect`.
        """
        replies = self._line.replies
        if not replies.queue or replies.limited:
            self.held += replies.take()
        # Too much to be kept, the end, or what was waited for.
        if replies.limited or closing or answers_retrieval(self.held):
            self.holding = False
        if self.holding:
            return b""
        data, self.held = self.held, b""
        return data

    def close(self) -> None:
        """Wait for nothing any more, and tell nothing: the client is gone."""
        self.holding = self.deferred = False
        self.held = b""
        self._judge = None
