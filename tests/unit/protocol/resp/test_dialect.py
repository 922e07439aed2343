"""Redis' protocol beyond what transcripts show: cuts, pipelines, waiting, and what is kept meanwhile.

What the other tests of this package need is here, too: clients of a lone node, of a bare engine, of a cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.engine.engine import Engine
from memrep.protocol.client_policy import ClientPolicy
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import COMMANDS_A_LOOK, ServerContext
from memrep.protocol.negotiation import REDIS, connect
from memrep.protocol.resp.parser import LINE_MAX
from memrep.protocol.resp.server import Server
from memrep.storage.owner import Owner
from tests.harness.cluster import Client, Cluster
from tests.harness.engine_fixture import Rig
from tests.harness.lone_node import LoneConnection, lone_node
from tests.unit.protocol.memcached.text.test_commands import held, pieces

OK = b"+OK\r\n"
QUEUED = b"+QUEUED\r\n"
PONG = b"+PONG\r\n"
NIL = b"$-1\r\n"
TOO_LARGE = b"-OOM this value is larger than one may be here (memrep serve -I)\r\n"
NO_MEMORY = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
HUGE = b"x" * 10_000

Word = bytes | str | int


def said(*words: Word) -> bytes:
    """A command as clients send it."""
    spelled = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(spelled) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in spelled)


def bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def told(data: bytes) -> list[Any]:
    """The replies in these bytes (RESP2): a line as it stands, numbers, strings, None, lists."""
    replies = []
    at = 0
    while at < len(data):
        reply, at = _reply(data, at)
        replies.append(reply)
    return replies


def _reply(data: bytes, at: int) -> tuple[Any, int]:
    end = data.index(b"\r\n", at)
    line, behind = data[at:end], end + 2
    if line[:1] in b"+-":
        return line, behind
    number = int(line[1:])
    if line[:1] == b":":
        return number, behind
    if number < 0:
        return None, behind
    if line[:1] == b"$":
        assert data[behind + number : behind + number + 2] == b"\r\n"
        return data[behind : behind + number], behind + number + 2
    assert line[:1] == b"*", line
    items = []
    for _ in range(number):
        item, behind = _reply(data, behind)
        items.append(item)
    return items, behind


def one_told(data: bytes) -> Any:
    """The one reply that these bytes are."""
    (reply,) = told(data)
    return reply


def redis_to(engine: Engine, ready: Callable[[Connection], None] = lambda connection: None) -> Connection:
    """A Redis client of a bare engine."""
    context = ServerContext(
        version=b"1",
        reports={},
        reset=lambda: None,
        set_verbosity=lambda level: None,
        shutdown=None,
        redis=Server(clock=engine.clock, store=engine.keyspace.store),
    )
    return connect(ClientPolicy(engine), context, ready, REDIS)


def redis_client(cluster: Cluster, number: int) -> Client:
    """A Redis client of a node of a cluster."""
    client = cluster.client(number)
    client.node.clients.disconnect(client.connection)
    del cluster._clients[client.connection]
    client.connection = client.node.clients.connect(port=REDIS)
    cluster._clients[client.connection] = client
    return client


def lone_client(**options: Any) -> LoneConnection:
    """A Redis client of a lone node."""
    return lone_node(**options).connect(REDIS)


class Waiting:
    """A Redis client of an engine whose writes are postponed until the test lets them succeed."""

    def __init__(self, **held: bytes) -> None:
        self.rig = Rig("later")
        self.connection = redis_to(self.rig.engine)
        for key, value in held.items():
            self.receive(said("SET", key, value))
            self.succeed()

    def receive(self, data: bytes) -> bytes:
        """What is answered at once."""
        return self.connection.receive(data)

    def succeed(self) -> bytes:
        """The oldest write is held everywhere; what is answered then."""
        self.rig.later.succeed()
        return self.connection.resume()

    def fail(self) -> bytes:
        """The oldest write loses; what is answered then."""
        self.rig.later.fail()
        return self.connection.resume()

    def proposed(self) -> list[bytes]:
        """The keys that are being written."""
        return [one.key for one in self.rig.later.rounds]


# --- cuts

CONVERSATION = (
    said("SET", "a", b"x\r\n*2\r\n$3\r\nGET\r\n")
    + said("GET", "a")
    + said("get", "none")
    + b"PING\r\nECHO 'a b'\n"
    + said("MSET", "b", "1", "c", "")
    + said("INCR", "b")
    + said("MULTI")
    + said("GET", "c")
    + said("EXEC")
    + said("GET", "b")
)
ANSWERS = (
    OK
    + bulk(b"x\r\n*2\r\n$3\r\nGET\r\n")
    + NIL
    + PONG
    + bulk(b"a b")
    + OK
    + b":2\r\n"
    + OK
    + QUEUED
    + b"*1\r\n$0\r\n\r\n"
    + bulk(b"2")
)


@pytest.mark.parametrize("size", range(1, 24))
def test_a_conversation_is_answered_alike_in_pieces_of_every_size(size: int) -> None:
    client = lone_client()
    assert b"".join(client.receive(piece) for piece in pieces(CONVERSATION, size)) == ANSWERS


@pytest.mark.parametrize("at", range(len(CONVERSATION)))
def test_a_conversation_is_answered_alike_wherever_it_is_cut(at: int) -> None:
    client = lone_client()
    assert client.receive(CONVERSATION[:at]) + client.receive(CONVERSATION[at:]) == ANSWERS


def test_a_command_within_a_value_that_is_passed_over_is_not_executed() -> None:
    """Though a piece may begin with it, which is where the short way of GET looks."""
    client = lone_client(item_max=1024)
    client.receive(said("SET", "secret", "x"))
    inside = said("GET", "secret")
    whole = said("SET", "a", b"." * 2_000 + inside + b"." * 2_000)
    at = whole.index(inside)
    assert client.receive(whole[:at]) == b""
    assert client.receive(whole[at:]) == TOO_LARGE
    assert client.receive(said("PING")) == PONG


# --- limits


def test_a_value_that_is_too_large_is_refused_and_the_connection_goes_on() -> None:
    client = lone_client(item_max=1 << 20)
    client.receive(said("SET", "a", "old"))
    for size in ((1 << 20) - 50, (1 << 20) + 1, 5 << 20):
        data = said("SET", "a", b"x" * size) + said("GET", "a")
        assert b"".join(map(client.receive, pieces(data))) == TOO_LARGE + bulk(b"old")
    assert not client.closing


def test_an_argument_that_is_too_large_is_not_kept_while_it_comes() -> None:
    client = lone_client(item_max=1 << 16)
    client.receive(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n" % (100 << 20))
    for _ in range(100):
        assert client.receive(b"x" * (1 << 16)) == b""
        assert held(client.connection) < 1 << 18


def test_what_follows_a_value_that_is_passed_over_is_answered_in_its_place() -> None:
    client = lone_client(item_max=1024)
    data = said("PING") + said("MSET", "a", b"x" * 5_000, "b", "y") + said("MGET", "a", "b")
    answers = PONG + TOO_LARGE + b"*2\r\n$-1\r\n$-1\r\n"
    assert client.receive(data) == answers
    assert b"".join(map(client.receive, pieces(data, 100))) == answers


def test_a_line_without_an_end_is_not_kept() -> None:
    client = lone_client()
    for _ in range(3):
        client.receive(b"x" * (LINE_MAX // 2))
    assert client.closing


def _full() -> Connection:
    """A client of an engine that holds a and n, and has no memory for anything more."""
    rig = Rig(limit=10_000)
    client = redis_to(rig.engine)
    for key in (b"a", b"n"):
        client.receive(said("SET", key, "1"))
        rig.entry(key).owner = Owner(1, 15_000)
    return client


@pytest.mark.parametrize(
    "command",
    [
        said("SET", "a", HUGE),
        said("SETEX", "a", 60, HUGE),
        said("SET", "a", HUGE, "KEEPTTL"),
        said("GETSET", "a", HUGE),
        said("APPEND", "a", HUGE),
        said("MSET", "a", HUGE),
        said("SETRANGE", "a", 9_990, "x"),
        said("SET", "new", HUGE, "NX"),
    ],
)
def test_out_of_memory_is_told_and_the_old_value_stays(command: bytes) -> None:
    client = _full()
    assert client.receive(command) == NO_MEMORY
    assert client.receive(said("MGET", "a", "n", "new")) == b"*3\r\n" + bulk(b"1") * 2 + NIL
    assert client.receive(said("DEL", "n")) == b":1\r\n"


# --- pipelines


@given(st.lists(st.sampled_from(["a", "b", "none"]), max_size=200))
def test_of_a_pipeline_each_command_is_answered_in_its_place(keys: list[str]) -> None:
    client = lone_client()
    client.receive(said("MSET", "a", "1", "b", "2"))
    values = {"a": bulk(b"1"), "b": bulk(b"2"), "none": NIL}
    assert client.receive(b"".join(said("GET", key) for key in keys)) == b"".join(values[key] for key in keys)


@pytest.mark.parametrize("command", [said("GET", "a"), said("SET", "a", "x"), said("INCR", "n"), said("PING")])
def test_a_turn_that_has_lasted_long_enough_leaves_the_rest_of_a_pipeline_to_the_next(command: bytes) -> None:
    rig = Rig()
    rig.holding(b"x")
    client = redis_to(rig.engine)
    client.spent = lambda: True
    steps = [client.receive(command * 40)]
    while client.blocked:
        steps.append(client.resume())
    assert [step.count(b"\r\n") for step in steps] in (
        [COMMANDS_A_LOOK, COMMANDS_A_LOOK, 8],
        [2 * COMMANDS_A_LOOK, 2 * COMMANDS_A_LOOK, 16],  # a string has two lines
    )


def test_what_comes_behind_a_quit_is_not_executed() -> None:
    lone = lone_node()
    client, other = lone.connect(REDIS), lone.connect(REDIS)
    assert client.receive(said("QUIT") + said("SET", "a", "x")) == OK
    assert client.closing
    assert other.receive(said("GET", "a")) == NIL


# --- what waits


def test_plain_writes_stand_behind_plain_writes_that_are_on_their_way() -> None:
    client = Waiting()
    writes = said("SET", "a", "1") + said("SETEX", "b", 60, "2") + said("PSETEX", "a", 60_000, "3")
    assert client.receive(writes) == b""
    assert client.proposed() == [b"a", b"b", b"a"]
    assert [client.succeed() for _ in range(3)] == [OK] * 3
    assert client.receive(said("GET", "a")) == bulk(b"3")


@pytest.mark.parametrize(
    "command",
    [
        said("GET", "z"),
        said("INCR", "z"),
        said("SET", "z", "1", "NX"),
        said("DEL", "z"),
        said("PING"),
        said("MULTI"),
        said("SELECT", "1"),
        said("KEYS", "*"),
        said("NONSENSE"),
        said("SET", "z"),
    ],
)
def test_all_else_waits_until_the_writes_in_front_of_it_have_ended(command: bytes) -> None:
    client, alone = Waiting(), Waiting()
    assert client.receive(said("SET", "a", "1") + command + said("SET", "b", "2")) == b""
    assert client.proposed() == [b"a"]
    first = client.succeed()
    assert first.startswith(OK)
    replies, expected = first, alone.receive(command)
    while client.rig.later.rounds:
        replies += client.succeed()
    while alone.rig.later.rounds:
        expected += alone.succeed()
    if b"KEYS" in command:
        expected = b"*1\r\n$1\r\na\r\n"
    assert replies == OK + expected + (QUEUED if b"MULTI" in command else OK)


def test_a_plain_write_waits_behind_a_read_that_waits() -> None:
    rig = Rig("later")
    writer, client = redis_to(rig.engine), redis_to(rig.engine)
    writer.receive(said("SET", "a", "new"))
    assert client.receive(said("GET", "a") + said("SET", "b", "1") + said("PING")) == b""
    assert [one.key for one in rig.later.rounds] == [b"a"]
    rig.later.succeed()
    assert client.resume() == bulk(b"new")
    rig.later.succeed()
    assert client.resume() == OK + PONG


@pytest.mark.parametrize(
    ("command", "writes", "answer"),
    [
        (said("MSET", "a", "1", "b", "2", "c", "3"), 3, OK),
        (said("DEL", "x", "y"), 2, b":2\r\n"),
        (said("MSETNX", "a", "1", "b", "2"), 2, b":1\r\n"),
        (said("RENAME", "x", "z"), 2, OK),
        (said("MULTI") + said("SET", "a", "1") + said("SET", "b", "2") + said("EXEC"), 2, b"*2\r\n" + OK + OK),
    ],
)
def test_what_stands_behind_a_command_on_several_keys_waits_for_its_last_one(
    command: bytes, writes: int, answer: bytes
) -> None:
    client = Waiting(x=b"1", y=b"2")
    replies = client.receive(command + said("SET", "behind", "1") + said("PING"))
    for _ in range(writes):
        assert b"behind" not in client.proposed()
        assert answer not in replies
        replies += client.succeed()
    assert replies.endswith(answer)
    assert client.proposed() == [b"behind"]
    assert client.succeed() == OK + PONG


def test_a_command_on_several_keys_is_told_once_in_whatever_order_they_end() -> None:
    client = Waiting()
    client.receive(said("MSET", "a", "1", "b", "2"))
    client.rig.later.rounds.reverse()
    assert client.succeed() == b""
    assert client.succeed() == OK


def test_a_write_that_loses_is_decided_anew_and_told_once() -> None:
    client = Waiting(n=b"5")
    assert client.receive(said("INCR", "n")) == b""
    assert client.fail() == b""
    assert client.succeed() == b":6\r\n"


def test_a_muted_client_is_told_nothing_of_writes_that_had_to_wait() -> None:
    client = Waiting()
    client.receive(said("CLIENT", "REPLY", "OFF") + said("SET", "a", "1") + said("MSET", "b", "1", "c", "2"))
    while client.rig.later.rounds:
        assert client.succeed() == b""
    assert client.receive(said("CLIENT", "REPLY", "ON") + said("GET", "c")) == OK + bulk(b"2")


def test_while_too_much_is_on_its_way_a_write_waits_and_a_read_does_not() -> None:
    rig = Rig()
    client = redis_to(rig.engine)
    reader = redis_to(rig.engine)
    reader.flow = client.flow
    client.flow.begin(64 << 20)
    assert client.receive(said("SET", "a", "1")) == b""
    assert client.crowded
    assert reader.receive(said("GET", "a")) == NIL
    client.flow.end(64 << 20)
    assert client.resume() == OK


def test_who_has_waited_for_the_cluster_is_answered_by_it() -> None:
    cluster = Cluster(3)
    cluster.advance(500)
    client = redis_client(cluster, 1)
    cluster.hold_all()
    client.post(said("SET", "a", "1") + said("MSET", "b", "2", "c", "3") + said("GET", "c"))
    assert client.take() == b""
    cluster.release()
    cluster.advance(100)
    assert client.take() == OK + OK + bulk(b"3")
    assert [cluster.value(number, b"b") for number in (1, 2, 3)] == [b"2"] * 3


# --- clients that leave


def test_a_client_that_leaves_is_forgotten_by_all_that_remembered_it() -> None:
    lone = lone_node()
    stays, goes = lone.connect(REDIS), lone.connect(REDIS)
    goes.receive(said("MULTI") + said("SET", "a", "1"))
    lone.begin()
    lone.node.clients.disconnect(goes.connection)
    lone.end()
    listed = one_told(stays.receive(said("CLIENT", "LIST")))
    assert listed.count(b"\n") == 1
    assert b"connected_clients:1\r\n" in one_told(stays.receive(said("INFO", "clients")))
    assert stays.receive(said("GET", "a")) == NIL


def test_what_a_client_has_started_is_ended_though_it_has_left() -> None:
    cluster = Cluster(3)
    cluster.advance(500)
    client = redis_client(cluster, 1)
    client.send(said("SET", "a", "x"))
    cluster.hold_all()
    client.post(said("RENAME", "a", "b"))
    client.hang_up()
    cluster.release()
    cluster.advance(200)
    assert [(cluster.value(number, b"a"), cluster.value(number, b"b")) for number in (1, 2, 3)] == [
        (None, b"x")
    ] * 3


@given(st.binary(max_size=200), st.integers(1, 50))
def test_no_bytes_break_it_and_what_is_no_command_closes_it(data: bytes, size: int) -> None:
    client = lone_client()
    for piece in pieces(data, size):
        if not client.closing:
            client.receive(piece)
    assert client.closing or client.receive(b"") == b""
