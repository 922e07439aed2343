"""The tasks that look for sessions in the old store, for a node that waits for them (engine/fallback.py).

All servers are asked at once, for a pool's clients may have written a session to any of them, and to several:
the copy that ends last was written last. While a page is at work on the session there, it is looked at again
and again: what the page writes at its end is what must come over. When the time is over what was seen last
counts. Lock and session may be at different servers of a pool: so a pool is asked once more when the lock is
known to be free.

Where no server has it, and one has not answered, nothing is known of it.
"""

from __future__ import annotations

from collections import deque
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import trio

from memrep.daemon import names
from memrep.daemon.names import Endpoint
from memrep.daemon.old_dialogues import Seen, ask_memcached, ask_redis, greet_redis, look_at_file
from memrep.daemon.old_server import NOBODY, Asked, OldServer
from memrep.daemon.old_stream import OldStream
from memrep.daemon.reactor import Reactor
from memrep.daemon.threads import Worker
from memrep.engine.fallback import Found
from memrep.events import OLD_STORE_BACK, OLD_STORE_SILENT, Tell
from memrep.handlers.item import Item
from memrep.handlers.old_store import OldStore
from memrep.handlers.places import Server
from memrep.node.node import Node

#: Between two looks at what a page is at work on, s.
_AGAIN_S: Final = 0.02

#: So long before its time is over the search ends, s: the node has to hear of it in time.
_MARGIN_S: Final = 0.01

#: Between two looks at who is to be tried again, s.
_LOOK_S: Final = 0.5


class Fallback:
    """What looks for sessions in the old store of one node.

    Args:
        node: it waits for them.
        reactor: makes turns.
        worker: a thread of its own, for names and files; None if there was no old store at the start.
        log: takes a line for the operator.
    """

    def __init__(self, node: Node, reactor: Reactor, worker: Worker | None, log: Tell) -> None:
        self._node = node
        self._reactor = reactor
        self._worker = worker
        self._log = log
        self._wanted: deque[bytes] = deque()
        self._news = trio.Event()
        self._in_thread = trio.Lock()
        self._old: OldStore | None = None
        self._servers: list[OldServer] = []

    def look_up(self, key: bytes) -> None:
        """Have a key looked for; to be called in a turn."""
        self._wanted.append(key)
        self._reactor.errands.append(self._wake)

    def _wake(self) -> None:
        self._news.set()

    @property
    def silent(self) -> str:
        """Return which servers are left alone, and why; "" if there are none."""
        return "; ".join(f"{server.name}: {server.why}" for server in self._servers if server.why)

    async def keep(self) -> None:
        """Look for what is wanted, for ever."""
        if self._node.fallback is None:
            await trio.sleep_forever()
        self._news, self._in_thread = trio.Event(), trio.Lock()  # nothing of a former run of trio's
        self._old, self._servers = None, []
        self._wanted.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._try_again)
            while True:
                await self._news.wait()
                self._news = trio.Event()
                await self._follow()
                while self._wanted:
                    nursery.start_soon(self._search, self._wanted.popleft())

    async def _follow(self) -> None:
        """See whether there is another old store now."""
        old = self._node.options.old_store
        if old == self._old:
            return
        servers, self._servers, self._old = self._servers, [], old
        for server in servers:
            await server.close()
        if old is not None:
            self._servers = self._made(old)

    def _made(self, old: OldStore) -> list[OldServer]:
        if not old.place.servers:
            return [OldServer(old.place.path, partial(self._look_at_file, old), _nothing)]
        made = []
        for server in old.place.servers:
            asked = Asked(partial(self._connect, server, old), partial(_dialogue, old))
            made.append(OldServer(str(server), asked.look, asked.close))
        return made

    # --- one session

    async def _search(self, key: bytes) -> None:
        """Look for a session, and tell the node."""
        old = self._old
        name = None if old is None else old.name(key)
        if old is None or name is None or self._node.fallback is None:
            return
        ends = trio.current_time() + old.within_s - _MARGIN_S
        item, is_known = await self._look_for(name, ends)
        tell = partial(self._node.fallback.unanswered, key)
        if item is not None:
            taken = old.taken(item)
            if isinstance(taken, Item):
                tell = partial(self._node.fallback.found, key, Found(taken.value, taken.flags, taken.left_ms))
        elif is_known:
            tell = partial(self._node.fallback.found, key, None)
        self._reactor.turn(tell)

    async def _look_for(self, name: bytes, ends: float) -> tuple[Item | None, bool]:
        """Return the session, if it is found in time, and whether that is sure."""
        item: Item | None = None
        was_free = False
        while True:
            answers = await self._ask_all(name, ends - trio.current_time())
            seen = [answer for answer in answers if answer is not None]
            items = [each.item for each in seen if each.item is not None]
            item = max(items, key=_left, default=None) or item
            locked = any(each.locked for each in seen)
            is_last = not locked and (was_free or item is None or len(seen) == 1)
            if is_last or ends - trio.current_time() <= 2 * _AGAIN_S:
                return item, not locked and len(seen) == len(self._servers)
            was_free = not locked
            if locked:
                await trio.sleep(_AGAIN_S)

    async def _ask_all(self, name: bytes, seconds: float) -> list[Seen | None]:
        """Ask all servers that are not left alone; None stands for each that does not answer."""
        answers: list[Seen | None] = []

        async def ask(server: OldServer) -> None:
            answers.append(None if server.why else await self._ask(server, name, seconds))

        async with trio.open_nursery() as nursery:
            for server in self._servers:
                nursery.start_soon(ask, server)
        return answers

    async def _ask(self, server: OldServer, name: bytes, seconds: float) -> Seen | None:
        before = server.why
        seen = await server.look(name, seconds)
        if server.why and not before:
            self._log(OLD_STORE_SILENT(server=server.name, reason=server.why))
        elif before and not server.why:
            self._log(OLD_STORE_BACK(server=server.name))
        return seen

    async def _try_again(self) -> None:
        """Ask those that are left alone from time to time, for ever."""
        while True:
            await trio.sleep(_LOOK_S)
            await self._follow()
            for server in list(self._servers):
                if server.is_due(trio.current_time()) and self._old is not None:
                    await self._ask(server, NOBODY, self._old.within_s)

    # --- how each is asked

    async def _connect(self, server: Server, old: OldStore) -> OldStream:
        stream = await OldStream.to(server, self._look_up_name)
        async with AsyncExitStack() as given_back:
            given_back.push_async_callback(stream.close)
            if old.place.handler == "redis":
                await greet_redis(stream, server)
            given_back.pop_all()
        return stream

    async def _look_up_name(self, host: str, port: int) -> list[Endpoint]:
        assert self._worker is not None
        async with self._in_thread:
            return await self._worker.run(partial(names.look_up, host, port))

    async def _look_at_file(self, old: OldStore, name: bytes) -> Seen:
        assert self._worker is not None
        async with self._in_thread:
            return await self._worker.run(partial(look_at_file, old, name))


async def _dialogue(old: OldStore, stream: OldStream, name: bytes) -> Seen:
    ask = ask_redis if old.place.handler == "redis" else ask_memcached
    return await ask(stream, old, name)


async def _nothing() -> None:
    """Let go of nothing."""


def _left(item: Item) -> float:
    return float("inf") if item.left_ms is None else item.left_ms
