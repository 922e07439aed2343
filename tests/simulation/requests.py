"""Requests of PHP's in virtual time: what one does is a generator, which says what it waits for next.

It waits for an answer on one of its connections, or for time to pass. A connection that breaks instead, or an
answer that does not come for as long as a client has patience, wakes it too, without an answer.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from tests.simulation.php_worker import Talk

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

#: What an answer is to a client.
A = TypeVar("A")


class Wire(Talk, Generic[A]):
    """One connection of a request.

    Attributes:
        gone: it was closed, by whomever.
    """

    def __init__(self, worker: Requests[A], host: Host, port: str = "") -> None:
        super().__init__(worker, host, port)
        self.gone = False

    def take(self, kind: int) -> A | None:
        """The answer of this kind, if it is here, and out of the way with what came before it."""
        raise NotImplementedError


#: What a request waits for: an answer of this kind on a connection (None: its end), or time to pass, ms.
Wait = tuple[Wire[A], int | None] | float
Steps = Generator[Wait[A], None, None]


class Requests(Generic[A]):
    """One PHP worker: one request after another.

    See `php_worker.Worker`.

    Args:
        world: where.
        number: tells it from others.
        patience: how long it waits for an answer, ms.
    """

    def __init__(self, world: World, number: int, patience: float) -> None:
        self.world = world
        self.number = number
        self.counted = 0
        self.uncertain = 0
        self.data = b""
        self._patience = patience
        self._steps: Steps[A] | None = None
        self._awaits: Wait[A] = 0.0
        self._answer: A | None = None
        self._step = 0

    def _request(self) -> Steps[A]:
        """What a request does."""
        raise NotImplementedError

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self._steps is None

    def go(self) -> None:
        """Begin a request."""
        if not self.world.quiet:
            self._steps = self._request()
            self._go_on()

    def heard(self, talk: Talk) -> None:
        """A reply has come, or a part of one."""
        if isinstance(self._awaits, tuple) and self._awaits[0] is talk and self._awaits[1] is not None:
            self._answer = self._awaits[0].take(self._awaits[1])
            if self._answer is not None:
                self._go_on()

    def lost(self, talk: Talk) -> None:
        """A node has hung up."""
        assert isinstance(talk, Wire)
        talk.gone = True
        talk.hang_up()
        if isinstance(self._awaits, tuple) and self._awaits[0] is talk:
            self._go_on()

    def _go_on(self) -> None:
        world, steps = self.world, self._steps
        assert steps is not None
        self._step += 1
        try:
            self._awaits = next(steps)
        except StopIteration:
            self._steps = None
            self._awaits = 0.0
            world.later(world.rng.random() * 10, self.go)
            return
        after = self._patience if isinstance(self._awaits, tuple) else self._awaits
        world.later(after, partial(self._tire, self._step))

    def _tire(self, step: int) -> None:
        """What was waited for has not come, or the time has."""
        if step != self._step or self._steps is None:
            return
        if isinstance(self._awaits, tuple):
            self._awaits[0].gone = True
            self._awaits[0].hang_up()
        self._go_on()

    def _accepts(self, host: Host) -> bool:
        return host.node is not None and host.node.open and not (host.leaving or host.is_dark)
