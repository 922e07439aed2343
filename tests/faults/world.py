"""What clients, checks and faults share: where the nodes are, what is being done to them, what was counted.

`faulted` are the nodes that something is being done to until the cluster is whole again; answers of the others
are timed apart. `avoided` are the nodes that no client of the load goes to: the smaller side of a partition,
which in the mode `available` is a cluster of its own until it has rejoined. The gate stops the whole load
between operations.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from tests.faults.client import ANSWERED, Attempt, Line, Walk
from tests.faults.findings import Diary, Finding, Findings
from tests.faults.protocols import MEMCACHED, REDIS, Speaks
from tests.real.processes import until

_FAILURES_KEPT: Final = 4


class Tally:
    """Operations, their times, and what became of their attempts."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.failed = 0
        self.failures: list[Walk] = []
        self.fates: Counter[str] = Counter()
        self.healthy_fates: Counter[str] = Counter()
        self.slowest_healthy = 0.0
        self._mutex = threading.Lock()

    def add(self, walk: Walk) -> None:
        """An operation has ended."""
        with self._mutex:
            self.times.append(walk.end - walk.begin)
            if not walk.answered:
                self.failed += 1
                if self.failed <= _FAILURES_KEPT:
                    self.failures.append(walk)

    def attempted(self, attempt: Attempt, healthy: bool) -> None:
        """A node was asked; `healthy` if nothing was being done to that node."""
        with self._mutex:
            self.fates[attempt.fate] += 1
            if healthy:
                self.healthy_fates[attempt.fate] += 1
                if attempt.fate == ANSWERED:
                    self.slowest_healthy = max(self.slowest_healthy, attempt.end - attempt.begin)


class World:
    """What one run's threads share.

    Args:
        addresses: host and memcached's port of each node, and Redis' port.
        seed: what the run's chance begins with.
        protocols: those that clients speak.
    """

    def __init__(
        self, addresses: Sequence[tuple[str, int, int]], seed: int, protocols: Sequence[Speaks] = (MEMCACHED,)
    ) -> None:
        self.count = len(addresses)
        self.protocols = tuple(protocols)
        self._addresses = list(addresses)
        self.seed = seed
        self.start = time.monotonic()
        self.tally = Tally()
        self.findings = Findings()
        self.events: list[tuple[float, str]] = []
        self.faulted: frozenset[int] = frozenset()
        self.avoided: frozenset[int] = frozenset()
        self.talking: list[set[Line]] = [set() for _ in addresses]
        self.stopping = threading.Event()
        self._gate = threading.Condition()
        self._shut = False
        self._busy = 0

    def address(self, node: int, speaks: Speaks) -> tuple[str, int]:
        """Host and port at which a node speaks this protocol."""
        host, memcached, redis = self._addresses[node]
        return host, redis if speaks is REDIS else memcached

    def event(self, what: str) -> None:
        """Something is done to a node now."""
        self.events.append((time.monotonic() - self.start, what))

    def found(self, kind: str, text: str, diary: Diary | None = None) -> None:
        """Something is wrong."""
        history = diary.lines(self.start) if diary is not None else []
        self.findings.add(Finding(kind=kind, at=time.monotonic() - self.start, text=text, history=history))

    def avoid(self, nodes: Sequence[int]) -> None:
        """No request of the load goes to these nodes from now on; return when none is under way there."""
        self.avoided = frozenset(nodes)
        until(lambda: not any(self.talking[node] for node in nodes), 10, "requests to the avoided nodes end")

    @contextmanager
    def operation(self) -> Iterator[None]:
        """An operation, which begins only while the gate is open."""
        with self._gate:
            self._gate.wait_for(lambda: not self._shut or self.stopping.is_set())
            self._busy += 1
        try:
            yield
        finally:
            with self._gate:
                self._busy -= 1
                self._gate.notify_all()

    @contextmanager
    def stillness(self) -> Iterator[None]:
        """Within, no operation is under way."""
        with self._gate:
            self._shut = True
            assert self._gate.wait_for(lambda: not self._busy, 20), "the load does not come to rest"
        try:
            yield
        finally:
            with self._gate:
                self._shut = False
                self._gate.notify_all()

    def rest(self, seconds: float) -> None:
        """Wait between two operations; shorter if the load is to stop."""
        self.stopping.wait(seconds)
