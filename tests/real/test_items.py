"""Big and odd items, over three real nodes and in every protocol: nothing of them is changed on the way.

What PHP stores may be large, compressed, empty, or a number with flags; a cache's keys may be any bytes.
Whatever one node takes, the others must show to the byte.
"""

import hashlib
import os
import socket
import subprocess
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from pymemcache.client.base import Client

from memrep.protocol.memcached.binary.packet import (
    ADD,
    APPEND,
    GET,
    GETK,
    HEADER,
    HEADER_BYTES,
    NOOP,
    REQUEST,
    SET,
)

from .cluster import Cluster
from .php import CLI_SETTINGS, find_php, pecl_memcache, php_memcached_binary
from .processes import HOST

pytestmark = pytest.mark.real

MEGABYTE = 1 << 20
ITEM_MAX = 2 * MEGABYTE
GETKQ = 0x0D
TOO_LARGE = 3


class BigItems(Cluster):
    """Nodes that take items of 2 MB, and 64 MB of them."""

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "-I", "2m", "-m", "64"]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with BigItems(3, tmp_path_factory.mktemp("items")) as cluster:
        yield cluster


@contextmanager
def text(cluster: Cluster, i: int) -> Iterator[Client]:
    """A text client of node i."""
    client = Client((HOST, cluster.ports[i]), timeout=10)
    try:
        yield client
    finally:
        client.close()


def shown(cluster: Cluster, key: str) -> list[bytes | None]:
    """What each node shows."""
    values = []
    for i in range(cluster.count):
        with text(cluster, i) as client:
            values.append(client.get(key))
    return values


def store(cluster: Cluster, i: int, key: str, value: bytes) -> bool:
    """Store a value by the text protocol at node i."""
    with text(cluster, i) as client:
        return bool(client.set(key, value, noreply=False))


class Binary:
    """A binary client of node i; a packet goes out, the next reply comes in."""

    def __init__(self, cluster: Cluster, i: int) -> None:
        self._sock = socket.create_connection((HOST, cluster.ports[i]), timeout=10)
        self._file = self._sock.makefile("rb")

    def send(self, opcode: int, key: bytes = b"", extras: bytes = b"", value: bytes = b"") -> None:
        size = len(key) + len(extras) + len(value)
        header = HEADER.pack(REQUEST, opcode, len(key), len(extras), 0, 0, size, 7, 0)
        self._sock.sendall(header + extras + key + value)

    def read(self) -> tuple[int, int, bytes, bytes, bytes]:
        """Opcode, status, extras, key and value of the next reply."""
        _, opcode, keys, extras, _, status, size, _, _ = HEADER.unpack(self._file.read(HEADER_BYTES))
        body = self._file.read(size)
        return opcode, status, body[:extras], body[extras : extras + keys], body[extras + keys :]

    def ask(self, *words: object) -> tuple[int, int, bytes, bytes, bytes]:
        self.send(*words)  # type: ignore[arg-type]
        return self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._sock.close()


def flags_and_exptime(flags: int) -> bytes:
    return flags.to_bytes(4, "big") + bytes(4)


def test_a_session_of_a_megabyte_is_the_same_on_every_node(nodes: Cluster) -> None:
    value = os.urandom(MEGABYTE)
    assert store(nodes, 0, "big", value)
    assert shown(nodes, "big") == [value] * 3


def test_what_is_compressed_keeps_its_flags(nodes: Cluster) -> None:
    value = zlib.compress(b"session" * 50_000)
    for number, flags in enumerate((2, 0x50, 0xFFFFFFFF, 1 << 31)):
        key = b"flags%d" % number
        with Binary(nodes, number % 3) as binary:
            assert binary.ask(SET, key, flags_and_exptime(flags), value)[1] == 0
        for i in range(nodes.count):
            with Binary(nodes, i) as binary:
                _, status, extras, _, told = binary.ask(GET, key)
            assert (status, int.from_bytes(extras, "big"), told) == (0, flags, value)


@pytest.mark.parametrize("length", [ITEM_MAX - 200, ITEM_MAX + 1])
def test_the_item_size_limit_is_the_same_in_every_protocol(length: int, nodes: Cluster) -> None:
    fits = length < ITEM_MAX
    value = b"x" * length
    with Binary(nodes, 0) as binary:
        for opcode, key in ((SET, b"limit"), (ADD, b"limit%d" % length)):
            assert binary.ask(opcode, key, flags_and_exptime(0), value)[1] == (0 if fits else TOO_LARGE)
        assert binary.ask(NOOP)[1] == 0
    with socket.create_connection((HOST, nodes.ports[1]), timeout=10) as sock, sock.makefile("rb") as lines:
        for verb in (b"set limit 0 0 %d\r\n", b"ms limit %d\r\n"):
            sock.sendall(verb % length + value + b"\r\n")
            refused = b"SERVER_ERROR object too large for cache\r\n"
            assert lines.readline() == ((b"STORED\r\n" if b"set" in verb else b"HD\r\n") if fits else refused)
        sock.sendall(b"mn\r\n")
        assert lines.readline() == b"MN\r\n"


def test_appending_stops_at_the_item_size_limit_and_leaves_the_value(nodes: Cluster) -> None:
    half = b"x" * MEGABYTE
    with Binary(nodes, 0) as binary:
        assert binary.ask(SET, b"grows", flags_and_exptime(0), half)[1] == 0
        assert binary.ask(APPEND, b"grows", b"", half)[1] != 0
        assert binary.ask(APPEND, b"grows", b"", b"y")[1] == 0
    assert shown(nodes, "grows") == [half + b"y"] * 3


def test_an_empty_value_is_no_miss(nodes: Cluster) -> None:
    assert store(nodes, 0, "empty", b"")
    assert shown(nodes, "empty") == [b""] * 3


def test_a_key_may_hold_any_bytes_where_its_protocol_allows_that(nodes: Cluster) -> None:
    key = bytes(range(1, 180))
    with Binary(nodes, 0) as binary:
        assert binary.ask(SET, key, flags_and_exptime(0), b"v")[1] == 0
    with Binary(nodes, 1) as binary:
        assert binary.ask(GETK, key)[3:] == (key, b"v")
    with socket.create_connection((HOST, nodes.ports[2]), timeout=10) as sock, sock.makefile("rb") as lines:
        sock.sendall(b"mg " + b64encode(key) + b" b k v\r\n")
        assert lines.readline() == b"VA 1 k" + b64encode(key) + b" b\r\n"
        assert lines.readline() == b"v\r\n"


def test_a_thousand_keys_are_had_at_once(nodes: Cluster) -> None:
    keys = [f"many{n:04d}" for n in range(1_000)]
    values = {key: key.encode() for key in keys}
    with text(nodes, 0) as client:
        assert client.set_many(values, noreply=False) == []
    with text(nodes, 1) as client:
        assert client.get_many(keys) == values
    with Binary(nodes, 2) as binary:
        for key in (*keys, "none"):
            binary.send(GETKQ, key.encode())
        binary.send(NOOP)
        replies = [binary.read() for _ in range(len(keys) + 1)]
    assert [(reply[3], reply[4]) for reply in replies[:-1]] == [(key.encode(), key.encode()) for key in keys]
    assert replies[-1][0] == NOOP


def test_a_pipeline_of_ten_thousand_commands_is_answered_in_order(nodes: Cluster) -> None:
    count = 10_000
    with socket.create_connection((HOST, nodes.ports[0]), timeout=60) as sock, sock.makefile("rb") as lines:
        sock.sendall(b"set pipe 0 0 1\r\n0\r\n")
        assert lines.readline() == b"STORED\r\n"
        sock.setblocking(True)
        sock.sendall(b"get pipe\r\n" * count)
        for _ in range(count):
            assert lines.readline() == b"VALUE pipe 0 1\r\n"
            assert (lines.readline(), lines.readline()) == (b"0\r\n", b"END\r\n")
        sock.sendall(b"incr pipe 1\r\n" * 500)
        assert [int(lines.readline()) for _ in range(500)] == list(range(1, 501))


#: Reads a session of big luggage and gives it another one; tells what it was and is.
BIG_SESSION = """
[, $seed, $compresses] = $argv;
$size = 1 << 20;
session_id('bigsession0123456789');
if (!session_start()) exit(1);
$was = sha1($_SESSION['luggage'] ?? '');
mt_srand((int) $seed);
$luggage = '';
while (strlen($luggage) < $size) $luggage .= $compresses ? 'the same again ' : pack('V', mt_rand());
$_SESSION['luggage'] = $luggage;
if (!session_write_close()) exit(2);
echo $was, ' ', sha1($luggage);
"""


@pytest.mark.parametrize("compresses", [True, False], ids=["compressed", "incompressible"])
@pytest.mark.parametrize("handler", ["memcache", "memcached"])
def test_php_keeps_a_session_of_a_megabyte_whichever_node_it_asks(
    handler: str, compresses: bool, nodes: Cluster
) -> None:
    php = find_php(handler)
    former = hashlib.sha1(b"").hexdigest()
    for visit in range(4):
        own = visit % nodes.count
        if handler == "memcache":
            settings = pecl_memcache(nodes.ports, nodes.count, own=own)
        else:
            settings = php_memcached_binary(nodes.ports, own=own)
        options = [
            word for pair in (CLI_SETTINGS | settings).items() for word in ("-d", '{}="{}"'.format(*pair))
        ]
        command = [*php, *options, "-r", BIG_SESSION, "--", str(visit), str(int(compresses))]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (run.returncode, run.stderr) == (0, "")
        was, now = run.stdout.split()
        assert was == former, f"visit {visit}"
        former = now
    with text(nodes, 0) as client:
        client.flush_all(noreply=False)


def test_full_of_megabytes_a_node_forgets_the_oldest_and_serves_on(tmp_path: Path) -> None:
    with BigItems(3, tmp_path) as cluster:
        with text(cluster, 0) as client:
            for number in range(100):
                assert client.set(f"full{number}", b"x" * MEGABYTE, noreply=False)
        assert shown(cluster, "full99") == [b"x" * MEGABYTE] * 3
        assert shown(cluster, "full0") == [None] * 3
        told = [cluster.stats(i, "") for i in range(cluster.count)]
        assert all(int(stats["bytes"]) <= int(stats["limit_maxbytes"]) for stats in told)
        assert sum(int(stats["evictions"]) for stats in told) >= 36
