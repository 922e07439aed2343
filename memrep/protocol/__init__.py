"""The front doors: each protocol that clients speak, bytes in and bytes out.

A `Connection` is one client's end of a protocol. It parses what arrives, calls the engine, and spells the
outcomes. It does no I/O and holds no more than a bounded amount of input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import attrs

from memrep.decisions import Result
from memrep.engine import Ticket


class Connection(Protocol):
    """One client's end of a protocol.

    Attributes:
        closing: nothing more is read; the shell closes when what was returned has been sent.
        busy: it is closing, waiting or blocked. One look tells that nothing is left to be done.
        waiting: some reply waits for an outcome.
        blocked: it takes no more input for now; `resume` says when that is over.
    """

    closing: bool
    busy: bool

    @property
    def waiting(self) -> bool: ...

    @property
    def withholding(self) -> bool:
        """Whether a reply is known but not told; see `withhold`."""
        ...

    def withhold(self, instead: bytes) -> None:
        """Say nothing until a retrieval has been answered, too; see php.py on why.

        Args:
            instead: what the number that is withheld becomes if there is no retrieval; "" to leave it.
        """
        ...

    def let_go(self, waited: int) -> bool:
        """If nothing but that is waited for, and long enough, say what there is at the next `resume`.

        Args:
            waited: how long it has been, ms.

        Returns:
            Whether that is so.
        """
        ...

    @property
    def blocked(self) -> bool: ...

    def receive(self, data: bytes) -> bytes:
        """Take input; return the replies that can be sent."""
        ...

    def take_in(self, data: bytes) -> None:
        """Take input that is acted on at the next `resume`."""
        ...

    def resume(self) -> bytes:
        """Go on, after a reply has become known or earlier output has been sent; return what can be sent."""
        ...

    def abandon(self) -> None:
        """The client is gone: drop what has not been started."""
        ...


class Commands(Protocol):
    """The commands that may mean more than they say, depending on who sends them: php.py's, or the engine's."""

    def set(self, key: bytes, flags: int, exptime: int, value: bytes) -> Result | Ticket: ...

    def add(self, key: bytes, flags: int, exptime: int, value: bytes) -> Result | Ticket: ...

    def incr(self, key: bytes, delta: int) -> Result | Ticket: ...

    def delete(self, key: bytes) -> Result | Ticket: ...


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
    """

    version: bytes
    reports: dict[bytes, Callable[[], Iterable[tuple[str, object]]]]
    ready: Callable[[Connection], None]
    reset: Callable[[], None]
    set_verbosity: Callable[[int], None]
    shutdown: Callable[[], None] | None
