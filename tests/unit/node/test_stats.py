"""The groups of `stats` on a node without peers: what an operator and the usual tools find there."""

from __future__ import annotations

import re

import attrs
import pytest

from memrep import __version__
from memrep.engine.counters import ITEMS, Counters, Prefixes
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import Lines, ProcessInfo, Shell, Start
from memrep.node.stats import VERSION
from memrep.storage.store import ENTRY_BYTES, TOMBSTONE_MS
from tests.harness.lone_node import WALL, LoneConnection, LoneNode, lone_node


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
    counters = {field.name for field in attrs.fields(Counters) if ITEMS not in field.metadata}
    assert counters <= found.keys()


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
    groups = dict(lone.node.replica.detector.peers)
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


def test_items_are_told_in_one_class_and_one_list() -> None:
    lone, client = _holding(3)
    lone.advance(3)
    client.receive(b"get k0\r\n")
    lone.advance(4)
    assert _stats(client, b"items") == {
        f"items:1:{name}": str(figure)
        for name, figure in {
            "number": 3,
            "number_hot": 0,
            "number_warm": 0,
            "number_cold": 3,
            "age_hot": 0,
            "age_warm": 0,
            "age": 7,
            "mem_requested": 3 * (ENTRY_BYTES + 3),
            "evicted": 0,
            "evicted_nonzero": 0,
            "evicted_time": 0,
            "outofmemory": 0,
            "tailrepairs": 0,
            "reclaimed": 0,
            "expired_unfetched": 0,
            "evicted_unfetched": 0,
        }.items()
    }


def test_there_are_no_slabs_but_their_group_ends() -> None:
    _, client = _holding(3)
    assert _stats(client, b"slabs") == {"active_slabs": "0", "total_malloced": str(3 * (ENTRY_BYTES + 3))}


def test_a_miss_tells_what_has_become_of_the_key() -> None:
    lone, client = _holding(3)
    client.receive(b"delete k2\r\n")
    lone.advance(11)  # a sweep may have seen it or not
    for key in (b"k0", b"k2", b"never"):
        client.receive(b"get %b\r\n" % key)
    lone.advance(20)
    client.receive(b"get k1\r\nset a 0 0 1\r\nx\r\nset old 0 2678400 1\r\nx\r\nget old\r\n")
    client.receive(b"flush_all\r\nget a\r\nget k1\r\n")
    found = _stats(client)
    assert (found["get_misses"], found["get_expired"], found["get_flushed"]) == ("7", "4", "1")


def test_what_ran_out_is_counted_and_whether_anybody_had_read_it() -> None:
    lone, client = _holding(3)
    client.receive(b"get k0\r\n")
    lone.advance(20)
    found = _stats(client)
    assert (found["reclaimed"], found["expired_unfetched"]) == ("3", "2")
    client.receive(b"stats reset\r\nset k 0 10 1\r\nx\r\n")
    lone.advance(20)
    found = _stats(client)
    assert (found["reclaimed"], found["expired_unfetched"]) == ("1", "1")


def test_evictions_are_described() -> None:
    room = 20 * (ENTRY_BYTES + 1000)
    lone = lone_node(memory=room, item_max=1 << 20)
    client = lone.connect()
    for number in range(18):
        client.receive(b"set k%02d 0 %d 990\r\n%b\r\n" % (number, number % 2 * 1000, bytes(990)))
    for number in range(5):
        client.receive(b"get k%02d\r\n" % number)
    lone.advance(9)
    big = bytes(17 * (ENTRY_BYTES + 993))
    client.receive(b"set big 0 0 %d\r\n%b\r\n" % (len(big), big))
    general, items = _stats(client), _stats(client, b"items")
    evicted = int(general["evictions"])
    assert 13 < evicted < 18
    assert (general["evicted_unfetched"], items["items:1:evicted_unfetched"]) == ("13", "13")
    assert items["items:1:evicted"] == str(evicted)
    assert int(items["items:1:evicted_nonzero"]) in (evicted // 2, evicted // 2 + 1)
    assert items["items:1:evicted_time"] == "9"
    assert "evicted_nonzero" not in general


def test_evictions_are_logged_once_a_minute_with_what_to_do() -> None:
    lines: list[str] = []
    options = NodeOptions(memory=1 << 20, item_max=1 << 19)
    node = Node(options, Start(inc=1, now=0, wall=WALL), Shell(random_bytes=bytes, log=lines.append))
    connection = node.clients.connect()
    for turn in range(2_000):
        node.turn(turn * 50, WALL + turn * 50)
        node.clients.receive(connection, b"set k%d 0 0 9000\r\n%b\r\n" % (turn, bytes(9_000)))
        node.tick()
        list(node.end_turn())
    told = [line for line in lines if "memory is full" in line]
    assert len(told) == 2
    assert all("raise -m on every server (it is 1 MB)" in line for line in told)
    counts = [int(line.split(": ")[1].split()[0]) for line in told]
    assert counts[0] == 1
    assert 1_150 < counts[1] <= 1_201
    assert 0 < node.counters.evictions - sum(counts) < 800  # those of the last minute are not told yet


def test_what_cannot_be_stored_is_counted() -> None:
    client = lone_node(memory=1 << 20, item_max=1 << 19).connect()
    too_large = bytes(1 << 19)
    for verb in (b"set", b"add", b"ms"):
        header = b"%b a %b%d\r\n" % (verb, b"" if verb == b"ms" else b"0 0 ", len(too_large))
        assert client.receive(header + too_large + b"\r\n").startswith(b"SERVER_ERROR")
    found = _stats(client)
    assert (found["store_too_large"], found["store_no_memory"]) == ("3", "0")


def test_meta_commands_are_counted() -> None:
    client = lone_node().connect()
    client.receive(b"mn\r\nmg a\r\nms a 1\r\nx\r\nmd a\r\nma a\r\nget a\r\n")
    assert _stats(client)["cmd_meta"] == "4"


def test_settings_tell_what_is_not_obeyed() -> None:
    names = ("flush_enabled", "dump_enabled", "watch_enabled", "detail_enabled")
    for flush in (True, False):
        found = _stats(lone_node(flush_all=flush).connect(), b"settings")
        assert [found[name] for name in names] == ["yes" if flush else "no", "no", "no", "no"]


def test_prefixes_are_bounded_and_cannot_forge_a_line() -> None:
    prefixes = Prefixes()
    for number in range(100_000):
        prefixes.stored(b"%d:x" % number)
    prefixes.got(b"a\r\nEND\r\n:x", hit=True)
    prefixes.got(b"\xff:x", hit=True)
    lines = prefixes.dump().split(b"\r\n")
    assert len(lines) == 1_000 + 2
    assert all(line.startswith(b"PREFIX ") for line in lines[:-2])


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


@pytest.mark.parametrize("group", [b"slab", b"conn", b"Settings", b"\xff", b"cluster2"])
def test_a_group_that_does_not_exist_is_an_error(group: bytes) -> None:
    assert lone_node().connect().receive(b"stats %b\r\n" % group) == b"ERROR\r\n"


def test_what_only_the_shell_knows_stands_in_general_and_settings() -> None:
    def process() -> Lines:
        yield "pid", 4711

    def settings() -> Lines:
        yield "tcpport", 11211

    shell = Shell(random_bytes=bytes, process=ProcessInfo(process=process, settings=settings))
    node = Node(NodeOptions(), Start(inc=1, now=0, wall=WALL), shell)
    connection = node.clients.connect()
    assert node.clients.receive(connection, b"stats\r\n").startswith(b"STAT pid 4711\r\n")
    assert b"STAT tcpport 11211\r\n" in node.clients.receive(connection, b"stats settings\r\n")
