"""phpredis with its sessions locked: parallel requests of one session, through all nodes, are one at a time.

phpredis asks for the lock again and again until it has it. PHP's command line has no time limit, so here the
lock has no timeout either unless `redis.session.lock_expire` says one: what is left behind by a worker or a
node that is gone would be there for ever.
"""

from __future__ import annotations

import time
from collections import Counter
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

#: How long a lock lives without its release, s (0: for ever), and what stands in the save_path beside.
WAYS: Final = {
    "timeout": (EXPIRE_S, ""),
    "endless": (0, ""),
    "endless, persistent": (0, "&persistent=1"),
}

#: What all ways have in common is shown with one; that the others have it, too, where tests may be slow.
each_way = pytest.mark.parametrize(
    "way", ["timeout", *(pytest.param(way, marks=pytest.mark.long) for way in WAYS if way != "timeout")]
)

#: A lock that is nobody's ends by then: six seconds after it has been seen to be so.
NOBODYS_S: Final = 8


def test_parallel_requests_lose_no_increment(tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster, crowd(cluster, tmp_path, "endless") as workers:
        flow(workers, times=20)
        requests = finish(cluster, workers)
        assert [request for request in requests if not request.good] == []


@each_way
def test_killed_nodes_lose_no_increment(way: str, tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster, crowd(cluster, tmp_path, way) as workers:
        flow(workers)
        for node in range(3):
            wait_requests(workers, BEFORE * (node + 1))
            cluster.kill_and_restart(node, gone_s=1)
        wait_requests(workers, len(done(workers)) + AFTERWARDS)
        requests = finish(cluster, workers)
        # Those whose command was in flight; who waits, or keeps its connection, stays where it has gone.
        failed = Counter(request.worker for request in requests if not request.good)
        assert max(failed.values(), default=0) <= cluster.count
        # A lock that was granted in the last moment of its node ends a second later.
        assert longest_standstill_ms(requests) < 3_000


@pytest.mark.long
@each_way
def test_a_frozen_node_loses_no_increment(way: str, tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster, crowd(cluster, tmp_path, way) as workers:
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


@pytest.mark.parametrize("ending", ["kill", pytest.param("stop", marks=pytest.mark.long)])
def test_a_request_keeps_its_lock_when_its_node_ends_and_frees_it_at_another(
    ending: str, tmp_path: Path
) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        locked(cluster, tmp_path, 0, "timeout") as holding,
        locked(cluster, tmp_path, 1, "timeout") as waiting,
    ):
        holding.hold()
        pause(0.5)
        getattr(cluster, ending)(0)
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


# --- workers that die together with who knows of their locks


def test_a_lock_of_a_worker_that_died_with_its_node_ends_soon(tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        locked(cluster, tmp_path, 0) as dying,
        locked(cluster, tmp_path, 1) as waiting,
    ):
        dying.hold()
        pause(0.5)
        cluster.kill(0)
        dying.kill()
        killed = time.monotonic() * 1000
        assert waiting.visit().good
        assert waiting.requests[-1].ended - killed < 3_000
        cluster.start(0)
        cluster.wait_healed()
        assert waiting.visit().found == 1


@pytest.mark.long
def test_a_lock_of_a_worker_that_died_ends_though_all_who_saw_its_node_fall_silent_are_replaced(
    tmp_path: Path,
) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        locked(cluster, tmp_path, 0) as dying,
        locked(cluster, tmp_path, 2) as waiting,
    ):
        dying.hold()
        pause(0.5)
        cluster.freeze(0)
        dying.kill()
        for node in (1, 2):
            pause(1)  # until the other one has gone on by itself
            cluster.kill(node)
            cluster.start(node)
            cluster.wait_serving(node)
        replaced = time.monotonic() * 1000
        assert waiting.visit().good
        assert waiting.requests[-1].ended - replaced < NOBODYS_S * 1000
        cluster.thaw(0)
        cluster.wait_healed()
        assert waiting.visit().found == 1


# --- sessions that change their id, or end, while others wait for them


@pytest.mark.parametrize("delete", [True, False])
def test_a_session_that_gets_another_id_leaves_no_lock_behind(delete: bool, tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        locked(cluster, tmp_path, 0) as renewing,
        locked(cluster, tmp_path, 1) as other,
    ):
        flow([other], times=20)
        renewed = []
        for _ in range(10):
            renewing.order("renew", id=0, delete=delete)
            renewing.wait()
            renewed.append(renewing.requests[-1].session)
        other.order("stop")
        other.wait()
        assert all(request.good for request in done([renewing, other]))
        assert_no_lock(cluster, *renewed)
        assert [other.visit(session).good for session in renewed] == [True] * 10


def test_a_session_that_is_destroyed_is_free_for_the_next_request(tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        locked(cluster, tmp_path, 0) as destroying,
        locked(cluster, tmp_path, 1) as other,
    ):
        flow([other], times=20)
        for _ in range(10):
            destroying.order("destroy")
            destroying.wait()
            assert destroying.looks[-1]["started"]
        other.order("stop")
        other.wait()
        assert all(request.good for request in done([other]))
        destroying.order("destroy")
        destroying.wait()
        assert_no_lock(cluster)
        assert [cluster.stored(i, KEY) for i in range(3)] == [b"END\r\n"] * 3
        assert other.visit().found is None


def assert_no_lock(cluster: NamedNodes, *sessions: str) -> None:
    """Neither the session of the tests nor one of these is locked at any node."""
    for key in (KEY, *(REDIS_PREFIX + session for session in sessions)):
        assert [cluster.stored(i, f"{key}_LOCK") for i in range(3)] == [b"END\r\n"] * 3


def count_in_rest(cluster: NamedNodes, i: int) -> int:
    """What the session counts at this node, while not all are there."""
    return int(cluster.stored(i, KEY).partition(b"n|i:")[2].partition(b";")[0])


def locked(cluster: NamedNodes, directory: Path, i: int, way: str = "endless") -> Worker:
    """A PHP whose sessions are locked; its web server has one of the nodes first."""
    expire_s, path = WAYS[way]
    settings = phpredis(
        cluster.redis_port,
        path,
        redis__session__locking_enabled="1",
        redis__session__lock_expire=str(expire_s),
        redis__session__lock_retries="1500",
        redis__session__lock_wait_time="20000",  # 20 ms
    )
    return Worker(settings, directory, f"php{i}", 1, within=cluster.beginning_at(i % cluster.count))


@contextmanager
def crowd(cluster: NamedNodes, directory: Path, way: str) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        yield [stack.enter_context(locked(cluster, directory, i, way)) for i in range(WORKERS)]


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
