"""What goes over all keys: SCAN misses none that lives, KEYS holds nobody up, a flush stays in its database."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memrep.protocol.negotiation import REDIS
from tests.harness.cluster import serving_cluster
from tests.harness.engine_fixture import Rig
from tests.harness.lone_node import LoneConnection, lone_node
from tests.unit.protocol.resp.test_dialect import OK, PONG, one_told, redis_client, redis_to, said, told

KEYS = st.lists(st.binary(max_size=6), max_size=60, unique=True)


def _scan(client: LoneConnection, *options: str | int, cursor: bytes = b"0") -> tuple[bytes, list[bytes]]:
    cursor, page = one_told(client.receive(said("SCAN", cursor, *options)))
    return cursor, page


# --- SCAN


@settings(max_examples=40)
@given(KEYS, st.integers(1, 30), st.data())
def test_a_scan_gives_each_key_that_lives_throughout_whatever_comes_and_goes(
    keys: list[bytes], count: int, data: st.DataObject
) -> None:
    client = lone_node().connect(REDIS)
    for key in keys:
        client.receive(said("SET", b"lives" + key, "x") + said("SET", b"dies" + key, "x"))
    found: list[bytes] = []
    cursor, rounds = b"0", 0
    while cursor != b"0" or not rounds:
        cursor, page = _scan(client, "COUNT", count, cursor=cursor)
        found += page
        rounds += 1
        for key in data.draw(st.lists(st.sampled_from(keys), max_size=3)) if keys else ():
            client.receive(said("DEL", b"dies" + key) + said("SET", b"new" + key, "x"))
            assert b"dies" + key not in _scan(client, "COUNT", 1 << 20, cursor=cursor)[1]
    assert {b"lives" + key for key in keys} <= set(found)
    assert len([key for key in found if key.startswith(b"lives")]) == len(keys)


@pytest.mark.parametrize("count", [1, 7, 100])
def test_a_scan_goes_on_at_whichever_node_answers(count: int) -> None:
    cluster = serving_cluster(3)
    clients = [redis_client(cluster, number) for number in (1, 2, 3)]
    keys = {b"key%d" % number for number in range(120)}
    clients[0].send(b"".join(said("SET", key, "x") for key in keys))
    found: list[bytes] = []
    cursor, rounds = b"0", 0
    while cursor != b"0" or not rounds:
        client = clients[rounds % 3]
        cursor, page = one_told(client.send(said("SCAN", cursor, "COUNT", count)))
        clients[(rounds + 1) % 3].send(said("SET", b"new%d" % rounds, "x"))
        found += page
        rounds += 1
    assert keys <= set(found)
    assert len([key for key in found if key in keys]) == len(keys)


def test_a_scan_goes_on_at_a_node_that_has_outlived_the_one_where_it_began() -> None:
    cluster = serving_cluster(3)
    first, second = redis_client(cluster, 1), redis_client(cluster, 2)
    keys = {b"key%d" % number for number in range(50)}
    first.send(b"".join(said("SET", key, "x") for key in keys))
    cursor, found = one_told(first.send(said("SCAN", 0, "COUNT", 20)))
    cluster.kill(1)
    cluster.advance(5_000)
    end, rest = one_told(second.insist(said("SCAN", cursor, "COUNT", 100)))
    assert end == b"0"
    assert sorted(found + rest) == sorted(keys)


def test_a_scan_sees_its_own_database_alone() -> None:
    client = lone_node().connect(REDIS)
    for number in range(16):
        client.receive(said("SELECT", number) + said("SET", b"of%d" % number, "x"))
    for number in range(16):
        client.receive(said("SELECT", number))
        assert _scan(client, "COUNT", 100) == (b"0", [b"of%d" % number])
        assert one_told(client.receive(said("KEYS", "*"))) == [b"of%d" % number]
        assert one_told(client.receive(said("RANDOMKEY"))) == b"of%d" % number
        assert one_told(client.receive(said("DBSIZE"))) == 1


def test_two_scans_at_once_do_not_disturb_each_other() -> None:
    lone = lone_node()
    one, other = lone.connect(REDIS), lone.connect(REDIS)
    keys = {b"key%d" % number for number in range(100)}
    one.receive(b"".join(said("SET", key, "x") for key in keys))
    cursors, founds = [b"0", b"0"], [set[bytes](), set[bytes]()]
    for turn in range(40):
        number = turn % 2
        if turn < 2 or cursors[number] != b"0":
            cursors[number], page = _scan((one, other)[number], "COUNT", 9, cursor=cursors[number])
            founds[number] |= set(page)
    assert cursors == [b"0", b"0"]
    assert founds == [keys, keys]


def test_a_scan_that_begins_sees_what_has_come_since_another_was_left_half_way() -> None:
    lone = lone_node()
    one, other = lone.connect(REDIS), lone.connect(REDIS)
    one.receive(b"".join(said("SET", number, "x") for number in range(30)))
    _scan(one, "COUNT", 5)
    one.receive(b"".join(said("SET", number, "x") for number in range(30, 60)))
    cursor, page = _scan(other, "COUNT", 5)
    assert len(page + _scan(other, "COUNT", 100, cursor=cursor)[1]) == 60


def test_what_has_run_out_is_not_listed() -> None:
    lone = lone_node()
    client = lone.connect(REDIS)
    client.receive(said("SET", "a", "x", "PX", 50) + said("SET", "b", "x"))
    lone.advance(0.05)
    assert one_told(client.receive(said("KEYS", "*"))) == [b"b"]
    assert _scan(client) == (b"0", [b"b"])
    assert one_told(client.receive(said("RANDOMKEY"))) == b"b"


@pytest.mark.parametrize(("pattern", "fits"), [("*", True), ("", True), ("**", False), ("*?", False)])
def test_a_key_whose_name_is_empty_is_listed_as_at_redis_server(pattern: str, fits: bool) -> None:
    """Who deletes what he lists, or copies it, would leave it behind."""
    client = lone_node().connect(REDIS)
    client.receive(said("SET", "", "x"))
    expected = [b""] if fits else []
    assert one_told(client.receive(said("KEYS", pattern))) == expected
    assert _scan(client, "MATCH", pattern) == (b"0", expected)
    assert _scan(client) == (b"0", [b""])


def test_a_node_that_lists_no_keys_says_so_and_counts_them_all_the_same() -> None:
    client = lone_node(redis_lists=False).connect(REDIS)
    client.receive(said("SET", "a", "x"))
    for command in (said("KEYS", "*"), said("SCAN", "0"), said("RANDOMKEY")):
        assert client.receive(command).startswith(b"-NOPERM ")
    assert one_told(client.receive(said("DBSIZE"))) == 1


# --- many keys


@pytest.mark.parametrize("command", [said("KEYS", "*7"), said("KEYS", "*"), said("SCAN", 0, "COUNT", 5_000)])
def test_over_many_keys_it_yields_the_turn_and_is_told_whole_before_what_follows(command: bytes) -> None:
    rig = Rig()
    keys = [b"key%d" % number for number in range(5_000)]
    for key in keys:
        rig.holding(b"x", key)
    client, other = redis_to(rig.engine), redis_to(rig.engine)
    client.spent = lambda: True
    steps = [client.receive(command + said("PING"))]
    while client.blocked:
        assert other.receive(said("PING")) == PONG
        steps.append(client.resume())
    assert len(steps) > 9
    assert b"".join(steps).endswith(PONG)
    replies = told(b"".join(steps))
    assert replies[1:] == [b"+PONG"]
    found = replies[0] if command.startswith(b"*2") else replies[0][1]
    assert sorted(found) == sorted(key for key in keys if b"*7" not in command or key.endswith(b"7"))


def test_a_key_that_dies_while_keys_are_listed_is_not_a_hole_in_the_list() -> None:
    rig = Rig()
    for number in range(2_000):
        rig.holding(b"x", b"key%d" % number)
    client, other = redis_to(rig.engine), redis_to(rig.engine)
    client.spent = lambda: True
    replies = client.receive(said("KEYS", "*"))
    other.receive(said("DEL", "key1999", "key1998"))
    while client.blocked:
        replies += client.resume()
    assert len(one_told(replies)) == 1_998


# --- flushes


@pytest.mark.parametrize("number", [0, 3])
def test_a_flush_of_one_database_stays_in_it_on_all_nodes(number: int) -> None:
    cluster = serving_cluster(3)
    client = redis_client(cluster, 1)
    for each in (0, 3, 15):
        client.send(said("SELECT", each) + said("MSET", "a", each, "\n3 b", each))
    assert client.send(said("SELECT", number) + said("FLUSHDB")) == OK + OK
    for node in (1, 2, 3):
        peer = redis_client(cluster, node)
        for each in (0, 3, 15):
            peer.send(said("SELECT", each))
            expected = [None if each == number else b"%d" % each] * 2
            assert one_told(peer.send(said("MGET", "a", "\n3 b"))) == expected
            assert one_told(peer.send(said("DBSIZE"))) == (0 if each == number else 2)


@pytest.mark.parametrize("command", ["FLUSHDB", "FLUSHALL"])
def test_nothing_flushed_returns_with_a_node_that_was_away(command: str) -> None:
    cluster = serving_cluster(3)
    client = redis_client(cluster, 1)
    client.send(said("SET", "of0", "x") + said("SELECT", 2) + said("SET", "a", "old") + said("SET", "b", "old"))
    cluster.kill(3)
    cluster.advance(5_000)
    client.insist(said("PING"))
    client.send(said(command))
    client.send(said("SET", "b", "new"))
    cluster.start(3)
    cluster.advance(5_000)
    for number in (1, 2, 3):
        peer = redis_client(cluster, number)
        peer.insist(said("SELECT", 2))
        assert one_told(peer.send(said("MGET", "a", "b"))) == [None, b"new"]
        peer.send(said("SELECT", 0))
        assert one_told(peer.send(said("EXISTS", "of0"))) == (1 if command == "FLUSHDB" else 0)


def test_nothing_flushed_returns_with_a_node_that_was_cut_off_and_kept_it() -> None:
    cluster = serving_cluster(3)
    client = redis_client(cluster, 1)
    client.send(said("SET", "of0", "x") + said("SELECT", 2) + said("SET", "a", "old"))
    cluster.hold((1, 3), (2, 3), (3, 1), (3, 2))
    cluster.advance(5_000)
    client.insist(said("PING"))
    client.send(said("FLUSHDB"))
    assert cluster.value(3, b"\n2 a") == b"old"
    cluster.release()
    for pair in ((1, 3), (2, 3), (3, 1), (3, 2)):
        cluster.dial(*pair)
    cluster.advance(10_000)
    assert len(cluster.serving()) == 3
    for number in (1, 2, 3):
        peer = redis_client(cluster, number)
        peer.insist(said("SELECT", 2))
        assert one_told(peer.send(said("EXISTS", "a"))) == 0
        peer.send(said("SELECT", 0))
        assert one_told(peer.send(said("EXISTS", "of0"))) == 1


def test_a_read_waits_for_a_flush_of_its_own_database_and_for_no_other() -> None:
    rig = Rig("later")
    flusher, reader = redis_to(rig.engine), redis_to(rig.engine)
    for number in (0, 3):
        flusher.receive(said("SELECT", number) + said("SET", "a", "x"))
        rig.later.succeed()
        flusher.resume()
    assert flusher.receive(said("FLUSHDB")) == b""
    assert one_told(reader.receive(said("GET", "a"))) == b"x"
    reader.receive(said("SELECT", 3))
    assert reader.receive(said("GET", "a")) == b""
    rig.later.succeed()
    assert one_told(reader.resume()) is None
    assert flusher.resume() == OK


def test_memcacheds_flush_all_ends_all_databases() -> None:
    lone = lone_node()
    client, other = lone.connect(REDIS), lone.connect()
    for number in range(16):
        client.receive(said("SELECT", number) + said("SET", "a", "x"))
    other.receive(b"flush_all\r\n")
    for number in range(16):
        client.receive(said("SELECT", number))
        assert told(client.receive(said("GET", "a") + said("DBSIZE"))) == [None, 0]


def test_a_flush_that_is_not_allowed_is_refused_and_not_done() -> None:
    client = lone_node(flush_all=False).connect(REDIS)
    client.receive(said("SET", "a", "x"))
    for command in ("FLUSHDB", "FLUSHALL"):
        assert client.receive(said(command)).startswith(b"-NOPERM ")
    assert one_told(client.receive(said("GET", "a"))) == b"x"
