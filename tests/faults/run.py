"""One fault's run: nodes, load, the fault again and again, and the reading of every key in the end."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from tests.faults.client import Client, Walk
from tests.faults.counters import Counter, Counting
from tests.faults.ledger import Ledger
from tests.faults.locks import Lock, Locking, PeclLocking
from tests.faults.nodes import WHOLE_TIMEOUT_S, Nodes
from tests.faults.protocols import MEMCACHED, REDIS
from tests.faults.queued import Expected, check
from tests.faults.redis_locks import PhpredisLocking, TokenLocking
from tests.faults.sessions import Onlooker, Visitor
from tests.faults.world import World
from tests.real.processes import until

_VISITORS: Final = 4
_SESSIONS_EACH: Final = 8
_ONLOOKERS: Final = 2
_COUNTERS: Final = 4
_COUNTING: Final = 3

#: Of each kind of lock.
_LOCKS: Final = 3
_LOCKING: Final = 4

#: Between two operations of a worker, seconds. The load must leave the machine idle now and then, or the
#: slowest request measures the machine.
_PAUSE_S: Final = (0.004, 0.024)


Worker = Visitor | Onlooker | Counting | Locking


class Run:
    """A cluster, its load, and what is known of its keys.

    Args:
        nodes: the running nodes.
        seed: what chance begins with.
        seconds: how long faults go on.
        pause: seconds from the end of a cut to the next one.
    """

    def __init__(self, nodes: Nodes, seed: int, seconds: float, pause: float) -> None:
        self.nodes = nodes
        self.seconds = seconds
        self.pause = pause
        self.majority = "majority" in nodes.options
        places = [
            (host, port, redis) for (host, port), redis in zip(nodes.addresses, nodes.redis_ports, strict=True)
        ]
        self.world = World(places, seed, nodes.protocols)
        self.rng = random.Random(f"{seed} faults")
        self.deadline = time.monotonic() + seconds
        self.rounds = 0
        self.ledgers = [Ledger(f"session{i}") for i in range(_VISITORS * _SESSIONS_EACH)]
        self.counters: list[Counter] = []
        self.expected: list[Expected] = []
        self._wipes = 0
        self._renew_counters()
        self._threads: list[threading.Thread] = []

    def whole(self) -> bool:
        """Wait until all nodes serve and know that all do; whether they came to that."""
        try:
            until(self.nodes.whole, WHOLE_TIMEOUT_S, "the cluster is whole again")
        except AssertionError:
            states = [self.nodes.stats(i) for i in range(self.nodes.count)]
            told = "; ".join(f"node {i}: {state or 'does not serve'}" for i, state in enumerate(states))
            self.world.found(
                "other", f"not all nodes serve {WHOLE_TIMEOUT_S:.0f} s after the fault has ended: {told}"
            )
            return False
        return True

    def strike(self, nodes: Sequence[int], what: str) -> None:
        """Something is done to these nodes from now on."""
        self.world.faulted |= frozenset(nodes)
        self.world.event(what)

    def recover(self, what: str = "whole") -> bool:
        """Wait until the cluster is whole; nothing is being done to any node then."""
        whole = self.whole()
        self.world.event(what if whole else "NOT whole")
        if whole:
            self.world.faulted = frozenset()
        return whole

    def wiped(self) -> None:
        """All nodes were gone at the same time; to be called while the load is still."""
        for ledger in self.ledgers:
            ledger.wiped()
        story = "all nodes were gone at the same time"
        gone = [Expected(counter.key, None, counter.diary, "resurrected", story) for counter in self.counters]
        self.expected.extend(gone)
        self._renew_counters()

    def power_cut(self, moment: float) -> list[Counter]:
        """What was acknowledged after this moment may be lost; to be called while the load is still.

        Returns:
            The counters so far, to be judged when they can be read; the load has others from now on.
        """
        for ledger in self.ledgers:
            ledger.set_back(moment)
        former = [counter for counter in self.counters if counter.exists]
        self._renew_counters()
        return former

    def judge_after_power_cut(self, moment: float, counters: list[Counter]) -> None:
        """Read everything, for all nodes must be the same now."""
        reader = Client(self.world, "reader after the power cut")
        with self.world.stillness():
            self._read_ledgers(reader)
            for counter in counters:
                for node, reply in self._read_everywhere(reader, counter.key):
                    if reply is not None:
                        wrong = counter.judge_after_power_cut(moment, int(reply))
                    else:
                        wrong = counter.judge_after_power_cut(moment, 0)
                    if wrong is not None:
                        kind = "lost" if reply is None else "counter"
                        self.world.found(kind, f"{counter.key}: at node {node} it {wrong}", counter.diary)

    def go(self, fault: Callable[[Run], bool], progress: Callable[[Run], None]) -> None:
        """Do it again and again, then look at everything."""
        self._start_load()
        watcher = threading.Thread(target=self._watch, args=(progress,), daemon=True)
        watcher.start()
        try:
            time.sleep(0.3)
            while time.monotonic() < self.deadline:
                self.rounds += 1
                if not fault(self):
                    break
                time.sleep(self.rng.uniform(0.1, 0.6))
        finally:
            self._stop_load()
            watcher.join()
        self.world.avoided = frozenset()
        if self.recover("reads everything"):
            self._read_everything()
        for misdeed in self.nodes.misdeeds():
            self.world.found("other", misdeed)

    def _renew_counters(self) -> None:
        self.counters = [Counter(f"counter{i}.{self._wipes}") for i in range(_COUNTERS)]
        self._wipes += 1

    def _start_load(self) -> None:
        world = self.world
        clients: list[Worker] = []
        for i in range(_VISITORS):
            clients.append(Visitor(world, f"visitor{i}", ledgers=self.ledgers[i::_VISITORS]))
        for i in range(_ONLOOKERS):
            clients.append(Onlooker(world, f"onlooker{i}", ledgers=self.ledgers[: len(self.ledgers) // 2]))
        for i in range(_COUNTING):
            clients.append(Counting(world, f"counting{i}", counters=lambda: self.counters))
        if MEMCACHED in world.protocols:
            self._add_lockers(clients, PeclLocking, "pecl", "session{}.lock")
        if REDIS in world.protocols:
            self._add_lockers(clients, TokenLocking, "token", "lock{}")
            self._add_lockers(clients, PhpredisLocking, "phpredis", "PHPREDIS_SESSION:session{}_LOCK")
        for client in clients:
            thread = threading.Thread(target=self._work, args=(client,), name=client.name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _add_lockers(self, clients: list[Worker], kind: type[Locking], name: str, key: str) -> None:
        locks = [Lock(key.format(i)) for i in range(_LOCKS)]
        clients.extend(kind(self.world, f"{name}{i}", locks=locks) for i in range(_LOCKING))

    def _work(self, client: Worker) -> None:
        world = self.world
        while not world.stopping.is_set():
            try:
                with world.operation():
                    if not world.stopping.is_set():
                        client.step()
            except Exception as error:  # a worker that dies unseen would check nothing
                world.found("other", f"{client.name} failed: {error!r}")
                raise
            world.rest(client.rng.uniform(*_PAUSE_S))

    def _stop_load(self) -> None:
        self.world.stopping.set()
        for thread in self._threads:
            thread.join(20)
            if thread.is_alive():
                self.world.found("other", f"{thread.name} does not end")

    def _watch(self, progress: Callable[[Run], None]) -> None:
        while not self.world.stopping.wait(0.5):
            progress(self)

    def _read_everything(self) -> None:
        reader = Client(self.world, "last reader")
        self._read_ledgers(reader)
        for counter in self.counters:
            if counter.exists:
                self._read_counter(reader, counter)
        for expected in self.expected:
            check(reader, expected, range(self.world.count))

    def _read_ledgers(self, reader: Client) -> None:
        for ledger in self.ledgers:
            for node, reply in self._read_everywhere(reader, ledger.key):
                wrong = ledger.judge(ledger.floor, reply)
                if wrong is not None:
                    told = f"{ledger.key}: in the end node {node} {wrong[1]}"
                    self.world.found(wrong[0], told, ledger.diary)

    def _read_counter(self, reader: Client, counter: Counter) -> None:
        for node, reply in self._read_everywhere(reader, counter.key):
            wrong = "is lost" if reply is None else counter.judge_end(int(reply))
            if wrong is not None:
                kind = "lost" if reply is None else "counter"
                self.world.found(kind, f"{counter.key}: at node {node} it {wrong}", counter.diary)

    def _read_everywhere(self, reader: Client, key: str) -> list[tuple[int, bytes | None]]:
        """What every node holds, which must be the same."""
        replies = []
        for node in range(self.world.count):
            walk = self._insist(reader, key, node)
            if walk is None:
                self.world.found("other", f"{key}: in the end node {node} does not answer")
            else:
                replies.append((node, walk.value))
        if len({reply for _, reply in replies}) > 1:
            told = ", ".join(f"node {node}: {reply[:40] if reply else reply!r}" for node, reply in replies)
            self.world.found("other", f"{key}: in the end nodes do not agree; {told}")
        return replies

    @staticmethod
    def _insist(reader: Client, key: str, node: int) -> Walk | None:
        for _ in range(3):
            walk = reader.get(key, [node])
            if walk.answered:
                return walk
            time.sleep(0.2)
        return None
