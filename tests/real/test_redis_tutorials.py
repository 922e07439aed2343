"""The tutorials of PHP sessions in Redis, step by step: what they say one will see is what one sees.

A balancer, two web servers with phpredis, a visit counter, and redis-cli to look into the store. Their Redis is
three nodes of memrep, which the web servers know by one name, each its own node first (named.py). Behind the
tutorials' end comes what Redis alone would not outlive: nodes die, stand still, and come back empty under
visitors, each of whom is shown a count that is one more than the last. A page may fail whose request was on its
way to a node that died, or stands still; no other.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .balanced_site import Audience, Site, Visitor
from .generation import both_generations
from .named import NAME, NamedNodes
from .php import REDIS_PREFIX, phpredis
from .processes import until
from .redis_cli import RedisCli

pytestmark = [pytest.mark.real, both_generations]

WEB_SERVERS = ["web1", "web2"]
NODES = range(3)

#: How long PHP keeps a session that nobody uses (session.gc_maxlifetime), s.
LIFETIME_S = 1440

VISITORS = 4


def site_of(cluster: NamedNodes, settings: dict[str, str], directory: Path) -> Site:
    """Two web servers, each of which has a node that it asks first."""
    return Site(settings, directory, [cluster.beginning_at(i) for i in range(len(WEB_SERVERS))])


def cli_of(cluster: NamedNodes, i: int) -> RedisCli:
    """redis-cli at node i."""
    return RedisCli(cluster.redis_port, cluster.redis_address(i))


def time_left(cli: RedisCli, key: str) -> int:
    """What `ttl` says."""
    kind, seconds = cli.shown("ttl", key).split()
    assert kind == "(integer)"
    return int(seconds)


def test_redis_cli_shows_the_session_that_both_web_servers_count_in(tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        site_of(cluster, phpredis(cluster.redis_port), tmp_path) as site,
    ):
        clis = [cli_of(cluster, i) for i in NODES]
        for cli in clis:
            assert cli.shown("keys", "*") == "(empty array)\n"
        visitor = Visitor(site)
        visitor.visit("for the first time")
        key = REDIS_PREFIX + visitor.session
        for cli in clis:
            assert cli.shown("keys", "*") == f'1) "{key}"\n'
            assert cli.shown("get", key) == '"visits|i:1;"\n'
            assert LIFETIME_S - 5 < time_left(cli, key) <= LIFETIME_S
        until(lambda: time_left(clis[2], key) < LIFETIME_S - 1, 10, "its time runs down")
        visitor.visit("again")
        assert time_left(clis[2], key) >= LIFETIME_S - 1
        for _ in range(3):
            visitor.tour("and again")
        assert visitor.answered_by == WEB_SERVERS * 4
        for cli in clis:
            assert cli.shown("keys", "*") == f'1) "{key}"\n'
            assert cli.shown("get", key) == '"visits|i:8;"\n'


@pytest.mark.long
def test_host_and_port_are_enough_and_each_visitor_has_a_key(tmp_path: Path) -> None:
    with NamedNodes(3, tmp_path) as cluster:
        settings = phpredis(cluster.redis_port) | {
            "session.save_path": f"tcp://{NAME}:{cluster.redis_port}",
        }
        with site_of(cluster, settings, tmp_path) as site:
            visitors = [Visitor(site) for _ in range(VISITORS)]
            for visitor in visitors:
                visitor.tour("all nodes serve")
            keys = sorted(REDIS_PREFIX + visitor.session for visitor in visitors)
            for i in NODES:
                assert sorted(cli_of(cluster, i).run("keys", "*").stdout.split()) == keys
            assert len(set(keys)) == VISITORS
            for victim in (0, 1):
                cluster.kill(victim)
                for visitor in visitors:
                    visitor.tour(f"node {victim} is dead")
                cluster.start(victim)
                cluster.wait_healed()
                for visitor in visitors:
                    visitor.tour(f"node {victim} is back")


def test_no_visitor_is_logged_out_while_nodes_die_stand_still_and_come_back_empty(tmp_path: Path) -> None:
    with (
        NamedNodes(3, tmp_path) as cluster,
        site_of(cluster, phpredis(cluster.redis_port), tmp_path) as site,
    ):
        audience = Audience(site, VISITORS)
        with audience.visiting("all nodes serve", at_least=4) as errors:
            pass
        assert errors == []
        keys = sorted(REDIS_PREFIX + visitor.session for visitor in audience.visitors)

        with audience.visiting("node 0 is killed", at_least=10) as errors:
            cluster.kill(0)
        assert len(errors) <= VISITORS  # what was in flight, each visitor's own request
        assert {page.web_server for page in errors} <= {WEB_SERVERS[0]}
        with audience.visiting("an empty one comes in its place", at_least=4) as errors:
            cluster.start(0)
            cluster.wait_healed()
        assert errors == []

        with audience.visiting("node 1 stands still, and goes on") as errors:
            cluster.freeze_and_thaw(1, frozen_s=3)
        assert {page.web_server for page in errors} <= {WEB_SERVERS[1]}
        with audience.visiting("all is as before", at_least=4) as errors:
            pass
        assert errors == []

        with audience.visiting("node 1 is replaced by an empty one", at_least=4) as errors:
            cluster.stop(1)
            cluster.start(1)
            cluster.wait_healed()
        assert errors == []
        for i in NODES:
            assert sorted(cli_of(cluster, i).run("keys", "*").stdout.split()) == keys
