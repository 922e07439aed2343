"""A load for memcached and Redis servers: many connections, one request at a time on each.

Without `--rate` each connection asks again as soon as it is answered. With it requests are due at even
intervals, in turn on all connections. One that falls due while its connection still waits is sent when the
answer comes, and its time runs from when it was due: who is slow does not get fewer requests, but worse
latencies. What could not be sent within `--seconds` counts as missed. SIGTERM ends it before that.

A server may hang up, as a memrep does that a busy machine kept from the CPU for too long: its client comes
again and repeats the request, whose time runs on; it is counted (`reconnects`).

Run as a process of its own (`loading`), so that its CPU is not the server's: `python -m bench.load PORT...`.
With `--pids` it tells what those processes spent on the CPU between the first request and the last answer;
connecting and a first set of each key lie before that. Every answer is compared with what it must be. It
prints a line when it begins and one of JSON when it has ended.
"""

from __future__ import annotations

import gc
import json
import math
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import attrs
import click

from bench.asking import HOST, START_S, wait_until
from bench.costs import cpu_s

_RECEIVE_BYTES: Final = 1 << 16
WHATS: Final = ("get", "set", "mixed")


@attrs.frozen
class Load:
    """What is asked.

    Attributes:
        what: gets, sets, or both in turn.
        seconds: for how long.
        rate: requests a second over all connections; 0 for as many as are answered.
        size: bytes of a value.
        evicted: whether a miss is an answer to a get, too: others fill the server meanwhile.
    """

    what: str = "mixed"
    seconds: float = 3.0
    rate: int = 0
    connections: int = 32
    size: int = 500
    evicted: bool = False


@attrs.frozen
class Outcome:
    """What came of it; `cpu_us` is the servers' for each request."""

    requests: int
    missed: int
    reconnects: int
    requests_per_s: float
    p50_us: float
    p99_us: float
    slowest_us: float
    cpu_us: float


class _Connection:
    """One connection and what it waits for."""

    def __init__(self, port: int, protocol: str, replicas: int, number: int, load: Load) -> None:
        self._port = port
        self.sock = self._connected()
        key = b"load%d" % number
        value = b"x" * load.size
        if protocol == "redis":
            wait = _array(b"WAIT", b"%d" % replicas, b"0") if replicas else b""
            waited = b":%d\r\n" % replicas if replicas else b""
            self.set = _array(b"SET", key, value) + wait, b"+OK\r\n" + waited
            self.get = _array(b"GET", key), b"$%d\r\n%b\r\n" % (load.size, value)
        else:
            self.set = b"set %b 0 0 %d\r\n%b\r\n" % (key, load.size, value), b"STORED\r\n"
            self.get = b"get %b\r\n" % key, b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, load.size, value)
        self._miss = b"$-1\r\n" if protocol == "redis" else b"END\r\n"
        self._may_miss = load.evicted
        self._request = b""
        self.what = load.what
        self.turn = number
        self.expected = b""
        self.received = b""
        self.due: deque[float] = deque()
        self.began = 0.0

    def _connected(self) -> socket.socket:
        sock = socket.create_connection((HOST, self._port), timeout=START_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    @property
    def waits(self) -> bool:
        """Whether an answer is outstanding."""
        return self.expected != b""

    def send(self, began: float) -> None:
        """Send the next request, whose time runs from then on."""
        self.turn += 1
        sets = self.what == "set" or (self.what == "mixed" and self.turn % 2)
        self._request, self.expected = self.set if sets else self.get
        self.received = b""
        self.began = began
        with suppress(ConnectionError):  # which is told to who receives, too
            self.sock.sendall(self._request)

    def come_again(self) -> None:
        """Connect anew, and ask again for what is outstanding, whose time runs on."""
        self.sock.close()
        self.sock = wait_until(self._connected, f"port {self._port} takes a connection")
        self.received = b""
        if self.waits:
            with suppress(ConnectionError):
                self.sock.sendall(self._request)

    def answered(self) -> bool:
        """Take what came; say whether the answer is complete. A wrong one ends the run."""
        received = self.sock.recv(_RECEIVE_BYTES)
        if not received:
            raise ConnectionResetError("the server closed a connection")
        self.received += received
        if self.received == self._miss and self._may_miss:
            self.expected = b""
            return True
        if self.received == self.expected[: len(self.received)] != self.expected:
            return False
        assert self.received == self.expected, f"wrong answer: {self.received[:80]!r}"
        self.expected = b""
        return True

    def warm(self) -> None:
        """Set the key, and wait for that."""
        self._request, self.expected = self.set
        self.sock.sendall(self._request)
        while self.waits:
            try:
                self.answered()
            except ConnectionError:
                self.come_again()
        self.received = b""


def _array(*words: bytes) -> bytes:
    """A command of Redis' protocol."""
    return b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))


class _Run:
    """A load while it lasts."""

    def __init__(self, load: Load, connections: list[_Connection]) -> None:
        self._load = load
        self._connections = connections
        self._by_fd = {each.sock.fileno(): each for each in connections}
        self._epoll = select.epoll()
        for fd in self._by_fd:
            self._epoll.register(fd, select.EPOLLIN)
        self._begun = 0.0
        self._end = math.inf
        self._sent = 0
        self.latencies: list[float] = []
        self.missed = 0
        self.reconnects = 0
        self.took = 0.0

    def do(self) -> None:
        """Send all requests, and take all answers."""
        self._begun = time.perf_counter()
        self._end = min(self._end, self._begun + self._load.seconds)
        if not self._load.rate:
            for each in self._connections:
                each.send(time.perf_counter())
        while (now := time.perf_counter()) < self._end:
            for each in self._ready(self._send_due(now)):
                self._take(each, time.perf_counter() < self._end)
        self.missed = sum(len(each.due) for each in self._connections)
        while any(each.waits for each in self._connections):
            ready = self._ready(START_S)
            if not ready:
                raise RuntimeError(f"an answer is {START_S:g} s late")
            for each in ready:
                self._take(each, False)
        self.took = time.perf_counter() - self._begun

    def stop(self) -> None:
        """Send nothing any more."""
        self._end = -math.inf

    def _send_due(self, now: float) -> float:
        """Send what is due to connections that are free; for how long nothing else will be."""
        if not self._load.rate:
            return self._end - now
        while (due := self._begun + self._sent / self._load.rate) <= now:
            each = self._connections[self._sent % len(self._connections)]
            self._sent += 1
            if each.waits:
                each.due.append(due)
            else:
                each.send(time.perf_counter())  # that this process woke up late is not the server's fault
        return min(due, self._end) - now

    def _ready(self, within_s: float) -> list[_Connection]:
        """Who has got something; select, for epoll counts in whole milliseconds."""
        select.select([self._epoll], [], [], max(0.0, within_s))
        return [self._by_fd[fd] for fd, _ in self._epoll.poll(0)]

    def _take(self, each: _Connection, goes_on: bool) -> None:
        try:
            if not each.answered():
                return
        except ConnectionError:
            self._come_again(each)
            return
        now = time.perf_counter()
        self.latencies.append(now - each.began)
        if goes_on and each.due:
            each.send(each.due.popleft())
        elif goes_on and not self._load.rate:
            each.send(now)

    def _come_again(self, each: _Connection) -> None:
        self.reconnects += 1
        del self._by_fd[each.sock.fileno()]
        each.come_again()
        self._by_fd[each.sock.fileno()] = each
        self._epoll.register(each.sock, select.EPOLLIN)


def run(
    load: Load,
    ports: list[int],
    protocol: str = "memcached",
    replicas: int = 0,
    pids: tuple[int, ...] = (),
    begins: Callable[[], None] = lambda: None,
) -> Outcome:
    """Load the servers at these ports, in this process; `begins` is called right before the first request."""
    clients = [
        _Connection(ports[number % len(ports)], protocol, replicas, number, load)
        for number in range(load.connections)
    ]
    under_way = _Run(load, clients)
    before_us = signal.signal(signal.SIGTERM, lambda *_: under_way.stop())
    try:
        for each in clients:
            each.warm()
        gc.collect()
        gc.disable()
        begins()
        before = cpu_s(pids)
        under_way.do()
        spent = cpu_s(pids) - before
    finally:
        gc.enable()
        signal.signal(signal.SIGTERM, before_us)
        for each in clients:
            each.sock.close()
    latencies = sorted(under_way.latencies)
    count = len(latencies)
    if not count:
        raise RuntimeError("no request was answered")
    p50, p99, slowest = (latencies[min(count - 1, count * part // 100)] * 1e6 for part in (50, 99, 100))
    return Outcome(
        count,
        under_way.missed,
        under_way.reconnects,
        count / under_way.took,
        p50,
        p99,
        slowest,
        spent / count * 1e6,
    )


@click.command()
@click.argument("ports", type=int, nargs=-1, required=True)
@click.option("--protocol", type=click.Choice(["memcached", "redis"]), default="memcached", show_default=True)
@click.option("--what", type=click.Choice(WHATS), default="mixed", show_default=True)
@click.option("--seconds", default=3.0, show_default=True)
@click.option("--rate", default=0, help="Requests a second; 0: as many as are answered.", show_default=True)
@click.option("--connections", default=32, show_default=True)
@click.option("--size", default=500, show_default=True, help="Bytes of a value.")
@click.option("--replicas", default=0, help="Redis: WAIT for so many behind each set.")
@click.option("--evicted", default=False, help="Whether a miss is an answer to a get: others fill the server.")
@click.option("--pids", default="", help="Servers whose CPU time counts, with commas.")
def main(
    ports: tuple[int, ...],
    protocol: str,
    what: str,
    seconds: float,
    rate: int,
    connections: int,
    size: int,
    replicas: int,
    pids: str,
    *,
    evicted: bool,
) -> None:
    """Load the servers on 127.0.0.1:PORTS, each with its share of the connections."""
    load = Load(what, seconds, rate, connections, size, evicted)
    counted = tuple(int(pid) for pid in pids.split(",") if pid)
    done = run(load, list(ports), protocol, replicas, counted, lambda: print("begun", flush=True))
    click.echo(json.dumps(attrs.asdict(done)))


if __name__ == "__main__":
    main()
