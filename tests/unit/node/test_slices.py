"""Slices: a turn leaves to the next what it has no time for; nobody is forgotten, and order stays.

Time is up here at once, or after so many questions; what has begun is finished, so each turn gets on a little.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memrep.flow_control import ROUND_MAX, WRITE_BYTES
from memrep.node.node import Node
from memrep.node.shell import ProcessInfo
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import COMMANDS_A_LOOK
from memrep.protocol.negotiation import REDIS
from memrep.replication.membership.timing import Timing
from memrep.replication.message import Frame
from tests.fuzz.grammar import packet
from tests.harness.cluster import Client, Cluster, serving_cluster
from tests.harness.lone_node import LoneNode, lone_node

MEGABYTE = 1_000_000
GETKQ, SETQ, NOOP = 0x0D, 0x11, 0x0A

Spent = Callable[[], bool]


def hurried(spent: Spent = lambda: True, **options: object) -> LoneNode:
    """A lone node whose time is up at once."""
    return lone_node(process=ProcessInfo(spent=spent), **options)


class Shell:
    """Serves clients of a lone node as the daemon does, turn by turn."""

    def __init__(self, lone: LoneNode) -> None:
        self.lone = lone
        self.told: dict[Connection, bytes] = {}
        self.turns = 0
        self.largest = 0  # of what was handed out at a time

    def connect(self, port: str = "") -> Connection:
        connection = self.lone.node.clients.connect(port=port)
        self.told[connection] = b""
        return connection

    def turn(self, *sent: tuple[Connection, bytes]) -> None:
        """One turn in which these bytes come; what is told is sent at once."""
        node = self.lone.node
        self.turns += 1
        self.lone.begin()
        for connection, data in sent:
            replies = node.clients.receive(connection, data)
            self._take(connection, replies)
        for target, replies in node.end_turn():
            assert isinstance(target, Connection)
            self._take(target, replies)

    def _take(self, connection: Connection, replies: bytes) -> None:
        """As `clients.Client.answer` does when the socket takes everything and time is up."""
        self.told[connection] += replies
        self.largest = max(self.largest, len(replies))
        if replies and connection.blocked and not connection.waiting:
            self.lone.node.clients.postpone(connection)

    def finish(self, between: Callable[[], None] = lambda: None) -> None:
        """Turns until nothing is left; and what happens between two of them."""
        while self.lone.node.behind:
            between()
            self.turn()
            assert self.turns < 10_000

    def ask(self, connection: Connection, data: bytes) -> bytes:
        """What this client is told in the very turn in which it says this."""
        before = len(self.told[connection])
        self.turn((connection, data))
        return self.told[connection][before:]


SETS = b"".join(b"set k%d 0 0 1\r\nx\r\n" % n for n in range(1_000))
QUIET = b"".join(packet(SETQ, b"k%d" % n, b"x", bytes(8)) for n in range(1_000)) + packet(NOOP)


def test_a_pipeline_ends_with_the_time_and_goes_on_in_the_next_turns() -> None:
    shell = Shell(hurried())
    writer = shell.connect()
    shell.turn((writer, SETS))
    assert 0 < len(shell.lone.node.store) <= 2 * COMMANDS_A_LOOK
    assert shell.lone.node.behind
    shell.finish()
    assert shell.told[writer] == b"STORED\r\n" * 1_000
    assert len(shell.lone.node.store) == 1_000
    assert shell.turns >= 1_000 / (2 * COMMANDS_A_LOOK)


def test_so_does_a_pipeline_that_says_nothing() -> None:
    shell = Shell(hurried())
    writer = shell.connect()
    shell.turn((writer, QUIET))
    assert 0 < len(shell.lone.node.store) <= 2 * COMMANDS_A_LOOK
    shell.finish()
    assert len(shell.lone.node.store) == 1_000
    assert shell.told[writer][1] == NOOP


def test_so_does_a_get_of_very_many_keys() -> None:
    shell = Shell(hurried())
    writer, reader = shell.connect(), shell.connect()
    shell.turn((writer, SETS))
    shell.finish()
    turns = shell.turns
    shell.turn((reader, b"get " + b" ".join(b"k%d" % n for n in range(1_000)) + b"\r\n"))
    shell.finish()
    assert shell.told[reader] == b"".join(b"VALUE k%d 0 1\r\nx\r\n" % n for n in range(1_000)) + b"END\r\n"
    assert shell.turns - turns >= 1_000 / (2 * COMMANDS_A_LOOK)


@pytest.mark.parametrize("port", ["", REDIS])
def test_large_values_go_out_one_by_one_and_the_time_is_asked_for_behind_each(port: str) -> None:
    shell = Shell(hurried())
    reader = shell.connect(port)
    shell.turn((shell.connect(), _set(b"big", MEGABYTE)))
    shell.turn((reader, b"get big\r\n" * 5))
    shell.finish()
    assert MEGABYTE <= shell.largest < 1.1 * MEGABYTE
    assert len(shell.told[reader]) > 5 * MEGABYTE


def test_others_are_answered_in_between() -> None:
    shell = Shell(hurried())
    loader, reader = shell.connect(), shell.connect()
    shell.turn((loader, SETS))
    done = shell.told[loader].count(b"STORED")
    for number in range(1, 11):
        shell.turn((reader, b"get k0\r\n"))
        assert shell.told[reader].count(b"END") == number
        assert done < shell.told[loader].count(b"STORED") < 1_000
        done = shell.told[loader].count(b"STORED")


def test_of_many_loaders_each_gets_its_share_of_each_round() -> None:
    shell = Shell(hurried())
    loaders = [shell.connect() for _ in range(10)]
    shell.turn(*((loader, SETS) for loader in loaders))
    for _ in range(40):
        shell.turn()
    shares = [shell.told[loader].count(b"STORED") for loader in loaders]
    assert max(shares) - min(shares) <= 2 * COMMANDS_A_LOOK


def test_who_has_time_does_all_of_it_in_one_turn() -> None:
    shell = Shell(hurried(lambda: False))
    writer = shell.connect()
    shell.turn((writer, SETS))
    assert shell.told[writer] == b"STORED\r\n" * 1_000
    assert not shell.lone.node.behind


def test_a_single_command_asks_nobody_for_the_time() -> None:
    asked = 0

    def spent() -> bool:
        nonlocal asked
        asked += 1
        return False

    connection = hurried(spent).connect()
    connection._lone.node.clients.receive(connection.connection, b"get k\r\n")
    assert asked == 0


# --- what peers say


def _hurry(node: Node, spent: Spent) -> None:
    node.links._spent = spent


def test_of_a_peers_messages_those_are_left_for_which_there_is_no_time_and_their_order_stays() -> None:
    cluster = serving_cluster()
    cluster.hold((1, 2))
    writer = cluster.client(1)
    for number in range(20):
        writer.post(b"set k 0 0 2\r\n%02d\r\n" % number)
    _hurry(cluster.nodes[2], lambda: True)
    data, link = cluster.queued((1, 2)), cluster.links[1, 2]
    cluster.turn(2, lambda node: node.links.receive(link, data))
    frames = [message for message in link.unread if isinstance(message, Frame)]
    assert 15 < len(frames) < 20
    while link.unread:
        before = len(link.unread)
        cluster.turn(2, lambda node: node.links.go_on(link))
        assert len(link.unread) == before - 1
    cluster.release()
    cluster.deliver()
    assert writer.take() == b"STORED\r\n" * 20
    assert [cluster.value(n, b"k") for n in (1, 2, 3)] == [b"19"] * 3


def test_what_is_unread_of_a_link_goes_when_another_one_takes_its_place() -> None:
    cluster = serving_cluster()
    cluster.hold((1, 2))
    cluster.client(1).post(b"set k 0 0 1\r\nx\r\n")
    cluster.client(1).post(b"set k 0 0 1\r\ny\r\n")
    _hurry(cluster.nodes[2], lambda: True)
    data, link = cluster.queued((1, 2)), cluster.links[1, 2]
    cluster.turn(2, lambda node: node.links.receive(link, data))
    assert link.unread
    cluster.held.clear()
    cluster.dial(1, 2)
    cluster.deliver()
    cluster.turn(2, lambda node: node.links.go_on(link))
    assert not link.unread
    cluster.advance(2_000)
    assert cluster.serving() == [1, 2, 3]


# --- how much may be on its way


def _set(key: bytes, size: int) -> bytes:
    return b"set %b 0 0 %d\r\n%b\r\n" % (key, size, b"x" * size)


def crowded_cluster() -> tuple[Cluster, list[Client]]:
    """Nodes of which the first has as much on its way as it may have; and those who have sent it."""
    cluster = serving_cluster()
    assert cluster.client(1).send(_set(b"there", 1)) == b"STORED\r\n"
    cluster.hold((3, 1))
    writers = [cluster.client(1) for _ in range(5)]
    for number, writer in enumerate(writers):
        assert writer.send(_set(b"big%d" % number, MEGABYTE)) == b""
    return cluster, writers


@pytest.mark.parametrize(
    "said",
    [
        _set(b"late", 5),
        b"incr there 1\r\n",
        b"touch there 9\r\n",
        b"delete there\r\n",
        b"ms late 1\r\nx\r\n",
        b"gat 9 there there\r\n",
        packet(0x01, b"late", b"v", bytes(8)),
        packet(0x04, b"there"),
    ],
    ids=["set", "incr", "touch", "delete", "ms", "gat", "binary set", "binary delete"],
)
def test_above_four_megabytes_on_their_way_further_writes_wait(said: bytes) -> None:
    cluster, writers = crowded_cluster()
    late = cluster.client(1)
    in_flight = len(cluster.nodes[1].replica.rounds)
    assert late.send(said) == b""
    assert cluster.nodes[1].clients.holds_back(late.connection)
    assert len(cluster.nodes[1].replica.rounds) == in_flight
    cluster.release()
    assert late.take() != b""
    assert [writer.take() for writer in writers] == [b"STORED\r\n"] * 5
    assert not cluster.nodes[1].clients.holds_back(late.connection)


@pytest.mark.parametrize("said", [b"get there\r\n", b"mg there v\r\n", b"version\r\n", packet(0x00, b"there")])
def test_meanwhile_reads_are_answered(said: bytes) -> None:
    cluster, _ = crowded_cluster()
    assert cluster.client(1).send(said) != b""


def test_those_who_had_to_wait_go_on_in_the_order_in_which_they_came() -> None:
    cluster, _ = crowded_cluster()
    late = [cluster.client(1) for _ in range(10)]
    for number, client in enumerate(late):
        client.send(b"set k 0 0 1\r\n%d\r\n" % number)
    cluster.release()
    assert [client.take() for client in late] == [b"STORED\r\n"] * 10
    assert [cluster.value(n, b"k") for n in (1, 2, 3)] == [b"9"] * 3


def test_many_small_writes_count_too() -> None:
    cluster = serving_cluster()
    cluster.hold((3, 1))
    client = cluster.client(1)
    others = [cluster.client(1) for _ in range(4)]
    for other in [client, *others]:
        other.send(b"".join(b"set k%d 0 0 0\r\n\r\n" % n for n in range(1_000)))
    assert len(cluster.nodes[1].replica.rounds) <= ROUND_MAX / WRITE_BYTES + 1
    cluster.release()
    for other in [client, *others]:
        assert other.take() == b"STORED\r\n" * 1_000


def test_who_waits_too_long_for_others_writes_is_closed_unread() -> None:
    cluster = serving_cluster(timing=Timing(silence=10_000, lease=9_000, hold=750))
    cluster.advance(200)
    cluster.hold((2, 1), (3, 1))
    writers = [cluster.client(1) for _ in range(6)]
    for number, writer in enumerate(writers):
        writer.send(_set(b"big%d" % number, MEGABYTE))
    late = writers[-1]
    cluster.advance(850)
    assert late.closed
    cluster.release()
    assert cluster.value(2, b"big5") is None


def test_while_clients_leave_much_unread_nobody_is_shown_more_and_writes_go_on() -> None:
    lone = lone_node(memory=64 << 20)
    reader, other = lone.connect(), lone.connect()
    assert other.receive(_set(b"k", 5)) == b"STORED\r\n"
    lone.node.flow.keep(8 * (1 << 20) + 1)
    lone.begin()
    assert lone.node.clients.receive(reader.connection, b"get k\r\n") == b""
    assert lone.node.clients.holds_back(reader.connection)
    assert other.receive(_set(b"k", 5)) == b"STORED\r\n"
    lone.node.flow.keep(-1)
    assert dict(lone.node.end_turn()) == {reader.connection: b"VALUE k 0 5\r\nxxxxx\r\nEND\r\n"}


# --- what is a stop


@pytest.mark.parametrize(
    ("gap", "worked", "stopped"),
    [
        (250, 0, False),
        (251, 0, True),
        (300, 50, False),
        (301, 50, True),
        (600, 350, False),
        (600, 349, True),
        (601, 600, True),
    ],
)
def test_who_has_worked_all_the_time_was_not_stopped(gap: int, worked: int, stopped: bool) -> None:
    cluster = serving_cluster()
    node = cluster.nodes[1]
    now = cluster.now + gap
    assert node.turn(now, now, worked=worked) is stopped
    assert node.counters.fences == stopped
