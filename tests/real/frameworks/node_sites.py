"""A site in Node: express with connect-redis, on three web servers, each with its own node first.

Its settings are those of deploy/node. As they stand they find memrep by one name; the same settings with
another way of their clients, and with ioredis (by the connect-redis that takes it), make the other sites.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import ClassVar

from tests.real.nodejs import FoundNodes, find_node, lay_out

from .sites import HERE, Site


class Express(Site):
    """By one name; node-redis."""

    name = "express"
    source = "express"
    settings: ClassVar = {}
    #: What stands in deploy/node/express.mjs for how it connects, and what stands there here.
    connects: ClassVar = 'import { byName as connect } from "./node-redis.mjs"'
    #: The packages that are to be there under these names.
    versions: ClassVar[dict[str, str]] = {}
    #: Whether a node that stands still is left; who does not leave it waits until it goes on.
    leaves_frozen: ClassVar = False

    def __init__(self, nodes: FoundNodes, directory: Path) -> None:
        super().__init__(nodes.ports, directory)
        self._nodes = nodes
        self._firsts = itertools.cycle(range(nodes.count))

    def build(self) -> None:
        self.directory.mkdir()
        for first in range(self._nodes.count):
            place = self.directory / str(first)
            lay_out(place, self._nodes, first, self.versions)
            (place / "site.mjs").write_text((HERE / self.source / "site.mjs").read_text())
            settings = (place / "express.mjs").read_text()
            assert settings.count(Express.connects) == 1
            (place / "express.mjs").write_text(settings.replace(Express.connects, self.connects))

    def argv(self, port: int) -> list[str]:
        first = next(self._firsts)
        node = [find_node(), str(self.directory / str(first) / "site.mjs"), str(port)]
        return [*self._nodes.beginning_at(first), *node]


class ExpressSentinel(Express):
    """By Sentinel; node-redis."""

    name = "express-sentinel"
    connects = 'import { bySentinel as connect } from "./node-redis.mjs"'


class ExpressIoredis(Express):
    """By Sentinel; ioredis."""

    name = "express-ioredis"
    connects = 'import { bySentinel as connect } from "./ioredis.mjs"'
    versions: ClassVar = {"connect-redis": "connect-redis8"}
    leaves_frozen = True


class ExpressCluster(Express):
    """As a Cluster; ioredis."""

    name = "express-cluster"
    connects = 'import { byCluster as connect } from "./ioredis.mjs"'
    versions: ClassVar = {"connect-redis": "connect-redis8"}
    leaves_frozen = True
