"""What an operator asks of sessions at the admin socket.

    /sessions/find?prefix=         the items whose keys, or PHP's names in them, begin so, as JSON
                                   (status/session_facts.py)
    /sessions/show?id=&value=1     what there is of one, with its value if that is asked for
    /sessions/count?match=&prefix= how many hold these bytes
    /sessions/kill                 POST, a KillOrder: end those that are named, or that hold these bytes

To look at all items takes a while, so it is done in slices, and by one at a time. What is ended is ended on all
nodes when the answer comes. A node that may not serve says so, for what it holds may be old.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec
import trio

from memrep.daemon.http_exchange import Answer, Request, SlowHandle, one_line
from memrep.daemon.key_names import spelled, unspelled
from memrep.daemon.reactor import Reactor
from memrep.daemon.slices import SLICE_S, in_slices
from memrep.engine.future import Future
from memrep.engine.operations import DELETED, Result
from memrep.events import ENDED_FOR_OPERATOR, Tell
from memrep.node.node import Node
from memrep.php.policy import PhpPolicy
from memrep.php.session_search import FoundSession, SessionSearch
from memrep.status.session_facts import KilledStatus, KillOrder, SessionsStatus, SessionStatus

#: Sessions that are told one by one.
TOLD_MAX: Final = 1_000

#: So many are ended in a turn; that takes less than a slice.
_ENDED_A_TURN: Final = 32

#: How long it may take until all nodes have that, s: longer than a change of view.
_PATIENCE_S: Final = 5.0

_SERVES_NOT: Final = one_line(
    409, "this node may not serve now, and what it holds may be old; ask another one (`memrep status`)"
)


class SessionDesk:
    """Answers an operator who looks for sessions.

    Args:
        node: this node.
        reactor: makes its turns.
        log: takes a line for the operator.

    Attributes:
        pages: who answers what is read.
        acts: who answers what changes anything.
    """

    def __init__(self, node: Node, reactor: Reactor, log: Tell) -> None:
        assert isinstance(node.policy, PhpPolicy)
        self._node = node
        self._reactor = reactor
        self._log = log
        self._search: SessionSearch = node.policy.sessions
        self._name = node.options.nodes[node.options.me - 1]
        self._one = trio.Lock()
        self.pages: dict[str, SlowHandle] = {
            "/sessions/find": self._find,
            "/sessions/show": self._show,
            "/sessions/count": self._count,
        }
        self.acts: dict[str, SlowHandle] = {"/sessions/kill": self._kill}

    # --- to look

    async def _find(self, request: Request) -> Answer:
        if not self._node.serving:
            return _SERVES_NOT
        search = self._search.beginning_with(request.parameters.get("prefix", b""))
        return self._tell(*await self._look_at_all(search))

    async def _count(self, request: Request) -> Answer:
        if not self._node.serving:
            return _SERVES_NOT
        match, prefix = request.parameters.get("match", b""), request.parameters.get("prefix", b"")
        if not match:
            return one_line(400, "say which bytes: ?match=")
        return self._tell(*await self._look_at_all(self._search.holding(match, prefix)), most=0)

    def _show(self, request: Request) -> Answer:
        if not self._node.serving:
            return _SERVES_NOT
        keys = self._search.keys_of(request.parameters.get("id", b""))
        size = sum(map(self._search.size_of, keys))
        return self._tell(keys, size, value=request.parameters.get("value") == b"1")

    async def _look_at_all(self, search: Iterator[bytes | None]) -> tuple[list[bytes], int]:
        """Look at everything; return which keys were found, and how large their values are together."""
        found: list[bytes] = []
        size = 0

        def steps() -> Iterator[None]:
            nonlocal size
            for key in search:
                if key is not None:
                    found.append(key)
                    size += self._search.size_of(key)
                yield

        async with self._one:
            await in_slices(steps())
        return found, size

    def _tell(self, keys: list[bytes], size: int, *, most: int = TOLD_MAX, value: bool = False) -> Answer:
        looks = (self._search.look(key) for key in sorted(keys[:most]))
        told = SessionsStatus(
            node=self._name,
            total=len(keys),
            size=size,
            sessions=[_told(found, value) for found in looks if found is not None],
        )
        return Answer(200, "application/json", msgspec.json.encode(told))

    # --- to end

    async def _kill(self, request: Request) -> Answer:
        try:
            order = msgspec.json.decode(request.body, type=KillOrder)
        except msgspec.DecodeError as error:
            return one_line(400, f"the body is to be a KillOrder as JSON: {error}")
        if bool(order.ids) == bool(order.match):
            return one_line(400, "say which sessions to end: by `ids`, or by `match`")
        if not self._node.serving:
            return _SERVES_NOT
        named = {name: self._search.keys_of(unspelled(name)) for name in order.ids}
        if order.match:
            search = self._search.holding(order.match, unspelled(order.prefix))
            keys, _ = await self._look_at_all(search)
            what = f"whose values hold {len(order.match)} bytes that were given"
        else:
            keys = list(dict.fromkeys(key for found in named.values() for key in found))
            what = "that were named"
        missing = [name for name, found in named.items() if not found]
        killed = msgspec.structs.replace(await self._end(keys, order.match), missing=missing)
        self._log(ENDED_FOR_OPERATOR(sessions=killed.ended, which=what, who=request.caller))
        return Answer(200, "application/json", msgspec.json.encode(killed))

    async def _end(self, keys: list[bytes], match: bytes) -> KilledStatus:
        """End these, a few at a time, and wait until all nodes have that."""
        ended = locked = left = 0
        rest = iter(keys)
        while (batch := list(islice(rest, _ENDED_A_TURN))) and not left:
            outcomes = await self._end_some(batch, match)
            ended += sum(result is DELETED for result, _ in outcomes)
            locked += sum(result is DELETED and was_locked for result, was_locked in outcomes)
            left += len(batch) - sum(result is not None for result, _ in outcomes)
            await trio.sleep(SLICE_S)
        return KilledStatus(
            node=self._name, ended=ended, locked=locked, left=left + len(batch) + len(list(rest))
        )

    async def _end_some(self, keys: list[bytes], match: bytes) -> list[tuple[Result, bool]]:
        """End these in one turn; return what came of each, None if that is not known, and if it was locked."""
        begun: list[tuple[Result | Future, bool]] = []

        def begin() -> None:
            if self._node.serving:
                begun.extend(self._search.end(key, match) for key in keys)

        self._reactor.turn(begin)
        with trio.move_on_after(_PATIENCE_S):
            while any(isinstance(outcome, Future) and not outcome.settled for outcome, _ in begun):
                await trio.sleep(SLICE_S)
        return [(_result(outcome), was_locked) for outcome, was_locked in begun]


def _result(outcome: Result | Future) -> Result:
    if isinstance(outcome, Future):
        return outcome.result if outcome.settled else None
    return outcome


def _told(found: FoundSession, value: bool) -> SessionStatus:
    content = found.entry.value or b""
    return SessionStatus(
        key=spelled(found.key),
        size=len(content),
        flags=found.entry.flags,
        age_s=found.age_ms / 1000,
        unread_s=None if found.unread_ms is None else found.unread_ms / 1000,
        left_s=None if found.left_ms is None else found.left_ms / 1000,
        locked=found.locked,
        value=content if value else None,
    )
