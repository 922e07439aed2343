"""Does a node keep its size? `python -m bench.soak --minutes 60`: three nodes with everything on, for an hour.

They serve memcached's and Redis' clients at a site's pace, who come and go as PHP does; a Prometheus scrapes
each of them once a second, a browser has the page of each open, an operator asks for status, clients and
locks, sends SIGHUP, and once in a while one node is killed and started again. Each minute is told: resident
memory and descriptors of each node. The exit status is 1 if a node that has lived through the second half has
grown in it by more than GROWTH_MB, or has more descriptors at its end than SPARE above those at its
beginning.
"""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import click

from bench.asking import HOST, wait_until
from bench.costs import resident
from bench.peers import free_ports, launch, memrep_command, running, serves_among
from bench.watchers import watching
from tests.real.processes import PortLease

GROWTH_MB: Final = 2.0
SPARE: Final = 8

_NODES: Final = 3
_MEGABYTES: Final = 32
_CLIENT_THREADS: Final = 4
#: So few that within minutes each has been a session and a tombstone. Those live for an hour; with a new key at
#: each page the nodes would grow by them all the time, up to their limit, and hide what leaks.
_KEYS: Final = 2_000
#: Between two pages of a thread. Values of many sizes take the heap apart for the first 100,000 pages or so,
#: and it grows by some megabytes until then; at a page in 0.2 s that was all of the hour, and hid what leaks.
_PAGE_S: Final = 0.02
_OPERATOR_S: Final = 5.0
_MINUTE_S: Final = 60.0
_TIMEOUT_S: Final = 5.0
_REDIS_SHARE: Final = 0.3
_ASKED: Final = (
    ["status"], ["status", "-w", "json"], ["check"], ["clients", "--seconds", "0.1"], ["locks"], ["slow"],
)  # fmt: skip


def page(port: int, chance: random.Random) -> None:
    """Make a page as PHP does: connect, lock, read, write, release, go."""
    key = b"memc.sess.key.%d" % chance.randrange(_KEYS)
    value = chance.randbytes(chance.randrange(50, 900))
    with socket.create_connection((HOST, port), _TIMEOUT_S) as client:
        client.settimeout(_TIMEOUT_S)
        _say(client, b"add %s.lock 0 15 1\r\n1\r\n" % key)
        _say(client, b"get %s\r\n" % key)
        _say(client, b"set %s 0 %d %d\r\n%s\r\n" % (key, chance.choice((30, 300, 1440)), len(value), value))
        _say(client, b"delete %s.lock\r\n" % key)


def redis_page(port: int, chance: random.Random) -> None:
    """Make a page as phpredis does."""
    key = b"PHPREDIS_SESSION:%d" % chance.randrange(_KEYS)
    with socket.create_connection((HOST, port), _TIMEOUT_S) as client:
        client.settimeout(_TIMEOUT_S)
        _say(client, b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key))
        _say(client, b"*4\r\n$5\r\nSETEX\r\n$%d\r\n%s\r\n$3\r\n300\r\n$5\r\nhello\r\n" % (len(key), key))


def _say(client: socket.socket, command: bytes) -> None:
    client.sendall(command)
    if not client.recv(1 << 16):
        raise ConnectionResetError


class Soak:
    """The nodes, and those who use them.

    Args:
        directory: for sockets.
        stack: gives back what they have.
    """

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory = directory
        self._ended = threading.Event()
        self.ports = stack.enter_context(free_ports(_NODES))
        lease = PortLease(2 * _NODES)
        stack.callback(lease.close)
        self.http, self._redis = lease.ports[:_NODES], lease.ports[_NODES:]
        self.nodes = stack.enter_context(running([self._command(i) for i in range(_NODES)]))
        self.pages = 0
        self.failed = 0
        self._threads = [
            threading.Thread(target=self._visit, args=(number,)) for number in range(_CLIENT_THREADS)
        ]
        self._threads.append(threading.Thread(target=self._operate))
        stack.callback(self._end)

    def _command(self, i: int) -> list[str]:
        """Return how node i is started, with everything on."""
        return [
            *memrep_command(self.ports, self.ports[i], _MEGABYTES), "--http", str(self.http[i]),
            "--redis", str(self._redis[i]), "--admin", str(self._admin(i)),
            "--unix", str(self._directory / f"clients{i}.sock"),
        ]  # fmt: skip

    def _admin(self, i: int) -> Path:
        return self._directory / f"{i}.sock"

    def begin(self) -> None:
        """Begin to use them, once they serve."""
        for port in self.ports:
            wait_until(lambda port=port: serves_among(port, _NODES), "the nodes serve")  # type: ignore[misc]
        for thread in self._threads:
            thread.start()

    def replace(self, i: int) -> None:
        """Kill node i, and start it again."""
        self.nodes[i].kill()
        self.nodes[i].wait()
        self.nodes[i] = launch(self._command(i))

    def _visit(self, number: int) -> None:
        """Make pages until the end."""
        chance = random.Random(number)
        while not self._ended.wait(_PAGE_S):
            self.pages += 1
            try:
                if chance.random() < _REDIS_SHARE:
                    redis_page(chance.choice(self._redis), chance)
                else:
                    page(chance.choice(self.ports), chance)
            except OSError:
                self.failed += 1  # a node is being started

    def _operate(self) -> None:
        """Ask as an operator does, until the end."""
        turn = 0
        while not self._ended.wait(_OPERATOR_S):
            turn += 1
            command = [sys.executable, "-m", "memrep", *_ASKED[turn % len(_ASKED)]]
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    [*command, "--admin", str(self._admin(turn % _NODES))],
                    capture_output=True, timeout=_MINUTE_S, check=False,
                )  # fmt: skip
            self.nodes[turn % _NODES].send_signal(signal.SIGHUP)

    def _end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(_MINUTE_S)


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@click.command()
@click.option("--minutes", default=60, show_default=True, type=click.IntRange(2))
def main(minutes: int) -> None:
    """Use three nodes with everything on for so long, and tell each minute how large they are."""
    sizes: list[list[tuple[float, int]]] = []
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        soak = Soak(Path(directory), stack)
        soak.begin()
        with watching(soak.http) as watched:
            for minute in range(minutes):
                if minute == minutes // 4:
                    soak.replace(_NODES - 1)
                time.sleep(_MINUTE_S)
                pids = [node.pid for node in soak.nodes]
                sizes.append([(resident([pid]) / (1 << 20), descriptors(pid)) for pid in pids])
                told = "   ".join(f"{megabytes:6.1f} MB {count:3} fds" for megabytes, count in sizes[-1])
                scrapes = watched.answers.get("/metrics", 0)
                told += f"   {soak.pages:7} pages, {soak.failed} failed, {scrapes} scrapes"
                click.echo(f"{minute + 1:3} min   {told}")
                sys.stdout.flush()
    half = sizes[minutes // 2 :]
    grown = [half[-1][i][0] - half[0][i][0] for i in range(_NODES)]
    leaked = [half[-1][i][1] - half[0][i][1] for i in range(_NODES)]
    click.echo(f"in the second half: {', '.join(f'{mb:+.1f} MB' for mb in grown)}; descriptors {leaked}")
    sys.exit(1 if max(grown) > GROWTH_MB or max(leaked) > SPARE else 0)


if __name__ == "__main__":
    main()
