"""Parallel requests for one session, through several nodes: nobody's change is lost, nobody waits in vain.

A browser that loads a page with frames sends several requests at once, and the balancer hands each to another
web server. PHP puts them in a row by a lock beside the session. pecl-memcache with session_redundancy keeps
data and lock on every node by its own hand: each write and each release reaches the cluster several times,
at different moments, and may come from a request whose node has just died. What must be true is simple: the
session counts exactly the requests that PHP called good, whatever happens to the nodes.

plain memcacheds are the reference where a test says "at once": there the same PHP waits.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from .cluster import Cluster, Unreplicated
from .distance import BrokenOff, Forwarder
from .generation import DEBIAN_13, INSTALLED, always_both, both_generations
from .parallel import (
    BREATH_MS,
    PAUSE_MS,
    WORKERS,
    Client,
    Crowd,
    Worker,
    abort,
    assert_one_at_a_time,
    count_in,
    die,
    home,
    memcached_nodes,
    pecl,
    pecl_in_order,
    read_only,
    report,
)
from .php import pecl_memcache, php_memcached_text, session_ids
from .processes import pause, until

pytestmark = [pytest.mark.real, both_generations]

# Requests of each worker.
TIMES = 30

# A second after its death a killed node is started again; that long a frozen one stands still.
DEAD_S = 1.0
FROZEN_S = 2.0

# Too short to be given up by the other nodes, long enough to be noticed afterwards.
SHORT_S = 0.3
STOPS = 3


# --- no update is lost

# Over three nodes PHP does the same with redundancy 4 as with 3, so that half of the product says as much as
# the whole, which `make php` runs.
settings_and_paths = pytest.mark.parametrize(
    ("generation", "redundancy", "path"),
    [
        (INSTALLED, 3, "same path"),
        pytest.param(INSTALLED, 4, "same path", marks=pytest.mark.product),
        pytest.param(INSTALLED, 3, "own node first", marks=pytest.mark.product),
        (INSTALLED, 4, "own node first"),
        (INSTALLED, 3, "others far away"),
        pytest.param(INSTALLED, 4, "others far away", marks=pytest.mark.product),
        (DEBIAN_13, 3, "same path"),
        pytest.param(DEBIAN_13, 4, "own node first", marks=pytest.mark.long),
        pytest.param(DEBIAN_13, 3, "others far away", marks=pytest.mark.long),
    ],
    indirect=["generation"],
    ids=str,
)


@settings_and_paths
def test_parallel_requests_lose_no_increment(redundancy: int, path: str, tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, Crowd(cluster, pecl(redundancy), path, tmp_path) as crowd:
        crowd.loses_nothing(TIMES)


def test_plain_memcacheds_lose_increments(tmp_path: Path) -> None:
    """Where each web server asks its own node for the lock; and the judgement of it can fail."""
    with Unreplicated(3, tmp_path) as servers, Crowd(servers, pecl(3), "own node first", tmp_path) as crowd:
        session, _ = crowd.settle()
        crowd.flow(session, times=10)
        crowd.order("stop")
        crowd.wait()
        with pytest.raises(AssertionError, match="two at a time"):
            assert_one_at_a_time(crowd.requests, None)


# Who begins a session that eight others begin, too, waits for them, at growing intervals; nothing else.
SLOWEST_START_MS = 3_000


@always_both
@pytest.mark.parametrize(
    ("client", "path"),
    [
        (pecl(3), "same path"),
        (pecl(3), "others far away"),
        (pecl_in_order(3), "own node first"),
    ],
    ids=["same path", "others far away", "own node first"],
)
def test_a_session_that_many_requests_begin_at_once_is_one_session(
    client: Client, path: str, tmp_path: Path
) -> None:
    """Though with pecl-memcache 8.2 each has a first node of its own, and goes on to the others' from there."""
    sessions = 10
    with Cluster(3, tmp_path) as cluster, Crowd(cluster, client, path, tmp_path, sessions) as crowd:
        crowd.order("round")
        crowd.wait()
        report(crowd.requests)
        assert crowd.not_good == []
        assert max(request.started - request.began for request in crowd.requests) < SLOWEST_START_MS
        assert [count_in(cluster, key) for key in session_ids(sessions)] == [WORKERS] * sessions


@settings_and_paths
def test_a_killed_node_loses_no_increment(redundancy: int, path: str, tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, Crowd(cluster, pecl(redundancy), path, tmp_path) as crowd:
        crowd.loses_nothing_while(lambda victim: cluster.kill_and_restart(victim, DEAD_S))


@settings_and_paths
def test_a_frozen_node_loses_no_increment(redundancy: int, path: str, tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, Crowd(cluster, pecl(redundancy), path, tmp_path) as crowd:
        crowd.loses_nothing_while(lambda victim: cluster.freeze_and_thaw(victim, FROZEN_S))


def test_a_node_that_stops_for_moments_fails_no_request(tmp_path: Path) -> None:
    """Too short for the others to give it up: they wait for it, and PHP does not notice more than that."""
    with Cluster(3, tmp_path) as cluster, Crowd(cluster, pecl(3), "own node first", tmp_path) as crowd:
        session, homes = crowd.settle()
        with crowd.checked(session):
            crowd.flow(session)
            for _ in range(STOPS):
                crowd.wait_requests(len(crowd.requests) + WORKERS)
                cluster.freeze(homes[0])
                pause(SHORT_S)
                cluster.thaw(homes[0])
                cluster.wait_healed()
            crowd.order("stop")
            crowd.wait()
        assert not any(request.outcome.startswith("failed") for request in crowd.requests)


def test_a_node_that_breaks_off_its_answer_empties_no_session(tmp_path: Path) -> None:
    """pecl-memcache asks for the lock and for the session in one breath. If the node dies after it has granted
    the lock and before it has answered the rest, PHP takes the session for empty and writes it so to all other
    nodes. A node that has said neither is left for the next one."""
    sessions = 20
    with (
        Cluster(3, tmp_path) as cluster,
        Forwarder(cluster.ports, BrokenOff) as breaking,
        Worker(pecl_memcache(cluster.ports, 3), tmp_path, "whole", sessions) as whole,
        Worker(pecl_memcache(breaking.ports, 3), tmp_path, "broken", sessions) as broken,
    ):
        for php in (whole, broken):
            php.order("round")
            php.wait()
        assert [request.found for request in broken.requests] == [1] * sessions


# --- nobody waits in vain

SHORT_LOCK_TIMEOUT_S = 2
AT_ONCE_MS = SHORT_LOCK_TIMEOUT_S * 1000 / 3


ways_to_leave = pytest.mark.parametrize("leave", [read_only, abort, die])


@ways_to_leave
def test_a_session_that_nobody_works_on_is_had_at_once(leave: Callable[[Worker], None], tmp_path: Path) -> None:
    """However the last request left it: only read, given up, killed. pecl-memcache unlocks in none of these."""
    with Cluster(3, tmp_path) as cluster:
        for own in range(cluster.count):
            waited = wait_after(leave, cluster, tmp_path, own)
            print(f"through node {own}: {waited:.0f} ms")
            assert waited < AT_ONCE_MS


def test_on_plain_memcacheds_the_same_requests_wait(tmp_path: Path) -> None:
    with Unreplicated(3, tmp_path) as servers, ExitStack() as stack:
        waiting = []
        for leave in (read_only, abort, die):
            name = leave.__name__
            first = stack.enter_context(hasty(servers, tmp_path, f"{name}1", label=name))
            second = stack.enter_context(hasty(servers, tmp_path, f"{name}2", label=name))
            assert first.visit().good
            leave(first)
            second.order("visit")
            waiting.append(second)
        for second in waiting:
            second.wait()
            (request,) = second.requests
            assert request.started - request.began > AT_ONCE_MS


def wait_after(
    leave: Callable[[Worker], None], servers: Cluster, directory: Path, own: int | None = None
) -> float:
    """How long (ms) a request waits for a session that another has left so; `own` is the later one's node."""
    with (
        hasty(servers, directory, f"first{own}", label=f"{own}") as first,
        hasty(servers, directory, f"second{own}", own, label=f"{own}") as second,
    ):
        assert first.visit().good
        leave(first)
        request = second.visit()
        assert (request.outcome, request.found) == ("good", 1)
        return request.started - request.began


def hasty(
    servers: Cluster, directory: Path, name: str, own: int | None = None, label: str = "session"
) -> Worker:
    """A PHP whose locks end soon."""
    settings = pecl_memcache(servers.ports, 3, own=own, lock_timeout_s=SHORT_LOCK_TIMEOUT_S)
    return Worker(settings, directory, name, label=label)


def test_a_request_that_hangs_holds_its_session_for_the_lock_timeout(tmp_path: Path) -> None:
    with (
        Cluster(3, tmp_path) as cluster,
        hasty(cluster, tmp_path, "hanging") as hanging,
        hasty(cluster, tmp_path, "waiting") as waiting,
    ):
        assert hanging.visit().good
        hanging.hold()
        request = waiting.visit()
        assert (request.outcome, request.found) == ("good", 1)
        held_s = (request.started - hanging.release().started) / 1000
        print(f"held for {held_s:.1f} s")
        assert SHORT_LOCK_TIMEOUT_S - 0.1 < held_s < 2 * SHORT_LOCK_TIMEOUT_S


def test_a_release_that_comes_after_the_timeout_frees_nobody_elses_lock(tmp_path: Path) -> None:
    with (
        Cluster(3, tmp_path) as cluster,
        hasty(cluster, tmp_path, "hanging") as hanging,
        hasty(cluster, tmp_path, "holding", 1) as holding,
        hasty(cluster, tmp_path, "waiting", 2) as waiting,
    ):
        assert hanging.visit().good
        hanging.hold()
        holding.hold()  # once the first lock has ended
        hanging.release()
        asked = lock_attempts(cluster)
        waiting.order("visit")
        until(
            lambda: waiting.listen() > 0 or lock_attempts(cluster) >= asked + 4, 5, "the third has asked often"
        )
        held = holding.release()
        waiting.wait()
        assert waiting.requests[-1].started > held.closing


def test_a_short_freeze_takes_no_lock_away(tmp_path: Path) -> None:
    """The node with the lock stands still for a moment while a request is at work, which notices nothing."""
    with (
        Cluster(3, tmp_path) as cluster,
        hasty(cluster, tmp_path, "holding", 0) as holding,
        hasty(cluster, tmp_path, "waiting", 1) as waiting,
    ):
        lock = home(cluster, holding)
        holding.hold()
        cluster.freeze(lock)
        pause(SHORT_S)
        cluster.thaw(lock)
        cluster.wait_healed()
        asked = lock_attempts(cluster)
        waiting.order("visit")
        until(
            lambda: waiting.listen() > 0 or lock_attempts(cluster) >= asked + 3, 5, "the second has asked often"
        )
        held = holding.release()
        waiting.wait()
        assert_one_at_a_time([held, *waiting.requests], count_in(cluster, session_ids(1)[0]), before=2)


def lock_attempts(cluster: Cluster) -> int:
    told = [cluster.stats(i, "") for i in range(cluster.count)]
    return sum(int(stats["incr_hits"]) + int(stats["incr_misses"]) for stats in told)


# --- php-memcached, which asks one node for the lock and another for the session


@pytest.mark.parametrize("victim", ["the lock's node", "the session's node"])
def test_php_memcached_has_one_holder_when_a_node_is_killed(victim: str, tmp_path: Path) -> None:
    processes = 6
    with Cluster(3, tmp_path) as cluster, ExitStack() as stack:
        settings = php_memcached_text(cluster.ports, drops_failed_servers=True) | {
            "memcached.sess_lock_wait_min": "10",
            "memcached.sess_lock_wait_max": "20",
            "memcached.sess_lock_retries": "500",
            "memcached.sess_lock_expire": "3",
        }
        workers = [stack.enter_context(Worker(settings, tmp_path, f"php{i}")) for i in range(processes)]
        lock, session = memcached_nodes(cluster, workers[0])
        print(f"the lock is asked for at node {lock}, the session at node {session}")
        for worker in workers:
            worker.order("flow", times=20, pause_ms=PAUSE_MS, breath_ms=BREATH_MS)
        until(lambda: sum(worker.listen() for worker in workers) >= 30, 20, "30 requests are done")
        dead = lock if victim == "the lock's node" else session
        cluster.kill(dead)
        pause(DEAD_S)
        cluster.start(dead)
        cluster.wait_healed()
        for worker in workers:
            worker.order("stop")
        for worker in workers:
            worker.wait()
        requests = [request for worker in workers for request in worker.requests]
        report(requests)
        key = "memc.sess.key." + session_ids(1)[0]
        assert_one_at_a_time(requests, count_in(cluster, key))
