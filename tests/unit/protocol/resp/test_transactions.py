"""What is queued is done as one: one write a key, never half of it, none of it if a watch was broken."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memrep.protocol.negotiation import REDIS
from memrep.protocol.resp.execution import MOMENT
from memrep.replication.message import Frame, Write
from tests.harness.cluster import Cluster, serving_cluster
from tests.harness.lone_node import lone_node
from tests.unit.node.test_slices import Shell, hurried
from tests.unit.protocol.resp.test_dialect import (
    NIL,
    OK,
    QUEUED,
    Waiting,
    Word,
    bulk,
    one_told,
    redis_client,
    said,
    told,
)


def _as_one(*commands: tuple[Word, ...]) -> bytes:
    return said("MULTI") + b"".join(said(*command) for command in commands) + said("EXEC")


def _written(cluster: Cluster, key: bytes) -> list[Write]:
    """The writes of a key that node 1 has told node 2."""
    frames = [message for a, b, message in cluster.said if (a, b) == (1, 2) and isinstance(message, Frame)]
    return [item for frame in frames for item in frame.items if isinstance(item, Write) and item.key == key]


# --- one write


def test_what_a_queue_does_to_one_key_is_one_write() -> None:
    client = Waiting()
    commands = _as_one(
        ("SET", "a", "1"), ("INCR", "a"), ("APPEND", "a", "0"), ("GET", "a"), ("EXPIRE", "a", 60)
    )
    assert client.receive(commands) == OK + QUEUED * 5
    assert client.proposed() == [b"a"]
    assert one_told(client.succeed()) == [b"+OK", 2, 2, b"20", 1]
    assert client.proposed() == []


def test_what_a_queue_does_to_one_key_is_one_message_to_each_peer() -> None:
    cluster = serving_cluster(3)
    client = redis_client(cluster, 1)
    client.send(said("SET", "single", "1"))
    client.send(_as_one(("SET", "several", "1"), *[("INCR", "several")] * 20))
    assert len(_written(cluster, b"several")) == len(_written(cluster, b"single")) > 0
    assert [cluster.value(number, b"several") for number in (1, 2, 3)] == [b"21"] * 3


def test_no_other_node_sees_a_key_between_two_commands_of_a_queue() -> None:
    cluster = serving_cluster(2)
    writer, reader = redis_client(cluster, 1), redis_client(cluster, 2)
    writer.send(said("SET", "a", "old"))
    cluster.hold_all()
    writer.post(_as_one(("SET", "a", "half"), ("SET", "a", "whole")))
    seen = [cluster.value(2, b"a")]
    while cluster.on_way((1, 2)) or cluster.on_way((2, 1)):
        for pair in ((1, 2), (2, 1)):
            cluster.step(pair)
            seen.append(cluster.value(2, b"a"))
    assert set(seen) == {b"old", b"whole"}
    assert reader.send(said("GET", "a")) == bulk(b"whole")


def test_different_keys_are_on_their_way_beside_each_other_and_told_when_all_are_held() -> None:
    client = Waiting()
    client.receive(_as_one(("SET", "a", "1"), ("SET", "b", "2"), ("SET", "a", "3")))
    assert client.proposed() == [b"a", b"b"]
    assert client.succeed() == b""
    assert client.succeed() == b"*3\r\n" + OK * 3


def test_a_queue_whose_write_loses_is_decided_anew_as_a_whole() -> None:
    client = Waiting(n=b"1")
    client.receive(_as_one(("INCR", "n"), ("INCR", "n"), ("GET", "n")))
    assert client.fail() == b""
    assert one_told(client.succeed()) == [2, 3, b"3"]


def test_a_queue_that_only_reads_writes_nothing() -> None:
    client = Waiting(a=b"1")
    assert one_told(
        client.receive(_as_one(("GET", "a"), ("TTL", "a"), ("GET", "b")))[len(OK + QUEUED * 3) :]
    ) == [
        b"1",
        -1,
        None,
    ]
    assert client.proposed() == []


COMMAND = st.one_of(
    st.tuples(st.just("SET"), st.sampled_from("abc"), st.sampled_from(["1", "x", ""])),
    st.tuples(st.sampled_from(["GET", "INCR", "GETDEL", "TTL", "PERSIST", "STRLEN"]), st.sampled_from("abc")),
    st.tuples(st.sampled_from(["DEL", "MGET", "EXISTS"]), st.sampled_from("abc"), st.sampled_from("abc")),
    st.tuples(st.just("EXPIRE"), st.sampled_from("abc"), st.sampled_from(["60", "-1", "x"])),
    st.tuples(st.just("APPEND"), st.sampled_from("abc"), st.just("y")),
    st.tuples(
        st.just("SET"), st.sampled_from("abc"), st.just("n"), st.sampled_from(["NX", "XX"]), st.just("GET")
    ),
    st.tuples(st.just("MSET"), st.sampled_from("abc"), st.just("1"), st.sampled_from("abc"), st.just("2")),
    st.tuples(st.just("MSETNX"), st.sampled_from("abc"), st.just("1"), st.sampled_from("abc"), st.just("2")),
    st.tuples(st.sampled_from(["RENAME", "RENAMENX"]), st.sampled_from("abc"), st.sampled_from("abc")),
    st.tuples(st.just("SELECT"), st.sampled_from(["0", "1"])),
)


@settings(max_examples=200)
@given(st.lists(COMMAND, max_size=8))
def test_alone_a_queue_does_and_tells_what_its_commands_do_one_by_one(commands: list[tuple[str, ...]]) -> None:
    queued, single = lone_node().connect(REDIS), lone_node().connect(REDIS)
    replies = queued.receive(_as_one(*commands))
    assert replies.startswith(OK + QUEUED * len(commands))
    one_by_one = [told(single.receive(said(*command)))[0] for command in commands]
    assert told(replies)[-1] == one_by_one
    everything = (
        said("SELECT", 0) + said("MGET", "a", "b", "c") + said("SELECT", 1) + said("MGET", "a", "b", "c")
    )
    assert queued.receive(everything) == single.receive(everything)


# --- WATCH


@pytest.mark.parametrize(
    "rival", [said("SET", "a", "his"), said("DEL", "a"), said("EXPIRE", "a", 60), said("FLUSHDB")]
)
def test_a_rival_on_another_node_makes_exec_do_nothing(rival: bytes) -> None:
    cluster = serving_cluster(3)
    client, other = redis_client(cluster, 1), redis_client(cluster, 2)
    client.send(said("SET", "a", "old"))
    client.send(said("WATCH", "a"))
    other.send(rival)
    assert told(client.send(_as_one(("SET", "a", "mine"), ("SET", "b", "mine"))))[-1] is None
    assert [cluster.value(number, b"b") for number in (1, 2, 3)] == [None] * 3
    assert cluster.value(3, b"a") == cluster.value(1, b"a") != b"mine"
    assert told(client.send(_as_one(("SET", "a", "again"))))[-1] == [b"+OK"]


def test_of_two_rivals_on_two_nodes_at_the_same_time_one_loses() -> None:
    cluster = serving_cluster(3)
    clients = [redis_client(cluster, number) for number in (1, 2)]
    clients[0].send(said("SET", "n", "5"))
    for client in clients:
        assert client.send(said("WATCH", "n") + said("GET", "n")) == OK + bulk(b"5")
    cluster.hold_all()
    for client in clients:
        client.post(_as_one(("SET", "n", "6")))
    cluster.release()
    cluster.advance(500)
    ends = [told(client.take())[-1] for client in clients]
    assert sorted(ends, key=str) == [None, [b"+OK"]] or sorted(ends, key=str) == [[b"+OK"], None]
    assert [cluster.value(number, b"n") for number in (1, 2, 3)] == [b"6"] * 3


@pytest.mark.parametrize("seed", range(10))
def test_counting_by_watch_and_exec_on_all_nodes_loses_no_count(seed: int) -> None:
    cluster = serving_cluster(3)
    clients = [redis_client(cluster, number) for number in (1, 2, 3)]
    clients[0].send(said("SET", "n", "0"))
    counted = 0
    for number in range(12):
        order = clients[(seed + number) % 3 :] + clients[: (seed + number) % 3]
        for client in order:
            client.send(said("WATCH", "n"))
        values = [int(one_told(client.send(said("GET", "n")))) for client in order]
        cluster.hold_all()
        for client, value in zip(order, values, strict=True):
            client.post(_as_one(("SET", "n", value + 1)))
        cluster.release()
        cluster.advance(200)
        counted += sum(told(client.take())[-1] is not None for client in order)
    assert counted >= 12
    assert cluster.value(1, b"n") == b"%d" % counted


def test_a_watched_key_that_the_queue_does_not_touch_is_looked_at_too() -> None:
    cluster = serving_cluster(3)
    client, other = redis_client(cluster, 1), redis_client(cluster, 2)
    client.send(said("WATCH", "a", "none"))
    other.send(said("SET", "none", "x"))
    assert told(client.send(_as_one(("SET", "b", "1"))))[-1] is None


def test_a_watched_key_may_be_changed_by_the_queue_itself_and_by_its_second_halves() -> None:
    client = lone_node().connect(REDIS)
    client.receive(said("SET", "a", "1") + said("WATCH", "a", "b"))
    commands = _as_one(("SET", "a", "2"), ("RENAME", "a", "b"), ("MSETNX", "c", "1", "d", "2"))
    assert told(client.receive(commands))[-1] == [b"+OK", b"+OK", 1]
    assert client.receive(said("GET", "b")) == bulk(b"2")


def test_a_watched_value_that_runs_out_has_changed() -> None:
    lone = lone_node()
    client = lone.connect(REDIS)
    client.receive(said("SET", "a", "1", "PX", 100) + said("WATCH", "a"))
    lone.advance(0.1)
    assert told(client.receive(_as_one(("SET", "b", "1"))))[-1] is None


@pytest.mark.parametrize("word", ["UNWATCH", "DISCARD", "EXEC", "RESET"])
def test_a_watch_ends_with_what_ends_it(word: str) -> None:
    lone = lone_node()
    client, other = lone.connect(REDIS), lone.connect(REDIS)
    client.receive(said("WATCH", "a"))
    if word in ("DISCARD", "EXEC"):
        client.receive(said("MULTI"))
    client.receive(said(word))
    other.receive(said("SET", "a", "x"))
    assert told(client.receive(_as_one(("SET", "a", "1"))))[-1] == [b"+OK"]


def test_a_write_from_memcacheds_side_breaks_a_watch() -> None:
    lone = lone_node()
    client, other = lone.connect(REDIS), lone.connect()
    client.receive(said("SET", "a", "1") + said("WATCH", "a"))
    other.receive(b"set a 0 0 1\r\n1\r\n")
    assert told(client.receive(_as_one(("DEL", "a"))))[-1] is None
    assert client.receive(said("GET", "a")) == bulk(b"1")


# --- the queue


def test_nothing_is_done_before_exec_nor_when_the_client_leaves() -> None:
    lone = lone_node()
    client, other = lone.connect(REDIS), lone.connect(REDIS)
    client.receive(said("MULTI") + said("SET", "a", "1"))
    assert other.receive(said("GET", "a")) == NIL
    lone.begin()
    lone.node.clients.disconnect(client.connection)
    lone.end()
    assert other.receive(said("GET", "a")) == NIL


def test_a_watched_key_that_is_made_and_deleted_again_has_changed() -> None:
    cluster = serving_cluster(3)
    mine, his = redis_client(cluster, 1), redis_client(cluster, 2)
    assert mine.send(said("WATCH", "a")) == b"+OK\r\n"
    his.send(said("SET", "a", "his"))
    assert mine.send(said("GET", "a")) == b"$3\r\nhis\r\n"
    his.send(said("DEL", "a"))
    assert mine.send(said("MULTI") + said("APPEND", "a", "mine") + said("EXEC")).endswith(b"*-1\r\n")
    assert cluster.value(3, b"a") is None


def test_a_watched_key_that_the_queue_only_reads_has_changed_if_it_has_by_then() -> None:
    cluster = serving_cluster(3)
    mine, his = redis_client(cluster, 1), redis_client(cluster, 1)
    mine.send(said("SET", "a", "1") + said("SET", "x", "2"))
    mine.send(said("WATCH", "a"))
    cluster.hold_all()
    mine.post(said("MULTI") + said("RENAME", "x", "y") + said("GET", "a") + said("EXEC"))
    his.post(said("SET", "a", "his"))
    cluster.release()
    cluster.advance(500)
    assert told(mine.take())[-1] is None


# --- one moment, however long the queue; the time of a turn is up at once, and others have one between any two

_LONG = 600
_SETS = [("SET", f"k{number}", "new") for number in range(_LONG)]


def test_nobody_sees_half_of_what_a_long_queue_does() -> None:
    shell = Shell(hurried())
    writer, reader = shell.connect(REDIS), shell.connect(REDIS)
    shell.turn((writer, _as_one(*_SETS)))
    seen = set()

    def look() -> None:
        keys = ("k0", "k555", f"k{_LONG - 1}")
        seen.add(tuple(told(shell.ask(reader, b"".join(said("GET", key) for key in keys)))))

    shell.finish(look)
    assert seen == {(None, None, None), (b"new", b"new", b"new")}
    assert told(shell.told[writer])[-1] == [b"+OK"] * _LONG


@pytest.mark.parametrize(
    "between",
    [
        [],
        [("MSETNX", "k0", "1", "k1", "1")],
        [("RENAME", "k0", "k1")],
        [("SELECT", "0")],
        [("PING",)] * 100,
        [("DBSIZE",), ("RENAME", "none", "k1"), ("SELECT", "0")],
    ],
    ids=["one batch", "MSETNX", "RENAME", "SELECT", "PING", "all"],
)
def test_nobody_comes_in_between_two_commands_of_a_long_queue(between: list[tuple[str, ...]]) -> None:
    shell = Shell(hurried())
    writer, rival = shell.connect(REDIS), shell.connect(REDIS)
    queue = [("GET", "x"), *_SETS[: _LONG // 2], *between, *_SETS[_LONG // 2 :], ("GET", "y")]
    shell.turn((writer, _as_one(*queue)))
    turns = 0

    def write() -> None:
        nonlocal turns
        turns += 1
        assert shell.ask(rival, said("MSET", "x", turns, "y", turns)) == OK

    shell.finish(write)
    replies = told(shell.told[writer])[-1]
    assert replies[0] == replies[-1]
    assert turns > 50


def test_what_is_watched_is_looked_at_in_the_moment_in_which_a_long_queue_is_done() -> None:
    shell = Shell(hurried())
    writer, rival = shell.connect(REDIS), shell.connect(REDIS)
    shell.ask(writer, said("WATCH", "w"))
    shell.turn((writer, _as_one(*_SETS)))
    while shell.lone.node.behind and not shell.told[writer].endswith(QUEUED * _LONG):
        shell.turn()
    assert shell.ask(rival, said("SET", "w", "his")) == OK
    assert one_told(shell.ask(rival, said("GET", "k0"))) is None
    shell.finish()
    assert told(shell.told[writer])[-1] is None
    assert one_told(shell.ask(rival, said("DBSIZE"))) == 1


def test_however_many_keys_are_watched_none_changes_between_the_look_and_the_deed() -> None:
    shell = Shell(hurried())
    writer, rival = shell.connect(REDIS), shell.connect(REDIS)
    watched = [f"w{number}" for number in range(3 * MOMENT)]
    shell.turn((writer, said("WATCH", *watched)))
    shell.finish()
    shell.turn((writer, _as_one(("MSET", "done", "1", "last", "1"))))
    seen = []

    def change() -> None:
        done, _ = told(shell.ask(rival, said("GET", "done") + said("SET", watched[0], "his")))
        seen.append(done)

    shell.finish(change)
    is_done = told(shell.told[writer])[-1] is not None
    assert is_done == (not seen or seen[0] == b"1"), "who came in between was not overlooked"


def test_nothing_is_done_where_a_watch_was_broken_be_it_a_command_without_keys() -> None:
    lone = lone_node()
    client, other = lone.connect(REDIS), lone.connect(REDIS)
    client.receive(said("WATCH", "a"))
    other.receive(said("SET", "a", "his"))
    assert told(client.receive(_as_one(("SELECT", "1"), ("FLUSHDB",))))[-1] is None
    assert client.receive(said("GET", "a")) == bulk(b"his")


@pytest.mark.parametrize("turns", [1, 20, 37, 38, 39, 60])
def test_a_client_that_leaves_in_the_midst_of_a_long_queue_leaves_all_of_it_done_or_nothing(turns: int) -> None:
    shell = Shell(hurried())
    writer, other = shell.connect(REDIS), shell.connect(REDIS)
    shell.turn((writer, said("MULTI") + b"".join(said(*command) for command in _SETS)))
    shell.finish()
    shell.turn((writer, said("EXEC")))
    for _ in range(turns):
        shell.turn()
    shell.lone.node.clients.disconnect(writer)
    shell.finish()
    assert one_told(shell.ask(other, said("DBSIZE"))) in (0, _LONG)
    assert not shell.lone.node.clients.waits
