"""Visitors of several sites at once, whose stories go through the same events of the nodes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.real.cluster import Cluster

from .sites import Site, Visitor


class Visitors:
    """One visitor for each site, who do the same at the same time."""

    def __init__(self, cluster: Cluster, sites: Sequence[Site]) -> None:
        self._cluster = cluster
        self._visitors = [Visitor(site) for site in sites]
        self._pool = ThreadPoolExecutor(len(sites))

    def all(self, do: Callable[[Visitor], None], when: str) -> None:
        for visitor, failure in self._each(do):
            if failure is not None:
                failure.add_note(f"at the site of {visitor.site.name}, {when}")
                for child in [*visitor.site.children.values(), *self._cluster.children.values()]:
                    failure.add_note(child.last_words(10))
                raise failure

    def unhappy(self, do: Callable[[Visitor], None]) -> set[str]:
        """The names of the sites at which it went wrong."""
        return {visitor.site.name for visitor, failure in self._each(do) if failure is not None}

    def _each(self, do: Callable[[Visitor], None]) -> list[tuple[Visitor, BaseException | None]]:
        running = [(visitor, self._pool.submit(do, visitor)) for visitor in self._visitors]
        return [(visitor, future.exception()) for visitor, future in running]


def logged_in(cluster: Cluster, sites: Sequence[Site]) -> Visitors:
    """A visitor at each of these sites, logged in, with a form open in the browser."""
    visitors = Visitors(cluster, sites)
    visitors.all(Visitor.login, "at first")
    return visitors


def replaced_one_by_one(cluster: Cluster, sites: Sequence[Site], known: int, ending: str) -> None:
    """Let visitors go on while each node ends, and an empty one takes its place.

    Args:
        cluster: the nodes.
        sites: where the visitors are.
        known: of so many nodes, the first ones, the sites know.
        ending: "stop" or "kill".
    """
    visitors = logged_in(cluster, sites)
    visitors.all(Visitor.tries_a_forged_form, "before anything")
    for i in range(known):
        getattr(cluster, ending)(i)
        visitors.all(Visitor.tour, f"node {i} gone")
        cluster.start(i)
        cluster.wait_healed()
        visitors.all(Visitor.tour, f"node {i} replaced")
