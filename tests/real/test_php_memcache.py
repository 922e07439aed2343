"""pecl-memcache, which fails over by itself but believes the first node that answers.

With memcache.session_redundancy over all nodes it goes on when a node refuses, and takes a miss or
an error for an empty session, which it then writes over every good copy. So a cluster under it may
lose a node at any moment and must never let one answer that does not hold everything. With
redundancy 1 it knows one node only, and everything depends on what the nodes do among themselves.
"""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from .cluster import Cluster
from .generation import always_both, both_generations
from .php import Php, Summary, pecl_memcache, session_ids

pytestmark = [pytest.mark.real, both_generations]

CYCLES = 1000
KILLS = 13
PRESSED = 7
PACE_MS = 21

# A lock whose node dies while it is granted ends a second later, and PHP waits for it. It asks at growing
# intervals, 1,275 and 2,275 ms after it began: where the view comes late it is the second of them.
# Everything else is far quicker; how much, the test prints.
SLOWEST_MS_MAX = 3_000


def cycle_while(
    disturb: Callable[[int], None], php: Php, *, times: int = KILLS, cycles: int = CYCLES, apart: bool = True
) -> Summary:
    """Session cycles at an even pace while a node is disturbed every second; stops at an anomaly.

    Args:
        disturb: disturbs a node; told how many times that makes.
        php: who goes through the cycles.
        times: how often.
        cycles: so many at least.
        apart: whether no page meets two disturbances; two deaths in the moment of a grant are two waits.
    """
    php.order("flow", cycles=cycles, pace_ms=PACE_MS)
    for kills in range(1, times + 1):
        next_kill = time.monotonic() + 1
        disturb(kills)
        anomaly = (php.page_over() if apart else None) or php.anomaly_within(next_kill - time.monotonic())
        assert anomaly is None, f"after {kills} kills: {anomaly}"
    php.order("stop")
    return php.summary()


NEW_SESSIONS = 50
AT_ONCE_MS = 1_000


@always_both
@pytest.mark.parametrize("protocol", ["ascii", "binary"])
def test_a_new_session_is_had_at_once(protocol: str, tmp_path: Path) -> None:
    """pecl-memcache 8.2 goes on to the next node if there is none, and must not meet its own lock there."""
    settings = {"memcache.protocol": protocol}
    with Cluster(3, tmp_path) as cluster, ExitStack() as stack:
        for own in (None, 0, 1, 2):
            client = pecl_memcache(cluster.ports, 3, own=own) | settings
            php = stack.enter_context(Php(client, tmp_path, f"php{own}", NEW_SESSIONS, label=f"{own}"))
            outcome = php.ask("round")
            print(f"begins at node {own}: slowest {outcome.slowest_ms} ms")
            assert (outcome.ok, outcome.notices) == (NEW_SESSIONS, {})
            assert outcome.slowest_ms < AT_ONCE_MS


@always_both
@pytest.mark.parametrize("redundancy", [3, pytest.param(4, marks=pytest.mark.long)])
def test_a_killed_node_loses_no_session(redundancy: int, tmp_path: Path) -> None:
    chance = random.Random(redundancy)
    with Cluster(3, tmp_path) as cluster, Php(pecl_memcache(cluster.ports, redundancy), tmp_path) as php:

        def kill_and_restart(_kills: int) -> None:
            victim = chance.randrange(cluster.count)
            cluster.kill(victim)
            cluster.start(victim)
            cluster.wait_healed()

        # Whatever pages are at: one may meet several deaths, and still finds what it must.
        pressed = cycle_while(kill_and_restart, php, times=PRESSED, cycles=0, apart=False)
        print(f"pressed: {pressed.cycles} cycles, slowest {pressed.slowest_ms} ms")
        assert (pressed.ok, pressed.anomalies) == (pressed.cycles, {})
        outcome = cycle_while(kill_and_restart, php)
        print(f"redundancy {redundancy}: {outcome.cycles} cycles, slowest {outcome.slowest_ms} ms")
        print(f"PHP's notices: {outcome.notices}")
        assert outcome.anomalies == {}
        assert outcome.ok == outcome.cycles >= CYCLES
        assert outcome.slowest_ms < SLOWEST_MS_MAX
        for key in session_ids():
            assert_same_everywhere(cluster, key)


def test_the_local_node_serves_sessions_that_every_node_has_at_once(tmp_path: Path) -> None:
    """Three web servers, each with its own node, take turns at one user's session."""
    with Cluster(3, tmp_path) as cluster, ExitStack() as stack:
        phps = [
            stack.enter_context(Php(pecl_memcache([port], 1), tmp_path, name=f"php{port}", sessions=1))
            for port in cluster.ports
        ]
        (key,) = session_ids(1)
        for visit in range(60):
            php = phps[visit % 3]
            php.ask("expect", n=visit)
            outcome = php.ask("round")
            assert outcome.ok == 1, f"visit {visit}: {php.anomalies}"
            assert outcome.notices == {}
            assert f"n|i:{visit + 1};".encode() in assert_same_everywhere(cluster, key)


def test_many_sessions_on_one_local_node_are_right(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, Php(pecl_memcache(cluster.ports[:1], 1), tmp_path) as php:
        for _ in range(10):
            outcome = php.ask("round")
            assert (outcome.ok, outcome.notices) == (20, {})
        for key in session_ids():
            assert_same_everywhere(cluster, key)


def test_parallel_requests_through_their_local_nodes_lose_no_increment(tmp_path: Path) -> None:
    """Four requests at a time for one session, each through another node: the lock holds across nodes."""
    processes, times = 4, 60
    with Cluster(3, tmp_path) as cluster, ExitStack() as stack:
        phps = []
        for i in range(processes):
            php = Php(pecl_memcache([cluster.ports[i % 3]], 1), tmp_path, name=f"php{i}", sessions=1)
            phps.append(stack.enter_context(php))
        for php in phps:
            php.order("raise", id=0, times=times)
        outcomes = [php.summary() for php in phps]
        print(f"slowest {max(outcome.slowest_ms for outcome in outcomes)} ms")
        assert [outcome.anomalies for outcome in outcomes] == [{}] * processes
        assert phps[0].ask("look").counts == [processes * times]


def assert_same_everywhere(cluster: Cluster, key: str) -> bytes:
    """All nodes answer this key alike; what they answer."""
    first, *others = [cluster.stored(i, key) for i in range(cluster.count)]
    assert others == [first] * len(others)
    return first
