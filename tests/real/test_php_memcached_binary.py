"""php-memcached with the binary protocol, replicas and the removal of failed servers: it fails over by itself.

It asks one node for a session's lock (ADD) and another for the session (GETK), writes the session to the
latter (SET) and sends copies of the write and of the lock's release (SETQ, DELETEQ) to all others, which no
answer waits for: they may arrive when the next request holds the lock. A node that refuses is left out for the
rest of a request. So much is the client's own, and no server can cure it:

- A read whose connection breaks is not tried again: session_start() is false, and nothing is written.
- A node that accepts and says nothing is waited for, 5 seconds for each answer and each try anew. What is
  claimed here of frozen nodes is claimed of short stops.
"""

from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from .cluster import Cluster, Unreplicated
from .distance import BrokenSet, Forwarder, Held
from .generation import both_generations
from .parallel import (
    LOCK_TIMEOUT_S,
    Crowd,
    Request,
    Worker,
    abort,
    assert_one_at_a_time,
    count_in,
    die,
    memcached_nodes,
    read_only,
    report,
)
from .php import MEMCACHED_LOCK_PREFIX, MEMCACHED_PREFIX, Php, php_memcached_binary, session_ids
from .processes import HOST, pause, until

pytestmark = [pytest.mark.real, both_generations]

SESSIONS = 60


# --- failover


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_every_session_goes_on_without_any_one_node(ending: str, tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, client(cluster, tmp_path) as php:
        assert php.ask("round").ok == SESSIONS
        for i in range(cluster.count):
            getattr(cluster, ending)(i)
            for _ in range(2):
                outcome = php.ask("round")
                assert (outcome.ok, outcome.anomalies) == (SESSIONS, {}), f"without node {i}"
            cluster.start(i)
            cluster.wait_healed()
            outcome = php.ask("round")
            assert (outcome.ok, outcome.notices) == (SESSIONS, {}), f"node {i} is back"
        for key in session_ids(SESSIONS):
            assert count_in(cluster, MEMCACHED_PREFIX + key) == 1 + 3 * cluster.count


def test_the_last_node_has_every_session(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, client(cluster, tmp_path) as php:
        assert php.ask("round").ok == SESSIONS
        cluster.kill(0)
        assert php.ask("round").ok == SESSIONS
        cluster.kill(2)
        assert php.ask("round").ok == SESSIONS


def test_a_plain_memcached_that_returns_empties_sessions(tmp_path: Path) -> None:
    with Unreplicated(3, tmp_path) as servers, client(servers, tmp_path) as php:
        assert php.ask("round").ok == SESSIONS
        servers.kill(1)
        assert php.ask("round").ok == SESSIONS
        servers.start(1)
        servers.wait_healed()
        assert set(php.ask("round").anomalies) == {"empty"}


def client(cluster: Cluster, directory: Path) -> Php:
    return Php(php_memcached_binary(cluster.ports), directory, sessions=SESSIONS)


# --- a node that goes again and again

TIMES_GONE = 12
PACE_MS = 10

# Longer than the others wait for a node that is silent.
FROZEN_LONG_S = 2.2


def test_nodes_that_go_every_second_lose_no_session(tmp_path: Path) -> None:
    """Killed, and every third time stopped with SIGTERM."""
    chance = random.Random(5)
    with (
        Cluster(3, tmp_path) as cluster,
        Php(php_memcached_binary(cluster.ports), tmp_path) as php,
    ):
        php.order("flow", cycles=0, pace_ms=PACE_MS)
        for turn in range(TIMES_GONE):
            next_turn = time.monotonic() + 1
            victim = chance.randrange(cluster.count)
            if turn % 3 == 2:
                cluster.stop(victim)
            else:
                cluster.kill(victim)
            cluster.start(victim)
            cluster.wait_healed()
            pause(next_turn - time.monotonic())
        php.order("stop")
        outcome = php.summary()
        print(f"{outcome.cycles} cycles, slowest {outcome.slowest_ms} ms, {outcome.anomalies}")
        print(f"PHP's notices: {outcome.notices}")
        # A read under way when its node died: that much is the client's own doing, and at most one at a time.
        assert set(outcome.anomalies) <= {"failed start"}
        assert outcome.anomalies.get("failed start", 0) <= TIMES_GONE
        assert all(is_broken_read(anomaly["notices"]) for anomaly in php.anomalies)
        for key in session_ids():
            assert count_in(cluster, MEMCACHED_PREFIX + key) is not None


def test_a_node_that_stops_resets_no_connection(tmp_path: Path) -> None:
    """An end and then a reset, while it waits for a session, is an empty session to this client."""
    with Cluster(3, tmp_path) as cluster, socket.create_connection((HOST, cluster.ports[0])) as client:
        client.settimeout(5)
        client.sendall(b"version\r\n")
        assert client.recv(100).startswith(b"VERSION")
        with cluster.stopping(0):
            assert client.recv(100) == b""
            client.sendall(b"get session\r\n")  # it crosses the end
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            client.close()


def test_a_node_that_stood_still_refuses_until_it_serves(tmp_path: Path) -> None:
    """This client leaves a node that refuses for another one; one that accepts and closes costs it tries."""
    with Cluster(3, tmp_path) as cluster:
        with socket.create_connection((HOST, cluster.ports[0]), timeout=5) as waiting:
            cluster.freeze(0)
            waiting.sendall(b"get session\r\n")
            pause(FROZEN_LONG_S)
            cluster.thaw(0)
            assert answer(waiting) == "closed"
        answers: list[str] = []
        while not answers or answers[-1] != "answered":
            try:
                with socket.create_connection((HOST, cluster.ports[0]), timeout=5) as client:
                    client.sendall(b"get session\r\n")
                    answers.append(answer(client))
            except ConnectionRefusedError:
                answers.append("refused")
        print(", ".join(f"{len(list(same))} {what}" for what, same in itertools.groupby(answers)))
        assert set(answers) <= {"refused", "answered"}


def answer(client: socket.socket) -> str:
    try:
        return "answered" if client.recv(100) else "closed"
    except ConnectionResetError:
        return "closed"


def is_broken_read(notices: list[str]) -> bool:
    """Whether the session could not be read because the node closed the connection that it was asked on."""
    return any(
        "error getting session from memcached" in notice and "CONNECTION FAILURE" in notice
        for notice in notices
    )


# --- parallel requests for one session

# Requests of each worker.
TIMES = 15

DEAD_S = 1.0


@pytest.mark.parametrize("path", ["own node first", "others far away"])
def test_parallel_requests_lose_no_increment(path: str, tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, crowd(cluster, path, tmp_path) as workers:
        workers.loses_nothing(TIMES)


@pytest.mark.parametrize("path", ["own node first", "others far away"])
def test_parallel_requests_lose_no_increment_under_a_prefix_of_which_no_node_was_told(
    path: str, tmp_path: Path
) -> None:
    with Cluster(3, tmp_path) as cluster, crowd(cluster, path, tmp_path, "shop.") as workers:
        workers.loses_nothing(TIMES)


def test_plain_memcacheds_lose_increments(tmp_path: Path) -> None:
    """Where each web server asks its own node for the lock; and the judgement of it can fail.

    Which sessions these are depends on the ports: of a few, for all may ask the same node for one of them.
    """
    with Unreplicated(3, tmp_path) as servers, crowd(servers, "own node first", tmp_path) as workers:
        assert any(went_wrong(workers, session) for session in range(10))


def went_wrong(workers: Crowd, session: int) -> bool:
    """Whether two requests held this session at a time."""
    for worker in workers.workers:
        worker.requests.clear()
    workers.flow(session, times=10)
    workers.order("stop")
    workers.wait()
    try:
        assert_one_at_a_time(workers.requests, None)
    except AssertionError as trouble:
        return "two at a time" in str(trouble)
    return False


far_away = pytest.param("others far away", marks=pytest.mark.product)
paths = pytest.mark.parametrize("path", ["own node first", far_away])


@paths
def test_a_killed_node_loses_no_increment(path: str, tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, crowd(cluster, path, tmp_path) as workers:
        workers.loses_nothing_while(lambda victim: cluster.kill_and_restart(victim, DEAD_S))
        assert only_broken_reads(workers.not_good)


@pytest.mark.parametrize("frozen_s", [0.3, pytest.param(2.0, marks=pytest.mark.product)])
@paths
def test_a_node_frozen_for_a_moment_loses_no_increment(path: str, frozen_s: float, tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, crowd(cluster, path, tmp_path) as workers:
        workers.loses_nothing_while(lambda victim: cluster.freeze_and_thaw(victim, frozen_s))
        assert only_broken_reads(workers.not_good)


def only_broken_reads(requests: list[Request]) -> bool:
    """Whether these requests failed for the one reason that there is: this client reads but once."""
    return all(one.outcome == "failed start" and is_broken_read(one.notices) for one in requests)


def test_who_writes_to_a_node_that_stands_still_keeps_the_session(tmp_path: Path) -> None:
    """The node stops right after it has granted the lock, for longer than the others wait for it."""
    with (
        Cluster(3, tmp_path) as cluster,
        one_of_three(cluster, tmp_path, 0) as writing,
        one_of_three(cluster, tmp_path, 1) as waiting,
    ):
        number = next(i for i in range(20) if memcached_nodes(cluster, writing, i) == (0, 0))
        session = session_ids(20)[number]
        memcached_nodes(cluster, waiting, number)
        writing.hold(number)
        cluster.freeze(0)
        writing.finish()
        waiting.order("visit", id=number)
        pause(FROZEN_LONG_S)
        cluster.thaw(0)
        writing.wait()
        waiting.wait()
        cluster.wait_healed()
        requests = [writing.requests[-1], waiting.requests[-1]]
        report(requests)
        assert_one_at_a_time(requests, count_in(cluster, MEMCACHED_PREFIX + session), before=2)


@pytest.mark.parametrize("request_was", ["a write", "a write at the second try", "a read"])
def test_copies_that_come_late_undo_nothing(request_was: str, tmp_path: Path) -> None:
    """The copies of a request's write and of its release arrive when the next but one holds the session.

    If the connection breaks at its SET, PHP tries again, and puts another copy on the way each time.
    """
    arrive = threading.Event()
    arrive.set()
    broken: list[int] = []
    with (
        Cluster(3, tmp_path) as cluster,
        Forwarder(cluster.ports, partial(BrokenSet, broken)) as near,
        Forwarder(cluster.ports, partial(Held, arrive)) as far,
        ExitStack() as stack,
        one_of_three(cluster, tmp_path, 1) as second,
        one_of_three(cluster, tmp_path, 2) as third,
        Worker(
            php_memcached_binary([near.ports[0], *far.ports[1:]], own=0), tmp_path, "first", sessions=20
        ) as first,
    ):
        stack.callback(arrive.set)
        number = next(i for i in range(20) if memcached_nodes(cluster, first, i) == (0, 0))
        session = session_ids(20)[number]
        key = MEMCACHED_PREFIX + session
        count = 1
        arrive.clear()
        if request_was == "a write at the second try":
            broken.append(1)
        if request_was == "a read":
            asked = lock_attempts(cluster)
            first.order("abort", id=number)
            until(lambda: lock_attempts(cluster) > asked, 5, "the first has begun")
        else:
            first.order("visit", id=number)
            count += 1
            until(lambda: b"n|i:2;" in cluster.stored(0, key), 5, "the first has written")
        until(lambda: is_unlocked(cluster, session), 5, "the first has released its lock")
        assert not broken
        assert second.visit(session).found == count
        third.hold(session)
        arrive.set()
        first.wait()
        assert count_in(cluster, key) == count + 1
        asked = lock_attempts(cluster)
        second.order("visit", id=session)
        until(
            lambda: second.listen() > 1 or lock_attempts(cluster) >= asked + 4, 5, "the second has asked often"
        )
        held = third.release()
        second.wait()
        assert second.requests[-1].started > held.closing
        assert count_in(cluster, key) == count + 3


def lock_attempts(cluster: Cluster) -> int:
    return sum(int(cluster.stats(i, "")["cmd_set"]) for i in range(cluster.count))


def crowd(cluster: Cluster, path: str, directory: Path, prefix: str = MEMCACHED_PREFIX) -> Crowd:
    return Crowd(
        cluster,
        lambda ports, own: (
            php_memcached_binary(ports, own=own, lock_expire_s=LOCK_TIMEOUT_S)
            | {"memcached.sess_prefix": prefix}
        ),
        path,
        directory,
        prefix=prefix,
        patience_ms=LOCK_TIMEOUT_S * 1000 / 3,  # it waits five seconds for a node that says nothing
    )


# --- nobody waits in vain

SHORT_LOCK_S = 2
AT_ONCE_MS = SHORT_LOCK_S * 1000 / 3


@pytest.mark.parametrize("leave", [read_only, abort, die])
def test_a_session_that_nobody_works_on_is_had_at_once(leave: Callable[[Worker], None], tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster:
        for own in range(cluster.count):
            waited = wait_after(leave, cluster, tmp_path, own)
            print(f"through node {own}: {waited:.0f} ms")
            assert waited < AT_ONCE_MS


def test_on_plain_memcacheds_a_killed_php_is_waited_for(tmp_path: Path) -> None:
    with Unreplicated(3, tmp_path) as servers:
        assert wait_after(die, servers, tmp_path, None) > AT_ONCE_MS


def wait_after(leave: Callable[[Worker], None], servers: Cluster, directory: Path, own: int | None) -> float:
    """How long (ms) a request waits for a session that another has left so; `own` is the later one's node."""
    with (
        hasty(servers, directory, f"first{own}", None, f"{own}") as first,
        hasty(servers, directory, f"second{own}", own, f"{own}") as second,
    ):
        assert first.visit().good
        leave(first)
        request = second.visit()
        assert (request.outcome, request.found) == ("good", 1)
        return request.started - request.began


def hasty(servers: Cluster, directory: Path, name: str, own: int | None, label: str = "session") -> Worker:
    """A PHP whose locks end soon."""
    settings = php_memcached_binary(servers.ports, own=own, lock_expire_s=SHORT_LOCK_S)
    return Worker(settings, directory, name, label=label)


# --- new ids


def test_strict_mode_takes_known_ids_only(tmp_path: Path) -> None:
    (unknown,) = session_ids(1)
    with Cluster(3, tmp_path) as cluster, ExitStack() as stack:
        strict = [stack.enter_context(one_of_three(cluster, tmp_path, i, strict=True)) for i in range(3)]
        first = strict[0].visit()
        assert (first.outcome, first.found) == ("good", None)
        assert first.session != unknown
        for visits, worker in enumerate(strict, start=1):
            request = worker.visit(first.session)
            assert (request.outcome, request.found, request.session) == ("good", visits, first.session)
        assert count_in(cluster, MEMCACHED_PREFIX + unknown) is None
        assert count_in(cluster, MEMCACHED_PREFIX + first.session) == 1 + len(strict)


@pytest.mark.parametrize("delete", [False, True], ids=["the old one stays", "the old one is deleted"])
def test_a_session_gets_a_new_id(delete: bool, tmp_path: Path) -> None:
    (old,) = session_ids(1)
    with Cluster(3, tmp_path) as cluster, ExitStack() as stack:
        workers = [stack.enter_context(one_of_three(cluster, tmp_path, i)) for i in range(3)]
        for visits, worker in enumerate(workers, start=1):
            assert workers[0].visit(old).good
            worker.order("renew", id=old, delete=delete)
            worker.wait()
            renewed = worker.requests[-1]
            assert renewed.good and renewed.session != old
            for other in workers:
                assert other.visit(renewed.session).good
            assert count_in(cluster, MEMCACHED_PREFIX + renewed.session) == renewed.wrote + len(workers)
            assert count_in(cluster, MEMCACHED_PREFIX + old) == (None if delete else visits)
            assert is_unlocked(cluster, old) and is_unlocked(cluster, renewed.session)


def test_a_destroyed_session_is_gone_everywhere(tmp_path: Path) -> None:
    (key,) = session_ids(1)
    with Cluster(3, tmp_path) as cluster, ExitStack() as stack:
        for worker in [stack.enter_context(one_of_three(cluster, tmp_path, i)) for i in range(3)]:
            assert worker.visit().found is None
            worker.order("destroy")
            worker.wait()
            assert count_in(cluster, MEMCACHED_PREFIX + key) is None
            assert is_unlocked(cluster, key)


def test_a_session_destroyed_without_its_node_stays_gone(tmp_path: Path) -> None:
    """PHP sends nothing but the copies of the delete."""
    with (
        Cluster(3, tmp_path) as cluster,
        Worker(php_memcached_binary(cluster.ports), tmp_path, "php", sessions=20) as worker,
    ):
        nodes = ((i, *memcached_nodes(cluster, worker, i)) for i in range(20))
        number, node = next((i, data) for i, lock, data in nodes if lock != data)
        key = MEMCACHED_PREFIX + session_ids(20)[number]
        assert count_in(cluster, key) == 1
        cluster.kill(node)
        worker.order("destroy", id=number)
        worker.wait()
        assert worker.looks == [{"started": True, "found": 1}]
        cluster.start(node)
        cluster.wait_healed()
        assert count_in(cluster, key) is None


def one_of_three(cluster: Cluster, directory: Path, own: int, strict: bool = False) -> Worker:
    """The PHP of a web server that prefers its own node."""
    settings = php_memcached_binary(cluster.ports, own=own) | {"session.use_strict_mode": str(int(strict))}
    return Worker(settings, directory, f"php{own}", sessions=20)


def is_unlocked(cluster: Cluster, key: str) -> bool:
    return all(cluster.stored(i, MEMCACHED_LOCK_PREFIX + key) == b"END\r\n" for i in range(cluster.count))


# --- with a password

USER, PASSWORD = "php", "secret"


class Guarded(Cluster):
    """Nodes that ask for a user and a password."""

    def argv(self, i: int) -> list[str]:
        users = self.directory / "users"
        users.touch(mode=0o600)
        users.write_text(f"{USER}:{PASSWORD}\n")
        return [*super().argv(i), "--auth-file", str(users)]

    def talk(self, i: int, command: bytes, end: bytes = b"END\r\n") -> bytes:
        login = f"{USER} {PASSWORD}".encode()
        return super().talk(i, b"set login 0 0 %d\r\n%b\r\n%b" % (len(login), login, command), end)[8:]


def test_who_knows_the_password_goes_on_without_any_one_node(tmp_path: Path) -> None:
    with Guarded(3, tmp_path) as cluster, knowing(PASSWORD, cluster, tmp_path) as php:
        assert php.ask("round").ok == SESSIONS
        cluster.kill(1)
        outcome = php.ask("round")
        assert (outcome.ok, outcome.anomalies) == (SESSIONS, {})
        cluster.start(1)
        cluster.wait_healed()
        outcome = php.ask("round")
        assert (outcome.ok, outcome.notices) == (SESSIONS, {})


@pytest.mark.parametrize("password", ["wrong", None])
def test_who_does_not_know_the_password_has_no_session(password: str | None, tmp_path: Path) -> None:
    with Guarded(3, tmp_path) as cluster, knowing(password, cluster, tmp_path) as php:
        assert php.ask("round").anomalies == {"failed start": SESSIONS}
        assert all(int(cluster.stats(i, "")["curr_items"]) == 0 for i in range(cluster.count))


def knowing(password: str | None, cluster: Cluster, directory: Path) -> Php:
    # The default. Each dead node takes two tries, and who is not let in need not try for long.
    settings = php_memcached_binary(cluster.ports) | {"memcached.sess_lock_retries": "5"}
    if password is not None:
        settings |= {"memcached.sess_sasl_username": USER, "memcached.sess_sasl_password": password}
    return Php(settings, directory, sessions=SESSIONS)
