"""Strangers at the nodes' port: closed unread, told of once, and a node that is none the worse for them."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memrep.node.options import NodeOptions
from memrep.replication.handshake import NONCE_BYTES, Identity, Outgoing

from .cluster import Cluster
from .processes import CHECKOUT, HOST, NODE_LINK_OFFSET, Child, PortLease, accepts, until
from .urgency import as_the_unit_runs

pytestmark = pytest.mark.real

#: Reserved for documentation (RFC 5737): nobody's, so whoever comes from loopback is no node of this list.
ELSEWHERE = ["203.0.113.1", "203.0.113.2"]

SECRET = b"correct horse battery staple"
REMEDY = "give all nodes the same file"

#: A turn of a healthy node takes a fraction of this, s.
SOON_S = 1.0


@pytest.fixture
def port() -> Iterator[int]:
    lease = PortLease(1, offsets=(0, NODE_LINK_OFFSET))
    yield lease.ports[0]
    lease.close()


@contextmanager
def _alone(port: int, directory: Path, *options: str) -> Iterator[Child]:
    """A node on loopback that serves alone; the other one of its list lives elsewhere, if anywhere."""
    nodes = ",".join(_nodes(port))
    argv = [sys.executable, "-m", "memrep", "serve", "--nodes", nodes, "--self", _nodes(port)[0]]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}
    env["PYTHONPATH"] = str(CHECKOUT)
    argv = as_the_unit_runs([*argv, "--listen", HOST, "--cold-start", "0.1", *options])
    child = Child("node", argv, directory, env=env)
    try:
        until(lambda: not child.running or accepts(port), 15, "the node serves alone")
        assert child.running, child.last_words()
        yield child
    finally:
        child.kill()


@pytest.fixture
def node(port: int, tmp_path: Path) -> Iterator[Child]:
    """A node without a secret."""
    with _alone(port, tmp_path) as child:
        yield child


@pytest.fixture
def secretive(port: int, tmp_path: Path) -> Iterator[Child]:
    """A node with a secret."""
    with _alone(port, tmp_path, "--secret-file", _secret_file(tmp_path, SECRET)) as child:
        yield child


def _secret_file(directory: Path, secret: bytes) -> str:
    path = directory / "secret"
    path.write_bytes(secret)
    path.chmod(0o600)
    return str(path)


def _nodes(port: int) -> list[str]:
    return [f"{host}:{port}" for host in ELSEWHERE]


def _stranger(port: int) -> socket.socket:
    return socket.create_connection((HOST, port + NODE_LINK_OFFSET), timeout=5)


def _greet(port: int, secret: bytes) -> Outgoing:
    """The other node calls, with this secret."""
    terms = NodeOptions().terms
    identity = Identity(me=2, inc=1, nodes=_nodes(port), terms=terms, secrets=(secret,))
    caller = Outgoing(identity, 1, os.urandom(NONCE_BYTES))
    with _stranger(port) as sock:
        while not caller.welcome and (data := sock.recv(1 << 16)):
            sock.sendall(caller.receive(data))
    return caller


def _hung_up(sock: socket.socket) -> bool:
    """Whether the node has hung up on this stranger by now."""
    sock.setblocking(False)
    try:
        while sock.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


def _ask(port: int) -> tuple[bytes, float]:
    """A write's answer, and how long it took, s."""
    began = time.monotonic()
    with socket.create_connection((HOST, port), timeout=5) as client:
        client.sendall(b"set cart 0 0 5\r\nbooks\r\n")
        answer = client.recv(1 << 16)
    return answer, time.monotonic() - began


def test_a_stranger_is_told_why_and_closed_and_the_log_says_so_once(node: Child, port: int) -> None:
    reason = f"--nodes of the called node has no other node at {HOST}, from which the caller calls"
    for _ in range(3):
        assert f" has no other node at {HOST}, from which " in _greet(port, b"").reason
    (line,) = node.lines_with("stranger")
    assert line.endswith(f"turned away a stranger from {HOST} at the nodes' port: {reason}")


def test_two_thousand_strangers_leave_a_node_healthy(node: Child, port: int) -> None:
    descriptors = Path(f"/proc/{node.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(40):
        strangers = [_stranger(port) for _ in range(50)]
        answer, took_s = _ask(port)
        assert answer == b"STORED\r\n"
        assert took_s < SOON_S
        for stranger in strangers:
            assert stranger.recv(1 << 16)
            stranger.close()
    until(lambda: len(list(descriptors.iterdir())) <= before, 5, "the strangers' descriptors are free again")
    assert len(node.lines_with("stranger")) == 1


def test_who_knows_the_secret_may_call_from_anywhere_and_nobody_else(secretive: Child, port: int) -> None:
    assert _greet(port, SECRET).welcome
    called, caller = _nodes(port)
    differs = f"the --secret-file of {caller} differs from that of {called}; {REMEDY}"
    assert _greet(port, SECRET[::-1]).reason == differs
    assert _greet(port, b"").reason == f"{caller} has no --secret-file, {called} has one; {REMEDY}"
    with _stranger(port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        until(lambda: _hung_up(sock), 5, "the node hangs up")
    assert len(secretive.lines_with("the greeting is not that of a memrep node")) == 1


def test_silent_strangers_take_no_room_from_who_knows_the_secret_and_may_not_stay(
    secretive: Child, port: int
) -> None:
    descriptors = Path(f"/proc/{secretive.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    strangers = [_stranger(port) for _ in range(500)]
    _ask(port)  # the other node of two is missing: at first this one looks round for it
    answer, took_s = _ask(port)
    assert answer == b"STORED\r\n"
    assert took_s < SOON_S
    assert _greet(port, SECRET).welcome
    assert len(list(descriptors.iterdir())) <= before + 64
    assert sum(map(_hung_up, strangers)) >= 400
    until(lambda: all(map(_hung_up, strangers)), 10, "nobody of them is left")
    assert len(secretive.lines_with("no greeting in 3 s")) == 1
    for stranger in strangers:
        stranger.close()


class _Secretive(Cluster):
    """Nodes with a secret file each."""

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "--secret-file", str(self.secret(i))]

    def secret(self, i: int) -> Path:
        path = self.directory / f"secret{i}"
        if not path.exists():
            path.write_bytes(SECRET)
            path.chmod(0o600)
        return path


def test_nodes_with_one_secret_find_together_and_keep_out_one_with_another(tmp_path: Path) -> None:
    with _Secretive(3, tmp_path) as cluster:
        assert cluster.talk(0, b"set cart 0 0 5\r\nbooks", b"STORED\r\n")
        cluster.stop(2)
        cluster.secret(2).write_bytes(SECRET[::-1])
        cluster.start(2)
        one, three = cluster.addresses[0], cluster.addresses[2]
        differs = f"the --secret-file of {three} differs from that of {one}; {REMEDY}"
        for i, line in [
            (0, "the --secret-file of the caller differs from that of the called node"),
            (2, f"{one} turned this node away: {differs}"),
        ]:
            cluster.node(i).lines_with(line, timeout_s=10)
        assert not accepts(cluster.ports[2])
        assert b"books" in cluster.stored(1, "cart")
        cluster.kill(2)
        cluster.secret(2).write_bytes(SECRET)
        cluster.start(2)
        cluster.wait_healed()
        assert b"books" in cluster.stored(2, "cart")
