"""phpredis with its sessions locked: parallel requests of one session, through all nodes, are one at a time.

phpredis asks for the lock again and again until it has it. PHP's command line has no time limit, so here the
lock has no timeout either unless `redis.session.lock_expire` says one: what is left behind by a worker or a
node that is gone would be there for ever.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from .generation import both_generations
from .named import NamedNodes
from .parallel import (
    AFTERWARDS,
    BEFORE,
    BREATH_MS,
    PAUSE_MS,
    Request,
    Worker,
    assert_one_at_a_time,
    count_in,
    longest_standstill_ms,
    report,
)
from .php import REDIS_PREFIX, phpredis, session_ids
from .processes import pause, until

pytestmark = [pytest.mark.real, both_generations]

WORKERS = 8
KEY: Final = REDIS_PREFIX + session_ids(1)[0]

#: The lock's timeout, s, where it has one.
EXPIRE_S: Final = 5

each_time = pytest.mark.parametrize(
    "expire_s", [pytest.param(0, marks=pytest.mark.long), EXPIRE_S], ids=["endless", "timeout"]
)


def test_parallel_requests_lose_nothing(tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster, crowd(cluster, tmp_path, 0) as workers:
        flow(workers, times=20)
        requests = finish(cluster, workers)
        assert [request for request in requests if not request.good] == []


@each_time
def test_when_a_node_is_killed_there_is_one_at_a_time(expire_s: int, tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster, crowd(cluster, tmp_path, expire_s) as workers:
        flow(workers)
        for node in range(3):
            wait_requests(workers, BEFORE * (node + 1))
            cluster.kill_and_restart(node, gone_s=1)
        wait_requests(workers, len(done(workers)) + AFTERWARDS)
        requests = finish(cluster, workers)
        # Those whose command was in flight; each node has three workers at the most.
        assert len([request for request in requests if not request.good]) <= 9
        # A lock that was granted in the last moment of its node ends a second later.
        assert longest_standstill_ms(requests) < 3_000


@pytest.mark.long
@each_time
def test_when_a_node_stands_still_there_is_one_at_a_time(expire_s: int, tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster, crowd(cluster, tmp_path, expire_s) as workers:
        flow(workers)
        wait_requests(workers, BEFORE)
        cluster.freeze_and_thaw(0, frozen_s=8)
        wait_requests(workers, len(done(workers)) + AFTERWARDS)
        requests = finish(cluster, workers)
        assert {request.worker for request in requests if not request.good} <= {"php0", "php3", "php6"}


@pytest.mark.parametrize("delay_s", [0, 0.5], ids=["at once", "later"])
def test_the_next_request_need_not_wait_for_a_worker_that_died(delay_s: float, tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        locked(cluster, tmp_path, 0) as dying,
        locked(cluster, tmp_path, 1) as waiting,
    ):
        dying.hold()
        waiting.order("visit")
        pause(delay_s)
        assert waiting.listen() == 0
        dying.kill()
        killed = time.monotonic() * 1000
        waiting.wait()
        (request,) = waiting.requests
        assert request.good
        assert request.ended - killed < 500


def test_a_request_keeps_its_lock_when_its_node_dies_and_frees_it_at_another(tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        locked(cluster, tmp_path, 0, EXPIRE_S) as holding,
        locked(cluster, tmp_path, 1, EXPIRE_S) as waiting,
    ):
        holding.hold()
        pause(0.5)
        cluster.kill(0)
        waiting.order("visit")
        pause(2)
        assert waiting.listen() == 0
        held = holding.release()
        waiting.wait()
        assert_one_at_a_time([held, *waiting.requests], count_in_rest(cluster, 1))
        assert held.good and waiting.requests[-1].good
        assert waiting.requests[-1].ended - held.ended < 500
        cluster.start(0)
        cluster.wait_healed()


def count_in_rest(cluster: NamedNodes, i: int) -> int:
    """What the session counts at this node, while not all are there."""
    return int(cluster.stored(i, KEY).partition(b"n|i:")[2].partition(b";")[0])


def locked(cluster: NamedNodes, directory: Path, i: int, expire_s: int = 0) -> Worker:
    """A PHP whose sessions are locked; its web server has one of the nodes first."""
    settings = phpredis(
        cluster.redis_port,
        redis__session__locking_enabled="1",
        redis__session__lock_expire=str(expire_s),
        redis__session__lock_retries="1500",
        redis__session__lock_wait_time="20000",  # 20 ms
    )
    return Worker(settings, directory, f"php{i}", 1, within=cluster.beginning_at(i % cluster.count))


@contextmanager
def crowd(cluster: NamedNodes, directory: Path, expire_s: int) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        yield [stack.enter_context(locked(cluster, directory, i, expire_s)) for i in range(WORKERS)]


def flow(workers: list[Worker], times: int = 0) -> None:
    for worker in workers:
        worker.order("flow", times=times, pause_ms=PAUSE_MS, breath_ms=BREATH_MS)


def done(workers: list[Worker]) -> list[Request]:
    for worker in workers:
        worker.listen()
    return [request for worker in workers for request in worker.requests]


def wait_requests(workers: list[Worker], count: int) -> None:
    until(lambda: len(done(workers)) >= count, 40, f"{count} requests are done")


def finish(cluster: NamedNodes, workers: list[Worker]) -> list[Request]:
    """Let all come to their end; of their requests no two were at work at a time, and none is lost."""
    for worker in workers:
        worker.order("stop")
    for worker in workers:
        worker.wait()
    requests = done(workers)
    report(requests)
    assert_one_at_a_time(requests, count_in(cluster, KEY))
    return requests
