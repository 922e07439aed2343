"""The story every framework must pass: log in, have every node replaced by an empty one, and notice nothing.

A replacement is that of a blue/green deployment: the node ends, a fresh process with an empty memory takes its
place, and the next node follows when it serves. Meanwhile the visitor goes on, from web server to web server,
and sends the form that was rendered before.

All sites stand on the same nodes and go through the same events at the same time, for an event takes longer
than all their requests. The same story over plain memcacheds must fail for each of them.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.real.cluster import Cluster, Unreplicated
from tests.real.generation import DEBIAN_13

from .sites import Django, Laravel, Laravel10, Refused, Site, Symfony, SymfonyNative, Visitor, WordPress
from .visitors import logged_in, replaced_one_by_one

pytestmark = pytest.mark.real

NODES = 3

Grounds = tuple[Cluster, list[Site]]

SITES: list[type[Site]] = [Laravel, Laravel10, Symfony, SymfonyNative, WordPress, Django]

# PHP's own session handler begins an empty session when no node answers; the others say that none did.
SITES_THAT_TELL_A_FAILURE: list[type[Site]] = [Laravel, Laravel10, Symfony, Django]

# A frozen node costs a client its own patience of a second, and the others up to 0.8 s once.
PATIENCE_S = 3


@contextmanager
def serving(cluster: Cluster, directory: Path) -> Iterator[list[Site]]:
    """All the sites over these nodes, started at the same time."""
    if not DEBIAN_13.is_there:
        print("without the sites of Debian 13, which is not here")
    sites = [site for site in SITES if site is not Laravel10 or DEBIAN_13.is_there or os.environ.get("CI")]
    with ExitStack() as stack, ThreadPoolExecutor(len(sites)) as pool:
        entering = [pool.submit(stack.enter_context, site(cluster.ports[:NODES], directory)) for site in sites]
        yield [future.result() for future in entering]


@pytest.fixture(scope="module")
def shared_grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """Nodes and sites that all tests of this module share: it takes longer to start them than to use them.

    There is one node more than the sites know of.
    """
    directory = tmp_path_factory.mktemp("sites")
    with Cluster(NODES + 1, directory) as cluster, serving(cluster, directory) as sites:
        yield cluster, sites


@pytest.fixture
def grounds(shared_grounds: Grounds) -> Grounds:
    """The same, whole, whatever the test before has left."""
    cluster, _ = shared_grounds
    cluster.make_whole()
    return shared_grounds


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_login_survives_the_replacement_of_every_node(ending: str, grounds: Grounds) -> None:
    replaced_one_by_one(*grounds, NODES, ending)


def test_a_frozen_node_costs_a_page_a_second_and_nobody_a_login(grounds: Grounds) -> None:
    cluster, sites = grounds
    visitors = logged_in(cluster, sites)
    slowest: dict[str, float] = {}

    def timed(visitor: Visitor) -> None:
        began = monotonic()
        visitor.visit()
        slowest[visitor.site.name] = max(slowest.get(visitor.site.name, 0), monotonic() - began)

    for i in range(NODES):
        cluster.freeze(i)
        visitors.all(timed, f"node {i} frozen")
        cluster.thaw(i)
        cluster.wait_healed()
        visitors.all(Visitor.tour, f"node {i} thawed")
    print(slowest)
    assert max(slowest.values()) < PATIENCE_S, slowest


def test_when_every_node_refuses_it_is_an_error_page_and_no_logout(grounds: Grounds) -> None:
    """As beside a cut with --partition majority: the sessions live on where the site does not reach."""
    cluster, sites = grounds
    visitors = logged_in(cluster, [site for site in sites if type(site) in SITES_THAT_TELL_A_FAILURE])

    def is_refused(visitor: Visitor) -> None:
        with pytest.raises(Refused) as refused:
            visitor.visit()
        assert refused.value.status == 500

    for i in range(NODES):
        cluster.stop(i)
    visitors.all(is_refused, "all nodes gone")
    for i in range(NODES):
        cluster.start(i)
    cluster.wait_healed()
    visitors.all(Visitor.tour, "all nodes back")


def test_over_plain_memcacheds_the_same_story_loses_every_login(grounds: Grounds, tmp_path: Path) -> None:
    cluster, sites = grounds
    for i in range(NODES):
        cluster.stop(i)
    plain = Unreplicated(NODES, tmp_path)
    plain.ports = cluster.ports[:NODES]  # the sites know no others
    with plain:
        visitors = logged_in(plain, sites)
        visitors.all(Visitor.tour, "nothing replaced yet")
        unhappy: set[str] = set()
        for i in range(NODES):
            plain.stop(i)
            plain.start(i)
            plain.wait_healed()
            unhappy |= visitors.unhappy(Visitor.tour)
        assert unhappy == {site.name for site in sites}
