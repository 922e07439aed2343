"""The reactor: nobody starves, links come first, and what is left goes on without anybody knocking.

With real descriptors and trio's loop; time is up when a handler says so.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trio

from memrep.daemon.reactor import READ, Reactor
from memrep.daemon.time_slice import Slice
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell, Start
from memrep.protocol.connection import Connection
from memrep.replication.membership.timing import Timing
from tests.harness.lone_node import WALL


class Bench:
    """A reactor, and handlers that note when they are called."""

    def __init__(self) -> None:
        self.part = Slice(Timing().fence)
        self.fenced = 0
        now = time.monotonic_ns() // 1_000_000
        self.node = Node(NodeOptions(), Start(inc=1, now=now, wall=WALL), Shell(random_bytes=bytes))
        self.faults: list[Exception] = []
        self.reactor = Reactor(self.node, self, self.part)
        self.called: list[str] = []
        self.enough: Callable[[], bool] = lambda: False
        self.over = trio.Event()
        self._sockets: list[socket.socket] = []

    def end_turn(self) -> None:
        list(self.node.end_turn())
        if self.enough():
            self.over.set()

    def unread(self, connection: Connection) -> bool:
        return False

    def fence(self) -> None:
        self.fenced += 1

    def distrust(self, error: Exception) -> None:
        self.faults.append(error)

    def handler(self, name: str, *, greedy: bool, urgent: bool = False, again: int = 0) -> Handler:
        ours, theirs = socket.socketpair()
        self._sockets += [ours, theirs]
        handler = Handler(self, name, ours, greedy, again)
        self.reactor.register(ours.fileno(), handler, READ, urgent=urgent)
        if not again:
            theirs.send(b"x")  # which nobody reads: it is ready for ever
        return handler

    async def run(self, enough: Callable[[], bool]) -> None:
        """Serve until this is so."""
        self.enough = enough
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.reactor.run)
                await self.over.wait()
                nursery.cancel_scope.cancel()
        assert self.faults == []

    def close(self) -> None:
        self.reactor.close()
        for sock in self._sockets:
            sock.close()


class Handler:
    """Somebody whose socket is always ready; who is greedy uses up the slice."""

    def __init__(self, bench: Bench, name: str, sock: socket.socket, greedy: bool, again: int) -> None:
        self.fd = sock.fileno()
        self.again = again
        self._bench = bench
        self._name = name
        self._greedy = greedy

    def ready(self, events: int) -> None:
        self._bench.called.append(self._name)
        if self._greedy:
            self._bench.part.over = True
        if self.again:
            self.again -= 1
            self._bench.reactor.again(self.fd)


@contextmanager
def bench() -> Iterator[Bench]:
    one = Bench()
    try:
        yield one
    finally:
        one.close()


async def test_who_had_no_turn_comes_first_in_the_next() -> None:
    with bench() as one:
        for name in "abcde":
            one.handler(name, greedy=True)
        await one.run(lambda: len(one.called) >= 50)
        counts = [one.called.count(name) for name in "abcde"]
        assert max(counts) - min(counts) <= 1
        for start in range(0, 45, 5):
            assert sorted(one.called[start : start + 5]) == list("abcde")


async def test_who_takes_little_time_is_served_together_with_others() -> None:
    with bench() as one:
        for name in "abcde":
            one.handler(name, greedy=False)
        await one.run(lambda: one.reactor.turns >= 3)
        assert len(one.called) >= 15
        assert one.reactor.cut_short == 0


async def test_links_are_served_in_every_turn_and_before_clients() -> None:
    with bench() as one:
        for name in "abcde":
            one.handler(name, greedy=True)
        one.handler("L", greedy=True, urgent=True)
        one.handler("M", greedy=True, urgent=True)
        await one.run(lambda: len(one.called) >= 30)
        turns = [one.called[start : start + 3] for start in range(0, 30, 3)]
        assert all(sorted(turn[:2]) == ["L", "M"] and turn[2] in "abcde" for turn in turns)
        assert {turn[2] for turn in turns} == set("abcde")


async def test_links_that_take_all_their_time_leave_clients_theirs() -> None:
    with bench() as one:
        one.handler("L", greedy=True, urgent=True)
        for name in "abc":
            one.handler(name, greedy=False)
        await one.run(lambda: one.reactor.turns >= 5)
        assert one.called.count("a") >= 5


async def test_a_link_that_has_something_left_is_asked_again_though_nothing_comes() -> None:
    with bench() as one:
        link = one.handler("L", greedy=False, urgent=True, again=20)
        one.reactor.again(link.fd)
        await one.run(lambda: not link.again)
        assert one.called.count("L") >= 20


async def test_the_other_tasks_go_on_while_everybody_is_greedy() -> None:
    """Ticks are such a task: heartbeats go on."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await trio.sleep(0.001)
            ticks += 1

    with bench() as one:
        for name in "abc":
            one.handler(name, greedy=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            await one.run(lambda: ticks >= 20)
            nursery.cancel_scope.cancel()


def _work(seconds: float) -> None:
    """Use the CPU for this long, whatever else the machine does."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def _kept_waiting(one: Bench) -> bool:
    """Whether other programs kept it from the CPU for so long, in a turn of 0.3 s, that it was stopped, too."""
    took_ms = one.reactor.longest_turn * 1_000
    return took_ms > Timing().silence or took_ms - 300 > Timing().fence


async def test_a_turn_in_which_the_node_itself_works_is_no_stop() -> None:
    with bench() as one:
        one.reactor.turn(lambda: None)
        one.reactor.turn(lambda: _work(0.3))
        one.reactor.turn(lambda: None)
        assert one.fenced == _kept_waiting(one)
        assert one.reactor.longest_turn >= 0.3


@pytest.mark.parametrize("where", ["in a turn", "between turns"])
async def test_to_wait_is_a_stop(where: str) -> None:
    with bench() as one:
        one.reactor.turn(lambda: None)
        if where == "in a turn":
            one.reactor.turn(lambda: time.sleep(0.3))
        else:
            time.sleep(0.3)
        one.reactor.turn(lambda: None)
        assert one.fenced == 1


async def test_a_stop_within_a_turn_shows_before_what_was_read_is_executed() -> None:
    with bench() as one:
        seen: list[bool] = []

        def act() -> None:
            seen.append(one.reactor.stopped())
            time.sleep(0.3)
            seen.append(one.reactor.stopped())
            seen.append(one.reactor.stopped())

        one.reactor.turn(act)
        assert seen == [False, True, False]
        assert one.fenced == 1


async def test_to_work_within_a_turn_shows_as_no_stop_but_ends_the_slice() -> None:
    with bench() as one:
        seen: list[bool] = []

        def act() -> None:
            _work(0.3)
            seen.append(one.reactor.stopped())
            seen.append(one.reactor.spent())

        one.reactor.turn(act)
        assert seen[1]
        assert seen[0] == _kept_waiting(one)
