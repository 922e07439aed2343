"""One name for all nodes, which a program sees that runs in a mount namespace of its own.

Nothing is written to the machine's /etc/hosts: the program has another one in its place, and so each web server
has its own order of the same addresses. They are 127.0.0.4 and up, which are equally far from 127.0.0.1: glibc
sorts what is nearer to the front, whatever the file says.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from .cluster import START_TIMEOUT_S, Cluster
from .processes import PortLease, find_program, missing, until

NAME = "memrep"


class NamedNodes(Cluster):
    """Nodes whose Redis clients come in on one port at several addresses.

    Attributes:
        redis_port: that port.
        named: how many of them bear the name: clients know of no others.
    """

    def __init__(
        self, count: int, directory: Path, options: Sequence[str] = (), named: int | None = None
    ) -> None:
        if os.geteuid() != 0:
            missing("the right to mount (root)")
        super().__init__(count, directory)
        self._redis_lease = PortLease(1)
        (self.redis_port,) = self._redis_lease.ports
        self._options = options
        self.named = named or count

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
        """The command within which the nodes' name means all that bear it, this one first."""
        order = [first, *(i for i in range(self.named) if i != first)]
        return in_order(self.directory, [self.redis_address(i) for i in order])


class LoneServer(NamedNodes):
    """A redis-server behind all the addresses of the name; it forgets everything when it ends.

    Against it the tests show that they can fail, and what is right.
    """

    def __init__(self, addresses: int, directory: Path) -> None:
        super().__init__(1, directory, named=addresses)

    def argv(self, i: int) -> list[str]:
        addresses = [self.redis_address(i) for i in range(self.named)]
        return [
            find_program("redis-server"), "--port", str(self.redis_port), "--bind", *addresses, "--save", "",
        ]  # fmt: skip

    def wait_serving(self, i: int, timeout_s: float = START_TIMEOUT_S) -> None:
        until(self._accepts, timeout_s, "redis-server accepts clients")

    def healed(self, i: int) -> bool:
        return self._accepts()

    def _accepts(self) -> bool:
        try:
            socket.create_connection((self.redis_address(self.named - 1), self.redis_port), timeout=1).close()
        except OSError:
            return False
        return True


def in_order(directory: Path, addresses: Sequence[str]) -> list[str]:
    """The command within which the nodes' name means these addresses, in this order."""
    hosts = directory / f"hosts-{addresses[0]}"
    lines = ["127.0.0.1 localhost", *(f"{address} {NAME}" for address in addresses)]
    hosts.write_text("".join(f"{line}\n" for line in lines))
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]
