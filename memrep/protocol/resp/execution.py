"""The command of one client that is running: its plan is carried out, and what it makes is said.

Steps that need no other node are done at once. Of the others each holds a place in the queue of replies,
silently; when all their results are there the plan says its word, or goes on.

Problem: Redis does one command after the other, and nobody sees one half done. Here one may last long, by its
keys (MSET, DEL) or by what it says (KEYS, SCAN), and everybody would wait for its end.

Rule: what a command does to fewer than MOMENT keys is one moment, and EXEC is one however many there are
(`Plan.whole`): no other client of this node comes in between, nor is it left half done when its own one leaves.
Beyond that a command stops at the end of the turn, and goes on in another one. It stops, too, when enough is
said, or as much on its way to other nodes as may be, or where it has to wait for them; that is no moment, and
who leaves meanwhile leaves the rest undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import Result
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import COMMANDS_A_LOOK
from memrep.protocol.replies import OUTPUT_MAX
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.plan import NOTHING, Made, Plan, Step

#: So many keys take some 2 ms, and a turn has room for two such moments; a command that has more gives way to
#: others in between.
MOMENT: Final = 16 * COMMANDS_A_LOOK


class Execution:
    """Carries out one client's plans, one at a time.

    Args:
        connection: where its replies go.
        engine: executes the steps.
        client: makes words of results.

    Attributes:
        runs: whether one is on its way.
        mute: whether it is not to be answered.
    """

    __slots__ = (
        "_client", "_collected", "_connection", "_engine", "_out", "_parts", "_plan", "_replies", "_steps",
        "_walk", "mute", "runs",
    )  # fmt: skip

    def __init__(self, connection: Connection, engine: Engine, client: Client) -> None:
        self.runs = False
        self.mute = False
        self._connection = connection
        self._replies = connection.replies
        self._out = connection.out
        self._engine = engine
        self._client = client
        self._plan: Plan | None = None  # that is carried out; None for what is only said piece by piece
        self._steps: Iterator[Step] = iter(())  # those that have not been begun,
        self._parts: list[Result | Future] = []  # and what the others bring
        self._walk: Iterator[bytes] | None = None  # what comes piece by piece,
        self._collected: list[bytes] = []  # and, if a plan is to have it, what has come

    def begin(self, made: Made) -> None:
        """Say this reply, carry out this plan, or say this piece by piece."""
        self._go_on_with(made)
        self.go_on()

    def go_on(self) -> None:
        """Go on with what is on its way, as far as time, room, and what it waits for allow.

        A loop, for a transaction of many commands is as many plans, one after another.
        """
        while self.runs:
            if not (self._do_steps() if self._walk is None else self._take_pieces()):
                return
            if self._plan is None:
                self.runs = False
                return
            results = [part.result if isinstance(part, Future) else part for part in self._parts]
            self._go_on_with(self._client.told(self._plan, results))

    @property
    def half_said(self) -> bool:
        """Tell whether a part of its reply may have been said already."""
        return self.runs and self._plan is None

    def say(self, reply: bytes) -> None:
        """Put out a reply, unless none is wanted."""
        if not self.mute:
            self._connection.size += len(reply)
            self._out.append(reply)

    def _go_on_with(self, made: Made) -> None:
        self._parts, self._collected = [], []
        self.runs = not isinstance(made, bytes)
        if isinstance(made, bytes):
            self.say(made)
        elif isinstance(made, Plan):
            self._plan, self._walk, self._steps = made, made.walk, iter(made.steps)
        else:
            self._plan, self._walk = None, made

    def _do_steps(self) -> bool:
        """Begin what has not been begun; tell whether everything has its result."""
        parts, plan = self._parts, self._plan
        assert plan is not None
        for step in self._steps:
            part = self._do(step)
            if isinstance(part, Future):
                if plan.finish is None and not self.mute:  # the one result there is is spelled already
                    self._replies.hold(part, self._client.spelled)
                    self.runs = False
                    return False
                self._replies.hold(part, _silently)
            parts.append(part)
            if not len(parts) % COMMANDS_A_LOOK and self._has_to_stop(part, plan):
                return False
        return not any(isinstance(part, Future) and not part.settled for part in parts)

    def _has_to_stop(self, part: Result | Future, plan: Plan) -> bool:
        """Tell whether the rest is left to another turn behind this part, be it for what is on its way."""
        connection = self._connection
        if connection.flow.tight and isinstance(part, Future) and connection.waits(True, False):
            return True
        return not (plan.whole or len(self._parts) % MOMENT) and connection.spent()

    def _do(self, step: Step) -> Result | Future:
        engine = self._engine
        if step.length == NOTHING:
            return engine.modify(step.key, step.decide, step.count)
        return engine.store_if(step.key, step.length, step.decide, step.count)

    def _take_pieces(self) -> bool:
        """Say what comes, or collect it for a plan; tell whether that was all."""
        assert self._walk is not None
        plan, connection = self._plan, self._connection
        whole = plan is not None and plan.whole
        for piece in self._walk:
            if plan is None:
                self.say(piece)
            else:
                self._collected.append(piece)
            if not whole and (connection.size >= OUTPUT_MAX or connection.spent()):
                return False
        self._walk = None
        if plan is not None:
            self._parts = [b"".join(self._collected)]
        return True


def _silently(result: Result) -> bytes:
    """Return nothing, for results that are told later, together."""
    return b""
