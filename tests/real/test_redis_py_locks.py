"""redis-py's locks and transactions are exclusive across nodes: a counter that is raised under them is exact.

Eight programs raise it, through different nodes, while nodes are killed, frozen and replaced. What shows a lock
that two had at once is a number that is missing: both have read the same one.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.exceptions import LockNotOwnedError, WatchError
from redis.lock import Lock

from .named import NamedNodes
from .processes import CHECKOUT, Child, Family, until

pytestmark = pytest.mark.real

WORKERS = 8
WORKER = Path(__file__).with_name("redis_py_worker.py")
LOCK_S = 30

#: How many more times it must have been raised after each step, by all together.
STEPS = 40


class Crowd(Family):
    """Programs that raise one counter."""

    def __init__(self, cluster: NamedNodes, kind: str, directory: Path) -> None:
        super().__init__()
        self._cluster = cluster
        self._stop = directory / "stop"
        path = os.pathsep.join([str(CHECKOUT / "deploy/python"), str(CHECKOUT)])
        for i in range(WORKERS):
            argv = [*cluster.beginning_at(i % cluster.count), sys.executable, str(WORKER)]
            argv += [str(cluster.redis_port), kind, str(self._stop)]
            self.add(Child(f"worker{i}", argv, directory, env=dict(os.environ) | {"PYTHONPATH": path}))

    def told(self, word: str) -> int:
        """How often they have said this."""
        return sum(
            len(re.findall(rf"^{word} ", child.log.read_text(), re.M)) for child in self.children.values()
        )

    def goes_on(self) -> None:
        """Return when the counter has been raised some more times."""
        wanted = self.told("raised") + STEPS
        until(lambda: self.told("raised") >= wanted, 40, f"the counter is raised {STEPS} times")

    def finish(self) -> None:
        self._stop.touch()
        for child in self.children.values():
            assert child.wait(30) == 0, child.last_words()


@contextmanager
def crowd(kind: str, directory: Path) -> Iterator[tuple[NamedNodes, Crowd]]:
    """Three nodes, and programs that raise a counter; in the end it is exact."""
    with NamedNodes(3, directory) as cluster:
        with Crowd(cluster, kind, directory) as programs:
            programs.goes_on()
            yield cluster, programs
            programs.goes_on()
            programs.finish()
        raised, doubtful = programs.told("raised"), programs.told("doubtful")
        counted = [int(client(cluster, i).get("counter")) for i in range(3)]
        print(f"raised {raised} times, {doubtful} times doubtful, counted {counted}")
        assert len(set(counted)) == 1
        assert raised <= counted[0] <= raised + doubtful
        # Each of them has one command on its way when a node fails.
        assert doubtful <= WORKERS * len(FAULTS)


def client(cluster: NamedNodes, i: int) -> Any:
    return redis.Redis(cluster.redis_address(i), cluster.redis_port, socket_timeout=5)


def kill(cluster: NamedNodes) -> None:
    cluster.kill_and_restart(0, gone_s=1)


def freeze(cluster: NamedNodes) -> None:
    cluster.freeze_and_thaw(1, frozen_s=3)


def replace(cluster: NamedNodes) -> None:
    cluster.stop(2)
    cluster.start(2)
    cluster.wait_healed()


FAULTS = [kill, freeze, replace]


@pytest.mark.parametrize(
    "kind",
    [
        "lock",
        pytest.param("django-lock", marks=pytest.mark.long),
        pytest.param("transaction", marks=pytest.mark.long),
    ],
)
def test_a_counter_is_exact_whatever_becomes_of_the_nodes(kind: str, tmp_path: Path) -> None:
    with crowd(kind, tmp_path) as (cluster, programs):
        for fault in FAULTS:
            fault(cluster)
            programs.goes_on()


# --- one after another


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[NamedNodes]:
    with NamedNodes(3, tmp_path) as cluster:
        yield cluster


def held(cluster: NamedNodes, i: int, by: Lock | None = None) -> Lock:
    """A lock by way of this node; the one of another object, if one is given."""
    lock = Lock(client(cluster, i), "lock", timeout=LOCK_S, blocking=False, thread_local=False)
    if by is not None:
        lock.local.token = by.local.token
    return lock


def test_a_lock_outlives_its_node_and_is_given_up_at_another(nodes: NamedNodes) -> None:
    lock, rival = held(nodes, 0), held(nodes, 1)
    assert lock.acquire()
    nodes.kill(0)
    assert not rival.acquire()
    held(nodes, 2, by=lock).release()
    assert rival.acquire()
    with pytest.raises(LockNotOwnedError):
        held(nodes, 2, by=lock).release()
    nodes.start(0)
    nodes.wait_healed()
    assert held(nodes, 0, by=rival).owned()


def test_a_lock_is_prolonged_at_any_node_and_only_by_its_owner(nodes: NamedNodes) -> None:
    lock = held(nodes, 0)
    assert lock.acquire()
    left: Callable[[], int] = lambda: int(client(nodes, 2).pttl("lock"))  # noqa: E731
    held(nodes, 1, by=lock).extend(1000)
    assert 1_000_000 < left() <= 1_000_000 + LOCK_S * 1000
    held(nodes, 2, by=lock).extend(5, replace_ttl=True)
    assert 0 < left() <= 5_000
    held(nodes, 1, by=lock).reacquire()
    assert 5_000 < left() <= LOCK_S * 1000
    stranger = held(nodes, 1)
    stranger.local.token = b"stranger"
    for prolong in (stranger.reacquire, lambda: stranger.extend(1000), stranger.release):
        with pytest.raises(LockNotOwnedError):
            prolong()
    assert held(nodes, 2, by=lock).owned()


def test_who_watches_sees_a_change_by_way_of_another_node(nodes: NamedNodes) -> None:
    with client(nodes, 0).pipeline() as pipe:
        pipe.watch("k")
        client(nodes, 1).set("k", "of another")
        pipe.multi()
        pipe.set("k", "lost")
        with pytest.raises(WatchError):
            pipe.execute()
    assert client(nodes, 2).get("k") == b"of another"
