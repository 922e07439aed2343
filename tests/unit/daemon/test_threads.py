"""A node's threads are there from the start: what is done in one needs nothing of the system later."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
import trio

from memrep.daemon import threads
from memrep.daemon.threads import Worker, begin_thread
from memrep.errors import AbsentError

_PATIENCE_S = 10


@pytest.fixture
def worker() -> Worker:
    return Worker("tested", "a test")


async def test_a_worker_returns_what_it_was_to_do_and_raises_what_that_raises(worker: Worker) -> None:
    assert await worker.run(lambda: 6 * 7) == 42
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(threading.current_thread) is not threading.current_thread()
    worker.close()


async def test_all_is_done_by_the_one_thread_that_was_begun(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(thread: threading.Thread) -> None:
        raise AssertionError("a thread is begun")

    monkeypatch.setattr(threading.Thread, "start", begin)
    threads = {await worker.run(threading.get_ident) for _ in range(20)}
    assert len(threads) == 1
    worker.close()


async def test_who_waits_no_longer_goes_away_at_once_and_what_comes_next_waits_for_the_thread(
    worker: Worker,
) -> None:
    runs, may_end = threading.Event(), threading.Event()

    def hang() -> None:
        runs.set()
        may_end.wait(_PATIENCE_S)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, hang)
        await trio.to_thread.run_sync(runs.wait, _PATIENCE_S)
        nursery.cancel_scope.cancel()
    done: list[str] = []
    with trio.move_on_after(0.01):
        await worker.run(partial(done.append, "given up"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, partial(done.append, "next"))
        await trio.testing.wait_all_tasks_blocked()
        may_end.set()
    assert done == ["next"]
    worker.close()


def test_a_run_of_trio_that_has_ended_is_told_of_nothing_and_the_next_one_is_served(worker: Worker) -> None:
    runs, may_end = threading.Event(), threading.Event()

    def hang() -> None:
        runs.set()
        may_end.wait(_PATIENCE_S)

    async def leave() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.run, hang)
            await trio.to_thread.run_sync(runs.wait, _PATIENCE_S)
            nursery.cancel_scope.cancel()

    async def come() -> str:
        return await worker.run(lambda: "served")

    trio.run(leave)
    may_end.set()
    assert trio.run(come) == "served"
    worker.close()


async def test_a_worker_without_memory_tells_it_and_goes_on(worker: Worker) -> None:
    def use_up() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        await worker.run(use_up)
    assert await worker.run(lambda: "there is some") == "there is some"
    worker.close()


async def test_what_a_thread_has_taken_comes_to_an_end_though_there_is_no_memory_to_begin_it(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = threads._do, [MemoryError, MemoryError]

    def do(job: Any) -> None:
        if failures:
            raise failures.pop()
        real(job)

    monkeypatch.setattr(threads, "_do", do)
    with trio.fail_after(_PATIENCE_S):
        assert await worker.run(lambda: "done") == "done"
    assert not failures
    worker.close()


async def test_a_closed_worker_ends_its_thread(worker: Worker) -> None:
    thread = await worker.run(threading.current_thread)
    worker.close()
    await trio.to_thread.run_sync(thread.join, _PATIENCE_S)
    assert not thread.is_alive()


def test_a_system_that_allows_no_thread_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(AbsentError, match="no thread, which the log needs; raise TasksMax="):
        begin_thread("log", lambda: None, "the log")
