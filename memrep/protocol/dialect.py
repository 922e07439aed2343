"""What a dialect is: the contract between a connection and the protocol that its client speaks.

Problem: a connection knows bytes, bounds and the order of replies; only its dialect knows where a command ends
and what it asks for. A new protocol is one more subclass of `Dialect` and one more row in negotiation.py;
nothing of it is seen in connection.py.

Invariant: `execute` takes whole commands only, each once and in order. It may be given any piece of input, and
leaves where it is what has come half. It stops, and says so by `Connection.stopped`, where any of these holds:

    the connection is `closing`, or a command of this dialect is `suspended`
    `Connection.size` has reached OUTPUT_MAX, or QUEUE_MAX replies wait (replies.py)
    `Connection.spent` says that this turn has lasted long enough; asked every COMMANDS_A_LOOK commands
    the next command must not overtake an open reply (replies.py), or has to wait (`Connection.waits`)
    the command was deferred at the gate (reply_gate.py)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import attrs

from memrep.engine.counters import Prefixes
from memrep.flow_control import FlowControl
from memrep.protocol.command import Said
from memrep.protocol.farewell import Farewell
from memrep.protocol.intake import Intake
from memrep.protocol.users import Users

if TYPE_CHECKING:
    from memrep.protocol.resp.server import Server

#: Of a pipeline so many commands are executed before anybody asks how long this turn has lasted.
COMMANDS_A_LOOK: Final = 16


@attrs.frozen
class ServerContext:
    """What a connection and its dialect see of the node beyond its engine.

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
        redis: what clients of Redis' protocol share; None if none can come.
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
    redis: Server | None = None


class Dialect:
    """What the bytes of one connection mean. Only `execute` has to be said by each."""

    __slots__ = ()

    def execute(self, data: bytes, start: int) -> int:
        """Execute the commands in `data` from `start`; return where the first unfinished one begins."""
        raise NotImplementedError

    @property
    def suspended(self) -> bool:
        """Tell whether a command has stopped half-way, at a limit of the output."""
        return False

    def resume_command(self) -> None:
        """Go on with the command that was cut short."""

    def oversized(self, inbox: bytearray) -> bool:
        """Tell whether this beginning of a command is too long to be one."""
        return False

    @property
    def farewell(self) -> Farewell:
        """Return how the node hangs up on the client now; a command is `due` a word if it has been taken in."""
        return Farewell()

    def left(self) -> None:
        """Note that the client is gone."""

    def answers_retrieval(self, replies: bytes) -> bool:
        """Tell whether one of these replies answers a retrieval."""
        return True

    def said(self, data: bytes, start: int) -> Iterator[Said]:
        """Return the whole commands in `data` from `start`, of which none is executed."""
        return iter(())
