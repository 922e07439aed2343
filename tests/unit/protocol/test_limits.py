"""What a client can make a node keep is bounded, in every protocol, and so is what it is told at a time.

The classic text protocol's share of this is in test_commands.py.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Final

import pytest

from memrep.protocol.connection import Connection
from memrep.protocol.memcached.text.commands import LINE_MAX
from memrep.protocol.replies import OUTPUT_MAX, QUEUE_MAX
from memrep.protocol.users import parse_users
from memrep.storage.namespaces import FLUSH_KEY
from tests.conformance.servers import AUTH_FILE
from tests.fuzz.grammar import HEADER, packet
from tests.harness.cluster import Client, serving_cluster
from tests.harness.lone_node import LoneConnection, lone_node
from tests.unit.protocol.memcached.text.test_commands import PIECE, Waiting, held, pieces

USERS: Final = parse_users(AUTH_FILE.encode(), "users")

SET, ADD, DELETE, NOOP, STAT = 0x01, 0x02, 0x04, 0x0A, 0x10
GETK, GETKQ, SETQ, ADDQ = 0x0C, 0x0D, 0x11, 0x12
SASL_AUTH = 0x21

#: Flags and exptime of a storage command that has none.
PLAIN: Final = bytes(8)


def replies(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """The packets in these replies: opcode, status, opaque, and the body."""
    found = []
    while data:
        magic, opcode, _, _, _, status, size, opaque, _ = HEADER.unpack_from(data)
        assert magic == 0x81
        found.append((opcode, status, opaque, data[HEADER.size : HEADER.size + size]))
        data = data[HEADER.size + size :]
    return found


# --- what never comes to an end


@pytest.mark.parametrize("users", [None, USERS], ids=["open", "users"])
@pytest.mark.parametrize("key", [0, 1, 250, 0xFFFF])
@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFFFFFFFF])
def test_a_header_that_announces_gigabytes_costs_no_memory(users: object, key: int, size: int) -> None:
    lone = lone_node(users=users)
    for opcode in range(256):
        for extras in (0, 4, 8, 20):
            client = lone.connect()
            client.receive(HEADER.pack(0x80, opcode, key, extras, 0, 0, size, 0, 0))
            if not client.closing:
                client.receive(b"\x80" * PIECE)
                client.receive(b"\x80" * PIECE)
                assert held(client.connection) < PIECE + HEADER.size, hex(opcode)


def test_a_binary_value_that_is_too_large_is_passed_over_and_never_held() -> None:
    client = lone_node(item_max=2_000).connect()
    told = b""
    for piece in pieces(packet(SET, b"a", bytes(1 << 24), PLAIN) + packet(NOOP, opaque=7)):
        told += client.receive(piece)
        assert held(client.connection) < PIECE
    assert [reply[:3] for reply in replies(told)] == [(SET, 3, 0), (NOOP, 0, 7)]


@pytest.mark.parametrize("begin", [b"mg ", b"ms a 1000000000", b"ma \0", b"me a b ", b"mn", b"set x 0 0 10"])
@pytest.mark.parametrize("users", [None, USERS], ids=["open", "users"])
def test_a_line_without_end_closes_the_connection(begin: bytes, users: object) -> None:
    client = lone_node(users=users).connect()
    client.receive(begin)
    sent = 0
    while not client.closing:
        assert client.receive(b"x" * 100) == b""
        sent += 100
        assert held(client.connection) <= LINE_MAX + 200
    assert sent <= LINE_MAX + 100


@pytest.mark.parametrize("length", [b"1000000", b"2147483647", b"-1", b"4294967295", b"x"])
def test_a_password_of_any_length_costs_little_memory(length: bytes) -> None:
    client = lone_node(users=USERS).connect()
    client.receive(b"set x 0 0 " + length + b"\r\n")
    for _ in range(100):
        if not client.closing:
            client.receive(b"x" * 1_000)
            assert held(client.connection) < (1 << 16) + LINE_MAX
    assert client.closing


@pytest.mark.parametrize("size", [0xFFFF, 0x10000, 0x10001])
def test_a_sasl_token_of_any_length_costs_little_memory(size: int) -> None:
    client = lone_node(users=USERS).connect()
    for piece in pieces(packet(SASL_AUTH, b"PLAIN", bytes(size - 5)), 1_000):
        if not client.closing:
            client.receive(piece)
            assert held(client.connection) < (1 << 16) + HEADER.size
    assert client.closing == (size > 1 << 16)


# --- what comes in great numbers


def _steps(client: LoneConnection, data: bytes) -> Iterable[bytes]:
    """What the shell is given to send, step by step; it is asked for more only when all has been sent."""
    connection = client.connection
    for piece in pieces(data):
        yield connection.receive(piece)
        while connection.blocked and not connection.closing:
            yield connection.resume()


TINY: Final = {
    "mn": (b"mn\r\n", b"MN\r\n"),
    "nothing": (b"\n", b"ERROR\r\n"),
    "mg": (b"mg a\n", b"EN\r\n"),
    "mg, quiet": (b"mg a q\n", b""),
    "me": (b"me a\n", b"EN\r\n"),
    "noop": (packet(NOOP), HEADER.pack(0x81, NOOP, 0, 0, 0, 0, 0, 0, 0)),
    "getkq": (packet(GETKQ, b"a"), b""),
}


@pytest.mark.parametrize("name", TINY)
def test_a_hundred_thousand_tiny_commands_are_answered_and_leave_nothing(name: str) -> None:
    said, expected = TINY[name]
    client = lone_node().connect()
    told = 0
    for step in _steps(client, said * 100_000):
        assert len(step) <= OUTPUT_MAX
        assert held(client.connection) < 100
        told += len(step)
    assert told == len(expected) * 100_000


@pytest.mark.parametrize(
    "said", [b"stats\r\n", b"stats\r\nstats settings\r\n", packet(STAT)], ids=["text", "groups", "binary"]
)
def test_many_short_requests_for_long_statistics_are_answered_in_bounded_steps(said: bytes) -> None:
    """They would cost a node so much of its time, too, that the others missed it."""
    client = lone_node().connect()
    steps = list(_steps(client, said * 4_000))
    assert sum(map(len, steps)) > 2 * OUTPUT_MAX
    assert max(map(len, steps)) < OUTPUT_MAX + 100_000


def test_a_binary_pipeline_of_ten_thousand_commands_is_answered_in_order() -> None:
    client = lone_node().connect()
    said = b"".join(
        packet(SET, b"k%d" % (number % 97), b"%05d" % number, PLAIN, opaque=number)
        + packet(GETK, b"k%d" % (number % 97), opaque=number)
        for number in range(10_000)
    )
    told = replies(b"".join(_steps(client, said)))
    assert [opaque for _, _, opaque, _ in told] == [number for number in range(10_000) for _ in range(2)]
    assert [body for opcode, _, _, body in told if opcode == GETK] == [
        bytes(4) + b"k%d%05d" % (number % 97, number) for number in range(10_000)
    ]


def test_a_meta_pipeline_of_ten_thousand_commands_is_answered_in_order() -> None:
    client = lone_node().connect()
    said = b"".join(b"ms k%d 5 O%d\r\n%05d\r\nmg k%d v q\r\n" % (n % 97, n, n, n % 97) for n in range(10_000))
    expected = b"".join(b"HD O%d\r\nVA 5\r\n%05d\r\n" % (n, n) for n in range(10_000))
    assert b"".join(_steps(client, said)) == expected


def test_a_thousand_quiet_gets_and_a_noop_show_what_is_there_in_order() -> None:
    """The multi-get of the binary protocol."""
    client = lone_node().connect()
    for number in range(0, 1_000, 2):
        client.receive(packet(SETQ, b"key%d" % number, b"%03d" % number, PLAIN))
    said = b"".join(packet(GETKQ, b"key%d" % number, opaque=number) for number in range(1_000))
    for size in (PIECE, 1_000, 7):
        told = replies(b"".join(map(client.receive, pieces(said + packet(NOOP, opaque=1_000), size))))
        assert told == [
            *((GETKQ, 0, n, bytes(4) + b"key%d%03d" % (n, n)) for n in range(0, 1_000, 2)),
            (NOOP, 0, 1_000, b""),
        ]


# --- who does not read what it is told

HUGE: Final = b"v" * 400_000

SHOWING: Final[dict[str, tuple[bytes, bytes, bytes]]] = {
    "meta": (
        b"ms huge 400000\r\n" + HUGE + b"\r\n",
        b"mg huge v\r\n",
        b"VA 400000\r\n" + HUGE + b"\r\n",
    ),
    "binary": (
        packet(SET, b"huge", HUGE, PLAIN),
        packet(GETKQ, b"huge"),
        HEADER.pack(0x81, GETKQ, 4, 4, 0, 0, 8 + len(HUGE), 0, 0) + bytes(4) + b"huge" + HUGE,
    ),
}


@pytest.mark.parametrize("protocol", SHOWING)
def test_huge_values_are_told_in_bounded_steps_and_nothing_is_kept_for_who_does_not_read(protocol: str) -> None:
    store, ask, shown = SHOWING[protocol]
    client = lone_node().connect()
    connection = client.connection
    connection.receive(store)
    steps = [connection.receive(ask * 100)]
    assert connection.blocked
    assert held(connection) < 100 * len(ask) + 100
    while connection.blocked:
        steps.append(connection.resume())
        assert len(steps[-1]) < OUTPUT_MAX + 2 * len(shown)
    told = b"".join(steps)
    assert len(told) == 100 * len(shown)
    assert told.count(HUGE) == 100


# --- replies that have to wait


def _until_told(client: Waiting, check: Callable[[Connection], None]) -> bytes:
    told = b""
    while client.rig.later.rounds:
        check(client.connection)
        told += client.succeed()
    return told


def _queue_is_bounded(connection: Connection) -> None:
    assert len(connection.replies.queue) <= QUEUE_MAX


@pytest.mark.parametrize("opcode", [SET, SETQ])
def test_binary_replies_that_wait_are_bounded(opcode: int) -> None:
    client = Waiting()
    said = b"".join(packet(opcode, b"k%d" % n, b"x", PLAIN, opaque=n) for n in range(5_000))
    client.receive(said + packet(NOOP, opaque=5_000))
    assert client.connection.blocked
    told = replies(_until_told(client, _queue_is_bounded))
    loud = list(range(5_000)) if opcode == SET else []
    assert [opaque for _, _, opaque, _ in told] == [*loud, 5_000]


def test_meta_replies_that_wait_are_bounded() -> None:
    client = Waiting()
    client.receive(b"".join(b"ms k%d 1 O%d\r\nx\r\n" % (n, n) for n in range(5_000)) + b"mn\r\n")
    assert client.connection.blocked
    told = _until_told(client, _queue_is_bounded)
    assert told == b"".join(b"HD O%d\r\n" % n for n in range(5_000)) + b"MN\r\n"


def test_quiet_gets_of_keys_that_are_pending_keep_their_places() -> None:
    cluster = serving_cluster()
    writer, reader = cluster.client(1), cluster.client(1)
    writer.send(packet(SETQ, b"there", b"1", PLAIN))
    cluster.hold_all()
    writer.post(packet(SETQ, b"late", b"2", PLAIN) + packet(SETQ, b"later", b"3", PLAIN))
    keys = [b"there", b"late", b"missing", b"later", b"there"]
    reader.post(b"".join(packet(GETKQ, key, opaque=n) for n, key in enumerate(keys)) + packet(NOOP))
    assert [body[4:] for _, _, _, body in replies(reader.take())] == [b"there1"]
    cluster.release()
    told = replies(reader.take())
    assert [(opaque, body[4:]) for _, _, opaque, body in told] == [
        (1, b"late2"),
        (3, b"later3"),
        (4, b"there1"),
        (0, b""),
    ]


def test_quiet_and_loud_writes_are_told_of_in_order_whoever_wins() -> None:
    cluster = serving_cluster()
    one, other = cluster.client(1), cluster.client(2)
    cluster.hold_all()
    one.post(
        packet(ADDQ, b"a", b"1", PLAIN, opaque=1)
        + packet(ADDQ, b"a", b"2", PLAIN, opaque=2)
        + packet(ADD, b"b", b"1", PLAIN, opaque=3)
        + packet(DELETE, b"none", opaque=4)
        + packet(NOOP, opaque=5)
    )
    other.post(packet(ADD, b"a", b"3", PLAIN, opaque=6))
    cluster.release()
    told, (rival,) = replies(one.take()), replies(other.take())
    first = [(1, 2), (2, 2)] if rival[1] == 0 else [(2, 2)]
    assert [(opaque, status) for _, status, opaque, _ in told] == [*first, (3, 0), (4, 1), (5, 0)]


# --- keys

#: Those that are short enough for base64, for a word of a line has 250 bytes at most, and longer ones.
SHORT_KEYS: Final = [b" ", b"a b", b"\r\n", b"\0", b"\n", bytes(range(128)), bytes(range(128, 256))]
ODD_KEYS: Final = [*SHORT_KEYS, bytes(range(6, 256)), b"\xff" * 250]


def _get_by_meta(client: Client, key: bytes) -> bytes:
    told = client.send(b"mg %b b k v\r\n" % b64encode(key))
    assert told.startswith(b"VA ")
    assert told.split(b"\r\n")[0].endswith(b" k" + b64encode(key) + b" b")
    return told.split(b"\r\n")[1]


@pytest.mark.parametrize("key", SHORT_KEYS, ids=range(len(SHORT_KEYS)))
def test_a_key_of_any_bytes_is_stored_replicated_and_shown(key: bytes) -> None:
    cluster = serving_cluster()
    binary, meta = cluster.client(1), cluster.client(2)
    assert replies(binary.send(packet(SET, key, b"1", PLAIN)))[0][1] == 0
    assert _get_by_meta(meta, key) == b"1"
    assert meta.send(b"ms %b 1 b\r\n2\r\n" % b64encode(key)) == b"HD\r\n"
    (shown,) = replies(cluster.client(3).send(packet(GETK, key)))
    assert shown[3] == bytes(4) + key + b"2"
    assert [cluster.value(node, key) for node in (1, 2, 3)] == [b"2"] * 3
    assert replies(binary.send(packet(DELETE, key)))[0][1] == 0
    assert [cluster.value(node, key) for node in (1, 2, 3)] == [None] * 3


def test_keys_of_any_bytes_are_fetched_by_a_node_that_comes_back() -> None:
    cluster = serving_cluster()
    cluster.kill(3)
    cluster.advance(1_000)
    cluster.client(1).send(b"".join(packet(SETQ, key, b"1", PLAIN) for key in ODD_KEYS))
    cluster.start(3)
    cluster.advance(2_000)
    assert [cluster.value(3, key) for key in ODD_KEYS] == [b"1"] * len(ODD_KEYS)


def _namings() -> Iterable[bytes]:
    """What could be a way to name the empty key."""
    for opcode in (*range(0x25), 0xFF):
        if opcode not in (0x08, 0x18):  # flush
            yield from (packet(opcode, b"", b"x" * value, bytes(n)) for n in (0, 4, 8, 20) for value in (0, 1))
    for verb in (b"mg", b"ma", b"md", b"me", b"ms"):
        yield from (b"%b %b b N0 S1\r\nx\r\n" % (verb, key) for key in (b"", b"=", b"==", b"====", b"A", b"\0"))
        yield from (b"%b %b 1 b\r\nx\r\n" % (verb, key) for key in (b"", b"=", b"==", b"====", b"A", b"\0"))
    yield from (b"set  0 0 1\r\nx\r\n", b"set \0 0 0 1\r\nx\r\n", b"incr  1\r\n", b"touch  1\r\n")


def test_nobody_can_name_the_empty_key() -> None:
    """It is the store's own: under it stands the last flush_all."""
    for said in _namings():
        lone = lone_node()
        lone.connect().receive(said)
        assert lone.node.store.peek(FLUSH_KEY) is None, said
    lone.connect().receive(b"flush_all\r\n")
    assert lone.node.store.peek(FLUSH_KEY) is not None
