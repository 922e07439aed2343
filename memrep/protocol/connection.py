"""One client's connection, whatever it speaks: its input, its output, and their bounds.

A `Connection` takes bytes and gives bytes. It does no I/O. What the bytes mean is its dialect's business: the
dialect executes the commands in a piece of input, and puts what it has to say into `out`, or leaves a reply
open (replies.py).

Four limits keep memory bounded whatever a client does: OUTPUT_MAX on the replies made before the shell has
sent them, QUEUE_MAX on the replies that wait, the dialect's own on a command that does not end, and for a large
command the room that all clients have together (intake.py). Beyond the first two, and while it waits for room,
the connection is `blocked`: it keeps the rest of its input, of which the shell gives it no more.

It speaks nothing until `speak` has given it a first dialect (negotiation.py), which may give way to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from attrs import evolve

from memrep.protocol.command import Said
from memrep.protocol.dialect import Dialect, ServerContext
from memrep.protocol.farewell import Farewell
from memrep.protocol.intake import HALF_MAX
from memrep.protocol.replies import Replies
from memrep.protocol.reply_gate import ReplyGate

#: The room that a line needs of which it is not known how long it is: only a get of many keys is so long.
LINE_ROOM: Final = 1 << 20


#: What a connection speaks before it speaks anything.
_NOTHING: Final = Dialect()


class Connection:
    """One client's connection.

    Args:
        context: what it sees of the node.
        ready: called with the connection when `resume` may have something to send.

    Attributes:
        closing: nothing more is read; the shell closes when what was returned has been sent.
        gate: what its policy asks for between commands and replies; None as long as none does.
        busy: it is closing, waiting or blocked. One look tells that nothing is left to be done.
        out: for the dialect: where replies go that are known.
        replies: for the dialect: where those go that are not.
        size: for the dialect: about how many bytes of values are in `out`.
        need: for the dialect: the unfinished command is worth looking at from this size.
        next: for the dialect: where the input goes on behind the command that it executes.
        stopped: for the dialect: it stopped at a limit or for order's sake, not for want of input.
        farewell: how it is hung up on, once that is so.
        spent: for the dialect: whether to leave the rest of a pipeline to the next turn.
        flow: for the dialect: whether a command has to wait until less is on its way.
        crowded: it stopped because one has to.
        inside: it has room for a large command.
        outside: a large command waits for room to come in.
        refused: for the dialect: the unfinished command is to be dropped for want of memory, and this cleared.
        host: from where its client comes; "" for a unix socket.
        late: it has waited for room so long that its client may have given up.
        heard: when something came from it last, own monotonic ms.
        waits_since: since when it, or what it has said, waits, own monotonic ms; None if it does not. What has
            been waiting for its own clock or behind other commands begins to wait for peers later than it came.
    """

    __slots__ = (
        "_abandoned", "_dialect", "_execute", "_inbox", "_input", "_intake", "_ready",
        "busy", "closing", "crowded", "farewell", "flow", "gate", "heard", "host", "inside", "late", "need",
        "next", "out", "outside", "refused", "replies", "size", "spent", "stopped", "waits_since",
    )  # fmt: skip

    def __init__(self, context: ServerContext, ready: Callable[[Connection], None]) -> None:
        self._ready = partial(ready, self)
        self.replies = Replies(self._ready)
        self.out = self.replies.out
        self.gate: ReplyGate | None = None
        self.size = 0
        self.heard = 0
        self.waits_since: int | None = None
        self.need = 0
        self.next = 0
        self.stopped = False
        self.busy = False
        self.closing = False
        self.crowded = False
        self.outside = self.late = False
        self.refused = False
        self.inside = False
        self.host = ""
        self.farewell: Farewell | None = None
        self._intake = context.intake
        self.flow = context.flow
        self.spent = context.spent
        self._abandoned = False
        self._inbox = bytearray()
        self._input = b""  # what is being executed
        self.speak(_NOTHING)

    @property
    def asked(self) -> int | None:
        """Return when that of it came that waits, or earlier, own monotonic ms; None if nothing waits."""
        return None if self.waits_since is None else min(self.waits_since, self.heard)

    def speak(self, dialect: Dialect) -> None:
        """Speak this dialect from the next command on."""
        self._dialect = dialect
        self._execute = dialect.execute

    def open_gate(self) -> ReplyGate:
        """Return the gate of this connection, which it has from now on, for a policy that needs one."""
        if self.gate is None:
            self.gate = ReplyGate(self)
        return self.gate

    @property
    def waiting(self) -> bool:
        """Tell whether some reply waits for an outcome, or it or its command is kept at the gate."""
        return bool(self.replies.queue) or (self.gate is not None and self.gate.waiting)

    @property
    def blocked(self) -> bool:
        """Tell whether it takes no more input for now; `resume` says when that is over."""
        return self.closing or self.stopped or self.outside or self.replies.limited

    def waits(self, writes: bool, shows: bool) -> bool:
        """Tell whether a command has to wait until less is on its way, by what it does."""
        flow = self.flow
        self.crowded = (writes and flow.writes_wait) or (shows and flow.reads_wait)
        return self.crowded

    # --- input

    def receive(self, data: bytes) -> bytes:
        """Take input; return the replies that can be sent."""
        if self._inbox or self.busy:
            if self.farewell is not None:  # it has been hung up on in this very turn
                self.farewell = evolve(self.farewell, due=True)
                return b""
            self._inbox += data
            if self.inside and self._intake is not None:
                self._intake.heard(self)
            if self.gate is not None:
                self.gate.heard()
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
        if self.gate is not None:
            self.gate.heard()

    def ahead(self) -> Iterator[Said]:
        """Return the whole commands behind the one being executed; between executions, those that are kept."""
        if self._input:
            return self._dialect.said(self._input, self.next)
        return self._dialect.said(bytes(self._inbox), 0)

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
            gate = self.gate
            if gate is not None:
                gate.begin()
            end = self._execute(data, 0)
            self._input = b""
            if gate is not None:
                gate.end()
            self._keep(data, end)
            if self.refused:  # nobody knows how to refuse that
                self.out.append(dialect.farewell.word)
                self.closing = True
        data = self._take()
        return b"" if self._abandoned else data  # what a client has begun is ended, and told to nobody

    def wake(self) -> None:
        """Have it resumed: it has something to say that its client has not asked for just now."""
        self._ready()

    @property
    def hold_s(self) -> float:
        """Return for how long nothing must have come from its client before it is ended, s."""
        return self._dialect.farewell.hold_s

    def hang_up(self) -> None:
        """Close it from here, when what is known has been said."""
        self.closing = self.busy = True
        self._ready()

    def abandon(self, unheard: bool = False) -> None:
        """Drop what has not been started: the client is gone, or hung up on.

        Args:
            unheard: whether the client has said something that was not even taken in.
        """
        if self.farewell is None:
            farewell = self._dialect.farewell
            due = unheard or farewell.due or bool(self.replies.queue or self._inbox)
            # Who has said the last word itself, QUIT for one, is owed none.
            self.farewell = evolve(farewell, word=b"" if self.closing else farewell.word, due=due)
        # Finding 11: what is known now would be taken for the reply to something else.
        self.replies.abandon()
        self.closing = self.busy = self._abandoned = True
        self._dialect.left()
        if self.gate is not None:
            self.gate.close()
        self._inbox.clear()  # now, for it refers to itself and may lie about for long
        if self._intake is not None:
            self._intake.leave(self)

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
    def lacks(self) -> int:
        """Return how many bytes at least its unfinished command lacks, as far as that is known."""
        return self.need - len(self._inbox)

    @property
    def kept(self) -> int:
        """Return how many bytes of its unfinished command it keeps; each further piece costs a look at all."""
        return len(self._inbox)

    @property
    def incomplete(self) -> bool:
        """Tell whether more has to come before its command can be executed."""
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
        """Go in: there is room for the command that has come half."""
        self.inside, self.outside, self.late = True, False, late
        self._ready()

    def refuse(self) -> None:
        """Drop the command that has come half: there is no room."""
        self.inside = self.outside = self.late = False
        self.refused = True
        self.need = 0
        self._ready()

    # --- output

    def _take(self) -> bytes:
        """Return what can be sent now."""
        self.size = 0
        replies, gate = self.replies, self.gate
        if gate is not None and (gate.holding or gate.held):
            data = gate.take(self.closing, self._dialect.answers_retrieval)
        elif replies.idle:  # the usual case, so it gets a short way
            data = b"".join(self.out)
            self.out.clear()
            self.busy = self.closing or self.stopped or self.outside or (gate is not None and gate.deferred)
            return data
        else:
            data = replies.take()
        self.busy = self.closing or self.stopped or self.outside or self.waiting
        return data
