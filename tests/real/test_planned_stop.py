"""An orderly stop cuts no conversation: who could connect is served, everybody else is refused at once.

PHP opens a connection for each page, and is sent to another node only by a refusal. Between the last client
that a node accepts and its port's end there is a moment in which one more can connect, and of many pages a
second one finds it.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from .named import NamedNodes

pytestmark = pytest.mark.real

VISITORS = 6
STOPS = 5

# What they ask, and what they are answered.
MEMCACHED = (b"get page\r\n", b"END\r\n")
REDIS = (b"*2\r\n$3\r\nGET\r\n$4\r\npage\r\n", b"$-1\r\n")


class Visitors:
    """Clients who connect, ask twice and leave, again and again."""

    def __init__(self, address: tuple[str, int], talk: tuple[bytes, bytes]) -> None:
        self._address = address
        self._question, self._answer = talk
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._come_and_go) for _ in range(VISITORS)]
        self.served = 0
        self.refused = 0
        self.cut: list[str] = []

    def __enter__(self) -> Visitors:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _come_and_go(self) -> None:
        while not self._over.is_set():
            try:
                sock = socket.create_connection(self._address, timeout=10)
            except ConnectionRefusedError:
                self.refused += 1
                self._over.wait(0.01)
                continue
            with sock:
                self._talk(sock)

    def _talk(self, sock: socket.socket) -> None:
        for number in range(2):
            try:
                sock.sendall(self._question)
                reply = sock.recv(100)
            except OSError as error:
                self.cut.append(f"question {number}: {error}")
                return
            if reply != self._answer:
                self.cut.append(f"question {number}: {reply!r}")
                return
        self.served += 1


@pytest.mark.parametrize("protocol", ["memcached", "redis"])
def test_who_could_connect_to_a_node_is_served_though_it_stops(tmp_path: Path, protocol: str) -> None:
    with NamedNodes(2, tmp_path) as cluster:
        if protocol == "redis":
            visitors = Visitors((cluster.redis_address(1), cluster.redis_port), REDIS)
        else:
            host, _, port = cluster.addresses[1].rpartition(":")
            visitors = Visitors((host, int(port)), MEMCACHED)
        with visitors:
            for _ in range(STOPS):
                before = visitors.served
                cluster.stop(1)
                assert visitors.served > before
                cluster.start(1)
                cluster.wait_healed()
        assert visitors.refused > 0
        assert visitors.cut == []
