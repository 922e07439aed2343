"""phpredis' session handler over one name with the addresses of all nodes: a dead node takes no session along.

phpredis has one host. Given a name it tries each of its addresses, as PHP's own connect does, and goes on when
one refuses; that is the failover, and the cluster owes it that a node which cannot serve does refuse. A request
in flight when its node dies throws; that one alone. A node that stands still costs each request its
read_timeout, for there is nobody who refuses; but nothing is lost by it.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from .generation import both_generations
from .named import NamedNodes
from .parallel import Worker
from .php import REDIS_PREFIX, Php, phpredis, session_ids
from .processes import until

pytestmark = [pytest.mark.real, both_generations]

SESSIONS = 20
CYCLES = 200
PACE_MS = 15

#: What becomes of a request whose command was in flight when its node died; and of no other.
IN_FLIGHT = {"failed start", "failed write"}

#: The same where a site gets and sets its sessions itself (plain.php).
IN_FLIGHT_OF_CLASS = {"failed read", "failed write"}

#: As many as it takes until each kind of PHP has had its thousand cycles.
MANY_KILLS = 20

KINDS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "plain": ("", {}),
    "persistent": ("&persistent=1", {}),
    "always written": ("", {"session__lazy_write": "0"}),
}

#: How sessions are locked; test_phpredis_locks.py has more of that.
LOCKING: Final = {
    "redis__session__locking_enabled": "1",
    "redis__session__lock_retries": "1500",
    "redis__session__lock_wait_time": "20000",  # 20 ms
}

#: What all kinds have in common is shown with one; that the others have it, too, where tests may be slow.
each_kind = pytest.mark.parametrize(
    "kind", ["plain", *(pytest.param(kind, marks=pytest.mark.long) for kind in KINDS if kind != "plain")]
)


@each_kind
def test_healthy_nodes_serve_every_session(kind: str, tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster:
        for first in range(3):
            with cycles(cluster, tmp_path, kind, first) as php:
                for _ in range(3):
                    outcome = php.ask("round")
                    assert (outcome.ok, outcome.notices) == (SESSIONS, {})


@each_kind
def test_nodes_that_are_killed_now_and_then_lose_no_session(kind: str, tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        cycles(cluster, tmp_path, kind) as php,
    ):
        php.order("flow", cycles=CYCLES, pace_ms=PACE_MS)
        kills = [0, 1, 0, 2]
        for node in kills:
            cluster.kill_and_restart(node, gone_s=1)
        php.order("stop")
        outcome = php.summary()
        print(outcome)
        assert outcome.cycles >= CYCLES
        assert set(outcome.anomalies) <= IN_FLIGHT
        assert sum(outcome.anomalies.values()) <= len(kills)
        assert outcome.slowest_ms < 1000


@pytest.mark.long
def test_a_thousand_cycles_with_node_after_node_killed_lose_no_increment(tmp_path: Path) -> None:
    """About every second: as soon as one is there again the next one goes. All kinds suffer the same kills."""
    with ExitStack() as stack:
        cluster = stack.enter_context(NamedNodes(3, tmp_path))
        crowd = {"class": stack.enter_context(plain(cluster, tmp_path))}
        for i, kind in enumerate([*KINDS, "locking"]):
            crowd[kind] = stack.enter_context(cycles(cluster, tmp_path, kind, i % 3))
        for php in crowd.values():
            php.order("flow", cycles=1000, pace_ms=20)
        began = time.monotonic()
        for number in range(MANY_KILLS):
            cluster.kill_and_restart(number % 3, gone_s=0.4)
        print(f"a kill every {(time.monotonic() - began) / MANY_KILLS:.2f} s")
        for php in crowd.values():
            php.order("stop")
        for kind, php in crowd.items():
            outcome = php.summary()
            print(kind, outcome)
            assert outcome.cycles >= 1000
            assert set(outcome.anomalies) <= (IN_FLIGHT_OF_CLASS if kind == "class" else IN_FLIGHT)
            assert sum(outcome.anomalies.values()) <= MANY_KILLS


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_request_outlives_its_node_between_its_start_and_its_write(ending: str, tmp_path: Path) -> None:
    """It comes back over another address with what it writes."""
    with NamedNodes(3, tmp_path) as cluster, worker(cluster, tmp_path) as php:
        assert php.visit().good
        php.hold()
        getattr(cluster, ending)(0)
        assert php.release().good
        request = php.visit()
        assert (request.good, request.found) == (True, 2)
        cluster.start(0)
        cluster.wait_healed()
        assert php.visit().found == 3


def test_a_node_that_is_down_is_passed_over_from_the_start(tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster:
        cluster.kill(0)
        cluster.kill(1)
        with cycles(cluster, tmp_path, "plain") as php:
            outcome = php.ask("round")
            assert (outcome.ok, outcome.notices) == (SESSIONS, {})
        for node in (0, 1):
            cluster.start(node)
        cluster.wait_healed()


@each_kind
def test_a_node_that_stands_still_costs_time_but_no_session(kind: str, tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        cycles(cluster, tmp_path, kind, 0) as hers,
        cycles(cluster, tmp_path, kind, 1) as others,
    ):
        for php in (hers, others):
            php.order("flow", cycles=20, pace_ms=PACE_MS)
        cluster.freeze_and_thaw(0, frozen_s=5)
        for php in (hers, others):
            php.order("stop")
        for php in (hers, others):
            outcome = php.summary()
            print(outcome)
            assert set(outcome.anomalies) <= IN_FLIGHT
        assert outcome.anomalies == {}
        assert outcome.slowest_ms < 2000
        # Nothing is left of it.
        outcome = hers.ask("round")
        assert set(outcome.anomalies) <= IN_FLIGHT
        assert (hers.ask("round").ok, others.ask("round").ok) == (SESSIONS, SESSIONS)


# --- a site that keeps its sessions itself


def test_get_never_says_that_a_key_is_missing_that_is_there(tmp_path: Path) -> None:
    """A node that stands still costs the commands that are in flight there their read_timeout."""
    with NamedNodes(3, tmp_path) as cluster, plain(cluster, tmp_path) as php:
        php.order("flow", cycles=CYCLES, pace_ms=PACE_MS)
        cluster.kill_and_restart(0, gone_s=0.5)
        cluster.freeze_and_thaw(0, frozen_s=1)
        cluster.freeze_and_thaw(1, frozen_s=1)
        cluster.freeze_and_thaw(0, frozen_s=4)
        cluster.stop(0)
        cluster.start(0)
        cluster.wait_healed()
        php.order("stop")
        outcome = php.summary()
        print(outcome)
        assert set(outcome.anomalies) <= IN_FLIGHT_OF_CLASS
        assert sum(outcome.anomalies.values()) <= 6


# --- what else a request may do with its session


@pytest.mark.parametrize("delete", [True, False])
def test_a_regenerated_session_goes_on_under_its_new_id(delete: bool, tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        worker(cluster, tmp_path) as php,
        worker(cluster, tmp_path, 1) as other,
    ):
        assert php.visit().good
        php.order("renew", id=0, delete=delete)
        php.wait()
        renewed = php.requests[-1]
        assert (renewed.good, renewed.found) == (True, 1)
        assert other.visit(renewed.session).found == 2
        # What is left behind is what it was before the request, or nothing.
        assert other.visit(0).found == (None if delete else 1)


def test_strict_mode_knows_the_sessions_of_every_node_and_no_others(tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        worker(cluster, tmp_path) as php,
        worker(cluster, tmp_path, 2, session__use_strict_mode="1") as strictly,
    ):
        assert php.visit(0).good
        known, made_up = strictly.visit(0), strictly.visit("d" * 26)
        assert (known.found, known.session) == (1, session_ids()[0])
        assert (made_up.good, made_up.found) == (True, None)
        assert made_up.session != "d" * 26
        assert php.visit(made_up.session).found == 1


def test_a_destroyed_session_is_gone_at_every_node(tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster, worker(cluster, tmp_path) as php:
        assert php.visit().good
        key = REDIS_PREFIX + session_ids()[0]
        until(lambda: all(b"n|i:1;" in cluster.stored(i, key) for i in range(3)), 5, "every node holds it")
        php.order("destroy")
        php.wait()
        assert php.looks[-1] == {"started": True, "found": 1}
        assert [cluster.stored(i, key) for i in range(3)] == [b"END\r\n"] * 3
        assert php.visit().found is None


def test_a_request_that_only_reads_or_gives_up_changes_nothing(tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        worker(cluster, tmp_path) as php,
        worker(cluster, tmp_path, 1) as other,
    ):
        assert php.visit().good
        for order in ("read", "abort"):
            php.order(order)
            php.wait()
            assert php.looks[-1] == {"started": True, "found": 1}
        assert other.visit().found == 1


def cycles(cluster: NamedNodes, directory: Path, kind: str, first: int = 0) -> Php:
    """A PHP of this kind whose web server has this node first."""
    path, settings = KINDS.get(kind, ("", LOCKING))
    name = f"{kind.replace(' ', '-')}{first}"
    return Php(
        phpredis(cluster.redis_port, path, **settings), directory, name, SESSIONS, name,
        within=cluster.beginning_at(first),
    )  # fmt: skip


def plain(cluster: NamedNodes, directory: Path) -> Php:
    """A PHP with the class Redis whose web server has node 0 first."""
    settings = phpredis(cluster.redis_port)
    return Php(settings, directory, "plain", SESSIONS, script="plain.php", within=cluster.beginning_at(0))


def worker(cluster: NamedNodes, directory: Path, first: int = 0, **settings: str) -> Worker:
    """A PHP that does what it is told, whose web server has this node first."""
    return Worker(
        phpredis(cluster.redis_port, **settings), directory, f"php{first}", SESSIONS,
        within=cluster.beginning_at(first),
    )  # fmt: skip
