"""Sessions are looked for at all servers of the old store at once, within a bound, and the node is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from memrep.daemon import fallback
from memrep.daemon.fallback import Fallback
from memrep.daemon.old_dialogues import Seen
from memrep.daemon.old_server import OldServer
from memrep.daemon.old_stream import SilentError
from memrep.engine.fallback import Found
from memrep.events import OLD_STORE_BACK, OLD_STORE_SILENT, Line
from memrep.handlers.item import Item
from memrep.handlers.old_store import OldStore, parse_old_store

SID = b"0123456789abcdefghijklmnop"
OLD = parse_old_store("memcache:10.0.0.1:11211,10.0.0.2:11211")

Look = Callable[[], Seen]


class Stage:
    """A node that is told things, and two servers that answer as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[tuple[bytes, object]] = []
        self.lines: list[Line] = []
        self.looks: list[Look] = [Seen, Seen]
        self.asked = 0
        node = SimpleNamespace(
            options=SimpleNamespace(old_store=OLD),
            fallback=SimpleNamespace(
                found=lambda key, found: self.told.append((key, found)),
                unanswered=lambda key: self.told.append((key, "unanswered")),
            ),
        )
        self.node = node
        reactor: Any = SimpleNamespace(errands=[], turn=lambda act: act())
        self.reactor = reactor
        self.fallback = Fallback(node, reactor, None, self.lines.append)  # type: ignore[arg-type]
        monkeypatch.setattr(Fallback, "_made", self._made)

    def _made(self, old: OldStore) -> list[OldServer]:
        return [self._server(0), self._server(1)]

    def _server(self, number: int) -> OldServer:
        async def look(name: bytes) -> Seen:
            self.asked += 1
            await trio.sleep(0.001)
            return self.looks[number]()

        async def close() -> None: ...

        return OldServer(f"10.0.0.{number + 1}:11211", look, close)

    async def look_up(self, key: bytes = SID, seconds: float = 0.3) -> object:
        """What the node is told of a key."""
        self.told.clear()
        self.fallback.look_up(key)
        for errand in self.reactor.errands:
            errand()
        self.reactor.errands.clear()
        await trio.sleep(seconds)
        ((told, what),) = self.told
        assert told == key
        return what

    @asynccontextmanager
    async def runs(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.fallback.keep)
            await wait_all_tasks_blocked()
            yield
            nursery.cancel_scope.cancel()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def item(value: bytes, left_ms: int | None = 1000) -> Item:
    return Item(SID, value, 0, left_ms)


def silent() -> Seen:
    raise SilentError("it hangs up")


async def test_of_several_copies_the_one_that_ends_last_is_taken(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.looks = [lambda: Seen(item(b"old", 900)), lambda: Seen(item(b"new", 1000))]
    async with stage.runs():
        assert await stage.look_up() == Found(b"new", 0, 1000)
        stage.looks[0] = lambda: Seen(item(b"endless", None))
        assert await stage.look_up() == Found(b"endless", 0, None)


async def test_what_no_server_has_is_known_not_to_be_there(stage: Stage, autojump_clock: MockClock) -> None:
    async with stage.runs():
        assert await stage.look_up() is None
    assert stage.asked == 2


async def test_where_one_server_does_not_answer_nothing_is_known_of_what_the_others_lack(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.looks[0] = silent
    async with stage.runs():
        assert await stage.look_up() == "unanswered"
        stage.looks[1] = lambda: Seen(item(b"here"))
        assert await stage.look_up() == Found(b"here", 0, 1000)


async def test_a_server_is_told_of_when_it_is_left_alone_and_when_it_is_back(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.looks[0] = silent
    async with stage.runs():
        await stage.look_up()
        assert stage.fallback.silent == "10.0.0.1:11211: it hangs up"
        for _ in range(5):
            await stage.look_up()
        stage.looks[0] = Seen
        await trio.sleep(60)
        assert stage.fallback.silent == ""
        assert await stage.look_up() is None
    assert [line.event for line in stage.lines] == [OLD_STORE_SILENT, OLD_STORE_BACK]


async def test_nobody_waits_for_servers_that_are_left_alone(stage: Stage, autojump_clock: MockClock) -> None:
    stage.looks = [silent, silent]
    async with stage.runs():
        await stage.look_up()
        assert await stage.look_up(seconds=0.001) == "unanswered"


async def test_a_session_is_looked_at_again_while_a_page_is_at_work_on_it(
    stage: Stage, autojump_clock: MockClock
) -> None:
    done_at = trio.current_time() + 0.1

    def locked() -> Seen:
        done = trio.current_time() >= done_at
        return Seen(item(b"after" if done else b"before"), locked=not done)

    stage.looks[1] = locked
    async with stage.runs():
        assert await stage.look_up() == Found(b"after", 0, 1000)


async def test_a_pool_is_asked_once_more_when_the_lock_is_known_to_be_free(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """The first server may have been asked before the page wrote, and the second when the lock was free."""
    seen = iter([Seen(item(b"before")), Seen(item(b"after"))])
    stage.looks[0] = lambda: next(seen)
    async with stage.runs():
        assert await stage.look_up() == Found(b"after", 0, 1000)


async def test_a_page_that_is_at_work_for_long_is_not_waited_for_beyond_the_bound(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.looks[1] = lambda: Seen(item(b"before"), locked=True)
    async with stage.runs():
        assert await stage.look_up(seconds=OLD.within_s) == Found(b"before", 0, 1000)
        stage.looks[1] = lambda: Seen(None, locked=True)
        assert await stage.look_up(seconds=OLD.within_s) == "unanswered"


async def test_what_its_new_handler_could_not_read_is_not_taken_over(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.node.options.old_store = parse_old_store("memcache:10.0.0.1:11211 as=redis")
    stage.looks[0] = lambda: Seen(Item(SID, b"no zip", 2, 1000))
    async with stage.runs():
        assert await stage.look_up(b"PHPREDIS_SESSION:" + SID) == "unanswered"


async def test_without_an_old_store_any_more_nothing_is_asked(stage: Stage, autojump_clock: MockClock) -> None:
    async with stage.runs():
        await stage.look_up()
        stage.node.options.old_store = None
        stage.told.clear()
        stage.fallback.look_up(SID)
        stage.reactor.errands.pop()()
        await trio.sleep(1)
        assert (stage.told, stage.asked, stage.fallback.silent) == ([], 2, "")


async def test_where_there_was_no_old_store_at_the_start_it_sleeps(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.node.fallback = None
    async with stage.runs():
        await trio.sleep(60)
        assert (stage.asked, stage.fallback.silent) == (0, "")


def test_all_bounds_leave_time_to_tell_the_node() -> None:
    assert OLD.within_s / 10 > fallback._MARGIN_S
