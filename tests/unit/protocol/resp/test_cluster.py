"""Each serving node is the master of a share of the slots, all together of all, wherever that is asked."""

from __future__ import annotations

import pytest

from memrep.protocol.resp.cluster import SLOTS, shares, slot_of
from tests.harness.cluster import Cluster, serving_cluster
from tests.harness.lone_node import lone_node
from tests.unit.protocol.resp.test_sentinel import redis_client


@pytest.mark.parametrize(
    ("key", "slot"),
    [(b"foo", 12182), (b"123456789", 12739), (b"", 0), (b"{foo}.a", 12182), (b"a{foo}{b}", 12182)],
)
def test_the_slot_of_a_key_is_redis_own(key: bytes, slot: int) -> None:
    assert slot_of(key) == slot


def test_braces_with_nothing_in_them_are_part_of_the_key() -> None:
    assert slot_of(b"foo{}{bar}") != slot_of(b"bar")
    assert slot_of(b"{foo") != slot_of(b"foo")


@pytest.mark.parametrize("count", range(1, 12))
def test_each_slot_has_exactly_one_master(count: int) -> None:
    slots = [slot for first, last in shares(count) for slot in range(first, last + 1)]
    assert slots == list(range(SLOTS))


def _cluster() -> Cluster:
    return serving_cluster(3, redis_port=6379, redis_cluster=True)


def test_all_nodes_tell_the_same_slots_each_node_being_a_master_of_some_and_a_replica_of_others() -> None:
    cluster = _cluster()
    told = {redis_client(cluster, number).send(b"CLUSTER SLOTS\r\n") for number in (1, 2, 3)}
    assert len(told) == 1
    (slots,) = told
    assert slots.startswith(b"*3\r\n*5\r\n:0\r\n:5460\r\n*4\r\n$8\r\n10.0.0.1\r\n:6379\r\n$40\r\n")
    assert b"*5\r\n:5461\r\n:10921\r\n*4\r\n$8\r\n10.0.0.2\r\n" in slots
    assert b"*5\r\n:10922\r\n:16383\r\n*4\r\n$8\r\n10.0.0.3\r\n" in slots
    assert slots.count(b"10.0.0.1") == 3
    assert slots.endswith(b"\r\n*0\r\n")


def test_what_a_lost_node_was_the_master_of_the_others_are() -> None:
    cluster = _cluster()
    cluster.kill(2)
    cluster.advance(3_000)
    slots = redis_client(cluster, 1).send(b"HELLO 3\r\nCLUSTER SLOTS\r\n")
    assert b"*2\r\n*4\r\n:0\r\n:8191\r\n*4\r\n$8\r\n10.0.0.1\r\n" in slots
    assert b"10.0.0.2" not in slots
    assert slots.endswith(b"\r\n%0\r\n")


def test_nodes_are_told_in_lines_of_which_one_is_the_node_that_is_asked() -> None:
    cluster = _cluster()
    client = redis_client(cluster, 2)
    my_id = client.send(b"CLUSTER MYID\r\n").split(b"\r\n")[1]
    lines = client.send(b"CLUSTER NODES\r\n").split(b"\n")[1:4]
    assert lines[0].split()[1:] == b"10.0.0.1:6379@16379 master - 0 0 1 connected 0-5460".split()
    mine = b"10.0.0.2:6379@16379 myself,master - 0 0 2 connected 5461-10921"
    assert lines[1].split() == [my_id, *mine.split()]


def test_shards_and_info_tell_of_all_nodes() -> None:
    client = redis_client(_cluster(), 1)
    shards = client.send(b"CLUSTER SHARDS\r\n")
    assert shards.startswith(
        b"*3\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:5460\r\n$5\r\nnodes\r\n*3\r\n*14\r\n$2\r\nid\r\n"
    )
    assert (shards.count(b"$6\r\nmaster\r\n"), shards.count(b"$7\r\nreplica\r\n")) == (3, 6)
    info = client.send(b"CLUSTER INFO\r\n")
    assert b"cluster_state:ok\r\n" in info and b"cluster_known_nodes:3\r\n" in info


def test_a_node_of_a_cluster_says_so_and_has_one_database() -> None:
    client = lone_node(redis_cluster=True).connect("redis")
    assert b"$4\r\nmode\r\n$7\r\ncluster\r\n" in client.receive(b"HELLO\r\n")
    assert b"cluster_enabled:1\r\n" in client.receive(b"INFO cluster\r\n")
    assert client.receive(b"SELECT 1\r\n") == b"-ERR SELECT is not allowed in cluster mode\r\n"
    assert client.receive(b"SELECT 0\r\nREADONLY\r\nREADWRITE\r\nASKING\r\n") == b"+OK\r\n" * 4
    assert client.receive(b"CLUSTER KEYSLOT foo\r\n") == b":12182\r\n"
    assert client.receive(b"CLUSTER REPLICAS x\r\nCLUSTER LINKS\r\n") == b"*0\r\n*0\r\n"


def test_the_keys_of_a_slot_are_counted_and_listed_unless_keys_are_not_listed() -> None:
    node = lone_node(redis_cluster=True)
    client = node.connect("redis")
    client.receive(b"MSET {foo}1 v {foo}2 v other v\r\n")
    assert client.receive(b"CLUSTER COUNTKEYSINSLOT 12182\r\n") == b":2\r\n"
    assert client.receive(b"CLUSTER GETKEYSINSLOT 12182 1\r\n") == b"*1\r\n$6\r\n{foo}1\r\n"
    assert client.receive(b"CLUSTER COUNTKEYSINSLOT 16384\r\n") == b"-ERR Invalid slot\r\n"
    assert client.receive(b"CLUSTER GETKEYSINSLOT 1 -1\r\n") == b"-ERR Invalid slot or number of keys\r\n"
    silent = lone_node(redis_cluster=True, redis_lists=False).connect("redis")
    assert silent.receive(b"CLUSTER GETKEYSINSLOT 1 1\r\n").startswith(b"-NOPERM ")


def test_where_there_is_no_cluster_all_of_it_is_refused() -> None:
    client = lone_node().connect("redis")
    for line in (b"CLUSTER SLOTS", b"CLUSTER KEYSLOT a", b"CLUSTER COUNTKEYSINSLOT 1", b"READONLY", b"ASKING"):
        assert client.receive(line + b"\r\n") == b"-ERR This instance has cluster support disabled\r\n"
