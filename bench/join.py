"""A node restarts among many sessions: `python -m bench.join`.

Three real nodes are filled, one is killed and started again while clients go on reading and writing through
the other two. Shown: how long it took to serve again, that it held everything when it did, and the slowest
request of the others meanwhile. The exit status is 1 if the restarted node answered before it held everything.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from itertools import count

import click

from bench.compare import _free_port

_TIMEOUT_S = 120.0
_BATCH = 1_000


class _Node:
    """A real node, and one connection to it."""

    def __init__(self, nodes: str, port: int, memory_mb: int) -> None:
        self.port = port
        self._command = [
            *(sys.executable, "-m", "memrep", "serve", "--nodes", nodes),
            *("--self", f"127.0.0.1:{port}", "-m", str(memory_mb)),
        ]
        self.process = self.start()
        self.sock: socket.socket

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process."""
        self.process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        return self.process

    def connected(self) -> bool:
        """Connect, if it accepts that."""
        try:
            self.sock = socket.create_connection(("127.0.0.1", self.port))
        except ConnectionRefusedError:
            return False
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(_TIMEOUT_S)
        return True

    def wait(self) -> None:
        """Wait until it serves."""
        deadline = time.monotonic() + _TIMEOUT_S
        while not self.connected():
            if time.monotonic() > deadline:
                raise click.ClickException(f"node {self.port} does not serve")
            time.sleep(0.005)

    def ask(self, data: bytes, end: bytes, times: int = 1) -> bytes:
        """Send bytes; return the answer, which is complete when `end` has come so many times."""
        self.sock.sendall(data)
        answer = b""
        while answer.count(end) < times:
            received = self.sock.recv(1 << 16)
            if not received:
                raise click.ClickException(f"node {self.port} closed the connection")
            answer += received
        return answer

    def items(self) -> int:
        """How many items it holds."""
        answer = self.ask(b"stats\r\n", b"END\r\n").decode()
        return int(next(line for line in answer.splitlines() if " curr_items " in line).split()[2])


@click.command()
@click.option("--sessions", default=100_000, show_default=True)
@click.option("--size", default=1_000, show_default=True, help="Bytes of a session.")
def main(sessions: int, size: int) -> None:
    """Restart one of three nodes among many sessions."""
    ports = [_free_port() for _ in range(3)]
    nodes = ",".join(f"127.0.0.1:{port}" for port in ports)
    memory_mb = 64 + sessions * (size + 600) // (1 << 20)
    cluster = [_Node(nodes, port, memory_mb) for port in ports]
    try:
        early = _run(cluster, sessions, size)
    finally:
        for node in cluster:
            node.process.kill()
            node.process.wait()
    sys.exit(early)


def _run(cluster: list[_Node], sessions: int, size: int) -> bool:
    for node in cluster:
        node.wait()
    started = time.perf_counter()
    for begin in range(0, sessions, _BATCH):
        batch = [
            b"set session%d 0 1440 %d\r\n%b\r\n" % (i, size, b"%d:" % i + b"x" * (size - len(str(i)) - 1))
            for i in range(begin, min(begin + _BATCH, sessions))
        ]
        cluster[0].ask(b"".join(batch), b"STORED\r\n", len(batch))
    click.echo(f"{sessions} sessions of {size} bytes stored in {time.perf_counter() - started:.1f} s")
    back, *others = cluster
    back.process.kill()
    back.process.wait()
    back.start()
    started = time.perf_counter()
    slowest = 0.0
    requests = 0
    for turn in count():
        node = others[turn % 2]
        key = b"session%d" % (turn * 7919 % sessions)
        for request, end in (
            (b"get %b\r\n" % key, b"END\r\n"),
            (b"set new%d 0 1440 %d\r\n%b\r\n" % (turn, size, b"y" * size), b"STORED\r\n"),
        ):
            began = time.perf_counter()
            node.ask(request, end)
            slowest = max(slowest, time.perf_counter() - began)
            requests += 1
        if back.connected():
            break
    took = time.perf_counter() - started
    held, wanted = back.items(), sessions + requests // 2
    click.echo(f"restarted; served again after {took:.2f} s, then holding {held} of {wanted} items")
    click.echo(f"meanwhile {requests} requests to the other two, the slowest took {slowest * 1000:.1f} ms")
    return held < wanted


if __name__ == "__main__":
    main()
