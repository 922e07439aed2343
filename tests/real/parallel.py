"""Several PHPs on one session at a time, and the judgement of what they say they have seen.

Each `Worker` runs parallel.php and tells every request with its times on the clock that all processes
share; a `Crowd` is eight of them on three nodes. `assert_one_at_a_time` needs no knowledge of the server for
its verdict: of requests that hold a session one after another, each finds what the last one wrote.
"""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import attrs

from .distance import Forwarder, Late
from .php import ANSWER_TIMEOUT_S, Php, pecl_memcache, session_ids
from .processes import until

WORKERS = 8
LOCK_TIMEOUT_S = 15
PAUSE_MS = 20
BREATH_MS = 20

# Requests of all of them before and after the time when a node is disturbed.
BEFORE = 40
AFTERWARDS = 40

# So long (ms) may all wait for a session that nobody has: a lock whose node died as it was granted ends a
# second later, and who asks for it asks once a second by then.
PATIENCE_MS = 3_000

# Outcomes of requests that may have counted or not, and of those that tell nothing of what they found.
UNKNOWN = {"failed write", "crashed"}
EMPTY_HANDED = {"failed start", "crashed"}

# The settings of a PHP for nodes at these ports, or addresses, of which it prefers one or none.
Client = Callable[[Sequence[int | str], int | None], dict[str, str]]

# So much later, at most, do nodes that are far away hear from a client.
DELAY_MS = 5


@attrs.frozen(kw_only=True)
class Request:
    """One page view, as PHP saw it; times in ms.

    Attributes:
        outcome: good, or "failed start": it wrote nothing, or "failed write" or "crashed": nobody knows.
        found: the count that the session held.
        session: its id at the end.
        began, started: session_start() was called, and returned.
        closing, ended: session_write_close() was called, and returned.
    """

    worker: str
    outcome: str
    found: int | None
    began: float
    started: float
    closing: float
    ended: float
    notices: list[str]
    session: str = ""

    @property
    def good(self) -> bool:
        return self.outcome == "good"

    @property
    def wrote(self) -> int:
        """The count that it left behind, if it is good."""
        return (self.found or 0) + 1


class Worker(Php):
    """One php-cli process that wants the sessions that others want too.

    pecl-memcache 8.0 may crash PHP when a server hangs up in between, about once in hundreds of times that a
    node is killed. php-fpm would start another worker; here the crowd is one fewer, and what became of the
    request is unknown.
    """

    def __init__(
        self,
        settings: dict[str, str],
        directory: Path,
        name: str,
        sessions: int = 1,
        label: str = "session",
        within: Sequence[str] = (),
        script: str = "parallel.php",
    ) -> None:
        super().__init__(settings, directory, name, sessions, label, script, within)
        self.requests: list[Request] = []
        self.looks: list[dict[str, Any]] = []
        self.holds = False
        self._busy = False
        self._crashed = False

    def order(self, do: str, **details: object) -> None:
        if not self._crashed:
            super().order(do, **details)
            self._busy = True

    def wait(self, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Return once the last order is done."""
        deadline = time.monotonic() + timeout_s
        while self._busy:
            line = self._next(deadline)
            assert line is not None, f"{self.child.name} did not finish its order within {timeout_s} s"
            self._take(line)

    def listen(self) -> int:
        """Take what it has said so far; how many requests that is."""
        while not self._lines.empty():
            line = self._next(time.monotonic())
            if line is not None:
                self._take(line)
        return len(self.requests)

    def visit(self, session: int | str = 0) -> Request:
        """One request; how it went."""
        self.order("visit", id=session)
        self.wait()
        return self.requests[-1]

    def hold(self, session: int | str = 0) -> None:
        """Return while it is in the middle of a request."""
        self.order("hold", id=session)
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while not self.holds:
            line = self._next(deadline)
            assert line is not None and self._busy, f"{self.child.name} did not get its session"
            self._take(line)

    def finish(self) -> None:
        """Let it finish the request that it is in."""
        super().order("release")

    def release(self) -> Request:
        """Let it finish the request that it is in; how that went."""
        self.finish()
        self.wait()
        return self.requests[-1]

    def kill(self) -> None:
        """End it as the kernel does when memory is short."""
        self.child.kill()

    def _take(self, line: dict[str, Any]) -> None:
        match line:
            case {"request": told}:
                self.holds = False
                self.requests.append(Request(worker=self.child.name, **told))
            case {"look": told}:
                self.looks.append(told)
            case {"started": _}:
                self.holds = True
            case {"done": _}:
                self._busy = False
            case {"crashed": _}:
                now = time.monotonic() * 1000
                self.requests.append(
                    Request(worker=self.child.name, outcome="crashed", found=None, began=now, started=now,
                            closing=now, ended=now, notices=[])
                )  # fmt: skip
                self._crashed = True
                self._busy = False

    def _ended(self, status: int) -> dict[str, Any]:
        return {"crashed": True} if status == -signal.SIGSEGV else super()._ended(status)


def pecl(redundancy: int) -> Client:
    """PHP's memcache extension."""
    return lambda ports, own: pecl_memcache(ports, redundancy, own=own, lock_timeout_s=LOCK_TIMEOUT_S)


def pecl_in_order(redundancy: int) -> Client:
    """The same, where a session begins at another node if the path does: by the older way to find it."""

    def settings(ports: Sequence[int | str], own: int | None) -> dict[str, str]:
        mine = pecl_memcache(ports, redundancy, own=own, lock_timeout_s=LOCK_TIMEOUT_S)
        path = mine["session.save_path"].replace("&weight=20", "")
        return mine | {"memcache.hash_strategy": "standard", "session.save_path": path}

    return settings


class Servers(Protocol):
    """Nodes, or what takes their place."""

    count: int

    @property
    def ports(self) -> Sequence[int | str]: ...

    def stats(self, i: int, group: str) -> dict[str, str]: ...

    def stored(self, i: int, key: str) -> bytes: ...


class Crowd:
    """Several PHPs on three nodes.

    With the "same path" they all have one save_path; with "own node first" each web server's PHPs begin at
    its own node, and with "others far away" the other nodes moreover hear from them later than their own.
    """

    def __init__(
        self,
        cluster: Servers,
        client: Client,
        path: str,
        directory: Path,
        sessions: int = 10,
        prefix: str = "",
        patience_ms: float = PATIENCE_MS,
    ) -> None:
        self._cluster = cluster
        self._stack = ExitStack()
        self._directory = directory
        self._client = client
        self._path = path
        self._sessions = sessions
        self._prefix = prefix
        self._patience_ms = patience_ms
        self.workers: list[Worker] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            far: list[int] = []
            if self._path == "others far away":
                nodes = [port for port in self._cluster.ports if isinstance(port, int)]
                way = partial(Late, DELAY_MS, random.Random(1))
                far = stack.enter_context(Forwarder(nodes, way)).ports
            for i in range(WORKERS):
                own = None if self._path == "same path" else i % self._cluster.count
                ports: Sequence[int | str] = self._cluster.ports
                if self._path == "others far away":
                    ports = [near if j == own else far[j] for j, near in enumerate(ports)]
                worker = Worker(self._client(ports, own), self._directory, f"php{i}", self._sessions)
                self.workers.append(stack.enter_context(worker))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.__exit__(*failure)  # type: ignore[arg-type]

    @property
    def requests(self) -> list[Request]:
        return [request for worker in self.workers for request in worker.requests]

    def order(self, do: str, **details: object) -> None:
        for worker in self.workers:
            worker.order(do, **details)

    def flow(self, session: int, times: int = 0) -> None:
        """Let all want this session until they are told to stop, and at least so many times each."""
        self.order("flow", id=session, times=times, pause_ms=PAUSE_MS, breath_ms=BREATH_MS)

    @contextmanager
    def checked(self, session: int) -> Iterator[None]:
        """What happens to this session in here happens to one request at a time."""
        key = self._prefix + session_ids(self._sessions)[session]
        before = count_in(self._cluster, key) or 0
        yield
        report(self.requests)
        assert_one_at_a_time(self.requests, count_in(self._cluster, key), before)
        assert longest_standstill_ms(self.requests) < self._patience_ms

    def wait(self) -> None:
        for worker in self.workers:
            worker.wait()

    def loses_nothing(self, times: int) -> None:
        """Parallel requests, so many each, of which nobody disturbs a node: all are good."""
        session, _ = self.settle()
        with self.checked(session):
            self.flow(session, times=times)
            self.order("stop")
            self.wait()
        assert self.not_good == []

    def loses_nothing_while(self, disturb: Callable[[int], None]) -> None:
        """Parallel requests while a node is disturbed that some of them or all begin at."""
        session, homes = self.settle()
        print(f"the workers begin at the nodes {homes}; disturbed: node {homes[0]}")
        with self.checked(session):
            self.flow(session)
            self.wait_requests(BEFORE)
            disturb(homes[0])
            self.wait_requests(len(self.requests) + AFTERWARDS)
            self.order("stop")
            self.wait()

    @property
    def not_good(self) -> list[Request]:
        return [request for request in self.requests if not request.good]

    def settle(self) -> tuple[int, list[int]]:
        """A session, and the node that each worker begins it at: nearly always its own, if they prefer one.

        It is one for which that is so.
        """
        for session in range(self._sessions):
            homes = [home(self._cluster, worker, session) for worker in self.workers]
            if self._path == "same path" or len(set(homes)) == self._cluster.count:
                break
        for worker in self.workers:
            worker.requests.clear()
        return session, homes

    def wait_requests(self, count: int) -> None:
        """Return when so many requests are done."""
        until(
            lambda: sum(worker.listen() for worker in self.workers) >= count, 30, f"{count} requests are done"
        )


# Three ways to leave a session that was counted once.


def read_only(worker: Worker) -> None:
    """Look at it and write nothing."""
    worker.order("read")
    worker.wait()
    assert worker.looks == [{"started": True, "found": 1}]


def abort(worker: Worker) -> None:
    """Start a request and give it up."""
    worker.order("abort")
    worker.wait()
    assert worker.looks == [{"started": True, "found": 1}]


def die(worker: Worker) -> None:
    """Start a request and be killed in its middle."""
    worker.hold()
    worker.kill()


def home(cluster: Servers, worker: Worker, session: int = 0) -> int:
    """The node that this worker begins a session at, as a visit shows; the first of all may ask others, too."""

    def gets() -> list[int]:
        return [int(cluster.stats(i, "")["cmd_get"]) for i in range(cluster.count)]

    worker.visit(session)
    before = gets()
    worker.visit(session)
    (asked,) = [i for i, now in enumerate(gets()) if now > before[i]]
    return asked


def memcached_nodes(cluster: Servers, worker: Worker, session: int = 0) -> tuple[int, int]:
    """Where php-memcached asks for a session's lock, and where for the session."""

    def counted(name: str) -> list[int]:
        return [int(cluster.stats(i, "")[name]) for i in range(cluster.count)]

    adds, gets = counted("cmd_set"), counted("cmd_get")
    worker.hold(session)
    (lock,) = [i for i, now in enumerate(counted("cmd_set")) if now > adds[i]]
    (home,) = [i for i, now in enumerate(counted("cmd_get")) if now > gets[i]]
    assert worker.release().good
    return lock, home


def count_in(cluster: Servers, key: str) -> int | None:
    """What this session counts, the same at every node."""
    first, *others = [cluster.stored(i, key) for i in range(cluster.count)]
    assert others == [first] * len(others)
    if first == b"END\r\n":
        return None
    return int(first.partition(b"n|i:")[2].partition(b";")[0])


def report(requests: Sequence[Request]) -> None:
    troubled = [request for request in requests if not request.good]
    slowest, still = max(r.ended - r.began for r in requests), longest_standstill_ms(requests)
    print(f"{len(requests)} requests, slowest {slowest:.0f} ms, standstill {still:.0f} ms")
    for request in troubled[:10]:
        print(f"not good: {request}")


def assert_one_at_a_time(requests: Iterable[Request], count: int | None, before: int = 0) -> None:
    """No two requests held the session at a time, none saw less than was there, and no increment is lost.

    Args:
        requests: all that were made on this session.
        count: what the session holds after them.
        before: what it held before them.
    """
    requests = sorted(requests, key=lambda request: request.began)
    troubles = [*_overlaps(requests), *_steps_back(requests, before)]
    good = sum(request.good for request in requests)
    unknown = sum(request.outcome in UNKNOWN for request in requests)
    found = count or 0
    if not before + good <= found <= before + good + unknown:
        troubles.append(f"the session counts {count}, of {before} + {good} good and {unknown} unknown requests")
    assert not troubles, "\n".join(troubles[:10])


def overtaken(requests: Iterable[Request]) -> int:
    """How many increments are lost because requests read the session before they had its lock.

    A proxy with several connections to a server sends what a client says in one breath over all of them in
    turn, so that nobody knows in which order it is executed: a request's read may come before the write of
    the one that had the lock until then. It began before that one was over, else it is a step back.
    """
    held = sorted((r for r in requests if r.good), key=lambda request: request.started)
    pairs = itertools.pairwise(held)
    return sum(max(0, last.wrote - (one.found or 0)) for last, one in pairs if one.began < last.ended)


def longest_standstill_ms(requests: Iterable[Request]) -> float:
    """The longest time without the end of any request, while there were some under way."""
    ends = sorted(request.ended for request in requests)
    return max(later - earlier for earlier, later in itertools.pairwise(ends))


def _overlaps(requests: Sequence[Request]) -> list[str]:
    """Two requests that both had the session at one moment."""
    held = sorted((r for r in requests if r.outcome not in EMPTY_HANDED), key=lambda request: request.started)
    return [
        f"two at a time: {one}\n          and: {other}"
        for one, other in itertools.pairwise(held)
        if other.started < one.closing
    ]


def _steps_back(requests: Sequence[Request], before: int) -> list[str]:
    """Requests that found less than a request had left behind that was over before they began."""
    troubles = []
    ends = sorted((r for r in requests if r.good), key=lambda request: request.ended)
    past = 0
    least, witness = before, None
    for request in requests:
        while past < len(ends) and ends[past].ended <= request.began:
            if ends[past].wrote > least:
                least, witness = ends[past].wrote, ends[past]
            past += 1
        if request.outcome not in EMPTY_HANDED and (request.found or 0) < least:
            troubles.append(f"found less than {least}: {request}\n               after: {witness}")
    return troubles
