"""Looking up the names of the other nodes, in threads that are there from the start (threads.py).

trio looks names up in threads of its own, unless it is told who else does it (`trio.abc.HostnameResolver`).
What needs no resolver, an address, it reads itself.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

import trio

from memrep.addresses import Address
from memrep.daemon.threads import Worker


class Resolver(trio.abc.HostnameResolver):
    """Looks up the names of some nodes, one at a time for each of them.

    Args:
        nodes: whose names they are.

    Raises:
        AbsentError: the system allows no thread.
    """

    def __init__(self, nodes: Iterable[Address]) -> None:
        with ExitStack() as given_back:
            self._idle: list[Worker] = []
            for node in nodes:
                self._idle.append(Worker("resolver", f"looking up {node.host}"))
                given_back.callback(self._idle[-1].close)
            given_back.pop_all()
        self._workers: dict[tuple[bytes | None, bytes | str | int | None], Worker] = {}

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """Return what the resolver says of one of the names.

        Raises:
            OSError, UnicodeError: it says that there is none.
        """
        # By name and port, as it is asked for: as many as there are nodes.
        worker = self._workers.get((host, port))
        if worker is None:
            worker = self._workers[host, port] = self._idle.pop()
        return await worker.run(partial(socket.getaddrinfo, host, port, family, type, proto, flags))

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """Refuse: nobody asks for the names of addresses here."""
        raise NotImplementedError

    def close(self) -> None:
        """Let the threads end."""
        for worker in (*self._idle, *self._workers.values()):
            worker.close()
