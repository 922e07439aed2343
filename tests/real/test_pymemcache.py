"""pymemcache, the memcached client of Python programs, alone and as HashClient over all nodes.

HashClient sends each key to one node and, when that node is gone, to another one: harmless only if
every node holds everything. A plain Client asks one node and so tells what that node holds, right
after the acknowledgement.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import pytest
from pymemcache.client.base import Client
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheError

from .cluster import Cluster
from .processes import HOST, until

pytestmark = pytest.mark.real

KEYS = [f"key-{i}" for i in range(60)]

# Longer than any promise of the cluster, so that a late answer shows as what it is.
TIMEOUT_S = 5

Result = TypeVar("Result")


@contextmanager
def hash_client(cluster: Cluster) -> Iterator[Any]:
    """A HashClient that leaves a node at its first failure and soon looks for it again."""
    client = HashClient(
        [(HOST, port) for port in cluster.ports],
        connect_timeout=TIMEOUT_S,
        timeout=TIMEOUT_S,
        no_delay=True,
        default_noreply=False,
        retry_attempts=0,
        dead_timeout=0.2,
    )
    try:
        yield client
    finally:
        client.close()


@contextmanager
def node_client(cluster: Cluster, i: int) -> Iterator[Any]:
    """A plain client of node i."""
    timeouts = {"connect_timeout": TIMEOUT_S, "timeout": TIMEOUT_S}
    client = Client((HOST, cluster.ports[i]), no_delay=True, default_noreply=False, **timeouts)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def node_clients(cluster: Cluster) -> Iterator[list[Any]]:
    """A plain client for each node."""
    with ExitStack() as stack:
        yield [stack.enter_context(node_client(cluster, i)) for i in range(cluster.count)]


def again(command: Callable[..., Result], *args: object) -> Result:
    """The command's result; a node that died under it costs another try, as in any program."""
    for attempt in itertools.count(1):
        try:
            return command(*args)
        except (OSError, MemcacheError):
            if attempt == 5:
                raise
    raise AssertionError("unreachable")


def test_every_command_shows_on_every_node_at_once(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, hash_client(cluster) as client, node_clients(cluster) as nodes:

        def everywhere(key: str) -> bytes | None:
            answers: list[bytes | None] = [node.get(key) for node in nodes]
            assert answers == answers[:1] * len(nodes)
            return answers[0]

        for key in KEYS:
            assert client.set(key, b"one")
            assert everywhere(key) == b"one"
            assert client.add(key, b"other") is False
            assert everywhere(key) == b"one"
            value, unique = client.gets(key)
            assert value == b"one"
            assert client.cas(key, b"two", unique) is True
            assert everywhere(key) == b"two"
            assert client.cas(key, b"three", unique) is False
            assert everywhere(key) == b"two"
            assert client.touch(key, 1000) is True
            assert client.delete(key) is True
            assert everywhere(key) is None
            assert client.delete(key) is False
            assert client.add(key, b"5") is True
            assert client.incr(key, 37) == 42
            assert everywhere(key) == b"42"
            assert client.decr(key, 2) == 40
            assert everywhere(key) == b"40"


def test_a_cas_unique_of_one_node_counts_on_every_other(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, node_clients(cluster) as nodes:
        for turn, key in enumerate(KEYS):
            reader, writer, late = (nodes[(turn + step) % 3] for step in range(3))
            assert reader.set(key, b"one")
            _, unique = reader.gets(key)
            assert writer.cas(key, b"two", unique) is True
            assert late.cas(key, b"three", unique) is False
            assert [node.get(key) for node in nodes] == [b"two"] * 3


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_hash_client_loses_no_value_with_its_node(ending: str, tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, hash_client(cluster) as client, node_clients(cluster) as nodes:
        written: dict[str, bytes] = {}

        def write_all(value: bytes) -> None:
            for key in KEYS:
                assert again(client.set, key, value)
                written[key] = value

        def uses_all_nodes() -> bool:
            again(client.get, KEYS[0])
            return len(client.hasher.nodes) == cluster.count

        write_all(b"all alive")
        for victim in range(cluster.count):
            getattr(cluster, ending)(victim)
            assert {key: again(client.get, key) for key in KEYS} == written
            write_all(f"without node {victim}".encode())
            cluster.start(victim)
            cluster.wait_healed()
            # The plain client's connection went with the node.
            nodes[victim].close()
            for node in nodes:
                assert {key: node.get(key) for key in KEYS} == written
            until(uses_all_nodes, 10, f"the client uses node {victim} again")


def test_of_many_clients_that_add_one_key_exactly_one_wins(tmp_path: Path) -> None:
    """How session locks are taken: as many threads as web servers, all at the same moment."""
    threads, rounds = 6, 40
    with Cluster(3, tmp_path) as cluster, ThreadPoolExecutor(threads) as pool:
        start = Barrier(threads, timeout=30)

        def compete(me: int) -> list[str]:
            won = []
            with node_client(cluster, me % cluster.count) as client:
                for turn in range(rounds):
                    start.wait()
                    if client.add(f"lock-{turn}", str(me).encode()):
                        won.append(f"lock-{turn}={me}")
            return won

        wins = [win for won in pool.map(compete, range(threads)) for win in won]
        locks = Counter(win.partition("=")[0] for win in wins)
        assert locks == {f"lock-{turn}": 1 for turn in range(rounds)}
        with node_clients(cluster) as nodes:
            for lock, _, owner in (win.partition("=") for win in wins):
                assert [node.get(lock) for node in nodes] == [owner.encode()] * 3


def test_counters_through_all_nodes_are_exact(tmp_path: Path) -> None:
    threads, times = 6, 60
    with Cluster(3, tmp_path) as cluster, ThreadPoolExecutor(threads) as pool:
        with node_client(cluster, 0) as client:
            assert client.set("counter", b"0")

        def count(me: int) -> list[int]:
            with node_client(cluster, me % cluster.count) as client:
                return [client.incr("counter", 1) for _ in range(times)]

        answers = Counter(itertools.chain.from_iterable(pool.map(count, range(threads))))
        assert answers == Counter(range(1, threads * times + 1))
        with node_clients(cluster) as nodes:
            assert [node.get("counter") for node in nodes] == [str(threads * times).encode()] * 3
