"""Clients wait for the old store in their own order, nobody else does, and only where there is one."""

from __future__ import annotations

import sys
from types import FrameType

import attrs
import pytest

from memrep.engine.engine import Engine
from memrep.engine.fallback import FallbackEngine, Found
from memrep.handlers.old_store import parse_old_store
from memrep.node.options import NodeOptions
from memrep.protocol.negotiation import REDIS
from tests.harness.lone_node import LoneNode, lone_node

SID = b"0123456789abcdefghijklmnop"
PECL = b"incr %b.lock 1\r\nadd %b.lock 768 15 1\r\n1\r\nget %b\r\n" % (SID, SID, SID)


def node_with(text: str) -> LoneNode:
    return lone_node(old_store=parse_old_store(text))


def answer(lone: LoneNode, key: bytes, found: Found | None) -> list[bytes]:
    """Let the old store answer; return what clients are told then."""
    assert lone.node.fallback is not None
    lone.begin()
    lone.node.fallback.found(key, found)
    lone.end()
    return [data for _, data in lone.take() if data]


def test_pecl_memcache_gets_three_answers_in_order_and_the_session_that_was_elsewhere() -> None:
    lone = node_with("memcache:10.0.0.1:11211")
    client, other = lone.connect(), lone.connect()
    assert client.receive(PECL) == b""
    assert lone.wanted == [SID]
    assert other.receive(b"set a 0 0 1\r\nx\r\nget a\r\nget b\r\n").endswith(b"END\r\nEND\r\n")
    assert client.receive(b"set after 0 0 1\r\nx\r\n") == b""
    told = answer(lone, SID, Found(b"n|i:1;", 2, 60_000))
    assert told == [b"NOT_FOUND\r\nSTORED\r\nVALUE %b 2 6\r\nn|i:1;\r\nEND\r\nSTORED\r\n" % SID]


def test_a_session_that_is_new_is_new_for_pecl_memcache() -> None:
    lone = node_with("memcache:10.0.0.1:11211")
    client = lone.connect()
    client.receive(PECL)
    empty = b"VALUE %b 0 0\r\n\r\nEND\r\n" % SID  # as elsewhere: lest it walk on to its own lock
    assert answer(lone, SID, None) == [b"NOT_FOUND\r\nSTORED\r\n" + empty]
    assert client.receive(b"get %b\r\n" % SID) == b"END\r\n"
    assert lone.wanted == [SID]


def test_php_memcached_is_shown_it_by_getk() -> None:
    lone = node_with("memcached:10.0.0.1:11211")
    client, key = lone.connect(), b"memc.sess.key." + SID
    packet = (
        b"\x80\x0c" + len(key).to_bytes(2, "big") + bytes(4) + len(key).to_bytes(4, "big") + bytes(12) + key
    )
    assert client.receive(packet) == b""
    (reply,) = answer(lone, key, Found(b"n|i:1;"))
    assert (reply[:2], reply[6:8], reply[24:]) == (b"\x81\x0c", b"\0\0", bytes(4) + key + b"n|i:1;")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (b"GET %b", b"$6\r\nn|i:1;\r\n"),
        (b"EXISTS %b", b":1\r\n"),
        (b"EXPIRE %b 1440", b":1\r\n"),
        (b"GETEX %b EX 1440", b"$6\r\nn|i:1;\r\n"),
        (b"MGET %b", b"*1\r\n$6\r\nn|i:1;\r\n"),
        (b"DEL %b", b":1\r\n"),
        (b"STRLEN %b", b":6\r\n"),
    ],
)
def test_redis_clients_are_told_of_it(command: bytes, told: bytes) -> None:
    lone = node_with("redis:10.0.0.1:6379")
    client, key = lone.connect(REDIS), b"PHPREDIS_SESSION:" + SID
    words = (command % key).split()
    bulks = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    assert client.receive(b"*%d\r\n%b" % (len(words), bulks)) == b""
    assert answer(lone, key, Found(b"n|i:1;", 0, 60_000)) == [told]
    assert lone.wanted == [key]


def test_phpredis_takes_its_lock_without_a_look() -> None:
    lone = node_with("redis:10.0.0.1:6379")
    client = lone.connect(REDIS)
    assert client.receive(b"SET PHPREDIS_SESSION:%b_LOCK host|1 NX PX 30000\r\n" % SID) == b"+OK\r\n"
    assert lone.wanted == []


def test_without_an_answer_a_client_goes_on_after_a_fifth_of_a_second() -> None:
    lone = node_with("memcache:10.0.0.1:11211")
    client = lone.connect()
    client.receive(b"get %b\r\n" % SID)
    assert lone.node.pause <= 50
    for _ in range(3):
        lone.advance(0.05)
        assert lone.take() == []
    lone.advance(0.05)
    assert [data for _, data in lone.take()] == [b"END\r\n"]


def test_the_option_can_be_taken_away_while_the_node_runs() -> None:
    lone = node_with("memcache:10.0.0.1:11211")
    node = lone.node
    options = node.options
    node.take(_without(options))
    assert lone.connect().receive(b"get %b\r\n" % SID) == b"END\r\n"
    assert lone.wanted == []
    node.take(options)
    assert lone.connect().receive(b"get %b\r\n" % SID) == b""


def _without(options: NodeOptions) -> NodeOptions:
    return attrs.evolve(options, old_store=None)


def test_stats_tell_what_has_come_of_it() -> None:
    lone = node_with("memcache:10.0.0.1:11211")
    client = lone.connect()
    client.receive(b"get %b\r\n" % SID)
    answer(lone, SID, Found(b"x"))
    told = client.receive(b"stats\r\n")
    assert b"STAT fallback_asked 1\r\nSTAT fallback_taken 1\r\nSTAT fallback_absent 0\r\n" in told
    assert b"fallback" not in lone_node().connect().receive(b"stats\r\n")


def _called_by_a_miss(lone: LoneNode) -> list[str]:
    client = lone.connect()
    called: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_qualname)

    sys.setprofile(note)
    client.receive(b"get %b\r\n" % SID)
    sys.setprofile(None)
    return called


def test_where_there_is_no_old_store_a_miss_calls_nothing_of_it() -> None:
    lone = lone_node()
    called = _called_by_a_miss(lone)
    assert "Engine.get" in called
    assert not [name for name in called if "fallback" in name.lower() or "old_store" in name]
    assert (type(lone.node._engine), lone.node.fallback) == (Engine, None)
    other = node_with("memcache:10.0.0.1:11211")
    assert "FallbackEngine.get" in _called_by_a_miss(other)
    assert isinstance(other.node.fallback, FallbackEngine)
