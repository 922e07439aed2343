"""Two nodes of a list on this machine: this one, which is examined, and the other one, which the test plays."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from memrep.addresses import Address
from memrep.replication.handshake import NONCE_BYTES, Identity
from tests.real.processes import HOST

NONCE: Final = bytes(NONCE_BYTES)
TERMS: Final = "--partition available --failure-timeout 0.3"
PATIENCE_S: Final = 10


def pair(ports: list[int]) -> list[Address]:
    """The two nodes, by number."""
    return sorted(Address(HOST, port) for port in ports)


def identity(nodes: list[Address], me: int, terms: str = TERMS, secret: bytes = b"") -> Identity:
    """What one of them says of itself."""
    return Identity(me=me, inc=7, nodes=list(map(str, nodes)), terms=terms, secrets=(secret,) if secret else ())


@contextmanager
def answers(port: int, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Answer whoever calls this port, in a thread."""
    listener = socket.create_server((HOST, port))

    def serve() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return  # the test is over
            with caller:
                answer(caller)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(PATIENCE_S)
