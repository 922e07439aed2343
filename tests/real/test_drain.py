"""A node is taken out of service and let in again under load, and no user notices; its process lives on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.admin_client import ask, post

from .administered import Administered
from .php import Php, pecl_memcache, php_memcached_binary
from .processes import HOST, accepts, until
from .test_planned_stop import MEMCACHED, Visitors

pytestmark = pytest.mark.real

#: Half a second is enough where nobody looks at /ready.
DRAIN = ("drain", "--lame-duck", "0.5")


@pytest.mark.parametrize("handler", ["pecl-memcache", "php-memcached"])
def test_no_user_notices_that_each_node_in_turn_is_drained_and_resumed(handler: str, tmp_path: Path) -> None:
    with Administered(3, tmp_path) as cluster:
        if handler == "pecl-memcache":
            settings = pecl_memcache(cluster.ports, cluster.count)
        else:
            settings = php_memcached_binary(cluster.ports)
        with Php(settings, tmp_path) as php:
            assert php.ask("round").ok == 20
            php.order("flow", cycles=50, pace_ms=5)
            processes = [cluster.node(i).process.pid for i in range(cluster.count)]
            for i in range(cluster.count):
                cluster.done(i, *DRAIN)
                assert not accepts(cluster.ports[i])
                assert ask(cluster.admin(i), "/ready")[0] == 503
                cluster.done(i, "resume")
                cluster.wait_healed()
            php.order("stop")
            outcome = php.summary()
            assert (outcome.anomalies, outcome.ok) == ({}, outcome.cycles)
            assert [cluster.node(i).process.pid for i in range(cluster.count)] == processes


def test_what_was_written_while_a_node_was_out_is_there_when_it_serves_again(tmp_path: Path) -> None:
    with Administered(2, tmp_path) as cluster:
        for value in (b"1", b"2"):
            cluster.talk(0, b"set old 0 0 1\r\n" + value, end=b"STORED\r\n")
            cluster.talk(0, b"set gone 0 0 1\r\n" + value, end=b"STORED\r\n")
            cluster.done(0, *DRAIN)
            cluster.talk(1, b"set old 0 0 1\r\n3", end=b"STORED\r\n")
            cluster.talk(1, b"delete gone", end=b"DELETED\r\n")
            cluster.done(0, "resume")
            cluster.wait_healed()
            assert cluster.stored(0, "old") == b"VALUE old 0 1\r\n3\r\nEND\r\n"
            assert cluster.stored(0, "gone") == b"END\r\n"


def test_everybody_who_could_connect_is_served(tmp_path: Path) -> None:
    with Administered(2, tmp_path) as cluster, Visitors((HOST, cluster.ports[1]), MEMCACHED) as visitors:
        for _ in range(3):
            before = visitors.served
            cluster.done(1, *DRAIN)
            assert visitors.served > before
            cluster.done(1, "resume")
            cluster.wait_healed()
    assert visitors.cut == []


def test_a_node_that_users_need_is_not_drained_unless_forced(tmp_path: Path) -> None:
    with Administered(2, tmp_path) as cluster:
        cluster.done(0, *DRAIN)
        refused = cluster.ask(1, *DRAIN)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "no other node serves" in refused.stderr
        assert accepts(cluster.ports[1])
        cluster.done(1, *DRAIN, "--force")
        assert not accepts(cluster.ports[1])
        cluster.done(0, "resume", "--wait", "30")
        cluster.done(1, "resume", "--wait", "30")


def test_while_it_drains_clients_come_in_though_it_is_not_ready_and_that_can_be_taken_back(
    tmp_path: Path,
) -> None:
    with Administered(2, tmp_path) as cluster:
        order = b'{"wait_s": 600, "lame_duck_s": 500}'
        assert post(cluster.admin(0), "/drain", order)[0] == 200
        until(lambda: ask(cluster.admin(0), "/ready")[0] == 503, 10, "it is not ready")
        assert "draining" in ask(cluster.admin(0), "/ready")[1]
        assert accepts(cluster.ports[0])
        cluster.done(0, "resume")
        assert ask(cluster.admin(0), "/ready") == (200, "serving\n")


def test_a_drained_node_ends_as_any_other(tmp_path: Path) -> None:
    with Administered(2, tmp_path) as cluster:
        cluster.done(0, *DRAIN)
        cluster.stop(0)
        assert not cluster.admin(0).exists()
        cluster.start(0)
        cluster.wait_healed()
