"""The story of test_story.py by way of Redis' protocol: log in, have every node replaced, and notice nothing.

PHP's clients have one host. They are told a name that all nodes bear, and go on to the next address where one
refuses; there is nothing else by which they fail over. So a node that stands still, whose port accepts, costs
its own web server its pages for as long as that lasts: an error each, and no login.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.real.generation import DEBIAN_13
from tests.real.named import NAME, LoneServer, NamedNodes

from .redis_sites import Laravel, Laravel10, LaravelPredis, RedisSite, SymfonyNative, SymfonyRedis
from .sites import WEB_SERVERS, Refused, Visitor
from .visitors import logged_in, replaced_one_by_one

pytestmark = pytest.mark.real

NODES = 3

SITES: list[type[RedisSite]] = [Laravel, Laravel10, LaravelPredis, SymfonyRedis, SymfonyNative]

#: Within which a page comes, whatever becomes of a node. Its own read_timeout is 2 s, and Symfony's error page
#: wants the session once more.
PATIENCE_S = 5

Grounds = tuple[NamedNodes, list[RedisSite]]


@contextmanager
def serving(nodes: NamedNodes, directory: Path) -> Iterator[list[RedisSite]]:
    """All the sites over these nodes, started at the same time."""
    if not DEBIAN_13.is_there:
        print("without the site of Debian 13, which is not here")
    sites = [site for site in SITES if site is not Laravel10 or DEBIAN_13.is_there or os.environ.get("CI")]
    with ExitStack() as stack, ThreadPoolExecutor(len(sites)) as pool:
        entering = [pool.submit(stack.enter_context, site(nodes, directory)) for site in sites]
        yield [future.result() for future in entering]


@pytest.fixture(scope="module")
def shared_grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """There is one node more than the sites know of."""
    directory = tmp_path_factory.mktemp("sites")
    with NamedNodes(NODES + 1, directory, named=NODES) as nodes, serving(nodes, directory) as sites:
        yield nodes, sites


@pytest.fixture
def grounds(shared_grounds: Grounds) -> Grounds:
    """Nodes and sites that the tests share, whole, whatever the test before has left."""
    nodes, _ = shared_grounds
    nodes.make_whole()
    return shared_grounds


def test_a_login_to_laravel_survives_the_loss_of_every_node(tmp_path: Path) -> None:
    with NamedNodes(NODES, tmp_path) as nodes, Laravel(nodes, tmp_path) as site:
        replaced_one_by_one(nodes, [site], NODES, "kill")


@pytest.mark.long
@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_login_survives_the_replacement_of_every_node(ending: str, grounds: Grounds) -> None:
    replaced_one_by_one(*grounds, NODES, ending)


@pytest.mark.long
def test_a_frozen_node_costs_its_web_server_error_pages_and_nobody_a_login(grounds: Grounds) -> None:
    nodes, sites = grounds
    visitors = logged_in(nodes, sites)
    slowest: dict[str, float] = {}

    def looks_around(visitor: Visitor) -> None:
        for _ in range(WEB_SERVERS):
            began = monotonic()
            assert isinstance(visitor.site, RedisSite)
            if visitor.site.first_node(visitor.next_port) == frozen:
                with pytest.raises(Refused) as refused:
                    visitor.visit()
                assert refused.value.status == 500
            else:
                visitor.visit()
            slowest[visitor.site.name] = max(slowest.get(visitor.site.name, 0), monotonic() - began)

    for frozen in range(NODES):
        nodes.freeze(frozen)
        visitors.all(looks_around, f"node {frozen} frozen")
        nodes.thaw(frozen)
        nodes.wait_healed()
        visitors.all(Visitor.tour, f"node {frozen} thawed")
    print(slowest)
    assert max(slowest.values()) < PATIENCE_S, slowest


@pytest.mark.long
def test_when_every_node_refuses_it_is_an_error_page_and_no_logout(grounds: Grounds) -> None:
    nodes, sites = grounds
    visitors = logged_in(nodes, sites)

    def is_refused(visitor: Visitor) -> None:
        for _ in range(WEB_SERVERS):
            with pytest.raises(Refused) as refused:
                visitor.visit()
            assert refused.value.status == 500

    for i in range(NODES):
        nodes.stop(i)
    visitors.all(is_refused, "all nodes gone")
    for i in range(NODES):
        nodes.start(i)
    nodes.wait_healed()
    visitors.all(Visitor.tour, "all nodes back")


@pytest.mark.long
def test_over_a_redis_server_that_is_replaced_the_same_story_loses_every_login(
    grounds: Grounds, tmp_path: Path
) -> None:
    nodes, sites = grounds
    for i in range(NODES):
        nodes.kill(i)
    alone = LoneServer(NODES, tmp_path)
    alone.redis_port = nodes.redis_port  # the sites know no other
    with alone:
        visitors = logged_in(alone, sites)
        visitors.all(Visitor.tour, "nothing replaced yet")
        alone.kill(0)
        alone.start(0)
        alone.wait_healed()
        assert visitors.unhappy(Visitor.tour) == {site.name for site in sites}


def test_all_addresses_of_the_name_count_only_where_multi_is_on(tmp_path: Path) -> None:
    """As it is by default, and as deploy/README.md says that it must stand in /etc/host.conf."""
    with NamedNodes(NODES, tmp_path) as nodes:
        for word, addresses in (("on", NODES), ("off", 1)):
            conf = tmp_path / "host.conf"
            conf.write_text(f"multi {word}\n")
            within = [
                "unshare",
                "--mount",
                "sh",
                "-c",
                'mount --bind "$0" /etc/host.conf && exec "$@"',
                str(conf),
            ]
            argv = [*within, *nodes.beginning_at(1), "getent", "ahostsv4", NAME]
            told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
            found = [line.split()[0] for line in told.splitlines() if "STREAM" in line]
            assert len(found) == addresses
            assert found[0] == nodes.redis_address(1) or word == "off"
