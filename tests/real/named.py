"""One name for all nodes, which a program sees that runs in a mount namespace of its own.

Nothing is written to the machine's /etc/hosts: the program has another one in its place, and so each web server
has its own order of the same addresses. They are 127.0.0.4 and up, which are equally far from 127.0.0.1: glibc
sorts what is nearer to the front, whatever the file says.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .cluster import Cluster
from .processes import PortLease, missing

NAME = "memrep"


class NamedNodes(Cluster):
    """Nodes whose Redis clients come in on one port at several addresses.

    Args:
        unnamed: how many of them, the last ones, the name does not mean.

    Attributes:
        redis_port: that port.
    """

    def __init__(self, count: int, directory: Path, options: Sequence[str] = (), *, unnamed: int = 0) -> None:
        if os.geteuid() != 0:
            missing("the right to mount (root)")
        super().__init__(count, directory)
        self.named = count - unnamed
        self._redis_lease = PortLease(1)
        (self.redis_port,) = self._redis_lease.ports
        self._options = options

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        try:
            super().__exit__(kind, failure, trace)
        finally:
            self._redis_lease.close()

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "--redis", f"{self.redis_address(i)}:{self.redis_port}", *self._options]

    def redis_address(self, i: int) -> str:
        """Where Redis' clients find node i."""
        return f"127.0.0.{4 + i}"

    def beginning_at(self, first: int) -> list[str]:
        """The command within which the nodes' name means all of them, this one first."""
        hosts = self.directory / f"hosts{first}"
        order = [first, *(i for i in range(self.named) if i != first)]
        lines = ["127.0.0.1 localhost", *(f"{self.redis_address(i)} {NAME}" for i in order)]
        hosts.write_text("".join(f"{line}\n" for line in lines))
        return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]
