"""How long others wait while one client asks for very much: `python -m bench.fairness`.

Each kind of load runs against a fresh server for a few seconds, from a process of its own; meanwhile somebody
asks the same server every 2 ms for next to nothing, and notes how long that took. Beside memrep stand memcached
-t 1 and redis-server, as far as they know the load. The last columns tell how long memrep's longest turn was on
a CPU, which no neighbour on this machine makes longer, and how many took above 10 ms (bench/turns.py).

With `--nodes 3` the load goes to the first node of three, and whoever asks for next to nothing asks the second,
too; the turns are those of all three. Their views must not change, nor may any take itself for stopped.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import click

from bench.asking import HOST, stats, wait_until
from bench.filling import fill
from bench.peers import ONE_NODE, Servers, free_ports, running, serves_among
from bench.turns import TurnTimes

MEGABYTE: Final = b"x" * 1_000_000
KEYS: Final = 10_000
CROWD: Final = 1_000

_KEY: Final = b"key%d"
_VALUE_BYTES: Final = 10

_PING_S: Final = 0.002
_RECEIVE_BYTES: Final = 1 << 18

#: What a client does until this moment, on the monotonic clock.
Load = Callable[[int, float], None]


# --- what is sent


def _array(*words: bytes) -> bytes:
    return b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))


def _packet(opcode: int, key: bytes = b"", extras: bytes = b"", value: bytes = b"") -> bytes:
    size = len(extras) + len(key) + len(value)
    header = b"\x80%c%b%c\0\0\0%b" % (
        opcode, len(key).to_bytes(2, "big"), len(extras), size.to_bytes(4, "big"),
    )  # fmt: skip
    return header + bytes(12) + extras + key + value


_NAMES: Final = [_KEY % number for number in range(KEYS)]


def _pairs() -> Iterator[bytes]:
    for name in _NAMES:
        yield from (name, b"v" * 100)


# --- what clients do


def flood(data: bytes, piece: int = 1 << 16) -> Load:
    """Send this again and again, in pieces of so many bytes, whatever comes back."""

    def load(port: int, until: float) -> None:
        with socket.create_connection((HOST, port)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            poll = select.poll()
            poll.register(sock, select.POLLIN | select.POLLOUT)
            view, at = memoryview(data), 0
            while time.monotonic() < until:
                for _, events in poll.poll(100):
                    if events & select.POLLIN and not sock.recv(_RECEIVE_BYTES):
                        raise ConnectionError("the server hung up")
                    if events & select.POLLOUT:
                        with suppress(BlockingIOError):
                            at = (at + sock.send(view[at : at + piece])) % len(data)

    return load


def once(data: bytes) -> Load:
    """Send this once, and take what comes back."""

    def load(port: int, until: float) -> None:
        with socket.create_connection((HOST, port)) as sock:
            sock.sendall(data)
            while (left := until - time.monotonic()) > 0:
                sock.settimeout(left)
                with suppress(TimeoutError):
                    if not sock.recv(_RECEIVE_BYTES):
                        raise ConnectionError("the server hung up")

    return load


def crowd(first: bytes) -> Load:
    """Let very many connect at once, each say this, and hang up when answered; again and again."""

    def load(port: int, until: float) -> None:
        while time.monotonic() < until:
            _together(port, until, lambda told: b"", first)

    return load


def queue(take: bytes, taken: bytes, release: bytes) -> Load:
    """Let very many wait for one lock, by asking for it again and again as PHP does; who has it releases it."""
    return lambda port, until: _together(port, until, lambda told: release if told == taken else take, take)


def _together(port: int, until: float, answer: Callable[[bytes], bytes], first: bytes) -> None:
    """Let very many connect and say `first`, then what `answer` makes of what they hear; nothing ends it."""
    with ExitStack() as stack:
        poll = select.epoll()
        stack.callback(poll.close)
        clients: dict[int, socket.socket] = {}
        for _ in range(CROWD):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((HOST, port))
            clients[client.fileno()] = client
            poll.register(client, select.EPOLLOUT)
        while clients and time.monotonic() < until:
            for fd, events in poll.poll(0.1):
                client = clients[fd]
                said = answer(client.recv(100)) if events & select.EPOLLIN else first
                if said:
                    client.sendall(said)
                    poll.modify(fd, select.EPOLLIN)
                else:
                    poll.unregister(fd)
                    del clients[fd]


# --- the kinds


@attrs.frozen
class Kind:
    """A kind of load.

    Attributes:
        name: what it is called.
        protocol: of which port.
        load: what the client does.
        keys: how many are stored before.
        beside: whether memcached or redis-server knows it, too.
    """

    name: str
    protocol: str
    load: Load
    keys: int = KEYS
    beside: bool = True


def _kinds(million: int) -> list[Kind]:
    text_set = b"set big 0 0 %d\r\n%b\r\n" % (len(MEGABYTE), MEGABYTE)
    binary_set = _packet(0x01, b"big", bytes(8), MEGABYTE)
    resp_set = _array(b"SET", b"big", MEGABYTE)
    pairs = b"".join(b"set %b 0 0 3\r\nabc\r\nget %b\r\n" % (name, name) for name in _NAMES)
    packets = b"".join(_packet(0x01, name, bytes(8), b"abc") + _packet(0x00, name) for name in _NAMES)
    quiet = b"".join(_packet(0x09, name) for name in _NAMES) + _packet(0x0A)
    return [
        Kind("text pipeline", "text", flood(pairs)),
        Kind("meta pipeline", "text", flood(b"".join(b"mg %b v\r\n" % name for name in _NAMES))),
        Kind("binary pipeline", "text", flood(packets)),
        Kind(
            "redis pipeline",
            "redis",
            flood(b"".join(_array(b"SET", n, b"abc") + _array(b"GET", n) for n in _NAMES)),
        ),
        Kind("text set 1 MB", "text", flood(text_set)),
        Kind("text set 1 MB by 10", "text", flood(text_set, 10)),
        Kind("text get 1 MB", "text", flood(text_set + b"get big\r\n" * 50)),
        Kind("binary set 1 MB", "text", flood(binary_set)),
        Kind("binary set 1 MB by 10", "text", flood(binary_set, 10)),
        Kind("redis set 1 MB", "redis", flood(resp_set)),
        Kind("redis set 1 MB by 10", "redis", flood(resp_set, 10)),
        Kind("redis get 1 MB", "redis", flood(resp_set + _array(b"GET", b"big") * 50)),
        Kind("text get of 10,000", "text", flood(b"get %b\r\n" % b" ".join(_NAMES))),
        Kind("text get of 10,000 by 10", "text", flood(b"get %b\r\n" % b" ".join(_NAMES), 10)),
        Kind("binary quiet get of 10,000", "text", flood(quiet)),
        Kind("MGET of 10,000", "redis", flood(_array(b"MGET", *_NAMES))),
        Kind("MGET of 10,000 by 10", "redis", flood(_array(b"MGET", *_NAMES), 10)),
        Kind("MSET of 10,000", "redis", flood(_array(b"MSET", *_pairs()))),
        Kind("MSETNX of 10,000", "redis", flood(_array(b"MSETNX", *_pairs()))),
        Kind("MSET and DEL of 10,000", "redis", flood(_array(b"MSET", *_pairs()) + _array(b"DEL", *_NAMES))),
        Kind("EXISTS of 10,000", "redis", flood(_array(b"EXISTS", *_NAMES))),
        Kind("MULTI of 1,000 SET", "redis", flood(
            _array(b"MULTI") + b"".join(_array(b"SET", n, b"abc") for n in _NAMES[:1000]) + _array(b"EXEC"))),
        Kind("1,000 connect at once", "text", crowd(b"get key1\r\n")),
        Kind("1,000 connect at once, redis", "redis", crowd(_array(b"PING"))),
        Kind("lock of 1,000 waiters, add", "text", queue(
            b"add lock.key-s 0 15 1\r\n1\r\n", b"STORED\r\n", b"delete lock.key-s\r\n")),
        Kind("lock of 1,000 waiters, NX", "redis", queue(
            _array(b"SET", b"PHPREDIS_SESSION:s_LOCK", b"hostname-1", b"NX", b"EX", b"15"),
            b"+OK\r\n", _array(b"DEL", b"PHPREDIS_SESSION:s_LOCK"))),
        Kind("KEYS of a million", "redis", flood(_array(b"KEYS", b"*")), million),
        Kind("SCAN of a million", "redis", flood(_array(b"SCAN", b"0") + _array(b"DBSIZE")), million),
        Kind("SCAN COUNT a million", "redis", flood(_array(b"SCAN", b"0", b"COUNT", b"1000000")), million),
        Kind("DBSIZE, RANDOMKEY of a million", "redis", flood(
            _array(b"DBSIZE") + _array(b"RANDOMKEY")), million),
        Kind("metadump of a million", "text", flood(b"lru_crawler metadump all\r\n"), million),
        Kind("cachedump of a million", "text", flood(b"stats cachedump 2 0\r\n"), million),
        Kind("stats of a million", "text", flood(
            b"stats\r\nstats items\r\nstats slabs\r\nstats sizes\r\n"), million),
        Kind("INFO of a million", "redis", flood(_array(b"INFO")), million),
        Kind("flush_all of a million", "text", once(b"flush_all\r\n"), million),
        Kind("FLUSHDB of a million", "redis", once(_array(b"FLUSHDB")), million),
    ]  # fmt: skip


# --- servers


@attrs.define
class Server:
    """A server, or a cluster of them.

    Attributes:
        ports: by protocol, that of the (first) server.
        others: the text ports of other nodes.
        times: of the turns of each node.
    """

    ports: dict[str, int]
    others: list[int] = attrs.Factory(list)
    times: list[TurnTimes] = attrs.Factory(list)

    def stats(self, group: str) -> list[dict[str, str]]:
        """Ask each node for a group of its statistics."""
        return [stats(port, group) for port in (self.ports["text"], *self.others)]


@contextmanager
def memrep(count: int) -> Iterator[Server]:
    """Run so many nodes of memrep."""
    with free_ports(2 * count) as free, tempfile.TemporaryDirectory() as directory:
        ports, redis = free[:count], free[count:]
        nodes = ["--nodes", ",".join(f"{HOST}:{port}" for port in ports)] if count > 1 else []
        files = [Path(directory) / str(port) for port in ports]
        times = [TurnTimes(file) for file in files]
        commands = [
            [
                sys.executable, "-m", "bench.turns", str(file), "serve", "--self", f"{HOST}:{port}",
                *nodes, "--redis", str(its_redis), "-m", "1500", "-c", "4000",
            ]
            for file, port, its_redis in zip(files, ports, redis, strict=True)
        ]  # fmt: skip
        with running(commands):
            for port in ports:
                wait_until(partial(serves_among, port, count), f"memrep serves at {port}")
            yield Server({"text": ports[0], "redis": redis[0]}, ports[1:], times)


@contextmanager
def peer(protocol: str) -> Iterator[Server]:
    """Run memcached or redis-server."""
    with ONE_NODE["redis-server" if protocol == "redis" else "memcached"](1_500) as servers:
        yield Server({protocol: servers.ports[0]})


# --- who waits


class Waiter(threading.Thread):
    """Somebody who asks for next to nothing every 2 ms, and notes how long that took, s."""

    def __init__(self, port: int, said: bytes) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.over = threading.Event()
        self._said = said
        self._sock = socket.create_connection((HOST, port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self) -> None:
        with self._sock:
            while not self.over.wait(_PING_S):
                began = time.perf_counter()
                self._sock.sendall(self._said)
                if not self._sock.recv(1000):
                    raise ConnectionError("the server hung up")
                self.waits.append(time.perf_counter() - began)


def _described(waits: list[float]) -> str:
    waits = sorted(waits)
    places = [waits[min(len(waits) - 1, int(len(waits) * share))] for share in (0.5, 0.99, 0.999, 1)]
    return "".join(f"{place * 1000:8.2f}" for place in places)


def _measure(server: Server, kind: Kind, seconds: float) -> str:
    port = server.ports[kind.protocol]
    protocol = "redis" if kind.protocol == "redis" else "memcached"
    fill(Servers([port], [], protocol), kind.keys, size=_VALUE_BYTES, key=_KEY)
    before = [one["view"] for one in server.stats("cluster")] if server.others else []
    time.sleep(0.3)  # what filling has left behind
    for times in server.times:
        times.take()
    said = _array(b"PING") if "text" not in server.ports else b"get nothing\r\n"
    waiters = [Waiter(one, said) for one in (server.ports.get("text", port), *server.others[:1])]
    until = time.monotonic() + seconds
    load = multiprocessing.get_context("fork").Process(target=kind.load, args=(port, until))
    load.start()
    for waiter in waiters:
        waiter.start()
    load.join(seconds + 10)
    for waiter in waiters:
        waiter.over.set()
        waiter.join()
    load.kill()
    load.join()
    line = _described([wait for waiter in waiters for wait in waiter.waits])
    if server.times:
        turns = [times.take() for times in server.times]
        line += f"{max(longest for longest, _ in turns) * 1000:8.1f}{sum(late for _, late in turns):7d}"
    if before:
        fences = sum(int(one["fences"]) for one in server.stats(""))
        changed = [one["view"] for one in server.stats("cluster")] != before
        line += f"  {fences} fences{', ANOTHER VIEW' if changed else ''}"
    return line + ("" if load.exitcode == 0 else "  (the load broke off)")


@click.command()
@click.option("--seconds", default=4.0, show_default=True, help="How long each kind lasts.")
@click.option("--nodes", default=1, show_default=True, help="Nodes of memrep.")
@click.option("--million", default=1_000_000, show_default=True, help="How many keys a million is.")
@click.option("--only", default="", help="Kinds whose name has this in it.")
@click.option("--alone", is_flag=True, help="Without memcached and redis-server.")
def main(seconds: float, nodes: int, million: int, only: str, alone: bool) -> None:
    """Measure how long others wait for one client of memrep, memcached and redis-server."""
    click.echo(f"{'waits, ms':<34}{'p50':>8}{'p99':>8}{'p99.9':>8}{'longest':>8}  turn CPU  >10 ms")
    for kind in _kinds(million):
        if only not in kind.name:
            continue
        with memrep(nodes) as server:
            click.echo(f"{kind.name:<34}{_measure(server, kind, seconds)}")
        if not alone and kind.beside:
            with peer(kind.protocol) as server:
                name = "redis-server" if kind.protocol == "redis" else "memcached"
                click.echo(f"{'  ' + name:<34}{_measure(server, kind, seconds)}")


if __name__ == "__main__":
    main()
