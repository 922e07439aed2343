"""Redis' clients on several keys and several nodes at once: what spans strings, keys and transactions."""

from __future__ import annotations

from random import Random

import pytest

from memrep.node.shell import ProcessInfo
from memrep.protocol.negotiation import REDIS
from memrep.protocol.resp.execution import MOMENT
from memrep.protocol.resp.glob import PATTERN_MAX
from tests.harness.cluster import Cluster
from tests.harness.lone_node import lone_node
from tests.unit.protocol.resp.test_dialect import lone_client, one_told, redis_client, said, told


def _formed(count: int = 3) -> Cluster:
    cluster = Cluster(count)
    cluster.advance(1000)
    return cluster


def test_keys_that_are_deleted_together_are_deleted_on_all_nodes() -> None:
    cluster = _formed()
    client = redis_client(cluster, 1)
    assert client.send(said("MSET", "a", "1", "b", "2")) == b"+OK\r\n"
    assert client.send(said("DEL", "a", "b", "a", "none")) == b":2\r\n"
    assert [cluster.value(number, key) for number in (1, 2, 3) for key in (b"a", b"b")] == [None] * 6
    stores = [cluster.nodes[number].store for number in (1, 2, 3)]
    assert len({(store.version(b"a"), store.version(b"b")) for store in stores}) == 1


def test_of_three_nodes_that_delete_the_same_keys_each_key_is_told_to_one() -> None:
    cluster = _formed()
    clients = [redis_client(cluster, number) for number in (1, 2, 3)]
    clients[0].send(said("MSET", "a", "1", "b", "2"))
    for client in clients:
        client.post(said("DEL", "a", "b"))
    cluster.shuffle(Random(1))
    cluster.advance(1000)
    assert sum(one_told(client.take()) for client in clients) == 2


@pytest.mark.parametrize("change", ["DEL a", "GETDEL a", "EXPIRE a 60", "PERSIST a", "SET a mine"])
def test_a_watch_holds_for_every_command_that_changes_its_key(change: str) -> None:
    cluster = _formed(2)
    mine, his = redis_client(cluster, 1), redis_client(cluster, 2)
    mine.send(said("SET", "a", "1", "EX", "100"))
    mine.send(said("WATCH", "a"))
    cluster.hold_all()
    his.post(said("SET", "a", "his"))
    mine.post(said("MULTI") + said(*change.split()) + said("EXEC"))
    cluster.release()
    cluster.deliver()
    cluster.advance(500)
    mine.take()
    assert cluster.value(1, b"a") == b"his"


def test_what_is_stored_behind_a_flush_in_a_queue_stays() -> None:
    client = lone_client()
    queue = [("SET", "a", "1"), ("FLUSHDB",), ("SET", "a", "2"), ("DBSIZE",), ("KEYS", "*")]
    client.receive(said("MULTI") + b"".join(said(*words) for words in queue))
    assert told(client.receive(said("EXEC"))) == [[b"+OK", b"+OK", b"+OK", 1, [b"a"]]]
    assert client.receive(said("GET", "a")) == b"$1\r\n2\r\n"


def test_a_queue_whose_second_halves_change_a_watched_key_is_done_whole() -> None:
    client = lone_client()
    client.receive(
        said("WATCH", "a") + said("MULTI") + said("MSETNX", "a", "1", "c", "1") + said("SET", "a", "2")
    )
    assert told(client.receive(said("EXEC"))) == [[1, b"+OK"]]


def test_where_there_is_no_memory_for_one_command_of_a_queue_the_others_are_told() -> None:
    client = lone_client(memory=64_000, item_max=1_000_000)
    client.receive(said("MULTI") + said("SET", "a", "x" * 200_000) + said("SET", "b", "y"))
    replies = client.receive(said("EXEC"))
    assert replies.startswith(b"*2\r\n-OOM ")
    assert replies.endswith(b"+OK\r\n")


def test_a_scan_that_goes_on_at_another_node_does_not_trust_an_index_of_an_earlier_scan() -> None:
    cluster = _formed(2)
    one, two = redis_client(cluster, 1), redis_client(cluster, 2)
    one.send(said("MSET", *(word for number in range(10) for word in (f"old{number}", "x"))))
    two.send(said("SCAN", "0", "COUNT", "1"))
    one.send(said("MSET", *(word for number in range(50) for word in (f"new{number}", "x"))))
    cluster.advance(100)
    cursor, page = one_told(one.send(said("SCAN", "0", "COUNT", "1")))
    found = set(page)
    while cursor != b"0":
        cursor, page = one_told(two.send(said("SCAN", cursor, "COUNT", "7")))
        found |= set(page)
    assert len(found) == 60


@pytest.mark.parametrize("command", ["KEYS", "SCAN 0 MATCH", "CONFIG GET"])
def test_a_pattern_that_would_take_long_to_read_is_refused(command: str) -> None:
    client = lone_client()
    assert (
        client.receive(said(*command.split(), "?" * (PATTERN_MAX + 1))) == b"-ERR the pattern is too long\r\n"
    )


def test_a_script_that_was_evaluated_is_known_by_its_sha1() -> None:
    client = lone_client()
    text = "if redis.call('GET', KEYS[1])==ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"
    client.receive(said("SET", "a", "x"))
    sha = one_told(client.receive(said("SCRIPT", "LOAD", text)))
    client.receive(said("SCRIPT", "FLUSH"))
    assert client.receive(said("EVAL", text, "1", "a", "y")) == b":0\r\n"
    assert client.receive(said("EVALSHA", sha, "1", "a", "x")) == b":1\r\n"


def test_a_setrange_beyond_the_limit_of_a_value_evicts_nothing() -> None:
    client = lone_client(memory=1 << 20, item_max=10_000)
    client.receive(said("SET", "a", "x"))
    assert client.receive(said("SETRANGE", "b", "900000", "x")).startswith(b"-OOM this value")
    assert client.receive(said("GET", "a")) == b"$1\r\nx\r\n"


def test_a_queue_of_many_commands_is_done_one_after_another() -> None:
    client = lone_client()
    client.receive(said("MULTI") + said("PING") * 5_000)
    assert client.receive(said("EXEC")) == b"*5000\r\n" + b"+PONG\r\n" * 5_000


def test_a_value_that_was_too_large_is_refused_even_if_its_command_has_to_wait() -> None:
    """Its words are not what was said: nothing may come of them, whenever they have their turn."""
    cluster = _formed(2)
    client = redis_client(cluster, 1)
    cluster.hold_all()
    client.post(
        said("INCR", "a") + said("SET", "b", "x" * (2 << 20)) + said("SETEX", "b", "9", "x" * (2 << 20))
    )
    cluster.release()
    cluster.deliver()
    cluster.advance(500)
    counted, *refused = told(client.take())
    assert counted == 1
    assert all(b"this value is larger" in error for error in refused) and len(refused) == 2
    assert cluster.value(1, b"b") is None


@pytest.mark.parametrize("command", ["DEL", "EXISTS", "MGET", "MSET", "UNLINK", "TOUCH"])
def test_a_command_on_very_many_keys_yields_the_turn(command: str) -> None:
    turns = 0

    def spent() -> bool:
        nonlocal turns
        turns += 1
        return True

    client = lone_client(process=ProcessInfo(spent=spent))
    words = [f"k{number}" for number in range(4 * MOMENT)]
    client.receive(said("MSET", *(word for key in words for word in (key, "v"))))
    turns = 0
    assert len(told(client.receive(said(command, *words)))) == 1
    assert turns >= (2 if command == "MSET" else 4)


def test_a_queue_of_very_many_commands_yields_the_turn_while_it_is_thought_out_and_told() -> None:
    looks = 0

    def spent() -> bool:
        nonlocal looks
        looks += 1
        return True

    client = lone_client(process=ProcessInfo(spent=spent))
    client.receive(said("MULTI") + b"".join(said("SET", f"k{number}", "v") for number in range(1_000)))
    looks = 0
    assert one_told(client.receive(said("EXEC"))) == [b"+OK"] * 1_000
    assert looks > 2 * 1_000 // 16


@pytest.mark.parametrize("ends", [[("MGET", *["big"] * 50)], [("MULTI",), *[("GET", "big")] * 50, ("EXEC",)]])
def test_many_large_values_are_not_told_in_one_piece(ends: list[tuple[str, ...]]) -> None:
    clients = lone_node().node.clients
    connection = clients.connect(port=REDIS)
    receive = clients.receive
    receive(connection, said("SET", "big", "x" * 500_000))
    pieces = [receive(connection, b"".join(said(*words) for words in ends))]
    while connection.blocked:
        pieces.append(clients.resume(connection))
    assert max(map(len, pieces)) < 3 << 20
    assert sum(map(len, pieces)) > 50 * 500_000


def test_a_command_without_keys_may_not_have_very_many_words() -> None:
    client = lone_client()
    assert client.receive(said("CONFIG", "GET", *["*a"] * 1_001)) == b"-ERR too many words\r\n"


def test_a_queue_of_very_many_words_is_refused() -> None:
    client = lone_client()
    client.receive(said("MULTI"))
    assert client.receive(said("DEL", *["k"] * 20_001)) == b"-ERR the transaction is too large\r\n"
    assert client.receive(said("EXEC")).startswith(b"-EXECABORT")


def test_what_waits_behind_a_reply_is_neither_done_nor_told_when_the_node_closes_the_connection() -> None:
    """It would be taken for the reply to what stands before it."""
    cluster = _formed()
    client = redis_client(cluster, 1)
    client.send(said("SET", "a", "1"))
    cluster.hold_all()
    client.post(said("GETSET", "a", "2") + said("DEL", "b") + said("SET", "b", "3") + said("GET", "b"))
    cluster.turn(1, lambda node: node.clients.close(client.connection))
    assert client.closed
    cluster.release()
    cluster.advance(500)
    assert client.take() == b""
    assert cluster.value(2, b"a") == b"2"  # that had begun
    assert cluster.value(2, b"b") is None
