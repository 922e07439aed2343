"""One server of the old store, or the directory of its files: how it is asked, and when it is left alone.

Problem: whoever asks for a session that is not here waits for the old store. If that is dead, everybody would,
again and again; and a single slow answer must not log everybody out.

Rule: who refuses, or hangs up, is left alone at once; who is silent, when that has happened MISSES times with
no answer in between. Nobody waits for a server that is left alone. The node by itself tries it, after PAUSE_S
and then less and less often, and it is asked again from its first answer on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

import trio

from memrep.daemon.old_dialogues import Seen
from memrep.daemon.old_stream import OldStream, SilentError

#: So many times in a row a server may be silent before it is left alone.
MISSES: Final = 3

#: How long it is left alone before it is tried, s: at first, and at most.
PAUSE_S: Final = 1.0
PAUSE_MAX_S: Final = 30.0

#: A server that answers for so long, s, begins with the first pause again.
_STEADY_S: Final = 60.0

#: So many connections are kept open for the next who asks.
_IDLE_MAX: Final = 8

#: The name of no session, for tries.
NOBODY: Final = b"memrep-asks-whether-you-answer"

Dialogue = Callable[[OldStream, bytes], Awaitable[Seen]]


class Asked:
    """A server that is asked over connections.

    Args:
        connect: opens one.
        dialogue: asks for a session over it.
    """

    def __init__(self, connect: Callable[[], Awaitable[OldStream]], dialogue: Dialogue) -> None:
        self._connect = connect
        self._dialogue = dialogue
        self._idle: list[OldStream] = []

    async def look(self, name: bytes) -> Seen:
        """Ask for a session.

        Raises:
            SilentError: there is no answer.
        """
        if self._idle:
            try:
                return await self._look(self._idle.pop(), name)
            except SilentError:
                pass  # it may just have closed what was idle
        return await self._look(await self._connect(), name)

    async def _look(self, stream: OldStream, name: bytes) -> Seen:
        async with AsyncExitStack() as given_back:
            # Also if it is not waited for any longer: the answer would be taken for the next one's.
            given_back.push_async_callback(stream.close)
            seen = await self._dialogue(stream, name)
            if len(self._idle) < _IDLE_MAX:
                given_back.pop_all()
                self._idle.append(stream)
        return seen

    async def close(self) -> None:
        """End all connections."""
        while self._idle:
            await self._idle.pop().close()


class OldServer:
    """One server, and whether it is left alone.

    Args:
        name: of it, for the operator.
        look: asks it for a session.
        close: lets go of it.

    Attributes:
        name: see above.
        close: see above.
        why: why it is left alone; "" if it is asked.
    """

    def __init__(
        self, name: str, look: Callable[[bytes], Awaitable[Seen]], close: Callable[[], Awaitable[None]]
    ) -> None:
        self.name = name
        self.close = close
        self.why = ""
        self._look = look
        self._misses = 0
        self._pause = PAUSE_S
        self._next = 0.0  # when it is tried
        self._back = -_STEADY_S

    def is_due(self, now: float) -> bool:
        """Tell whether it is to be tried now."""
        return bool(self.why) and now >= self._next

    async def look(self, name: bytes, seconds: float) -> Seen | None:
        """Ask for a session, for so long at most; return None if there is no answer."""
        why, misses = f"no answer within {seconds:g} s", self._misses + 1
        with trio.move_on_after(seconds):
            try:
                seen = await self._look(name)
            except SilentError as error:
                why, misses = str(error), MISSES
            else:
                self._misses = 0
                if self.why:
                    self.why, self._back = "", trio.current_time()
                return seen
        self._misses = misses
        if self._misses >= MISSES:
            self._leave_alone(why)
        return None

    def _leave_alone(self, why: str) -> None:
        now = trio.current_time()
        if self.why or now - self._back < _STEADY_S:
            self._pause = min(2 * self._pause, PAUSE_MAX_S)
        else:
            self._pause = PAUSE_S
        self.why, self._next = why, now + self._pause
