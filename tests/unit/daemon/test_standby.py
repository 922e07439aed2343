"""Out of service and back: in which order, in which time, and what is taken back; in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, cast

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock

from memrep.daemon.drain import Drain
from memrep.daemon.standby import Standby
from memrep.node.node import Node
from memrep.status.facts import Status
from memrep.status.service_facts import DRAINED, DRAINING, IN_SERVICE, DrainOrder
from tests.unit.status.clusters import cluster

ORDER: Final = DrainOrder(wait_s=10.0, lame_duck_s=2.0)
FORCED: Final = msgspec.structs.replace(ORDER, force=True)


@attrs.define
class Steps:
    """The steps of a drain, as they are taken, each with when.

    Attributes:
        leaves: whether the last writes are acknowledged.
    """

    taken: list[tuple[str, float]] = attrs.Factory(list)
    given: float = 0.0
    leaves: bool = True

    def _note(self, what: str) -> None:
        self.taken.append((what, trio.current_time()))

    async def hand_over(self, seconds: float, log: Callable[[str], None]) -> None:
        self._note("hand over")

    async def let_finish(self, drain_ms: int) -> None:
        self._note("let finish")
        await trio.sleep(drain_ms / 1000)

    async def leave(self) -> bool:
        self._note("leave")
        await trio.sleep(0.1)
        return self.leaves

    def take_back(self) -> None:
        self._note("take back")


@attrs.define
class Told:
    """A node as its standby sees it."""

    seen: Status = attrs.Factory(lambda: cluster(3))
    replaceable: bool = True

    @property
    def report(self) -> Told:
        return self

    def status(self) -> Status:
        return self.seen


@attrs.define
class Scene:
    """A standby, and what it does."""

    node: Told = attrs.Factory(Told)
    steps: Steps = attrs.Factory(Steps)
    lines: list[str] = attrs.Factory(list)
    left: int = 0
    standby: Standby = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.standby = Standby(
            cast("Node", self.node), cast("Drain", self.steps), self._leave, self.lines.append
        )

    def _leave(self) -> None:
        self.left += 1

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.steps.taken]

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.standby.keep)
            yield
            nursery.cancel_scope.cancel()


async def test_it_leaves_in_time_and_clients_are_let_in_until_the_lame_duck_is_over(
    autojump_clock: MockClock,
) -> None:
    scene, began = Scene(), trio.current_time()
    async with scene.kept():
        assert scene.standby.begin(ORDER, "root") == ""
        assert scene.standby.state == DRAINING
        while not scene.left:
            await trio.sleep(0.01)
    assert scene.names == ["hand over", "let finish", "leave"]
    assert scene.steps.taken[0][1] - began == pytest.approx(2.0)
    assert 8.0 < trio.current_time() - began < 10.0
    assert scene.standby.state == DRAINED
    assert "asked for by root" in scene.lines[0]


async def test_where_users_would_notice_nothing_is_done_unless_forced(autojump_clock: MockClock) -> None:
    scene = Scene(Told(cluster(1), replaceable=False))
    async with scene.kept():
        assert "is the only node" in scene.standby.begin(ORDER, "root")
        assert scene.standby.state == IN_SERVICE
        await trio.sleep(20)
        assert scene.names == []
        scene.steps.leaves = False
        assert scene.standby.begin(FORCED, "root") == ""
        await trio.sleep(20)
    assert (scene.standby.state, scene.left) == (DRAINED, 1)


def _last_one(scene: Scene) -> None:
    scene.node.seen = cluster(1)


def _alone(scene: Scene) -> None:
    scene.node.replaceable = False


def _unheard(scene: Scene) -> None:
    scene.steps.leaves = False


@pytest.mark.parametrize(
    ("happens", "steps", "why"),
    [
        (_last_one, ["take back"], "is the only node"),
        (_alone, ["hand over", "let finish", "take back"], "no other node holds everything"),
        (_unheard, ["hand over", "let finish", "leave", "take back"], "not acknowledged"),
    ],
)
async def test_what_turns_out_on_the_way_to_be_no_good_is_taken_back_and_may_be_asked_for_again(
    happens: Callable[[Scene], None], steps: list[str], why: str, autojump_clock: MockClock
) -> None:
    scene = Scene()
    async with scene.kept():
        scene.standby.begin(ORDER, "root")
        happens(scene)
        await trio.sleep(20)
        assert (scene.standby.state, scene.left, scene.names) == (IN_SERVICE, 0, steps)
        assert why in scene.standby.why
        assert why in scene.lines[-1]
        scene.node.seen, scene.node.replaceable, scene.steps.leaves = cluster(3), True, True
        scene.standby.begin(ORDER, "root")
        await trio.sleep(20)
    assert (scene.standby.state, scene.left) == (DRAINED, 1)


@pytest.mark.parametrize("after_s", [1.0, 5.0])
async def test_until_it_leaves_it_serves_on_if_that_is_asked_for(
    after_s: float, autojump_clock: MockClock
) -> None:
    scene = Scene()
    async with scene.kept():
        scene.standby.begin(ORDER, "root")
        await trio.sleep(after_s)
        scene.standby.resume("root")
        await trio.sleep(20)
    assert (scene.standby.state, scene.left, scene.names[-1]) == (IN_SERVICE, 0, "take back")
    assert not scene.standby.resumes


async def _while_it_leaves(scene: Scene) -> None:
    while scene.names[-1:] != ["leave"]:
        await trio.sleep(0.01)


async def _when_it_has_left(scene: Scene) -> None:
    while not scene.left:
        await trio.sleep(0.01)


@pytest.mark.parametrize("when", [_while_it_leaves, _when_it_has_left])
async def test_from_then_on_another_one_takes_its_place(
    when: Callable[[Scene], Awaitable[None]], autojump_clock: MockClock
) -> None:
    scene = Scene()
    async with scene.kept():
        scene.standby.begin(ORDER, "root")
        await when(scene)
        scene.standby.resume("root")
        await trio.sleep(20)
    assert (scene.standby.state, scene.standby.resumes) == (DRAINED, True)
    assert scene.left > 0
    assert "take back" not in scene.names


async def test_a_process_that_ends_drains_by_itself(autojump_clock: MockClock) -> None:
    scene = Scene()
    async with scene.kept():
        scene.standby.begin(ORDER, "root")
        await trio.sleep(5)
        scene.standby.give_way()
        await trio.sleep(20)
    assert (scene.left, scene.names) == (0, ["hand over", "let finish"])


async def test_who_asks_twice_changes_nothing(autojump_clock: MockClock) -> None:
    scene = Scene()
    scene.standby.resume("root")
    async with scene.kept():
        for _ in range(2):
            assert scene.standby.begin(ORDER, "root") == ""
        await trio.sleep(20)
        assert scene.standby.begin(ORDER, "root") == ""
        await trio.sleep(20)
    assert scene.names == ["hand over", "let finish", "leave"]
    assert len(scene.lines) == 2
