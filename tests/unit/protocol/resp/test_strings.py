"""Commands on strings across nodes and against a model; what they say of one node alone transcripts show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.negotiation import REDIS
from tests.harness.cluster import serving_cluster
from tests.harness.lone_node import lone_node
from tests.unit.protocol.resp.test_dialect import (
    OK,
    TOO_LARGE,
    Waiting,
    bulk,
    lone_client,
    one_told,
    redis_client,
    said,
    told,
)


@pytest.mark.parametrize(("command", "left"), [("INCR", b"9"), ("APPEND", b"xxx"), ("INCRBYFLOAT", b"4.5")])
def test_what_all_nodes_change_at_the_same_time_has_each_change_once(command: str, left: bytes) -> None:
    cluster = serving_cluster(3)
    clients = [redis_client(cluster, number) for number in (1, 2, 3)]
    arguments = {"INCR": (), "APPEND": ("x",), "INCRBYFLOAT": ("1.5",)}[command]
    for _ in range(3 if command == "INCR" else 1):
        cluster.hold_all()
        for client in clients:
            client.post(said(command, "n", *arguments))
        cluster.release()
        cluster.advance(300)
    assert [len(told(client.take())) for client in clients] == [3 if command == "INCR" else 1] * 3
    assert [cluster.value(number, b"n") for number in (1, 2, 3)] == [left] * 3


@pytest.mark.parametrize(
    "command", [("SET", "a", "me", "NX"), ("SETNX", "a", "me"), ("MSETNX", "a", "1", "b", "1")]
)
def test_of_those_who_store_what_is_not_there_at_the_same_time_one_does(command: tuple[str, ...]) -> None:
    cluster = serving_cluster(3)
    clients = [redis_client(cluster, number) for number in (1, 2, 3)]
    cluster.hold_all()
    for client in clients:
        client.post(said(*command))
    cluster.release()
    cluster.advance(300)
    granted = [one_told(client.take()) in (1, b"+OK") for client in clients]
    assert sum(granted) == 1 or (command[0] == "MSETNX" and sum(granted) == 0)
    assert (cluster.value(1, b"a") is not None) == any(granted)


def test_of_those_who_take_a_value_away_one_is_shown_it() -> None:
    cluster = serving_cluster(3)
    clients = [redis_client(cluster, number) for number in (1, 2, 3)]
    clients[0].send(said("SET", "a", "x"))
    cluster.hold_all()
    for client in clients:
        client.post(said("GETDEL", "a"))
    cluster.release()
    cluster.advance(300)
    assert sorted((one_told(client.take()) or b"") for client in clients) == [b"", b"", b"x"]


def test_what_a_msetnx_has_stored_before_it_was_refused_is_taken_back() -> None:
    cluster = serving_cluster(3)
    client, other = redis_client(cluster, 1), redis_client(cluster, 2)
    cluster.hold_all()
    client.post(said("MSETNX", "a", "1", "b", "2"))
    other.post(said("SET", "b", "his"))
    cluster.release()
    cluster.advance(300)
    assert (client.take(), other.take()) == (b":0\r\n", OK)
    assert [(cluster.value(number, b"a"), cluster.value(number, b"b")) for number in (1, 2, 3)] == [
        (None, b"his")
    ] * 3


def test_a_multi_get_shows_each_key_as_it_is_when_it_is_clean() -> None:
    client = Waiting(a=b"old", b=b"x")
    reader = Waiting()
    reader.connection = client.connection
    client.receive(said("SET", "a", "new") + said("MGET", "a", "b", "a", "none"))
    assert client.succeed() == OK + b"*4\r\n" + bulk(b"new") + bulk(b"x") + bulk(b"new") + b"$-1\r\n"


@given(st.binary(max_size=12), st.integers(-15, 15), st.integers(-15, 15))
def test_a_part_is_from_the_first_to_the_last_of_it_and_never_wraps(value: bytes, start: int, end: int) -> None:
    client = lone_client()
    client.receive(said("SET", "a", value))
    first = max(0, start + len(value)) if start < 0 else start
    last = max(0, end + len(value)) if end < 0 else end
    expected = b"" if start < 0 and end < 0 and start > end else value[first : last + 1]
    assert one_told(client.receive(said("GETRANGE", "a", start, end))) == expected


@given(st.binary(max_size=12), st.integers(0, 20), st.binary(min_size=1, max_size=6))
def test_a_part_is_written_over_what_is_there_and_what_lies_before_it_is_noughts(
    value: bytes, offset: int, part: bytes
) -> None:
    client = lone_client()
    client.receive(said("SET", "a", value))
    whole = bytearray(value.ljust(offset + len(part), b"\0"))
    whole[offset : offset + len(part)] = part
    assert one_told(client.receive(said("SETRANGE", "a", offset, part))) == len(whole)
    assert one_told(client.receive(said("GET", "a"))) == bytes(whole)


CHANGES = [("APPEND", "a", "5"), ("INCR", "a"), ("SETRANGE", "a", "0", "7"), ("INCRBYFLOAT", "a", "1.5")]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_part_keeps_flags_and_end_and_a_set_neither(change: tuple[str, ...]) -> None:
    lone = lone_node()
    client, other = lone.connect(REDIS), lone.connect()
    other.receive(b"set a 9 100 1\r\n5\r\n")
    client.receive(said(*change))
    assert other.receive(b"get a\r\n").startswith(b"VALUE a 9 ")
    assert one_told(client.receive(said("TTL", "a"))) == 100
    client.receive(said("SET", "a", "x"))
    assert other.receive(b"get a\r\n").startswith(b"VALUE a 0 ")
    assert one_told(client.receive(said("TTL", "a"))) == -1


@pytest.mark.parametrize("command", [("APPEND", "a", b"x" * 600), ("SETRANGE", "a", 600, b"x" * 600)])
def test_a_value_that_would_grow_above_the_limit_is_left_as_it_is(command: tuple[str, str, bytes]) -> None:
    client = lone_client(item_max=1_024)
    client.receive(said("SET", "a", b"y" * 600))
    assert client.receive(said(*command)) == TOO_LARGE
    assert client.receive(said("GET", "a")) == bulk(b"y" * 600)


def test_a_get_makes_a_value_recently_used_and_is_counted() -> None:
    lone = lone_node()
    client = lone.connect(REDIS)
    client.receive(said("SET", "a", "x"))
    lone.advance(10)
    assert one_told(client.receive(said("OBJECT", "IDLETIME", "a"))) == 10
    client.receive(said("GET", "a") + said("MGET", "a", "none") + said("STRLEN", "none"))
    # As Redis counts its keyspace_hits: OBJECT has looked the key up, too.
    assert (lone.node.counters.get_hits, lone.node.counters.get_misses) == (3, 2)


SHOWING = ["GETEX k EX 100", "GETEX k PERSIST", "GETDEL k", "GETSET k 1", "SET k 1 GET"]


@pytest.mark.parametrize("command", SHOWING)
def test_what_shows_what_it_changes_is_counted_as_a_get(command: str) -> None:
    """phpredis' early_refresh, for one, reads by GETEX alone."""
    lone = lone_node()
    client, counters = lone.connect(REDIS), lone.node.counters
    client.receive(said(*command.split()))
    assert (counters.get_hits, counters.get_misses) == (0, 1)
    client.receive(said("SET", "k", "x") + said("MULTI") + said(*command.split()) + said("EXEC"))
    assert (counters.get_hits, counters.get_misses) == (1, 1)
    client.receive(said("SET", "k", "x") + said(*command.split()))
    assert (counters.get_hits, counters.get_misses) == (2, 1)
