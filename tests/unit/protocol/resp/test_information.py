"""What INFO tells is what `stats` tells, under other names, and what one counts by hand."""

from __future__ import annotations

import pytest

from memrep.protocol.negotiation import REDIS
from tests.harness.cluster import serving_cluster
from tests.harness.lone_node import LoneConnection, lone_node
from tests.unit.protocol.resp.test_dialect import OK, lone_client, one_told, redis_client, said


def _info(client: LoneConnection, *sections: str) -> dict[bytes, bytes]:
    lines = one_told(client.receive(said("INFO", *sections))).split(b"\r\n")
    fields = [line.split(b":", 1) for line in lines if line and not line.startswith(b"#")]
    assert len({name for name, _ in fields}) == len(fields)
    return dict(fields)


def _stats(client: LoneConnection) -> dict[bytes, bytes]:
    lines = client.receive(b"stats\r\n").splitlines()[:-1]
    return {line.split(b" ", 2)[1]: line.split(b" ", 2)[2] for line in lines}


NAMES = {
    b"keyspace_hits": b"get_hits",
    b"keyspace_misses": b"get_misses",
    b"evicted_keys": b"evictions",
    b"used_memory": b"bytes",
    b"maxmemory": b"limit_maxbytes",
    b"uptime_in_seconds": b"uptime",
    b"total_connections_received": b"total_connections",
    b"rejected_connections": b"rejected_connections",
}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_info_and_stats_agree(name: bytes) -> None:
    lone = lone_node(memory=4 << 20)
    client, other = lone.connect(REDIS), lone.connect()
    for number in range(10):
        client.receive(said("SET", number, b"x" * 700_000))
    client.receive(said("GET", 9) + said("GET", "none") * 2)
    lone.advance(100)
    assert _info(client)[name] == _stats(other)[NAMES[name]]
    if name in (b"keyspace_hits", b"keyspace_misses", b"evicted_keys", b"uptime_in_seconds"):
        assert int(_info(client)[name]) > 0


def test_what_has_run_out_is_counted() -> None:
    lone = lone_node()
    client = lone.connect(REDIS)
    client.receive(said("SET", "a", "x", "PX", 100) + said("SET", "b", "x"))
    lone.advance(20)
    assert int(_info(client, "stats")[b"expired_keys"]) == 1


def test_a_reset_forgets_what_has_run_out() -> None:
    lone = lone_node()
    client = lone.connect(REDIS)
    client.receive(said("SET", "a", "x", "PX", 10))
    lone.advance(20)
    client.receive(said("CONFIG", "RESETSTAT"))
    assert _info(client, "stats")[b"expired_keys"] == b"0"


def test_commands_of_both_protocols_on_keys_are_counted() -> None:
    lone = lone_node()
    client, other = lone.connect(REDIS), lone.connect()
    client.receive(said("SET", "a", 1) + said("GET", "a") + said("INCR", "a") + said("DEL", "a", "b"))
    other.receive(b"set c 0 0 1\r\n1\r\nget c\r\nincr c 1\r\ndecr d 1\r\ndelete c\r\ntouch c 9\r\n")
    client.receive(said("FLUSHDB"))
    assert _info(client, "stats")[b"total_commands_processed"] == b"12"


def test_each_database_is_told_with_its_keys_and_how_many_of_them_end() -> None:
    client = lone_client()
    for number in (0, 3, 15):
        client.receive(said("SELECT", number))
        for at in range(number + 2):
            client.receive(said("SET", at, "x", *(("EX", 60) if at % 2 else ())))
    assert {name: value.split(b",")[:2] for name, value in _info(client, "keyspace").items()} == {
        b"db0": [b"keys=2", b"expires=1"],
        b"db3": [b"keys=5", b"expires=2"],
        b"db15": [b"keys=17", b"expires=8"],
    }


def test_a_section_is_told_by_its_name_in_whatever_case_and_all_of_them_by_none() -> None:
    client = lone_client()
    everything = _info(client)
    assert _info(client, "ReplicatioN")[b"role"] == b"master"
    assert set(_info(client, "server", "memory")) == set(_info(client, "server")) | set(_info(client, "memory"))
    assert set(_info(client, "all")) >= set(_info(client, "server")) and set(everything) <= set(
        _info(client, "all")
    )
    assert _info(client, "nonsense") == {}


@pytest.mark.parametrize("name", [b"loading", b"redis_version", b"redis_mode", b"tcp_port", b"cluster_enabled"])
def test_what_clients_wait_for_is_there(name: bytes) -> None:
    assert _info(lone_client())[name]


def test_a_reset_of_the_statistics_is_one_for_both() -> None:
    lone = lone_node()
    client, other = lone.connect(REDIS), lone.connect()
    client.receive(said("GET", "none"))
    assert client.receive(said("CONFIG", "RESETSTAT")) == OK
    assert _info(client)[b"keyspace_misses"] == _stats(other)[b"get_misses"] == b"0"


def test_wait_tells_how_many_others_have_every_write_and_time_what_time_it_is() -> None:
    cluster = serving_cluster(3)
    client = redis_client(cluster, 1)
    assert client.send(said("WAIT", 1, 1_000)) == b":2\r\n"
    cluster.kill(3)
    cluster.advance(5_000)
    client.insist(said("PING"))
    assert client.send(said("WAIT", 1, 1_000)) == b":1\r\n"
    lone = lone_node()
    seconds, micros = one_told(lone.connect(REDIS).receive(said("TIME")))
    assert int(seconds) + int(micros) / 1_000_000 == lone.wall


def test_every_start_of_a_node_has_a_run_id_of_its_own() -> None:
    cluster = serving_cluster(3)
    ids = set()
    for number in (1, 2, 3):
        info = one_told(redis_client(cluster, number).send(said("INFO", "server")))
        ids.add(info.partition(b"run_id:")[2][:40])
    assert len(ids) == 3
