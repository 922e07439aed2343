"""Does a node's memory stay flat under very many malformed connections? `python -m bench.malformed`.

With `--protocol redis` they come to Redis' port. A real node is started, and clients of all sorts of bad
manners come and go, a crowd at a time: lines without an end, packets that announce 4 GB, data blocks that never
come, wrong magics, half a command and a reset. Its resident memory is read before, in between and after. A
first tenth of the connections is for warming up: allocators keep what they have once had, and some of what is
sent is a proper set by chance, so that the node is given 2 MB for items. In the end as many as may come (-c)
stay, each in the midst of a command. The exit status is 1 if the node grew by more than GROWTH_MB, or by more
than HALF_OPEN_KB for each of those, or lets one more in, or does not answer when they have left.
"""

from __future__ import annotations

import os
import random
import resource
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Final

import click

from bench.asking import HOST, START_S, ask, wait_until
from bench.costs import resident
from memrep.protocol.memcached.binary.packet import HEADER, REQUEST
from tests.real.processes import PortLease

_VERSION: Final = b"version\r\n"

#: What one client says, by chance.
Say = Callable[[random.Random], bytes]

GROWTH_MB: Final = 8.0

HALF_OPEN_KB: Final = 10.0

_CROWD: Final = 200

#: So much of a node's log is shown when something is wrong.
_LOG_BYTES: Final = 10_000
_CLIENTS_MAX: Final = 1_000
_RESET: Final = struct.pack("ii", 1, 0)


def requests(chance: random.Random) -> bytes:
    """What one client says."""
    key = chance.randbytes(chance.randrange(1, 300))
    opcode = chance.randrange(256)
    lengths = chance.choice([0, 1, 24, 250, 65_535]), chance.choice([0, 4, 8, 20, 255])
    announced = chance.choice([0, 24, 300, 70_000, 1 << 21, 0xFFFFFFFF])
    packet = HEADER.pack(REQUEST, opcode, *lengths, 0, 0, announced, 7, chance.randrange(3)) + key
    return chance.choice(
        [
            b"x" * chance.randrange(1, 5_000),
            b"get " + key,
            b"get " + b"k " * chance.randrange(1, 20_000),
            b"set k 0 0 1000000\r\n" + b"x" * chance.randrange(2_000),
            b"set k 0 0 5\r\ntoo much\r\n" * 20,
            b"set " + key + b" 0 0 99999999999999999999\r\n",
            b"mg " + key + b" " + b"v " * 30 + b"\r\n",
            b"ms k 100000 T\r\n" + b"y" * 1_000,
            b"ms k S1 MZ O" + b"o" * 60 + b"\r\n",
            b"ma k " + key + b"\r\nme\r\nmn\r\n",
            b"incr k " + b"9" * 2_000 + b"\r\n",
            b"\0" * 100 + b"\r\n" * 2_000,
            packet,
            packet[:23],
            packet * 20,
            b"\x81" + packet,
            bytes([REQUEST]) + chance.randbytes(200),
        ]
    )


def redis_requests(chance: random.Random) -> bytes:
    """What one client says to Redis' port."""
    key = chance.randbytes(chance.randrange(1, 300))
    announced = chance.choice([0, 24, 300, 70_000, 1 << 21, 1 << 29, 1 << 40, -1])
    value = b"$%d\r\n%b\r\n" % (len(key), key)
    return chance.choice(
        [
            b"x" * chance.randrange(1, 5_000),
            b"GET " + key + b"\r\n",
            b"*%d\r\n" % announced + value * 3,
            b"*3\r\n$3\r\nSET\r\n" + value + b"$%d\r\n" % announced + b"x" * chance.randrange(2_000),
            b"*2\r\n$3\r\nGET\r\n" + value,
            b"*2\r\n+GET\r\n" + value,
            b"*1\r\n*1\r\n$4\r\nPING\r\n",
            b"*1000000\r\n" + value * 20,
            b'SET "' + key,
            b"MULTI\r\n" + b"SET a b\r\n" * chance.randrange(200),
            b"SUBSCRIBE " + b"c " * chance.randrange(300) + b"\r\nGET a\r\n",
            b"WATCH " + b"k " * chance.randrange(300) + b"\r\n",
            b"EVAL " + b"x" * chance.randrange(3_000) + b" 1 a\r\n",
            b"KEYS " + b"*a" * chance.randrange(400) + b"\r\nSCAN 0\r\n",
            b"MSET " + b"k v " * chance.randrange(500) + b"\r\n",
            b"SETRANGE k 1000000000 x\r\nAPPEND k " + key + b"\r\n",
            b"HELLO 3\r\n" + b"INFO\r\nCOMMAND\r\n" * 5,
            b"POST / HTTP/1.1\r\n",
            b"*\r\n$\r\n" * 50,
            chance.randbytes(200),
            *_redis_state(chance, key),
        ]
    )


def _redis_state(chance: random.Random, key: bytes) -> list[bytes]:
    """What a node keeps for a client, or for all, until somebody goes: names, patterns, scripts, messages."""
    names = b" ".join(b"%x" % chance.getrandbits(64) for _ in range(chance.randrange(1, 200)))
    value = b"$%d\r\n%b\r\n" % (len(key), key)
    return [
        b"SUBSCRIBE " + names + b"\r\nPSUBSCRIBE " + names + b"\r\n",
        b"HELLO 3\r\nPSUBSCRIBE *\r\n" + b"PUBLISH a b\r\n" * chance.randrange(300),
        b"PUBLISH " + names[:16] + b" " + b"m" * 10_000 + b"\r\n",
        b"WATCH " + names + b"\r\nMULTI\r\nEXEC\r\nWATCH " + names + b"\r\n",
        b"CLIENT SETNAME " + b"n" * chance.randrange(2_000) + b"\r\nCLIENT LIST\r\n",
        b"CLIENT REPLY OFF\r\n" + b"GET a\r\nKEYS *\r\n" * 50 + b"QUIT\r\n",
        b"*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n" + value,
        b"*4\r\n$4\r\nEVAL\r\n" + value + b"$1\r\n1\r\n" + value,
        b"SCAN 0 COUNT 1\r\nSCAN 1 COUNT 1000000000\r\nSELECT 7\r\nSCAN 0\r\n",
        b"HELLO 3 AUTH " + names[:40] + b" SETNAME\r\nAUTH x\r\nAUTH " + b"p" * 3_000 + b"\r\n",
        b"MULTI\r\n" + b"KEYS *\r\n" * 100 + b"FOO\r\nEXEC\r\nEXEC\r\n",
        b"MULTI\r\nSET a " + b"v" * 5_000 + b"\r\nGET a\r\n" * 300 + b"EXEC\r\n",
        b"*0\r\n*-1\r\n\r\n" * 500,
        b"*2\r\n$0000000003\r\nGET\r\n" + value,
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\ntoo much\r\n" * 20,
        b"ECHO 'a\\'" + b'"\\x0' * chance.randrange(500) + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(300),
        b"set k 0 0 5\r\nvalue\r\n" * 20,
    ]


def _connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=START_S)


def _megabytes(process: int) -> float:
    return resident([process]) / (1 << 20)


def crowd(port: int, size: int, chance: random.Random, say: Say = requests) -> None:
    """So many clients at once; some leave by a reset, some without a word, some read what they are told."""
    # A node that the machine has let wait for too long refuses for a moment.
    clients = [wait_until(lambda: _connected(port), "the node takes a client") for _ in range(size)]
    for client in clients:
        with suppress(OSError):
            client.sendall(say(chance))
    for client in clients:
        way = chance.randrange(3)
        with suppress(OSError):
            if way == 0:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            elif way == 1 and select.select([client], [], [], 0.0)[0]:
                client.recv(1 << 20)
        client.close()


def run(
    port: int, process: int, connections: int, seed: int, say: Say = requests
) -> Iterator[tuple[int, float]]:
    """Let them come; how many there were and the node's memory, MB, now and then."""
    chance = random.Random(seed)
    done, told = 0, 0
    while done < connections:
        size = min(_CROWD, connections - done)
        crowd(port, size, chance, say)
        done += size
        if done - told >= connections // 10 or done == connections:
            told = done
            yield done, _megabytes(process)


#: The beginning of a command of each kind, as long as its kind allows without a word of complaint.
_REDIS_HALVES: Final = (
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\n" + b"x" * 900,
    b"*1000\r\n$4\r\nMGET\r\n" + b"$1\r\nk\r\n" * 200,
    b"GET " + b"k" * 2_000,
    b"*1\r\n$4\r\nPI",
    b"MULTI\r\n" + b"SET k v\r\n" * 2 + b"GET",
)
_HALVES: Final = (
    b"get " + b"k " * 1_000,
    b"set k 0 0 1000\r\n" + b"x" * 900,
    b"mg " + b"k" * 200,
    HEADER.pack(REQUEST, 0x01, 1, 8, 0, 0, 4_000, 0, 0) + bytes(3_000),
    bytes([REQUEST]) * 20,
)


def half_open(
    port: int, process: int, clients: int, halves: Sequence[bytes] = _HALVES, question: bytes = _VERSION
) -> tuple[float, bytes]:
    """As many clients as may come stop in the midst of a command.

    Returns:
        What each of them costs the node, KB, and what it tells one more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, clients + 200)), hard))
    before = _megabytes(process)
    with ExitStack() as stack:
        for number in range(clients):
            client = stack.enter_context(_connected(port))
            client.sendall(halves[number % len(halves)])
        with _connected(port) as more:
            more.sendall(question)
            told = more.recv(100)  # its turn comes after all of theirs
        return (_megabytes(process) - before) * 1024 / clients, told


@click.command()
@click.option("--connections", default=100_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--protocol", type=click.Choice(["memcached", "redis"]), default="memcached", show_default=True)
def main(connections: int, seed: int, protocol: str) -> None:
    """Send very many malformed connections to one node."""
    lease = PortLease(2)
    port, redis = lease.ports
    question = _VERSION if protocol == "memcached" else b"PING\r\n"
    used, say, halves = (
        (port, requests, _HALVES) if protocol == "memcached" else (redis, redis_requests, _REDIS_HALVES)
    )
    command = [sys.executable, "-m", "memrep", "serve", "-p", str(port), "--redis", str(redis), "-m", "2"]
    command += ["-c", str(_CLIENTS_MAX)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        until_answered(port)
        figures = []
        for done, megabytes in run(used, process.pid, connections, seed, say):
            figures.append(megabytes)
            click.echo(f"{done:7d} connections: {megabytes:.1f} MB")
        growth = max(figures[1:]) - figures[0]
        until_answered(port)
        each, told = half_open(used, process.pid, _CLIENTS_MAX, halves, question)
        click.echo(
            f"after the first tenth it grew by {growth:.1f} MB; {_CLIENTS_MAX} clients in the midst of a "
            f"command cost {each:.1f} KB each, and one more is told {told!r}"
        )
        until_answered(port)
        if growth > GROWTH_MB or each > HALF_OPEN_KB or told:
            sys.exit(1)
    finally:
        process.kill()
        log = process.communicate()[1].decode()
        failed = sys.exc_info()[0] not in (None, SystemExit)
        if failed or "fault in memrep" in log or "Traceback" in log:
            click.echo(log[-_LOG_BYTES:])
            sys.exit(1)


def until_answered(port: int) -> None:
    """Wait until the node serves, and has room for one more."""
    wait_until(lambda: ask(port, _VERSION, b"\r\n").startswith(b"VERSION"), "the node serves")


if __name__ == "__main__":
    main()
