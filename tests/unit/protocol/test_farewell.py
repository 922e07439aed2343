"""Who is hung up on in the midst of a command is owed a word by a Redis Cluster; nobody else is, ever."""

from __future__ import annotations

from typing import Any

import pytest

from memrep.node.shell import ProcessInfo
from memrep.protocol.farewell import Farewell
from memrep.protocol.negotiation import REDIS
from memrep.replication.membership.timing import Timing
from tests.harness.cluster import TICK_MS, Client, serving_cluster
from tests.harness.lone_node import LoneNode, lone_node
from tests.unit.protocol.resp.test_dialect import OK, redis_client, said

DOWN = b"-CLUSTERDOWN The cluster is down\r\n"
HOLD_S = 0.005


def _lone(**options: Any) -> LoneNode:
    return lone_node(redis_port=6379, redis_cluster=True, **options)


def _cut_off(**options: Any) -> Client:
    """A Redis client of a node whose words do not arrive."""
    cluster = serving_cluster(3, redis_port=6379, **options)
    client = redis_client(cluster, 1)
    cluster.hold_all()
    return client


def _hung_up_on(client: Client) -> Farewell:
    """How its node hangs up on a client."""
    client.node.clients.close(client.connection)
    farewell = client.connection.farewell
    assert farewell is not None
    return farewell


@pytest.mark.parametrize(
    "data",
    [
        said("SET", "a", "1"),
        said("SET", "a", "1") + said("GET", "a"),
        said("INCR", "a"),
        said("MSET", "a", "1", "b", "2"),
        said("SET", "a", "1")[:-3],
        b"GET",
    ],
    ids=["plain", "behind", "plan", "many", "half", "half a line"],
)
def test_a_command_that_is_not_answered_is_told_that_the_cluster_is_down(data: bytes) -> None:
    client = _cut_off(redis_cluster=True)
    assert client.send(data) == b""
    assert _hung_up_on(client) == Farewell(HOLD_S, DOWN, due=True)


def test_so_is_one_whose_time_is_over() -> None:
    client = _cut_off(redis_cluster=True, timing=Timing(silence=10_000))
    assert client.send(said("SET", "a", "1")) == b""
    client.wait(client.node.options.timing.hold - TICK_MS)
    assert not client.closed
    client.wait(2 * TICK_MS)
    assert client.closed
    assert client.connection.farewell == Farewell(HOLD_S, DOWN, due=True)


def test_so_is_one_that_was_not_even_looked_at() -> None:
    client = _cut_off(redis_cluster=True)
    client.wait(client.node.options.timing.lease + TICK_MS)
    assert client.send(said("GET", "a")) == b""
    assert _hung_up_on(client) == Farewell(HOLD_S, DOWN, due=True)


def test_so_is_one_of_which_only_the_shell_knows() -> None:
    clients = _lone().node.clients
    connection = clients.connect(port=REDIS)
    clients.disconnect(connection, unheard=True)
    assert connection.farewell == Farewell(HOLD_S, DOWN, due=True)


def test_so_is_one_that_is_too_large_for_the_room_there_is() -> None:
    connection = _lone().connect(REDIS).connection
    connection.receive(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$500000\r\n")
    connection.refuse()
    assert connection.resume() == DOWN
    assert connection.closing


def test_who_waits_for_nothing_is_told_so_only_if_it_says_more() -> None:
    client = _cut_off(redis_cluster=True)
    assert client.send(said("PING")) == b"+PONG\r\n"
    assert _hung_up_on(client) == Farewell(HOLD_S, DOWN, due=False)


@pytest.mark.parametrize("serves", [True, False])
def test_what_is_read_of_who_has_been_hung_up_on_is_not_executed_and_owed_the_word(
    serves: bool,
) -> None:
    """A node that wakes hangs up on all who have said something, and only then reads it."""
    cluster = serving_cluster(3, redis_port=6379, redis_cluster=True)
    client = redis_client(cluster, 1)
    if not serves:
        cluster.hold_all()
        cluster.advance(client.node.options.timing.lease + TICK_MS)
    assert _hung_up_on(client).due is False
    assert client.send(said("SET", "a", "1")) == b""
    assert client.connection.farewell == Farewell(HOLD_S, DOWN, due=True)
    assert cluster.value(1, b"a") is None


def test_where_there_is_no_cluster_nothing_is_said() -> None:
    client = _cut_off()
    assert client.send(said("SET", "a", "1")) == b""
    assert _hung_up_on(client) == Farewell(HOLD_S, b"", due=True)


def test_to_memcacheds_clients_nothing_is_said_and_the_end_is_not_held_back() -> None:
    cluster = serving_cluster(3, redis_port=6379, redis_cluster=True)
    client = cluster.client(1)
    cluster.hold_all()
    assert client.send(b"set a 0 0 1\r\n1\r\n") == b""
    assert _hung_up_on(client) == Farewell(0.0, b"", due=True)
    assert client.node.clients.farewell("") == Farewell()
    assert client.node.clients.farewell(REDIS) == Farewell(HOLD_S, DOWN)


@pytest.mark.parametrize(
    ("before", "answer"), [(said("CLIENT", "REPLY", "OFF"), b""), (said("CLIENT", "REPLY", "SKIP"), b"")]
)
def test_who_wants_no_reply_gets_none(before: bytes, answer: bytes) -> None:
    for running in (said("INCR", "a"), said("GET", "a")[:-1]):
        client = _cut_off(redis_cluster=True)
        assert client.send(before + running) == answer
        assert _hung_up_on(client).word == b""


def test_who_has_had_a_part_of_a_reply_is_told_nothing_within_it() -> None:
    lone = _lone(process=ProcessInfo(spent=lambda: True))
    client = lone.connect(REDIS)
    client.receive(said("MSET", *[word for n in range(600) for word in (n, "x")]))
    while client.connection.blocked:
        client.connection.resume()
    client.connection.receive(said("CLUSTER", "COUNTKEYSINSLOT", 1))
    assert client.connection.blocked
    lone.node.clients.close(client.connection)
    assert client.connection.farewell == Farewell(HOLD_S, b"", due=True)


def test_who_has_said_goodbye_itself_is_told_nothing_more() -> None:
    client = _cut_off(redis_cluster=True)
    assert client.send(said("QUIT") + said("GET", "a")) == OK
    assert _hung_up_on(client).word == b""


def test_whatever_comes_later_does_not_change_how_a_client_is_hung_up_on() -> None:
    client = _cut_off(redis_cluster=True)
    client.send(said("SET", "a", "1"))
    farewell = _hung_up_on(client)
    client.node.clients.disconnect(client.connection)
    assert client.connection.farewell is farewell
