"""The story of test_story.py for sites in Python, whose sessions go over redis-py to one name for all nodes.

A node that is gone refuses, and redis-py goes on to the next address of the name. What was on its way when a
node died is said again by deploy/python/memrep_redis.py, which also leaves a node that is frozen. The same
story over a lone redis-server, which is replaced by an empty one, must fail for each of the sites.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.real.named import NamedNodes
from tests.real.processes import Child, Family, find_program, until
from tests.real.redis_py_source import source

from .python_redis_sites import DjangoRedis, DjangoRedisPackage, FlaskSession, PythonRedisSite
from .sites import Refused, Site, Visitor
from .visitors import logged_in, replaced_one_by_one

pytestmark = pytest.mark.real

NODES = 3
SITES: list[type[PythonRedisSite]] = [DjangoRedis, DjangoRedisPackage, FlaskSession]

# A frozen node costs a connection its own patience of a second, and the others up to 0.8 s once.
PATIENCE_S = 3

Grounds = tuple[NamedNodes, list[Site]]


@contextmanager
def serving(cluster: NamedNodes, directory: Path, library: Path | None = None) -> Iterator[list[Site]]:
    """All the sites over these nodes, started at the same time."""
    with ExitStack() as stack, ThreadPoolExecutor(len(SITES)) as pool:
        entering = [pool.submit(stack.enter_context, site(cluster, directory, library)) for site in SITES]
        yield [future.result() for future in entering]


@pytest.fixture(scope="module")
def shared_grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """Nodes and sites that all tests of this module share: it takes longer to start them than to use them.

    There is one node more than the sites know of.
    """
    directory = tmp_path_factory.mktemp("sites")
    with NamedNodes(NODES + 1, directory, named=NODES) as cluster, serving(cluster, directory) as sites:
        yield cluster, sites


@pytest.fixture
def grounds(shared_grounds: Grounds) -> Grounds:
    """The same, whole, whatever the test before has left."""
    cluster, _ = shared_grounds
    cluster.make_whole()
    return shared_grounds


@pytest.mark.parametrize("ending", [pytest.param("stop", marks=pytest.mark.long), "kill"])
def test_a_login_survives_the_replacement_of_every_node(ending: str, grounds: Grounds) -> None:
    replaced_one_by_one(*grounds, NODES, ending)


@pytest.mark.long
@pytest.mark.parametrize("version", ["5.2.1", "8.1.0"])
def test_a_login_survives_with_other_versions_of_redis_py(version: str, tmp_path: Path) -> None:
    with NamedNodes(NODES, tmp_path) as cluster, serving(cluster, tmp_path, source(version)) as sites:
        visitors = logged_in(cluster, sites)
        for i in range(NODES):
            cluster.kill(i)
            visitors.all(Visitor.tour, f"node {i} gone")
            cluster.start(i)
            cluster.wait_healed()
        cluster.freeze(0)
        visitors.all(Visitor.tour, "node 0 frozen")
        cluster.thaw(0)
        cluster.wait_healed()


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
        for _ in sites[0].ports:
            visitors.all(timed, f"node {i} frozen")
        cluster.thaw(i)
        cluster.wait_healed()
        visitors.all(Visitor.tour, f"node {i} thawed")
    print(slowest)
    assert max(slowest.values()) < PATIENCE_S, slowest


@pytest.mark.long
def test_when_every_node_refuses_it_is_an_error_page_and_no_logout(grounds: Grounds) -> None:
    cluster, sites = grounds
    visitors = logged_in(cluster, sites)

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


class LoneRedis(Family):
    """A redis-server in the place of the first of these nodes."""

    def __init__(self, cluster: NamedNodes, directory: Path) -> None:
        super().__init__()
        self._place = (cluster.redis_address(0), cluster.redis_port)
        self._directory = directory

    def start(self) -> None:
        """Start an empty one, and wait until it serves."""
        host, port = self._place
        argv = [find_program("redis-server"), "--bind", host, "--port", str(port), "--save", ""]
        server = self.add(Child("redis-server", argv, self._directory))
        until(lambda: "eady to accept" in server.last_words(5), 10, "redis-server serves")

    def replace(self) -> None:
        """Put an empty one in its place."""
        self.children["redis-server"].kill()
        self.start()


def test_over_a_lone_redis_server_the_same_story_loses_every_login(grounds: Grounds, tmp_path: Path) -> None:
    cluster, sites = grounds
    for i in range(NODES):
        cluster.stop(i)
    with LoneRedis(cluster, tmp_path) as redis:
        redis.start()
        visitors = logged_in(cluster, sites)
        visitors.all(Visitor.tour, "nothing replaced yet")
        redis.replace()
        assert visitors.unhappy(Visitor.tour) == {site.name for site in sites}
