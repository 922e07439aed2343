"""One client's connection, whatever it speaks: its input, its output, and their bounds.

A `Connection` takes bytes and gives bytes. It does no I/O. What the bytes mean is its dialect's business: the
dialect executes the commands in a piece of input, and puts what it has to say into `out`, or leaves a reply
open (replies.py).

Four limits keep memory bounded whatever a client does: OUTPUT_MAX on the replies made before the shell has
sent them, QUEUE_MAX on the replies that wait, the dialect's own on a command that does not end, and for a large
command the room that all clients have together (intake.py). Beyond the first two, and while it waits for room,
the connection is `blocked`: it keeps the rest of its input, of which the shell gives it no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Final

import attrs

from memrep.engine.counters import Prefixes
from memrep.flow_control import FlowControl
from memrep.protocol.command import OTHER, Said
from memrep.protocol.intake import HALF_MAX, Intake
from memrep.protocol.replies import OUTPUT_MAX, Replies
from memrep.protocol.users import Users

#: This many replies may wait for an outcome.
QUEUE_MAX: Final = 2000

#: The room that a line needs of which it is not known how long it is: only a get of many keys is so long.
LINE_ROOM: Final = 1 << 20

#: Of a pipeline so many commands are executed before anybody asks how long this turn has lasted.
COMMANDS_A_LOOK: Final = 16


#: Judges what is said behind a command; None as long as that cannot be known.
Judge = Callable[[Iterator[Said | None]], bool | None]


@attrs.frozen
class ServerContext:
    """What a connection sees of the node beyond its engine.

    Attributes:
        version: what `version` answers.
        reports: the groups of `stats`, each a function to its (name, value) lines; "" is the general one.
        reset: `stats reset`.
        set_verbosity: `verbosity LEVEL`.
        shutdown: ends the program; None if that is not enabled.
        users: who may come in; None if everybody may.
        flush_all: whether that is obeyed.
        lists: whether a list of keys is empty, and not refused.
        prefixes: what `stats detail` counts.
        spent: whether this turn has lasted long enough; asked between the commands of a pipeline.
        flow: how much is on its way.
        intake: room for large commands; None if there is no bound.
    """

    version: bytes
    reports: dict[bytes, Callable[[], Iterable[tuple[str, object]]]]
    reset: Callable[[], None]
    set_verbosity: Callable[[int], None]
    shutdown: Callable[[], None] | None
    users: Users | None = None
    flush_all: bool = True
    lists: bool = True
    prefixes: Prefixes = attrs.Factory(Prefixes)
    spent: Callable[[], bool] = lambda: False
    flow: FlowControl = attrs.Factory(FlowControl)
    intake: Intake | None = None


class Dialect:
    """What the bytes of one connection mean. Only `execute` has to be said by each."""

    __slots__ = ()

    def execute(self, data: bytes, start: int) -> int:
        """Execute the commands in `data` from `start`; return where the first unfinished one begins."""
        raise NotImplementedError

    @property
    def suspended(self) -> bool:
        """Whether a command has stopped half-way, at a limit of the output."""
        return False

    def resume_command(self) -> None:
        """Go on with the command that was cut short."""

    def oversized(self, inbox: bytearray) -> bool:
        """Whether this beginning of a command is too long to be one."""
        return False

    def told(self, replies: bytes) -> bool:
        """Whether one of these replies answers a retrieval."""
        return True

    def said(self, data: bytes, start: int) -> Iterator[Said]:
        """The whole commands in `data` from `start`, of which none is executed."""
        return iter(())


class Connection:
    """One client's connection.

    Args:
        context: what it sees of the node.
        dialect: makes its first dialect.
        ready: called with the connection when `resume` may have something to send.

    Attributes:
        closing: nothing more is read; the shell closes when what was returned has been sent.
        busy: it is closing, waiting or blocked. One look tells that nothing is left to be done.
        out: for the dialect: where replies go that are known.
        replies: for the dialect: where those go that are not.
        size: for the dialect: about how many bytes of values are in `out`.
        need: for the dialect: the unfinished command is worth looking at from this size.
        next: for the dialect: where the input goes on behind the command that it executes.
        wondering: a command was not executed, for what stands behind it tells what it means; the dialect leaves
            it where it is.
        stopped: for the dialect: it stopped at a limit or for order's sake, not for want of input.
        spent: for the dialect: whether to leave the rest of a pipeline to the next turn.
        flow: for the dialect: whether a command has to wait until less is on its way.
        crowded: it stopped because one has to.
        inside: it has room for a large command.
        outside: a large command waits for room to come in.
        refused: for the dialect: the unfinished command is to be dropped for want of memory, and this cleared.
        late: it has waited for room so long that its client may have given up.
        waits_since: since when it, or what it has said, waits, own monotonic ms; None if it does not.
    """

    __slots__ = (
        "_dialect", "_execute", "_impatient", "_inbox", "_input", "_intake", "_judge", "_patience", "_ready",
        "_waited", "_withheld", "_withholds",
        "busy", "closing", "crowded", "flow", "inside", "late", "need", "next", "out", "outside", "refused",
        "replies", "size", "spent", "stopped", "waits_since", "wondering",
    )  # fmt: skip

    def __init__(
        self,
        context: ServerContext,
        dialect: Callable[[Connection], Dialect],
        ready: Callable[[Connection], None],
    ) -> None:
        self._ready = partial(ready, self)
        self.replies = Replies(self._ready)
        self.out = self.replies.out
        self.size = 0
        self.waits_since: int | None = None
        self.need = 0
        self.next = 0
        self.stopped = False
        self.wondering = False
        self.busy = False
        self.closing = False
        self.crowded = False
        self.outside = self.late = False
        self.refused = False
        self.inside = False
        self._intake = context.intake
        self.flow = context.flow
        self.spent = context.spent
        self._inbox = bytearray()
        self._input = b""  # what is being executed
        self._patience = 0  # ticks for which something is waited for
        self._waited = 0  # so many have passed
        self._impatient = False
        self._judge: Judge | None = None
        self._withholds = False  # a reply must not go without the retrieval behind it
        self._withheld = b""
        self.speak(dialect(self))

    def speak(self, dialect: Dialect) -> None:
        """Speak this dialect from the next command on."""
        self._dialect = dialect
        self._execute = dialect.execute

    @property
    def full(self) -> bool:
        """Whether nothing more may be executed before something has been sent or has become known."""
        return self.closing or self.size >= OUTPUT_MAX or len(self.replies.queue) >= QUEUE_MAX

    @property
    def waiting(self) -> bool:
        """Whether some reply waits for an outcome, or is withheld, or waits for what is said behind it."""
        return bool(self.replies.queue) or self._withholds or self.wondering

    @property
    def blocked(self) -> bool:
        """Whether it takes no more input for now; `resume` says when that is over."""
        return self.closing or self.stopped or self.outside or self.replies.limited

    def waits(self, writes: bool, shows: bool) -> bool:
        """Whether a command has to wait until less is on its way, by what it does."""
        flow = self.flow
        self.crowded = (writes and flow.writes_wait) or (shows and flow.reads_wait)
        return self.crowded

    # --- input

    def receive(self, data: bytes) -> bytes:
        """Take input; return the replies that can be sent."""
        if self._inbox or self.busy:
            self._inbox += data
            if self.inside and self._intake is not None:
                self._intake.heard(self)
            if self._judge is not None:
                self._ask_judge()
            return b"" if len(self._inbox) < self.need else self.resume()
        self._input = data
        end = self._execute(data, 0)
        self._input = b""
        if end < len(data):
            self._keep(data, end)
        return self._take()

    def take_in(self, data: bytes) -> None:
        """Take input that is acted on at the next `resume`."""
        self._inbox += data
        if self._judge is not None:
            self._ask_judge()

    def resume(self) -> bytes:
        """Go on, after a reply has become known or earlier output has been sent; return what can be sent."""
        self.stopped = self.crowded = False
        self.replies.settle()
        if self.replies.limited:
            return self._take()
        dialect = self._dialect
        if dialect.suspended:
            dialect.resume_command()
        if dialect.suspended:
            self.stopped = True
        elif not self.closing and self._inbox and len(self._inbox) >= self.need:
            data = self._input = bytes(self._inbox)
            self._inbox.clear()
            self.wondering = False
            end = self._execute(data, 0)
            self._input = b""
            self._impatient = False
            if not self.wondering:
                self._waited = 0
            self._keep(data, end)
            if self.refused:  # nobody knows how to refuse that
                self.closing = True
        return self._take()

    def abandon(self) -> None:
        """The client is gone: drop what has not been started."""
        self.replies.abandon()
        self.closing = self.busy = True
        self._withholds = self.wondering = False
        self._withheld = b""
        self._inbox.clear()  # now, for it refers to itself and may lie about for long
        if self._intake is not None:
            self._intake.leave(self)
        self._judge = None

    def _keep(self, data: bytes, start: int) -> None:
        """Keep the unfinished rest of the input."""
        if start < len(data) and not self.closing:
            self._inbox += data[start:] if start else data
            if not (self.need or self.blocked) and self._dialect.oversized(self._inbox):
                self.closing = True
        if self.inside or self.need > HALF_MAX or len(self._inbox) > 2 * HALF_MAX:
            self._ask_for_room()

    # --- room for large commands

    @property
    def incomplete(self) -> bool:
        """Whether more has to come before its command can be executed."""
        return not (self.closing or self.stopped or self.replies.limited or self.refused)

    def _ask_for_room(self) -> None:
        """Go in, stay in, or go out, by the size of the command that has come half."""
        if self._intake is None:
            return
        size = max(self.need, len(self._inbox))
        if size <= HALF_MAX or self.closing:
            self.inside = self.late = False
            self._intake.leave(self)
        elif not (self.inside and self.blocked):  # who is stopped keeps what it has
            if not self.need and not self.blocked:
                size = LINE_ROOM
            self.inside = self._intake.enter(self, size)
            self.outside = not self.inside

    def admit(self, late: bool) -> None:
        """There is room for the command that has come half."""
        self.inside, self.outside, self.late = True, False, late
        self._ready()

    def refuse(self) -> None:
        """There is no room: the command that has come half is dropped."""
        self.inside = self.outside = self.late = False
        self.refused = True
        self.need = 0
        self._ready()

    # --- what is said behind a command

    def ahead(self) -> Iterator[Said | None]:
        """The commands behind the one that is being executed; see `said.Ahead`."""
        yield from self._dialect.said(self._input, self.next)
        yield OTHER if self._impatient else None

    def wonder(self, ticks: int) -> None:
        """Leave the present command where it is, and look at it again when there is news, and at each tick.

        Args:
            ticks: when so many have passed nothing more is waited for.
        """
        self.wondering = True
        self._patience = ticks

    def judge(self, judge: Judge | None, ticks: int = 0) -> None:
        """Show this judge what is said behind the present command, until its judgement is known.

        Args:
            judge: whom; None if it is of no interest any more.
            ticks: when the command is done and so many ticks have passed nothing more is waited for.
        """
        self._judge = judge
        self._patience = ticks
        self._waited = 0

    def impatient(self) -> bool:
        """Whether nothing more has been said behind the present command, for as long as that was waited for."""
        return self._impatient

    def lose_patience(self) -> bool:
        """A tick has passed; whether there is something to be done now at the next `resume`."""
        if self.replies.queue or not (self.wondering or self._judge):
            return False
        self._waited += 1
        self._impatient = self._waited >= self._patience
        if self._judge is None:
            return True
        if self._impatient:
            self._ask_judge()
            self._impatient = False
            return True
        return False

    def _ask_judge(self) -> None:
        """The judge's command has been taken out of the input: what is left stands behind it."""
        assert self._judge is not None
        said = self._dialect.said(bytes(self._inbox), 0)
        if self._judge(chain(said, (OTHER if self._impatient else None,))) is not None:
            self._judge = None

    # --- output

    def _take(self) -> bytes:
        """What can be sent now."""
        self.size = 0
        replies = self.replies
        if self._withholds or self._withheld:
            return self._take_withheld()
        if replies.idle:
            data = b"".join(self.out)
            self.out.clear()
            self.busy = self.closing or self.stopped or self.outside or self.wondering
            return data
        data = replies.take()
        self.busy = self.closing or self.stopped or self.outside or self.wondering or bool(replies.queue)
        return data

    # --- replies that must not go alone

    def withholding(self) -> bool:
        """Whether a reply is known but not told."""
        return self._withholds

    def withhold(self) -> None:
        """Say nothing until a retrieval has been answered, too; see memrep/php on why."""
        self._withholds = True

    def let_go(self) -> None:
        """Withhold nothing any more."""
        self._withholds = False

    def _take_withheld(self) -> bytes:
        """What can be sent now if a reply must not go without the retrieval behind it."""
        replies = self.replies
        if not replies.queue or replies.limited:
            self._withheld += replies.take()
        if replies.limited or self.closing or self._dialect.told(self._withheld):
            self._withholds = False
        self.busy = self.waiting or self.closing or self.stopped or self.outside
        if self._withholds:
            return b""
        data, self._withheld = self._withheld, b""
        return data
