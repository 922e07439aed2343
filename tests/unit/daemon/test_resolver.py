"""Names are looked up by the threads that are there, one for each of the other nodes; addresses by none."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
import trio

from memrep.addresses import Address
from memrep.daemon.resolver import Resolver


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, int]]:
    """Who was looked up, and by which thread."""
    found: list[tuple[object, int]] = []
    real = socket.getaddrinfo

    def look_up(host: Any, *rest: Any) -> Any:
        if not isinstance(host, bytes):
            return real(host, *rest)
        found.append((host, threading.get_ident()))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.2", rest[0]))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return found


async def test_each_node_has_a_thread_of_its_own_that_looks_it_up(asked: list[tuple[object, int]]) -> None:
    resolver = Resolver([Address("web2", 11211), Address("web3", 11211)])
    trio.socket.set_custom_hostname_resolver(resolver)
    for name in ("web2", "web3", "web2"):
        (found,) = await trio.socket.getaddrinfo(name, 21211, type=socket.SOCK_STREAM)
        assert found[4] == ("10.0.0.2", 21211)
    (first, one), (second, two), (third, three) = asked
    assert (first, second, third) == (b"web2", b"web3", b"web2")
    assert one == three != two != threading.get_ident() != one
    resolver.close()


async def test_an_address_needs_no_thread(asked: list[tuple[object, int]]) -> None:
    resolver = Resolver([])
    trio.socket.set_custom_hostname_resolver(resolver)
    (found,) = await trio.socket.getaddrinfo("10.0.0.9", 21211, type=socket.SOCK_STREAM)
    assert (found[4], asked) == (("10.0.0.9", 21211), [])
