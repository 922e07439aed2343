"""Clients of one node publish and subscribe; a subscriber of RESP2 may do little else."""

from __future__ import annotations

import pytest

from memrep.protocol.resp.subscriptions import MAILBOX_MAX
from tests.harness.lone_node import LoneConnection, LoneNode, lone_node


@pytest.fixture
def node() -> LoneNode:
    return lone_node()


def _told(node: LoneNode, client: LoneConnection) -> bytes:
    """What a client has been told that it has not asked for."""
    return b"".join(data for connection, data in node.take() if connection is client.connection)


def _publish(node: LoneNode, line: bytes) -> tuple[bytes, list[tuple[object, bytes]]]:
    """What the publisher is answered, and what others are told meanwhile."""
    publisher = node.connect("redis")
    node.begin()
    reply = node.node.clients.receive(publisher.connection, line + b"\r\n")
    node.end()
    return reply, list(node.take())


def test_a_message_reaches_who_has_subscribed(node: LoneNode) -> None:
    client = node.connect("redis")
    assert client.receive(b"SUBSCRIBE a b\r\n") == (
        b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"
    )
    reply, told = _publish(node, b"PUBLISH b x")
    assert reply == b":1\r\n"
    assert told == [(client.connection, b"*3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$1\r\nx\r\n")]


@pytest.mark.parametrize("behind", [b"", b"RESET\r\n", b"UNSUBSCRIBE a\r\n"])
def test_a_message_to_itself_comes_before_the_reply_and_whatever_is_said_behind_it(
    node: LoneNode, behind: bytes
) -> None:
    client = node.connect("redis")
    client.receive(b"HELLO 3\r\n")
    assert client.receive(b"SUBSCRIBE a\r\n") == b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
    told = client.receive(b"PUBLISH a x\r\n" + behind)
    assert told.startswith(b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n:1\r\n")


def test_in_resp2_a_subscriber_may_do_little_else_until_it_has_unsubscribed(node: LoneNode) -> None:
    client = node.connect("redis")
    client.receive(b"SET k v\r\nSUBSCRIBE a\r\n")
    refused = (
        b"-ERR Can't execute '%b': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
        b"this context\r\n"
    )
    assert client.receive(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n") == refused % b"get"
    assert client.receive(b"CLIENT ID\r\n") == refused % b"client|id"
    assert client.receive(b"PING\r\n") == b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
    assert client.receive(b"UNSUBSCRIBE\r\n") == b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n"
    assert client.receive(b"GET k\r\n") == b"$1\r\nv\r\n"


def test_in_resp3_a_subscriber_may_do_everything(node: LoneNode) -> None:
    client = node.connect("redis")
    client.receive(b"HELLO 3\r\nSET k v\r\nPSUBSCRIBE *\r\n")
    assert client.receive(b"GET k\r\nPING\r\n") == b"$1\r\nv\r\n+PONG\r\n"


def test_who_unsubscribes_from_nothing_is_told_so(node: LoneNode) -> None:
    client = node.connect("redis")
    assert client.receive(b"PUNSUBSCRIBE\r\n") == b"*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n"
    assert client.receive(b"UNSUBSCRIBE x\r\n") == b"*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:0\r\n"


def test_reset_and_the_end_of_the_connection_end_subscriptions(node: LoneNode) -> None:
    one, two = node.connect("redis"), node.connect("redis")
    for client in (one, two):
        client.receive(b"SUBSCRIBE a\r\nPSUBSCRIBE b*\r\n")
    assert one.receive(b"RESET\r\n") == b"+RESET\r\n"
    assert node.connect("redis").receive(b"PUBSUB NUMSUB a\r\n") == b"*2\r\n$1\r\na\r\n:1\r\n"
    node.node.clients.disconnect(two.connection)
    assert node.connect("redis").receive(b"PUBSUB CHANNELS\r\nPUBSUB NUMPAT\r\n") == b"*0\r\n:0\r\n"


def test_behind_multi_nobody_subscribes(node: LoneNode) -> None:
    client = node.connect("redis")
    client.receive(b"MULTI\r\n")
    assert client.receive(b"SUBSCRIBE a\r\n") == b"-ERR SUBSCRIBE is not allowed in transactions\r\n"
    assert client.receive(b"EXEC\r\n").startswith(b"-EXECABORT")


def test_pubsub_tells_channels_that_fit_and_how_many_listen(node: LoneNode) -> None:
    node.connect("redis").receive(b"SUBSCRIBE aa ab b\r\n")
    asking = node.connect("redis")
    assert asking.receive(b"PUBSUB CHANNELS a*\r\n") == b"*2\r\n$2\r\naa\r\n$2\r\nab\r\n"
    assert asking.receive(b"PUBSUB NUMSUB b c\r\n") == b"*4\r\n$1\r\nb\r\n:1\r\n$1\r\nc\r\n:0\r\n"


def test_a_channel_without_a_name_is_told_where_no_pattern_is_asked_for(node: LoneNode) -> None:
    node.connect("redis").receive(b'SUBSCRIBE ""\r\n')
    asking = node.connect("redis")
    assert asking.receive(b"PUBSUB CHANNELS\r\n") == b"*1\r\n$0\r\n\r\n"
    assert asking.receive(b"PUBSUB CHANNELS *\r\n") == b"*0\r\n"


def test_a_message_does_not_fall_into_the_midst_of_a_long_reply() -> None:
    node = lone_node(memory=256 << 20)
    client = node.connect("redis")
    client.receive(b"HELLO 3\r\nSUBSCRIBE a\r\n")
    for number in range(4_000):
        client.receive(b"SET %b%d v\r\n" % (b"k" * 1_000, number))
    node.begin()
    first = node.node.clients.receive(client.connection, b"KEYS *\r\n")
    assert first.startswith(b"*4000\r\n") and client.connection.blocked
    node.node.clients.receive(node.connect("redis").connection, b"PUBLISH a x\r\n")
    rest = b""
    while client.connection.blocked:
        rest += node.node.clients.resume(client.connection)
    message = b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"
    assert (first + rest).endswith(message)
    assert (first + rest).count(b"\r\n$") == 4_000 + 3


def test_a_subscriber_that_does_not_read_is_hung_up_on(node: LoneNode) -> None:
    client = node.connect("redis")
    client.receive(b"SUBSCRIBE a\r\n")
    text = b"x" * (MAILBOX_MAX // 16)
    publisher = node.connect("redis")
    receivers = []
    for _ in range(24):
        publisher.receive(b"*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$%d\r\n%b\r\n" % (len(text), text))
        receivers.append(client.closing)
    assert not receivers[8] and receivers[-1]
    assert node.node.flow.unsent == 0
