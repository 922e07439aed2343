"""Strangers at the nodes' port: closed unread, told of once, and a node that is none the worse for them."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memrep.replication.wire import Outgoing

from .cluster import CHECKOUT
from .processes import HOST, NODE_LINK_OFFSET, Child, PortLease, accepts, until

pytestmark = pytest.mark.real

#: Reserved for documentation (RFC 5737): nobody's, so whoever comes from loopback is no node of this list.
ELSEWHERE = ["203.0.113.1", "203.0.113.2"]

#: A turn of a healthy node takes a fraction of this, s.
SOON_S = 1.0


@pytest.fixture
def port() -> Iterator[int]:
    lease = PortLease(1, offsets=(0, NODE_LINK_OFFSET))
    yield lease.ports[0]
    lease.close()


@pytest.fixture
def node(port: int, tmp_path: Path) -> Iterator[Child]:
    """A node on loopback that serves alone; the other one of its list lives elsewhere, if anywhere."""
    nodes = ",".join(f"{host}:{port}" for host in ELSEWHERE)
    argv = [sys.executable, "-m", "memrep", "serve", "--nodes", nodes, "--self", f"{ELSEWHERE[0]}:{port}"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}
    env["PYTHONPATH"] = str(CHECKOUT)
    child = Child("node", [*argv, "--listen", HOST, "--cold-start", "0.1"], tmp_path, env=env)
    try:
        until(lambda: not child.running or accepts(port), 15, "the node serves alone")
        assert child.running, child.last_words()
        yield child
    finally:
        child.kill()


def _knock(port: int) -> bytes:
    """What a stranger hears at the nodes' port until it is hung up on."""
    with socket.create_connection((HOST, port + NODE_LINK_OFFSET), timeout=5) as stranger:
        heard = b""
        while data := stranger.recv(1 << 16):
            heard += data
    return heard


def _ask(port: int) -> tuple[bytes, float]:
    """A write's answer, and how long it took, s."""
    began = time.monotonic()
    with socket.create_connection((HOST, port), timeout=5) as client:
        client.sendall(b"set cart 0 0 5\r\nbooks\r\n")
        answer = client.recv(1 << 16)
    return answer, time.monotonic() - began


def test_a_stranger_is_told_why_and_closed_and_the_log_says_so_once(node: Child, port: int) -> None:
    reason = f"no other node in --nodes has the address {HOST}, from which it calls"
    for _ in range(3):
        assert Outgoing().receive(_knock(port)) == reason
    lines = [line for line in node.log.read_text().splitlines() if "stranger" in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"turned away a stranger from {HOST} at the nodes' port: {reason}")


def test_two_thousand_strangers_leave_a_node_healthy(node: Child, port: int) -> None:
    descriptors = Path(f"/proc/{node.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(40):
        strangers = [socket.create_connection((HOST, port + NODE_LINK_OFFSET), timeout=5) for _ in range(50)]
        answer, took_s = _ask(port)
        assert answer == b"STORED\r\n"
        assert took_s < SOON_S
        for stranger in strangers:
            assert stranger.recv(1 << 16)
            stranger.close()
    until(lambda: len(list(descriptors.iterdir())) <= before, 5, "the strangers' descriptors are free again")
    assert node.log.read_text().count("stranger") == 1
