"""The loop and its guest: neither waits for the other, and what fails of one of them ends nothing else."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
from trio._core._thread_cache import THREAD_CACHE

from memrep.daemon.guard import Troubles
from memrep.daemon.host import Host
from tests.unit.daemon.workbench import Bench, bench

#: Much longer than any of these tests may take, s.
LONG_S = 3_600.0


class Hosted:
    """A host, and how often it has ticked; between two ticks pass so many seconds."""

    def __init__(self, one: Bench, tick_s: float) -> None:
        self.ticks = 0
        self.said: list[str] = []
        self.act: Callable[[], None] = lambda: None
        self._tick_s = tick_s
        self.host = Host(one.reactor, self._tick, Troubles(self.said.append))

    def _tick(self) -> float:
        self.ticks += 1
        self.act()
        return self._tick_s


@contextmanager
def hosted(tick_s: float = LONG_S) -> Iterator[tuple[Bench, Hosted]]:
    with bench() as one:
        guest = Hosted(one, tick_s)
        yield one, guest
        guest.host.close()


def test_a_task_goes_on_though_nothing_comes_and_no_tick_is_due() -> None:
    async def main() -> None:
        for _ in range(20):
            await trio.sleep(0.001)

    with hosted() as (_, one):
        one.host.run(main)
        assert one.ticks == 1


def test_a_task_goes_on_when_a_tick_has_an_errand_for_it() -> None:
    with hosted(tick_s=0.01) as (bench, one):
        event = trio.Event()
        one.act = lambda: bench.reactor.errands.append(event.set) if one.ticks == 3 else None
        one.host.run(event.wait)
        assert one.ticks == 3


def test_ticks_and_tasks_go_on_while_everybody_is_greedy() -> None:
    with hosted(tick_s=0.001) as (one, guest):
        for name in "abc":
            one.handler(name, greedy=True)

        async def main() -> None:
            while guest.ticks < 20:
                await trio.sleep(0.001)

        guest.host.run(main)
        assert set(one.called) == set("abc")


def test_sockets_and_ticks_have_their_turn_while_a_task_never_rests() -> None:
    with hosted(tick_s=0.001) as (one, guest):
        one.handler("a", greedy=False)

        async def main() -> None:
            while guest.ticks < 20:
                await trio.lowlevel.checkpoint()

        guest.host.run(main)
        assert len(one.called) >= 20


def test_what_a_task_raises_is_raised() -> None:
    async def main() -> None:
        raise ZeroDivisionError

    with hosted() as (_, one), pytest.raises(ZeroDivisionError):
        one.host.run(main)


def fail(fd: int, value: int) -> None:
    raise OSError


def test_an_errand_whose_bell_fails_is_run_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memrep.daemon.host._LOOK_S", 0.01)
    with hosted() as (bench, one):
        event = trio.Event()
        one.act = lambda: bench.reactor.errands.append(event.set)
        ring, loops_bell = os.eventfd_write, one.host._bell
        monkeypatch.setattr(os, "eventfd_write", lambda fd, n: ring(fd, n) if fd == loops_bell else fail(fd, n))
        one.host.run(event.wait)


def test_a_bell_that_fails_is_heard_at_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    with hosted(tick_s=0.01) as (_, one):
        monkeypatch.setattr(os, "eventfd_write", fail)

        async def main() -> None:
            for _ in range(3):
                await trio.sleep(0.001)

        one.host.run(main)
        assert one.ticks >= 3


def test_a_tick_that_fails_is_told_of_and_begun_anew() -> None:
    with hosted(tick_s=0.001) as (bench, one):
        event = trio.Event()

        def act() -> None:
            if one.ticks == 1:
                raise ZeroDivisionError
            bench.reactor.errands.append(event.set)

        one.act = act
        one.host.run(event.wait)
        assert one.said == ["a tick has failed and is begun anew: ZeroDivisionError()"]


def test_a_wait_that_fails_is_told_of_and_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with hosted(tick_s=0.001) as (one, guest):
        serve, failures = one.reactor.serve, [OSError(22, "Invalid argument")]

        def fails_once(timeout: float) -> None:
            if failures:
                raise failures.pop()
            serve(timeout)

        monkeypatch.setattr(one.reactor, "serve", fails_once)

        async def main() -> None:
            while guest.ticks < 3:
                await trio.sleep(0.001)

        guest.host.run(main)
        assert guest.said == ["serving has failed and is begun anew: Invalid argument"]


def test_sockets_and_ticks_go_on_without_a_guest() -> None:
    with hosted(tick_s=0.001) as (one, guest):
        one.handler("a", greedy=False)
        guest.host.wait(0.01)
        assert one.called
        assert guest.ticks


def test_a_tick_may_be_brought_forward_and_the_next_is_an_interval_later() -> None:
    with hosted() as (bench, one):
        bench.handler("a", greedy=False)  # it is ready for ever
        one.host.wait(0.01)
        one.host.hasten()
        one.host.wait(0.01)
        one.host.wait(0.01)
        assert one.ticks == 2


def test_a_guest_that_gets_no_thread_to_wait_in_may_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        await trio.sleep(0.001)

    monkeypatch.setattr(THREAD_CACHE, "_idle_workers", {})  # one of a former test would do
    with hosted() as (_, one):
        with monkeypatch.context() as without:
            without.setattr(threading.Thread, "start", fail)
            with pytest.raises(RuntimeError):
                one.host.run(main)
        one.host.run(main)
