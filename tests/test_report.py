"""The groups of `stats` on a node without peers: what an operator and the usual tools find there."""

from __future__ import annotations

import re

import attrs
import pytest

from memrep import __version__
from memrep.node import Node
from memrep.options import NodeOptions
from memrep.report import VERSION, Facts, Lines
from memrep.stats import Counters
from memrep.store import ENTRY_BYTES, TOMBSTONE_MS
from tests.support import WALL, LoneConnection, LoneNode, lone_node


def _stats(client: LoneConnection, group: bytes = b"") -> dict[str, str]:
    reply = client.receive(b"stats" + (b" " + group if group else b"") + b"\r\n")
    *lines, end, rest = reply.decode().split("\r\n")
    assert (end, rest) == ("END", "")
    assert all(line.startswith("STAT ") for line in lines)
    return dict(line.split(" ", 2)[1:] for line in lines)


def _holding(count: int, **options: object) -> tuple[LoneNode, LoneConnection]:
    lone = lone_node(**options)
    client = lone.connect()
    for number in range(count):
        client.receive(b"set k%d 0 10 1\r\nx\r\n" % number)
    return lone, client


def test_the_general_group_has_the_names_that_memcached_has() -> None:
    found = _stats(lone_node().connect())
    names = [
        "uptime",
        "time",
        "version",
        "pointer_size",
        "cmd_get",
        "cmd_set",
        "cmd_flush",
        "cmd_touch",
        "get_hits",
        "get_misses",
        "delete_misses",
        "delete_hits",
        "incr_misses",
        "incr_hits",
        "decr_misses",
        "decr_hits",
        "cas_misses",
        "cas_hits",
        "cas_badval",
        "touch_hits",
        "touch_misses",
        "bytes_read",
        "bytes_written",
        "limit_maxbytes",
        "threads",
        "bytes",
        "curr_items",
        "total_items",
        "total_connections",
        "rejected_connections",
        "evictions",
    ]
    assert set(names) <= found.keys()


def test_the_general_group_shows_every_counter() -> None:
    found = _stats(lone_node().connect())
    assert {field.name for field in attrs.fields(Counters)} <= found.keys()


def test_uptime_and_time_follow_the_clocks() -> None:
    lone = lone_node()
    client = lone.connect()
    assert _stats(client)["uptime"] == "0"
    lone.advance(3_661)
    found = _stats(client)
    assert found["uptime"] == "3661"
    assert found["time"] == str(WALL // 1000 + 3_661)


def test_the_version_is_that_of_the_program() -> None:
    client = lone_node().connect()
    assert _stats(client)["version"] == VERSION
    assert client.receive(b"version\r\n").decode() == f"VERSION {VERSION}\r\n"
    assert _stats(client)["memrep_version"] == __version__


def test_the_version_is_1_6_however_a_library_takes_it_apart() -> None:
    told = lone_node().connect().receive(b"version\r\n").decode().split()[1]
    first, last = re.match(r"(\d+)\.(\d+)\.(\d+)", told), re.search(r"(\d+)\.(\d+)\.(\d+)$", told)
    assert first is not None
    assert last is not None
    assert first.groups() == last.groups() == tuple(told.split("."))
    assert [int(number) for number in told.split(".")][:2] == [1, 6]


def test_items_and_their_cost_are_told() -> None:
    _, client = _holding(3)
    found = _stats(client)
    assert (found["curr_items"], found["bytes"]) == ("3", str(3 * (ENTRY_BYTES + 3)))


def test_what_has_run_out_is_no_item_but_leaves_a_tombstone_for_a_while() -> None:
    lone, client = _holding(3)
    client.receive(b"delete k0\r\n")
    lone.advance(20)
    found = _stats(client)
    assert (found["curr_items"], found["tombstones"], found["expired"]) == ("0", "3", "2")
    lone.advance(TOMBSTONE_MS / 1000 + 20)
    found = _stats(client)
    assert (found["curr_items"], found["tombstones"], found["bytes"]) == ("0", "0", "0")


def test_a_flush_is_no_item() -> None:
    _, client = _holding(3)
    client.receive(b"flush_all\r\n")
    assert _stats(client)["curr_items"] == "0"


def test_the_state_of_the_cluster_is_told_in_the_general_group() -> None:
    found = _stats(lone_node().connect())
    assert (found["cluster_state"], found["cluster_nodes"]) == ("serving", "1/1")


def test_a_node_that_waits_for_others_is_not_serving() -> None:
    lone = lone_node(nodes=["10.0.0.1:1", "10.0.0.2:1"])
    groups = dict(lone.node.replica.presence.peers)
    assert not lone.node.open
    assert list(groups) == [2]


def test_settings_tell_the_options_in_force() -> None:
    options = {"memory": 8 << 20, "item_max": 4096, "nodes": ["127.0.0.1:11299"]}
    found = _stats(lone_node(**options).connect(), b"settings")
    assert found["maxbytes"] == str(8 << 20)
    assert found["item_size_max"] == "4096"
    assert found["nodes"] == "127.0.0.1:11299"
    assert found["failure_timeout_ms"] == str(NodeOptions().timing.silence)
    assert (found["evictions"], found["cas_enabled"]) == ("on", "yes")


def test_items_are_told_in_one_class() -> None:
    _, client = _holding(3)
    assert _stats(client, b"items") == {
        "items:1:number": "3",
        "items:1:evicted": "0",
        "items:1:mem_requested": str(3 * (ENTRY_BYTES + 3)),
    }


def test_no_items_are_told_of_an_empty_node() -> None:
    assert lone_node().connect().receive(b"stats items\r\n") == b"END\r\n"


def test_sizes_are_not_tracked() -> None:
    reply = lone_node().connect().receive(b"stats sizes\r\n")
    assert reply == b"STAT sizes_status disabled\r\nEND\r\n"


def test_the_cluster_group_tells_of_this_node() -> None:
    _, client = _holding(3, nodes=["127.0.0.1:11299"])
    found = _stats(client, b"cluster")
    assert found["self"] == "127.0.0.1:11299"
    assert found["state"] == "serving"
    assert found["members"] == "1 of 1"
    assert found["majority"] == "yes"
    assert (found["items"], found["writes_in_flight"]) == ("3", "0")
    assert int(found["view"]) >= 1
    assert not [name for name in found if name.startswith("node:")]


@pytest.mark.parametrize("group", [b"slabs", b"conns", b"Settings", b"\xff", b"cluster2"])
def test_a_group_that_does_not_exist_is_an_error(group: bytes) -> None:
    assert lone_node().connect().receive(b"stats %b\r\n" % group) == b"ERROR\r\n"


def test_what_only_the_shell_knows_stands_in_general_and_settings() -> None:
    def process() -> Lines:
        yield "pid", 4711

    def settings() -> Lines:
        yield "tcpport", 11211

    facts = Facts(process=process, settings=settings)
    node = Node(NodeOptions(), inc=1, now=0, wall=WALL, chance=bytes, facts=facts)
    connection = node.connect()
    assert node.receive(connection, b"stats\r\n").startswith(b"STAT pid 4711\r\n")
    assert b"STAT tcpport 11211\r\n" in node.receive(connection, b"stats settings\r\n")
