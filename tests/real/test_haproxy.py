"""haproxy between Redis' clients and the nodes, by deploy/haproxy: one address, and nobody misses a node.

It is the way for clients that take one address only, and for those that would wait for a frozen node: here that
costs a second, once. What a client loses with a node is the command that is on its way, as without haproxy.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .nodejs import LANES, FoundNodes, Javascript
from .parallel import Worker
from .php import Php, phpredis
from .processes import CHECKOUT, HOST, Child, Family, PortLease, accepts, find_program, until

pytestmark = [pytest.mark.real, pytest.mark.long]

CONFIGURATION = CHECKOUT / "deploy" / "haproxy" / "memrep.cfg"
SESSIONS = 20
CYCLES = 200
PACE_MS = 15
STEPS = 50
IN_FLIGHT = {"failed start", "failed write"}

#: A frozen node is found out within half a second for the next check and as much for its answer.
FOUND_OUT_MS = 2_000


@contextmanager
def balanced(nodes: FoundNodes, directory: Path) -> Iterator[int]:
    """A haproxy before these nodes, node 0 first; its port."""
    haproxy = find_program("haproxy")
    with closing(PortLease(1)) as lease, Family() as family:
        (port,) = lease.ports
        text = nodes.with_places(CONFIGURATION.read_text().replace("6380", str(port)))
        configuration = directory / "haproxy.cfg"
        configuration.write_text(text)
        family.add(Child("haproxy", [haproxy, "-db", "-f", str(configuration)], directory))
        until(lambda: accepts(port), 10, "haproxy accepts clients")
        yield port


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[FoundNodes]:
    with FoundNodes(3, tmp_path) as cluster:
        yield cluster


@pytest.fixture
def port(nodes: FoundNodes, tmp_path: Path) -> Iterator[int]:
    with balanced(nodes, tmp_path) as port:
        yield port


def through(port: int) -> dict[str, str]:
    """phpredis' settings, as they are with one address."""
    return phpredis(port) | {"session.save_path": f"tcp://{HOST}:{port}?timeout=1&read_timeout=2"}


# --- phpredis


def test_nodes_that_are_killed_cost_php_what_was_on_its_way(
    nodes: FoundNodes, port: int, tmp_path: Path
) -> None:
    with Php(through(port), tmp_path, sessions=SESSIONS) as php:
        php.order("flow", cycles=CYCLES, pace_ms=PACE_MS)
        kills = [0, 1, 0]
        for node in kills:
            nodes.kill_and_restart(node, gone_s=0.5)
        php.order("stop")
        outcome = php.summary()
        print(outcome)
        assert set(outcome.anomalies) <= IN_FLIGHT
        assert sum(outcome.anomalies.values()) <= len(kills)
        assert outcome.slowest_ms < FOUND_OUT_MS


def test_nodes_that_are_replaced_cost_php_what_was_on_its_way(
    nodes: FoundNodes, port: int, tmp_path: Path
) -> None:
    """haproxy hangs up on whoever is at a node in the moment in which it finds that one refusing."""
    with Php(through(port), tmp_path, sessions=SESSIONS) as php:
        php.order("flow", cycles=CYCLES, pace_ms=PACE_MS)
        for node in range(3):
            nodes.stop(node)
            nodes.start(node)
            nodes.wait_healed()
        php.order("stop")
        outcome = php.summary()
        print(outcome)
        assert set(outcome.anomalies) <= IN_FLIGHT
        assert sum(outcome.anomalies.values()) <= 3
        assert outcome.slowest_ms < FOUND_OUT_MS


def test_a_node_that_stands_still_costs_php_a_second_once(nodes: FoundNodes, port: int, tmp_path: Path) -> None:
    with Php(through(port), tmp_path, sessions=SESSIONS) as php:
        php.order("flow", cycles=CYCLES, pace_ms=PACE_MS)
        nodes.freeze_and_thaw(0, frozen_s=4)
        php.order("stop")
        outcome = php.summary()
        print(outcome)
        assert set(outcome.anomalies) <= IN_FLIGHT
        assert sum(outcome.anomalies.values()) <= 1
        assert outcome.slowest_ms < FOUND_OUT_MS


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_request_of_php_outlives_its_node_between_its_start_and_its_write(
    ending: str, nodes: FoundNodes, port: int, tmp_path: Path
) -> None:
    with Worker(through(port), tmp_path, "php") as php:
        getattr(nodes, ending)(1)  # nobody has it first
        assert php.visit().good
        nodes.start(1)
        nodes.wait_healed()
        php.hold()
        getattr(nodes, ending)(0)
        assert php.release().good
        request = php.visit()
        assert (request.good, request.found) == (True, 2)
        nodes.start(0)
        nodes.wait_healed()


# --- redis-py


def test_redis_py_goes_on_through_all_of_it(nodes: FoundNodes, port: int) -> None:
    """With the retries of its version 6, which are not for what it says as it connects."""
    with Redis(HOST, port, socket_timeout=5, retry=Retry(NoBackoff(), 3)) as client, counting(client) as counts:
        counts.go_on()
        nodes.kill_and_restart(0, gone_s=0.5)
        counts.go_on()
        nodes.freeze_and_thaw(0, frozen_s=3)
        counts.go_on()
        nodes.stop(0)
        counts.go_on()
        nodes.start(0)
        nodes.wait_healed()
        counts.go_on()
    assert counts.found == list(range(len(counts.found)))
    assert counts.slowest_s < 3


class Counting:
    """A program that counts in one key, one step after the other."""

    def __init__(self, client: Any) -> None:
        self.found: list[int] = []
        self.slowest_s = 0.0
        self.over = False
        self._client = client

    def count(self) -> None:
        while not self.over:
            began = monotonic()
            n = int(self._client.get("n") or 0)
            self._client.set("n", n + 1)
            self.found.append(n)
            self.slowest_s = max(self.slowest_s, monotonic() - began)

    def go_on(self) -> None:
        """Return when it has come further."""
        wanted = len(self.found) + STEPS
        until(lambda: len(self.found) >= wanted, 10, "redis-py goes on")


@contextmanager
def counting(client: Any) -> Iterator[Counting]:
    """A program that counts meanwhile; what it has thrown is thrown here."""
    counts = Counting(client)
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(counts.count)
        try:
            yield counts
        finally:
            counts.over = True
        done.result()


# --- Node


@pytest.mark.parametrize("client", ["redis", "redis4"])
def test_node_redis_leaves_a_node_that_stands_still(client: str, nodes: FoundNodes, port: int) -> None:
    """Which it would wait for, by itself (test_nodejs.py)."""
    with Javascript(nodes, client, "byName", sessions=SESSIONS, at=(HOST, port)) as js:
        js.told("ready")
        js.order("flow", cycles=CYCLES, pace_ms=PACE_MS)
        nodes.freeze_and_thaw(0, frozen_s=4)
        js.order("stop")
        outcome = js.summary()
        print(outcome)
        # Each of those that were on their way, and of those that came back before the node was found out.
        assert set(outcome.anomalies) <= {"failed read", "failed write"}
        assert sum(outcome.anomalies.values()) <= LANES
        assert outcome.slowest_ms < FOUND_OUT_MS
        assert js.ask("round").ok == SESSIONS
