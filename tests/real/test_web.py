"""The tutorial: a visit counter behind a balancer, over three web servers that share nothing else.

All have the same session.save_path with three memrep nodes in it (balanced_site.py). The visitor has one
cookie. Every page view must count one more than the last, whichever web server answers and whichever nodes are
alive.
"""

import itertools
from pathlib import Path

import pytest

from .balanced_site import Site, Visitor
from .cluster import Cluster
from .generation import both_generations
from .php import pecl_memcache

pytestmark = [pytest.mark.real, both_generations]


def test_the_visit_counter_survives_whatever_happens_to_the_nodes(tmp_path: Path) -> None:
    with (
        Cluster(3, tmp_path) as cluster,
        Site(pecl_memcache(cluster.ports, cluster.count), tmp_path) as site,
    ):
        visitor = Visitor(site)
        visitor.tour("all nodes serve")
        first = visitor.session
        for i in range(cluster.count):
            cluster.stop(i)
            visitor.visit(f"node {i} stopped")
            cluster.start(i)
            visitor.visit(f"node {i} starts")
            cluster.wait_healed()
            visitor.tour(f"node {i} is back")
        for survivor in range(cluster.count):
            victims = [i for i in range(cluster.count) if i != survivor]
            for victim in victims:
                cluster.kill(victim)
            visitor.tour(f"only node {survivor} was not killed")
            for victim in victims:
                cluster.start(victim)
            visitor.visit("two nodes start")
            cluster.wait_healed()
            visitor.tour("all nodes are back")
        assert visitor.answered_by == [
            name for name, _ in zip(itertools.cycle(site.web_servers), visitor.answered_by, strict=False)
        ]
        assert visitor.session == first
