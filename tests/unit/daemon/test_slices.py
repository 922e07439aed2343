"""What takes long is done a little at a time, and others have their turn in between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock

from memrep.daemon import slices
from memrep.daemon.slices import in_slices, in_turns
from memrep.status.steps import Steps
from tests.unit.daemon.test_host import hosted


def _noted(taken: set[int], count: int) -> Iterator[None]:
    for number in range(count):
        taken.add(number)
        yield


async def test_all_steps_are_taken_and_others_come_in_between(autojump_clock: MockClock) -> None:
    slices_seen: list[int] = []
    taken: set[int] = set()
    over = trio.Event()

    async def others() -> None:
        while not over.is_set():
            slices_seen.append(len(taken))
            await trio.sleep(slices.SLICE_S)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await in_slices(_noted(taken, 300_000))
        over.set()
    assert len(taken) == 300_000
    assert any(0 < seen < 300_000 for seen in slices_seen)


async def test_what_takes_no_time_is_done_at_once() -> None:
    taken: set[int] = set()
    await in_slices(_noted(taken, 3))
    assert taken == {0, 1, 2}


def test_each_step_has_a_turn_of_the_loop_to_itself_however_many_ask_at_once() -> None:
    at: list[int] = []
    with hosted(tick_s=0.0) as (_, guest):

        def steps() -> Steps[int]:
            for _ in range(10):
                at.append(guest.ticks)
                yield
            return 7

        made: list[int] = []

        async def ask() -> None:
            made.append(await in_turns(steps()))

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(ask)

        guest.host.run(main)
    assert made == [7] * 5
    # The next one begins in the turn in which the one before has ended.
    assert len(set(at)) == len(at) == 50


def test_a_run_that_has_failed_in_the_midst_of_it_hinders_none_in_the_next() -> None:
    def steps() -> Steps[int]:
        yield
        return 7

    def fails() -> Steps[int]:
        yield
        raise ValueError

    async def abandoned() -> None:
        await in_turns(fails())

    for _ in range(2):
        with pytest.raises(ValueError):
            trio.run(abandoned)
        assert trio.run(in_turns, steps()) == 7


async def test_who_goes_away_lets_the_next_one_in() -> None:
    def endless() -> Steps[int]:
        while True:
            yield

    def steps() -> Steps[int]:
        yield
        return 7

    async with trio.open_nursery() as nursery:
        nursery.start_soon(in_turns, endless())
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert await in_turns(steps()) == 7
