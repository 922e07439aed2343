"""express's sessions in memrep, by each way of Node's clients: the story of test_story.py.

Log in, open a form, and have each node replaced; a node that stands still costs a page two seconds, where the
client leaves it, and nobody a login.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from time import monotonic

import pytest

from tests.real.nodejs import FoundNodes
from tests.real.processes import pause

from .node_sites import Express, ExpressCluster, ExpressIoredis, ExpressSentinel
from .sites import Visitor
from .visitors import logged_in

pytestmark = pytest.mark.real

SITES: list[type[Express]] = [Express, ExpressSentinel, ExpressIoredis, ExpressCluster]

# A client's settings leave a frozen node after 1.5 s; a second more for the way to another one.
PATIENCE_S = 4
FROZEN_S = 3

Grounds = tuple[FoundNodes, list[Express]]


@pytest.fixture(scope="module")
def shared_grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """Nodes and sites that all tests of this module share."""
    directory = tmp_path_factory.mktemp("sites")
    with (
        FoundNodes(3, directory, "--redis-cluster") as nodes,
        ExitStack() as stack,
        ThreadPoolExecutor(len(SITES)) as pool,
    ):
        entering = [pool.submit(stack.enter_context, site(nodes, directory)) for site in SITES]
        yield nodes, [future.result() for future in entering]


@pytest.fixture
def grounds(shared_grounds: Grounds) -> Grounds:
    """The same, whole, whatever the test before has left."""
    nodes, _ = shared_grounds
    nodes.make_whole()
    return shared_grounds


@pytest.mark.parametrize("ending", ["kill", pytest.param("stop", marks=pytest.mark.long)])
def test_a_login_at_express_survives_the_replacement_of_every_node(ending: str, grounds: Grounds) -> None:
    nodes, sites = grounds
    visitors = logged_in(nodes, sites)
    visitors.all(Visitor.tries_a_forged_form, "before anything")
    for i in range(nodes.count):
        getattr(nodes, ending)(i)
        if ending == "kill":
            pause(0.1)  # a page in the very moment of the death may be an error page
        visitors.all(Visitor.tour, f"node {i} gone")
        nodes.start(i)
        nodes.wait_healed()
        visitors.all(Visitor.tour, f"node {i} replaced")


@pytest.mark.long
def test_a_frozen_node_costs_time_at_express_and_nobody_a_login(grounds: Grounds) -> None:
    """Those who leave it are asked meanwhile, all of them afterwards."""
    nodes, sites = grounds
    leaving = logged_in(nodes, [site for site in sites if site.leaves_frozen])
    others = logged_in(nodes, [site for site in sites if not site.leaves_frozen])
    slowest: dict[str, float] = {}

    def timed(visitor: Visitor) -> None:
        began = monotonic()
        visitor.visit()
        slowest[visitor.site.name] = max(slowest.get(visitor.site.name, 0), monotonic() - began)

    for i in range(nodes.count):
        nodes.freeze(i)
        for _ in range(nodes.count):  # one for each web server
            leaving.all(timed, f"node {i} frozen")
        nodes.thaw(i)
        nodes.wait_healed()
        pause(0.1)
        for visitors in (leaving, others):
            visitors.all(Visitor.tour, f"node {i} thawed")
    print(slowest)
    assert max(slowest.values()) < PATIENCE_S, slowest
