"""What an operator asks at the admin socket of what this node was told, and changes of it while it runs.

/log        the level of what is logged; by POST: log what matters as much as the body says, and more
/reload     POST: read the options anew, and say what has come of it, as JSON (status/reloads.py)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from memrep.daemon.http_exchange import Answer, Request, SlowHandle, one_line
from memrep.daemon.log import Log
from memrep.events import LEVEL_SET, Level
from memrep.status.reloads import Reloaded


class OptionsDesk:
    """Answers an operator who changes options.

    Args:
        journal: the log of this node.
        reload: reads the options anew; is told who asks for it.

    Attributes:
        pages: who answers what is read.
        acts: who answers what changes anything.
    """

    def __init__(self, journal: Log, reload: Callable[[str], Awaitable[Reloaded]]) -> None:
        self._journal = journal
        self._reload = reload
        self.pages: dict[str, SlowHandle] = {"/log": self._tell_level}
        self.acts: dict[str, SlowHandle] = {"/log": self._set_level, "/reload": self._read_anew}

    def _tell_level(self, request: Request) -> Answer:
        return one_line(200, self._journal.level.word)

    def _set_level(self, request: Request) -> Answer:
        wanted = request.body.decode(errors="replace").strip()
        found = [level for level in Level if level.word == wanted]
        if not found:
            return one_line(
                400, f"say in the body which level; there are {' '.join(one.word for one in Level)}"
            )
        self._journal.level = max(found[0], Level.NOTICE)  # or nobody would read of this
        self._journal.log(LEVEL_SET(least=wanted, who=f"asked for by {request.caller}"))
        self._journal.level = found[0]
        return one_line(200, wanted)

    async def _read_anew(self, request: Request) -> Answer:
        outcome = await self._reload(f"asked for by {request.caller}")
        return Answer(200, "application/json", msgspec.json.encode(outcome))
