"""The threads of a node, all of which are begun at its start and last as long as the process.

Problem: what may wait for a disk or a resolver is done in a thread. To begin one takes memory, and where there
is none CPython may wait for ever: `Thread.start` returns when the new thread has said that it runs, and one
that finds no memory for its very first steps ends without a word (cpython, threading.py). The node stands still
then until somebody kills it, long after there is memory again.

Rule: a node that runs begins no thread. So nothing of trio's own threads is used, which end when they have had
nothing to do for ten seconds and are begun anew: there is one worker for each duty, and it does one thing at a
time. Whoever does not want to wait for it any longer goes away; what it does then ends in its own time, before
anything else is done.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import trio

from memrep.errors import AbsentError

_T = TypeVar("_T")

#: A worker that has found no memory tries again after so long, s.
_BREATH_S: Final = 0.1


class InThread(Protocol):
    """Runs what may take long, and returns what it returns or raises what it raises."""

    def __call__(self, do: Callable[[], _T], /) -> Awaitable[_T]:
        """Run it; whoever is cancelled meanwhile does not wait for it any more."""


def begin_thread(name: str, run: Callable[[], None], needed_by: str) -> threading.Thread:
    """Begin a thread that does not keep the process from its end. At the start of a node only.

    Args:
        name: of the thread, for whoever looks.
        run: what it does.
        needed_by: whom, for the operator.

    Raises:
        AbsentError: the system allows no thread.
    """
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except (RuntimeError, MemoryError):
        raise AbsentError(
            f"the system allows no thread, which {needed_by} needs; raise TasksMax= (systemd) or `ulimit -u`, "
            "or free memory"
        ) from None
    return thread


class _Job(Generic[_T]):
    """One thing to be done; whoever has it done waits for `done`."""

    __slots__ = ("do", "done", "error", "is_over", "result", "token")

    def __init__(self, do: Callable[[], _T]) -> None:
        self.do = do
        self.token = trio.lowlevel.current_trio_token()
        self.done = trio.Event()
        self.result: _T | None = None
        self.error: BaseException | None = None
        self.is_over = False  # as the thread sees it


class Worker:
    """A thread that does one thing after the other, for one asker.

    Args:
        name: of the thread.
        needed_by: whom, for the operator.

    Raises:
        AbsentError: the system allows no thread.
    """

    def __init__(self, name: str, needed_by: str) -> None:
        # One place is enough: whoever comes a second time has given up what he came for before.
        self._next: deque[_Job[Any]] = deque(maxlen=1)
        self._closed = False
        # Open while there is something to do. Nothing is allocated for a lock that is waited for.
        self._gate = threading.Lock()
        self._gate.acquire()
        begin_thread(name, self._work, needed_by)

    async def run(self, do: Callable[[], _T], /) -> _T:
        """Have the thread do this, and return what it returns or raise what it raises.

        Whoever is cancelled does not wait for it any more. Then, and where trio has failed meanwhile, nobody is
        told of its end.

        Args:
            do: may wait for whatever it needs, and be done twice: it changes nothing.
        """
        job = _Job(do)
        self._next.append(job)
        self._open()
        try:
            await job.done.wait()
        finally:
            self._next.clear()
        if job.error is not None:
            raise job.error
        return cast("_T", job.result)

    def close(self) -> None:
        """Let the thread end, when it has done what it does now."""
        self._closed = True
        self._open()

    def _open(self) -> None:
        if self._gate.locked():
            self._gate.release()

    def _work(self) -> None:
        while not self._closed:
            self._gate.acquire()
            try:
                job = self._next.popleft()
            except IndexError:
                continue  # whoever wanted something has gone
            # What was taken must come to an end: whoever waits for it may wait for ever.
            while not job.is_over:
                try:
                    _do(job)
                except MemoryError:
                    time.sleep(_BREATH_S)


def _do(job: _Job[Any]) -> None:
    """Do it, and tell; where there is no memory for that it is done again, for all of it only looks."""
    try:
        job.result, job.error = job.do(), None
    except BaseException as error:
        job.error = error
    with suppress(trio.RunFinishedError):
        job.token.run_sync_soon(job.done.set)
    job.is_over = True
