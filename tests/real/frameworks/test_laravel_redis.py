"""Laravel's cache, locks and rate limits over Redis' protocol, and what of it wants more than strings.

phpredis answers false where the server answers with an error that begins with ERR, and Laravel takes false for
"nothing there" or does not look at all. So what memrep cannot do has to be refused in another word, which is an
exception.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from tests.real.generation import DEBIAN_13, USED, both_generations
from tests.real.named import NAME, LoneServer, NamedNodes
from tests.real.parallel import Worker, assert_one_at_a_time, longest_standstill_ms, report
from tests.real.php import version_of
from tests.real.processes import until

from .laravel_console import WITH_MORE, WITH_STRINGS, Console

pytestmark = [pytest.mark.real, pytest.mark.long, both_generations]

WORKERS = 8

#: The lock's timeout: so long does a lock stay whose owner was told nothing.
LOCK_S = 5


def in_database(nodes: NamedNodes, number: int) -> Redis:
    """A client that looks at what the first node has in this database."""
    return Redis(nodes.redis_address(0), nodes.redis_port, db=number, decode_responses=True)


def test_cache_locks_and_rate_limits_are_answered_as_by_redis(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    with LoneServer(3, tmp_path / "alone") as server, Console(server, tmp_path / "alone") as console:
        right = console.answers(*WITH_STRINGS)
    assert not [answer for answer in right.values() if "thrown" in str(answer)]
    with NamedNodes(3, tmp_path) as nodes, Console(nodes, tmp_path) as console:
        assert console.answers(*WITH_STRINGS) == right


def test_what_wants_more_than_strings_is_an_exception_and_never_lost_unseen(tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as nodes, Console(nodes, tmp_path) as console:
        answers = console.answers(*WITH_MORE)
    assert {name for name, answer in answers.items() if "thrown: NOPERM" in str(answer)} == set(WITH_MORE)


def test_emptying_the_cache_ends_no_session_and_no_lock(tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as nodes, Console(nodes, tmp_path) as console:
        console.answers("put", "lock")
        with in_database(nodes, 0) as sessions, in_database(nodes, 1) as cache:
            sessions.set("laravel_database_laravel_cache:a session", "kept")
            locks = sorted(sessions.keys())
            assert len(locks) == 2 and len(cache.keys()) == 1
            assert "cache cleared" in console.run("artisan", "cache:clear", first=1)
            assert (sorted(sessions.keys()), cache.keys()) == (locks, [])
        assert console.answers("get", first=2) == {"get": None}


def test_the_cache_in_the_sessions_own_database_would_end_them(tmp_path: Path) -> None:
    """Why deploy/ says to leave REDIS_CACHE_DB alone."""
    with (
        NamedNodes(3, tmp_path) as nodes,
        Console(nodes, tmp_path, REDIS_CACHE_DB="0") as console,
        in_database(nodes, 0) as sessions,
    ):
        sessions.set("a session", "lost")
        console.run("artisan", "cache:clear")
        assert sessions.keys() == []


def test_as_a_cluster_there_is_no_second_database_and_laravel_does_not_notice(tmp_path: Path) -> None:
    """Why deploy/ says to leave redis_cluster alone: phpredis says false, and goes on in the first one."""
    with (
        NamedNodes(3, tmp_path, ["--redis-cluster"]) as nodes,
        Console(nodes, tmp_path) as console,
        in_database(nodes, 0) as sessions,
    ):
        sessions.set("a session", "lost")
        assert console.answers("put")["put"] is True
        assert len(sessions.keys()) == 2
        console.run("artisan", "cache:clear")
        assert sessions.keys() == []


@pytest.mark.parametrize("trouble", ["kill", "freeze"])
def test_a_counter_under_a_lock_is_exact_when_nodes_are_killed_or_frozen(trouble: str, tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as nodes,
        Console(nodes, tmp_path) as console,
        ExitStack() as stack,
    ):
        workers = [stack.enter_context(console.worker(i)) for i in range(WORKERS)]
        for worker in workers:
            worker.order("flow", seconds=LOCK_S, pause_ms=10, breath_ms=10)
        wait_requests(workers, 40)
        if trouble == "kill":
            for i in range(nodes.count):
                nodes.kill_and_restart(i, gone_s=1)
                wait_requests(workers, 40)
        else:
            # Longer than the lock lives: what waits in the node must not be done when it wakes.
            nodes.freeze_and_thaw(0, frozen_s=LOCK_S + 2)
        wait_requests(workers, 40)
        for worker in workers:
            worker.order("stop")
        for worker in workers:
            worker.wait()
        requests = [request for worker in workers for request in worker.requests]
        report(requests)
        counts = [console.answers("count", first=i)["count"] for i in range(nodes.count)]
        assert counts == [counts[0]] * nodes.count
        assert_one_at_a_time(requests, int(str(counts[0])))
        assert all(request.notices for request in requests if not request.good)
        # A lock that was granted to somebody who did not hear of it ends by its timeout.
        assert longest_standstill_ms(requests) < 1_000 * (LOCK_S + 3)


def test_phpredis_5_forgets_which_database_it_was_in_when_a_server_stands_still(tmp_path: Path) -> None:
    """It does so with redis-server, too; that is why deploy/ speaks of processes that live on."""
    with (
        LoneServer(3, tmp_path) as server,
        Console(server, tmp_path, SERVER=str(server.node(0).process.pid)) as console,
    ):
        answers = console.answers("forever", "get after a read error")
    forgets = version_of("redis").startswith("5.")
    assert answers["get after a read error"] == (None if forgets else "x")


def test_without_read_timeout_php_waits_as_long_as_for_any_socket(tmp_path: Path) -> None:
    """By default that is a minute. Laravel 10 tries again at once, and waits as long once more."""
    told = {"phpredis": "&read_timeout=2", "predis": "&read_write_timeout=2"}
    with LoneServer(3, tmp_path) as server:
        for client in ["phpredis"] if USED.generation is DEBIAN_13 else ["phpredis", "predis"]:
            for timeout in ("", told[client]):
                url = f'"tcp://{NAME}:{server.redis_port}?timeout=1{timeout}"'
                env = {"REDIS_CLIENT": client, "REDIS_URL": url, "SERVER": str(server.node(0).process.pid)}
                with Console(server, tmp_path / f"{client}{timeout}", **env) as console:
                    patience = console.answers(
                        "seconds of patience", options=["-d", "default_socket_timeout=5"]
                    )
                assert (int(str(patience["seconds of patience"])) < 5) == bool(timeout)


def wait_requests(workers: list[Worker], more: int) -> None:
    """Return when so many more increments are done."""
    goal = sum(worker.listen() for worker in workers) + more
    until(lambda: sum(worker.listen() for worker in workers) >= goal, 60, f"{more} increments are done")
