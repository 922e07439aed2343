"""Who calls is heard out, and told whether it would be let in; who runs and does not call is told, too."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from memrep.addresses import Address
from memrep.daemon.listener import Listener
from memrep.doctor.finding import Finding
from memrep.doctor.inward import inward
from memrep.replication.handshake import Identity, Outgoing
from tests.real.processes import HOST, NODE_LINK_OFFSET, PortLease
from tests.unit.doctor.street import NONCE, PATIENCE_S, TERMS, identity, pair


@contextmanager
def _links(port: int) -> Iterator[list[Listener]]:
    listener = Listener(socket.AF_INET, (HOST, port))
    listener.listen()
    try:
        yield [listener]
    finally:
        listener.close()


@contextmanager
def _calling(port: int, caller: Identity) -> Iterator[None]:
    """The other node calls, and says what nodes say, until it is hung up on."""

    def call() -> None:
        outgoing = Outgoing(caller, 1, NONCE)
        with socket.create_connection((HOST, port), PATIENCE_S) as sock, suppress(ConnectionResetError):
            while data := sock.recv(1 << 16):
                sock.sendall(outgoing.receive(data))
        assert not outgoing.welcome, "nobody is welcomed"

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE_S)


def _heard(caller_terms: str = TERMS, secret: bytes = b"") -> tuple[list[Address], list[Finding]]:
    with closing(PortLease(2, offsets=(0, NODE_LINK_OFFSET))) as lease:
        nodes = pair(lease.ports)
        port = nodes[0].link_port
        with _links(port) as links, _calling(port, identity(nodes, 2, caller_terms, secret)):
            return nodes, list(inward(identity(nodes, 1), nodes, links, [nodes[1]], PATIENCE_S))


def test_a_node_that_calls_and_agrees_is_well() -> None:
    nodes, found = _heard()
    assert [(each.verdict, each.text) for each in found] == [
        ("ok", f"{nodes[1]} calls this machine, and would be let in")
    ]


@pytest.mark.parametrize(
    ("terms", "secret", "said"),
    [
        ("--partition majority --failure-timeout 0.3", b"", "runs with --partition majority"),
        (TERMS, b"0123456789abcdef", "has a --secret-file"),
    ],
)
def test_a_node_that_would_be_turned_away_is_told_with_why(terms: str, secret: bytes, said: str) -> None:
    nodes, (found,) = _heard(terms, secret)
    assert found.verdict == "wrong"
    assert f"{nodes[1]} calls this machine, and would be turned away: {nodes[1]} {said}" in found.text
    assert str(nodes[0]) in found.text, "both ends are named"


def test_a_node_that_runs_and_does_not_call_is_told_with_what_to_see_to() -> None:
    with closing(PortLease(2, offsets=(0, NODE_LINK_OFFSET))) as lease:
        nodes = pair(lease.ports)
        with _links(nodes[0].link_port) as links:
            (found,) = inward(identity(nodes, 1), nodes, links, [nodes[1]], wait_s=0.05)
    assert (found.verdict, found.text) == ("wrong", f"{nodes[1]} runs, but does not call this machine")
    assert f"admit it to port {nodes[0].link_port}" in found.remedy


def test_where_nobody_runs_nobody_is_waited_for() -> None:
    assert list(inward(identity(pair([1, 2]), 1), pair([1, 2]), [], [])) == []


def test_who_has_called_before_and_given_up_is_awaited_anew() -> None:
    with closing(PortLease(2, offsets=(0, NODE_LINK_OFFSET))) as lease:
        nodes = pair(lease.ports)
        port = nodes[0].link_port
        with _links(port) as links:
            socket.create_connection((HOST, port), PATIENCE_S).close()
            with _calling(port, identity(nodes, 2)):
                (found,) = inward(identity(nodes, 1), nodes, links, [nodes[1]], PATIENCE_S)
    assert found.verdict == "ok"
