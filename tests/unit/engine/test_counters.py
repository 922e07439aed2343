"""The counters of `stats`: what counts as what. Each row was probed on memcached 1.6.18."""

from __future__ import annotations

import attrs
import pytest

from memrep.engine.counters import Counters
from tests.harness.lone_node import LoneConnection, lone_node

BIG = b"set a 0 0 1048577\r\n" + b"v" * 1_048_577 + b"\r\n"

#: What memcached and memrep both count.
COUNTED = [
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
    "total_items",
    "evictions",
]


def _stats(client: LoneConnection, group: bytes = b"") -> dict[str, str]:
    reply = client.receive(b"stats" + (b" " + group if group else b"") + b"\r\n")
    *lines, end, rest = reply.split(b"\r\n")
    assert (end, rest) == (b"END", b"")
    found = {}
    for line in lines:
        word, name, value = line.decode().split(" ", 2)
        assert word == "STAT"
        assert name not in found
        found[name] = value
    return found


def _counted(command: bytes) -> dict[str, int]:
    """What one command adds, on a node that holds n = 1 and x = x."""
    client = lone_node().connect()
    client.receive(b"set n 0 0 1\r\n1\r\nset x 0 0 1\r\nx\r\n")
    before = _stats(client)
    client.receive(command)
    after = _stats(client)
    counted = {name: n for name in COUNTED if (n := int(after[name]) - int(before[name]))}
    if command.startswith((b"incr", b"decr")):  # stored anew or in place, as it happens
        counted.pop("total_items", None)
    return counted


def test_every_counter_begins_at_nought_and_returns_to_it() -> None:
    counters = Counters()
    names = [field.name for field in attrs.fields(Counters)]
    assert {getattr(counters, name) for name in names} == {0}
    for name in names:
        setattr(counters, name, 7)
    counters.reset()
    assert {getattr(counters, name) for name in names} == {0}


@pytest.mark.parametrize(
    ("command", "counted"),
    [
        (b"get n\r\n", {"cmd_get": 1, "get_hits": 1}),
        (b"get -\r\n", {"cmd_get": 1, "get_misses": 1}),
        (b"get n - x\r\n", {"cmd_get": 3, "get_hits": 2, "get_misses": 1}),
        (b"gets n\r\n", {"cmd_get": 1, "get_hits": 1}),
        (b"gat 0 n\r\n", {"cmd_touch": 1, "touch_hits": 1}),
        (b"gat 0 -\r\n", {"cmd_touch": 1, "touch_misses": 1}),
        (b"touch n 0\r\n", {"cmd_touch": 1, "touch_hits": 1}),
        (b"touch - 0\r\n", {"cmd_touch": 1, "touch_misses": 1}),
        (b"set n 0 0 1\r\n2\r\n", {"cmd_set": 1, "total_items": 1}),
        (b"set n 0 -1 1\r\n2\r\n", {"cmd_set": 1, "total_items": 1}),
        (b"add n 0 0 1\r\n2\r\n", {"cmd_set": 1}),
        (b"add - 0 0 1\r\n2\r\n", {"cmd_set": 1, "total_items": 1}),
        (b"replace n 0 0 1\r\n2\r\n", {"cmd_set": 1, "total_items": 1}),
        (b"replace - 0 0 1\r\n2\r\n", {"cmd_set": 1}),
        (b"append n 0 0 1\r\n2\r\n", {"cmd_set": 1, "total_items": 1}),
        (b"append - 0 0 1\r\n2\r\n", {"cmd_set": 1}),
        (b"cas - 0 0 1 1\r\n2\r\n", {"cmd_set": 1, "cas_misses": 1}),
        (b"cas n 0 0 1 99999\r\n2\r\n", {"cmd_set": 1, "cas_badval": 1}),
        (b"incr n 1\r\n", {"incr_hits": 1}),
        (b"incr - 1\r\n", {"incr_misses": 1}),
        (b"incr x 1\r\n", {}),
        (b"decr n 1\r\n", {"decr_hits": 1}),
        (b"decr - 1\r\n", {"decr_misses": 1}),
        (b"delete n\r\n", {"delete_hits": 1}),
        (b"delete -\r\n", {"delete_misses": 1}),
        (b"flush_all\r\n", {"cmd_flush": 1}),
        (b"flush_all 100\r\n", {"cmd_flush": 1}),
        (b"set n 0 0 x\r\n", {}),
        (b"get " + b"k" * 251 + b"\r\n", {}),
        (b"no such command\r\n", {}),
        (BIG, {}),
    ],
    ids=lambda value: value[:20].decode().strip() if isinstance(value, bytes) else "",
)
def test_a_command_is_counted_as_memcached_counts_it(command: bytes, counted: dict[str, int]) -> None:
    assert _counted(command) == counted


def test_a_cas_that_stores_is_a_hit() -> None:
    client = lone_node().connect()
    client.receive(b"set n 0 0 1\r\n1\r\n")
    unique = client.receive(b"gets n\r\n").split(b"\r\n")[0].split(b" ")[4]
    assert client.receive(b"cas n 0 0 1 %b\r\n2\r\n" % unique) == b"STORED\r\n"
    assert _stats(client)["cas_hits"] == "1"


def test_connections_are_counted() -> None:
    lone = lone_node()
    clients = [lone.connect() for _ in range(3)]
    assert _stats(clients[0])["total_connections"] == "3"


def test_bytes_are_counted_both_ways() -> None:
    client = lone_node().connect()
    sent = b"set a 0 0 1\r\nx\r\n"
    reply = client.receive(sent)
    last = b"stats\r\n"
    found = _stats(client)
    assert int(found["bytes_read"]) == len(sent) + len(last)
    assert int(found["bytes_written"]) == len(reply)


def test_evictions_are_counted() -> None:
    client = lone_node(memory=1 << 20).connect()
    for number in range(20):
        assert client.receive(b"set k%d 0 0 100000\r\n%b\r\n" % (number, b"x" * 100_000)) == b"STORED\r\n"
    found = _stats(client)
    assert int(found["evictions"]) == 20 - int(found["curr_items"]) > 0
    assert int(found["bytes"]) <= int(found["limit_maxbytes"]) == 1 << 20


def test_reset_sets_the_counters_to_nought_and_leaves_the_data() -> None:
    client = lone_node().connect()
    client.receive(b"set a 0 0 1\r\nx\r\nget a\r\nget b\r\n")
    assert client.receive(b"stats reset\r\n") == b"RESET\r\n"
    found = _stats(client)
    assert {found[name] for name in COUNTED} == {"0"}
    assert found["curr_items"] == "1"
    assert client.receive(b"get a\r\n") == b"VALUE a 0 1\r\nx\r\nEND\r\n"
