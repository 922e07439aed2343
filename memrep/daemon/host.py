"""The host: the loop of a running node, in which trio is a guest.

Theory: at a site's pace a request comes alone, and then what wakes the node and puts it to sleep again costs
more than what it is woken for. To wait in trio means an epoll within an epoll, a change of tasks, and a timer
that is set and cancelled. So this loop waits for the sockets itself, and ticks by the time-out of that wait.
trio keeps what it is good at, dialling and the orderly end, as the guest of this loop
(`trio.lowlevel.start_guest_run`): as long as its tasks have nothing to do it costs nothing but a thread that
waits.

That thread wakes the loop by a bell. Should the bell fail, what it has rung for is found at the next tick.

The other way round nothing in a turn may wake a task of trio's by itself: trio tells its thread by a socket,
and if that call fails the task is lost. So such errands are noted (`Reactor.errands`) and run by a task of
trio's, which looks by the clock, too, should its bell fail.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import warnings
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

import trio

from memrep.daemon.guard import Troubles
from memrep.daemon.reactor import READ, Reactor

if TYPE_CHECKING:
    from outcome import Outcome


#: Between the failure of a part of the loop, or of its guest, and the next try.
BREATH_S: Final = 0.05

#: How long an errand may lie if its bell has failed.
_LOOK_S: Final = 5.0


class Host:
    """The loop of one node.

    Args:
        reactor: waits for the sockets, and serves them.
        tick: called by the clock; returns after how many seconds it is to be called again.
        troubles: hears of what the system refuses.

    Raises:
        OSError: the system has no room for the bells.
    """

    def __init__(self, reactor: Reactor, tick: Callable[[], float], troubles: Troubles) -> None:
        self._reactor = reactor
        self._tick = tick
        self._troubles = troubles
        self._due = 0.0
        self._outcome: Outcome[None] | None = None
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._errand_bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        reactor.register(self._bell, self, READ)

    def run(self, main: Callable[[], Awaitable[None]]) -> None:
        """Serve until this main task of trio's has ended.

        Raises:
            Exception: trio cannot begin, or has failed, maybe in the midst of what it did; it may be run again.
        """
        try:
            self._run(main)
        except Exception as error:
            _forget_guest(error)
            raise

    def _run(self, main: Callable[[], Awaitable[None]]) -> None:
        soon: deque[Callable[[], object]] = deque()  # of this run: nothing that is left of a former one

        def ring(call: Callable[[], object]) -> None:
            soon.append(call)
            with suppress(OSError):
                os.eventfd_write(self._bell, 1)

        async def guest() -> None:
            trio.lowlevel.spawn_system_task(self._run_errands)
            await main()

        self._outcome = None
        self._reactor.errands.clear()  # those of a former run
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=ring,
            run_sync_soon_not_threadsafe=soon.append,
            done_callback=self._has_ended,
            host_uses_signal_set_wakeup_fd=True,
        )
        while True:
            for _ in range(len(soon)):
                soon.popleft()()
            if self._outcome is not None:
                break
            self._step(at_once=bool(soon))
        self._outcome.unwrap()

    async def _run_errands(self) -> None:
        """Run what turns have noted, for ever."""
        errands = self._reactor.errands
        while True:
            with trio.move_on_after(_LOOK_S):
                await trio.lowlevel.wait_readable(self._errand_bell)
            with suppress(OSError):
                os.eventfd_read(self._errand_bell)
            while errands:
                errands.popleft()()

    def wait(self, seconds: float) -> None:
        """Serve for so long without a guest."""
        over = monotonic() + seconds
        while monotonic() < over:
            self._step()

    def _has_ended(self, outcome: Outcome[None]) -> None:
        self._outcome = outcome

    def _step(self, *, at_once: bool = False) -> None:
        """Tick if it is time; wait until something has come, or the next tick is due, and serve it."""
        now = monotonic()
        what = "a tick"
        try:
            if now >= self._due:
                self._due = now + BREATH_S  # should it fail
                self._due = now + self._tick()
            if self._reactor.errands:
                with suppress(OSError):
                    os.eventfd_write(self._errand_bell, 1)
            what = "serving"
            self._reactor.serve(0 if at_once else self._due - now)
        except Exception as error:
            self._troubles.tell(f"{what} has failed and is begun anew", error)
            time.sleep(BREATH_S)

    def hasten(self) -> None:
        """Tick as soon as this turn is over."""
        self._due = 0.0

    def ready(self, events: int) -> None:
        """Hear the bell."""
        with suppress(OSError):
            os.eventfd_read(self._bell)

    def close(self) -> None:
        """Take the bells away."""
        self._reactor.unregister(self._bell)
        os.close(self._bell)
        os.close(self._errand_bell)


def _forget_guest(error: Exception) -> None:
    """Drop what trio has left of its tasks when it failed, or it would still believe itself at work.

    It and they protest when they are dropped, in words that help no operator.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cause: BaseException | None = error
            while cause is not None:
                cause.__traceback__ = None  # it holds on to them
                cause = cause.__context__
            gc.collect()
    finally:
        sys.unraisablehook = hook
