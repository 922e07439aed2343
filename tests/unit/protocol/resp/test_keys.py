"""Commands on keys across nodes and across time; what they say of one node alone transcripts show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.negotiation import REDIS
from tests.harness.cluster import serving_cluster
from tests.harness.lone_node import lone_node
from tests.unit.protocol.resp.test_dialect import OK, Waiting, one_told, redis_client, said, told


def test_of_those_who_delete_a_key_at_the_same_time_one_has_done_it() -> None:
    cluster = serving_cluster(3)
    clients = [redis_client(cluster, number) for number in (1, 2, 3)]
    clients[0].send(said("SET", "a", "x"))
    cluster.hold_all()
    for client in clients:
        client.post(said("DEL", "a", "a", "none"))
    cluster.release()
    cluster.advance(300)
    assert sorted(one_told(client.take()) for client in clients) == [0, 0, 1]


def test_a_rename_takes_value_flags_and_end_along_on_all_nodes() -> None:
    cluster = serving_cluster(3)
    client = redis_client(cluster, 1)
    cluster.client(1).send(b"set a 9 100 1\r\nx\r\n")
    assert client.send(said("RENAME", "a", "b")) == OK
    for number in (1, 2, 3):
        peer = redis_client(cluster, number)
        assert told(peer.send(said("EXISTS", "a") + said("GET", "b") + said("TTL", "b"))) == [0, b"x", 100]
        assert cluster.client(number).send(b"get b\r\n").startswith(b"VALUE b 9 1\r\n")


def test_a_rename_does_not_delete_what_another_node_has_stored_meanwhile() -> None:
    cluster = serving_cluster(3)
    client, other = redis_client(cluster, 1), redis_client(cluster, 2)
    client.send(said("SET", "a", "old"))
    cluster.hold_all()
    client.post(said("RENAME", "a", "b"))
    other.post(said("SET", "a", "new"))
    cluster.release()
    cluster.advance(300)
    assert (client.take(), other.take()) == (OK, OK)
    assert [cluster.value(number, b"b") for number in (1, 2, 3)] == [b"old"] * 3
    assert cluster.value(1, b"a") == cluster.value(3, b"a") == b"new"


def test_of_two_that_rename_to_the_same_free_name_one_is_refused_and_keeps_its_key() -> None:
    cluster = serving_cluster(3)
    one, other = redis_client(cluster, 1), redis_client(cluster, 2)
    one.send(said("MSET", "a", "1", "b", "2"))
    cluster.hold_all()
    one.post(said("RENAMENX", "a", "c"))
    other.post(said("RENAMENX", "b", "c"))
    cluster.release()
    cluster.advance(300)
    ends = [one_told(one.take()), one_told(other.take())]
    assert sorted(ends) == [0, 1]
    kept = b"a" if ends[0] == 0 else b"b"
    assert cluster.value(3, kept) == {b"a": b"1", b"b": b"2"}[kept]
    assert sorted(key for key in (b"a", b"b", b"c") if cluster.value(2, key)) == sorted([kept, b"c"])


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_what_is_left_shrinks_by_the_time_that_passes(ms: int, passes: int) -> None:
    lone = lone_node()
    client = lone.connect(REDIS)
    client.receive(said("SET", "a", "x") + said("PEXPIRE", "a", ms))
    lone.advance(passes / 1000)
    left = ms - passes
    expected = [left, (left + 500) // 1000, 1, b"x"] if left > 0 else [-2, -2, 0, None]
    replies = told(
        client.receive(said("PTTL", "a") + said("TTL", "a") + said("EXISTS", "a") + said("GET", "a"))
    )
    assert replies == expected


def test_an_end_is_the_same_on_all_nodes_and_a_moved_one_too() -> None:
    cluster = serving_cluster(3)
    clients = [redis_client(cluster, number) for number in (1, 2, 3)]
    clients[0].send(said("SET", "a", "x", "PX", 5_000))
    clients[1].send(said("PEXPIRE", "a", 60_000))
    cluster.advance(10_000)
    assert [one_told(client.send(said("PTTL", "a"))) for client in clients] == [50_000] * 3
    clients[2].send(said("PERSIST", "a"))
    assert [one_told(client.send(said("PTTL", "a"))) for client in clients] == [-1] * 3


def test_an_end_in_the_past_deletes_on_all_nodes() -> None:
    cluster = serving_cluster(3)
    client = redis_client(cluster, 1)
    client.send(said("SET", "a", "x"))
    assert client.send(said("EXPIREAT", "a", 1)) == b":1\r\n"
    assert [cluster.value(number, b"a") for number in (1, 2, 3)] == [None] * 3


@pytest.mark.parametrize(
    "command",
    [
        ("DEL", "none"),
        ("PERSIST", "a"),
        ("EXPIRE", "none", 5),
        ("EXPIRE", "a", 5, "XX"),
        ("TOUCH", "a"),
        ("TTL", "a"),
    ],
)
def test_what_changes_nothing_is_no_write(command: tuple[str | int, ...]) -> None:
    client = Waiting(a=b"x")
    assert isinstance(one_told(client.receive(said(*command))), int)
    assert client.proposed() == []


def test_a_new_end_leaves_memcacheds_cas_unique_alone() -> None:
    lone = lone_node()
    client, other = lone.connect(REDIS), lone.connect()
    other.receive(b"set a 0 0 1\r\nx\r\n")
    before = other.receive(b"gets a\r\n")
    client.receive(said("EXPIRE", "a", 60) + said("PERSIST", "a"))
    assert other.receive(b"gets a\r\n") == before


@pytest.mark.parametrize(
    "command", [("GET", "a"), ("MGET", "b", "a"), ("STRLEN", "a"), ("GETRANGE", "a", 0, 1), ("TOUCH", "b", "a")]
)
def test_who_reads_or_touches_a_key_has_used_it(command: tuple[str | int, ...]) -> None:
    lone = lone_node()
    client = lone.connect(REDIS)
    client.receive(said("SET", "a", "x"))
    lone.advance(9)
    assert client.receive(said("OBJECT", "IDLETIME", "a")) == b":9\r\n"
    client.receive(said(*command))
    assert client.receive(said("OBJECT", "IDLETIME", "a")) == b":0\r\n"


@pytest.mark.parametrize("command", [("EXISTS", "a"), ("TYPE", "a"), ("TTL", "a"), ("MEMORY", "USAGE", "a")])
def test_who_looks_whether_a_key_is_there_has_not_used_it(command: tuple[str, ...]) -> None:
    lone = lone_node()
    client = lone.connect(REDIS)
    client.receive(said("SET", "a", "x"))
    lone.advance(9)
    client.receive(said(*command))
    assert client.receive(said("OBJECT", "IDLETIME", "a")) == b":9\r\n"
