"""One client's connection, whatever it speaks: its input, its output, and their bounds.

A `Connection` takes bytes and gives bytes. It does no I/O. What the bytes mean is its dialect's business: the
dialect executes the commands in a piece of input, and puts what it has to say into `out`, or leaves a reply
open (replies.py).

Three limits keep memory bounded whatever a client does: OUTPUT_MAX on the replies made before the shell has
sent them, QUEUE_MAX on the replies that wait, and the dialect's own on a command that does not end. Beyond the
first two the connection is `blocked`: it keeps the rest of its input, of which the shell gives it no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import attrs

from memrep.protocol.replies import OUTPUT_MAX, Replies
from memrep.stats import Prefixes
from memrep.users import Users

#: How long (ms) a reply is withheld for the sake of a retrieval behind it: over a lost packet, but if one reply
#: more is there, only over the gap between two packets, for pecl sends its second command with the third.
WITHHELD_MS: Final = 100
WITHHELD_LAST_MS: Final = 10

#: This many replies may wait for an outcome.
QUEUE_MAX: Final = 2000


@attrs.frozen
class Surroundings:
    """What a connection sees of the node beyond its engine.

    Attributes:
        version: what `version` answers.
        reports: the groups of `stats`, each a function to its (name, value) lines; "" is the general one.
        ready: called with the connection when `resume` may have something to send.
        reset: `stats reset`.
        set_verbosity: `verbosity LEVEL`.
        shutdown: ends the program; None if that is not enabled.
        users: who may come in; None if everybody may.
        flush_all: whether that is obeyed.
        lists: whether a list of keys is empty, and not refused.
        prefixes: what `stats detail` counts.
    """

    version: bytes
    reports: dict[bytes, Callable[[], Iterable[tuple[str, object]]]]
    ready: Callable[[Connection], None]
    reset: Callable[[], None]
    set_verbosity: Callable[[int], None]
    shutdown: Callable[[], None] | None
    users: Users | None = None
    flush_all: bool = True
    lists: bool = True
    prefixes: Prefixes = attrs.Factory(Prefixes)


class Dialect:
    """What the bytes of one connection mean. Only `execute` has to be said by each."""

    __slots__ = ()

    def execute(self, data: bytes, start: int) -> int:
        """Execute the commands in `data` from `start`; return where the first unfinished one begins."""
        raise NotImplementedError

    @property
    def cut_short(self) -> bool:
        """Whether a command has stopped half-way, at a limit of the output."""
        return False

    def go_on(self) -> None:
        """Go on with the command that was cut short."""

    def endless(self, inbox: bytearray) -> bool:
        """Whether this beginning of a command is too long to be one."""
        return False

    def told(self, replies: bytes) -> tuple[int, bool]:
        """How many replies these are, and whether the last one answers a retrieval."""
        return 0, True


class Connection:
    """One client's connection.

    Args:
        surroundings: what it sees of the node.
        dialect: makes its first dialect.

    Attributes:
        closing: nothing more is read; the shell closes when what was returned has been sent.
        busy: it is closing, waiting or blocked. One look tells that nothing is left to be done.
        out: for the dialect: where replies go that are known.
        replies: for the dialect: where those go that are not.
        size: for the dialect: about how many bytes of values are in `out`.
        need: for the dialect: the unfinished command is worth looking at from this size.
        stopped: for the dialect: it stopped at a limit or for order's sake, not for want of input.
    """

    __slots__ = (
        "_dialect", "_execute", "_inbox", "_withheld", "_withholds",
        "busy", "closing", "need", "out", "replies", "size", "stopped",
    )  # fmt: skip

    def __init__(self, surroundings: Surroundings, dialect: Callable[[Connection], Dialect]) -> None:
        self.replies = Replies(partial(surroundings.ready, self))
        self.out = self.replies.out
        self.size = 0
        self.need = 0
        self.stopped = False
        self.busy = False
        self.closing = False
        self._inbox = bytearray()
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
        """Whether some reply waits for an outcome, or is withheld."""
        return bool(self.replies.queue) or self._withholds

    @property
    def blocked(self) -> bool:
        """Whether it takes no more input for now; `resume` says when that is over."""
        return self.closing or self.stopped or self.replies.limited

    # --- input

    def receive(self, data: bytes) -> bytes:
        """Take input; return the replies that can be sent."""
        if self._inbox or self.busy:
            self._inbox += data
            return b"" if len(self._inbox) < self.need else self.resume()
        end = self._execute(data, 0)
        if end < len(data):
            self._keep(data, end)
        return self._take()

    def take_in(self, data: bytes) -> None:
        """Take input that is acted on at the next `resume`."""
        self._inbox += data

    def resume(self) -> bytes:
        """Go on, after a reply has become known or earlier output has been sent; return what can be sent."""
        self.stopped = False
        self.replies.settle()
        if self.replies.limited:
            return self._take()
        dialect = self._dialect
        if dialect.cut_short:
            dialect.go_on()
        if dialect.cut_short:
            self.stopped = True
        elif not self.closing and self._inbox and len(self._inbox) >= self.need:
            data = bytes(self._inbox)
            self._inbox.clear()
            self._keep(data, self._execute(data, 0))
        return self._take()

    def abandon(self) -> None:
        """The client is gone: drop what has not been started."""
        self.replies.abandon()
        self.closing = self.busy = True
        self._withholds = False
        self._withheld = b""

    def _keep(self, data: bytes, start: int) -> None:
        """Keep the unfinished rest of the input."""
        if start < len(data) and not self.closing:
            self._inbox += data[start:] if start else data
            if not (self.need or self.blocked) and self._dialect.endless(self._inbox):
                self.closing = True

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
            self.busy = self.closing or self.stopped
            return data
        data = replies.take()
        self.busy = self.closing or self.stopped or bool(replies.queue)
        return data

    # --- replies that must not go alone

    def withholding(self) -> bool:
        """Whether a reply is known but not told."""
        return self._withholds

    def withhold(self) -> None:
        """Say nothing until a retrieval has been answered, too; see memrep/php on why."""
        self._withholds = True

    def let_go(self, waited: int) -> bool:
        """If nothing but a retrieval is waited for, and long enough, say at the next `resume` what there is.

        Args:
            waited: how long it has been, ms.

        Returns:
            Whether that is so.
        """
        if not self._withholds or self.replies.queue:
            return False
        count, _ = self._dialect.told(self._withheld)
        if waited < (WITHHELD_MS if count < 2 else WITHHELD_LAST_MS):
            return False
        self._withholds = False
        self._withheld += self.replies.take()
        return True

    def _take_withheld(self) -> bytes:
        """What can be sent now if a reply must not go without the retrieval behind it."""
        replies = self.replies
        if not replies.queue or replies.limited:
            self._withheld += replies.take()
        if replies.limited or self.closing or self._dialect.told(self._withheld)[1]:
            self._withholds = False
        self.busy = self.closing or self.stopped or bool(replies.queue) or self._withholds
        if self._withholds:
            return b""
        data, self._withheld = self._withheld, b""
        return data
