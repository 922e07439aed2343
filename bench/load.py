"""A load for memcached and Redis servers: many connections, one request at a time on each, get and set in turn,
or only one of them.

Run as a process of its own, so that its CPU time is not the server's: `python -m bench.load PORT`. It prints
one JSON line. Bounded in count; ends by itself.
"""

from __future__ import annotations

import json
import select
import socket
import time

import click

_RECEIVE_BYTES = 1 << 16


class _Connection:
    """One connection and what it waits for."""

    def __init__(self, port: int, protocol: str, number: int, size: int, only: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = b"load%d" % number
        value = b"x" * size
        if protocol == "redis":
            self.set = _array(b"SET", key, value)
            self.get = _array(b"GET", key)
            self.hit = b"$%d\r\n%b\r\n" % (size, value)
            self.stored = b"+OK\r\n"
        else:
            self.set = b"set %b 0 0 %d\r\n%b\r\n" % (key, size, value)
            self.get = b"get %b\r\n" % key
            self.hit = b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, size, value)
            self.stored = b"STORED\r\n"
        self.only = only
        self.expected = b""
        self.received = b""
        self.turn = 0
        self.began = 0

    def send(self) -> None:
        """Send the next request."""
        self.turn += 1
        sets = self.turn == 1 or self.only == "set" or (not self.only and self.turn % 2)
        request, self.expected = (self.set, self.stored) if sets else (self.get, self.hit)
        self.received = b""
        self.began = time.perf_counter_ns()
        self.sock.sendall(request)

    def answered(self) -> bool:
        """Take what came; say whether the answer is complete. A wrong one ends the run."""
        self.received += self.sock.recv(_RECEIVE_BYTES)
        if len(self.received) < len(self.expected):
            return False
        assert self.received == self.expected, f"wrong answer: {self.received[:80]!r}"
        return True


def _array(*words: bytes) -> bytes:
    """A command of Redis' protocol."""
    return b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))


def run(port: int, protocol: str, connections: int, requests: int, size: int, only: str) -> dict[str, float]:
    """Do this many requests; returns requests a second and latencies in us."""
    epoll = select.epoll()
    clients = {}
    for number in range(connections):
        client = _Connection(port, protocol, number, size, only)
        clients[client.sock.fileno()] = client
        epoll.register(client.sock, select.EPOLLIN)
    latencies = []
    started = time.perf_counter()
    for client in clients.values():
        client.send()
    done = 0
    while done < requests:
        for fd, _ in epoll.poll():
            client = clients[fd]
            if client.answered():
                latencies.append(time.perf_counter_ns() - client.began)
                done += 1
                client.send()
    elapsed = time.perf_counter() - started
    latencies.sort()
    return {
        "requests": done,
        "requests_per_s": done / elapsed,
        "p50_us": latencies[len(latencies) // 2] / 1000,
        "p99_us": latencies[len(latencies) * 99 // 100] / 1000,
    }


@click.command()
@click.argument("port", type=int)
@click.option("--protocol", type=click.Choice(["memcached", "redis"]), default="memcached", show_default=True)
@click.option("--connections", default=32, show_default=True)
@click.option("--requests", default=60_000, show_default=True)
@click.option("--size", default=500, show_default=True)
@click.option(
    "--only", type=click.Choice(["", "get", "set"]), default="", help="Behind a first set, only these."
)
def main(port: int, protocol: str, connections: int, requests: int, size: int, only: str) -> None:
    """Load the server on 127.0.0.1:PORT."""
    click.echo(json.dumps(run(port, protocol, connections, requests, size, only)))


if __name__ == "__main__":
    main()
