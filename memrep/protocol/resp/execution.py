"""The command of one client that is running: its plan is carried out, and what it makes is said.

Steps that need no other node are done at once. Of the others each holds a place in the queue of replies,
silently; when all their results are there the plan says its word, or goes on. What is said piece by piece
(KEYS, SCAN) stops at the end of the turn, or when enough is said, and goes on in the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import Result
from memrep.protocol.connection import Connection
from memrep.protocol.replies import OUTPUT_MAX
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.plan import NOTHING, Plan, Step


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
        "_client", "_collected", "_connection", "_engine", "_out", "_parts", "_plan", "_replies", "_walk",
        "_walk_plan", "mute", "runs",
    )  # fmt: skip

    def __init__(self, connection: Connection, engine: Engine, client: Client) -> None:
        self.runs = False
        self.mute = False
        self._connection = connection
        self._replies = connection.replies
        self._out = connection.out
        self._engine = engine
        self._client = client
        self._plan: Plan | None = None  # whose steps are on their way,
        self._parts: Sequence[Result | Future] = ()  # and their results
        self._walk: Iterator[bytes] | None = None  # what is said piece by piece,
        self._walk_plan: Plan | None = None  # the plan whose result that is, if it is one's,
        self._collected: list[bytes] = []  # as far as it has come

    def begin(self, made: bytes | Plan | Iterator[bytes]) -> None:
        """Say this reply, carry out this plan, or say this piece by piece."""
        if isinstance(made, bytes):
            self.say(made)
        elif isinstance(made, Plan):
            self._run(made)
        else:
            self._go_on_with(made)

    def go_on(self) -> None:
        """Go on with what is on its way, as far as what it waits for is there."""
        if self._plan is not None:
            if any(isinstance(part, Future) and not part.settled for part in self._parts):
                return
            plan, parts = self._plan, self._parts
            self._plan, self._parts = None, ()
            self.runs = False
            self._tell(plan, [part.result if isinstance(part, Future) else part for part in parts])
        elif self._walk is not None:
            self._go_on_with(self._walk)

    def say(self, reply: bytes) -> None:
        """Put out a reply, unless none is wanted."""
        if not self.mute:
            self._connection.size += len(reply)
            self._out.append(reply)

    def _run(self, plan: Plan) -> None:
        """Do what a plan says; what has no result yet holds a place in the queue."""
        if plan.walk is not None:
            self._walk_plan, self._collected = plan, []
            self._go_on_with(plan.walk)
            return
        parts = [self._do(step) for step in plan.steps]
        futures = [part for part in parts if isinstance(part, Future)]
        if not futures:
            self._tell(plan, [part for part in parts if not isinstance(part, Future)])
        elif plan.finish is None and not self.mute:  # the one result there is is spelled already
            self._replies.hold(futures[0], self._client.spelled)
        else:
            self._plan, self._parts = plan, parts
            self.runs = True
            for future in futures:
                self._replies.hold(future, _silently)

    def _do(self, step: Step) -> Result | Future:
        engine = self._engine
        if step.length == NOTHING:
            return engine.modify(step.key, step.decide, step.count)
        return engine.store_if(step.key, step.length, step.decide, step.count)

    def _tell(self, plan: Plan, results: Sequence[Result]) -> None:
        reply = self._client.told(plan, results)
        if isinstance(reply, bytes):
            self.say(reply)
        else:
            self._run(reply)

    def _go_on_with(self, walk: Iterator[bytes]) -> None:
        """Say what comes, or collect it for a plan, as long as there is time and room."""
        self._walk = walk
        self.runs = True
        for piece in walk:
            if self._walk_plan is None:
                self.say(piece)
            else:
                self._collected.append(piece)
            if self._connection.size >= OUTPUT_MAX or self._connection.spent():
                return
        self._walk = None
        self.runs = False
        if self._walk_plan is not None:
            plan, self._walk_plan = self._walk_plan, None
            self._tell(plan, [b"".join(self._collected)])


def _silently(result: Result) -> bytes:
    """Return nothing, for results that are told later, together."""
    return b""
