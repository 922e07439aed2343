"""Two ways to hear the same input, which must come to the same: what the searches in the parsers check.

In pieces or in one; where every write has to wait or none does; on a node among three, whose peers acknowledge
whenever they like, or on one alone. And whatever comes, nothing is raised, little is kept, and nobody names the
empty key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Final

from memrep.php.options import PhpOptions
from memrep.protocol.connection import Connection
from memrep.protocol.memcached.text.commands import LINE_MAX
from memrep.protocol.negotiation import REDIS
from memrep.protocol.resp.parser import LINE_MAX as REDIS_LINE_MAX
from memrep.protocol.users import Users, parse_users
from memrep.storage.namespaces import FLUSH_KEY
from tests.conformance.servers import AUTH_FILE
from tests.fuzz.grammar import HEADER, ITEM_MAX
from tests.fuzz.redis_replies import messages_last
from tests.harness.cluster import TICK_MS, Cluster, serving_cluster
from tests.harness.engine_fixture import Rig
from tests.harness.lone_node import LoneNode, lone_node
from tests.unit.protocol.memcached.text.test_commands import Waiting, connection_to, held
from tests.unit.protocol.resp.test_dialect import Waiting as RedisWaiting
from tests.unit.protocol.resp.test_dialect import redis_client, redis_to

USERS: Final = parse_users(AUTH_FILE.encode(), "users")

#: A line, a command with its value, and its reply.
_KEPT_MAX: Final = 2 * LINE_MAX + 3 * ITEM_MAX

#: A lock that may be PHP's is answered for after four ticks at most, if nothing is said behind it.
_TICKS: Final = 5

#: What INFO tells of traffic, and how long it is; what a client says who asks for the
#: other nodes, or for the time, which a cluster has spent on its start.
_TRAFFIC: Final = re.compile(rb"total_net_\w+:\d+|[$=]\d+\r\n(?=(?:txt:)?# \w+\r\n)")
_PEERS: Final = re.compile(rb"sentinel|cluster|wait|info|role|client|hello|time", re.IGNORECASE)

#: What a node said, and whether it closed the connection.
Answer = tuple[bytes, bool]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The data in pieces."""
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def alone(parts: Iterable[bytes], users: Users | None = None, port: str = "") -> Answer:
    """What a node alone answers to these pieces, at this kind of port."""
    lone = lone_node(item_max=ITEM_MAX, users=users)
    _without_statistics(lone)
    client = lone.connect(port)
    most = _KEPT_MAX if port != REDIS else _KEPT_MAX + REDIS_LINE_MAX
    replies = b""
    size = 0
    for part in parts:
        if client.closing:
            break
        replies += client.receive(part)
        size = max(size, len(part))
        assert client.closing or held(client.connection) < most + size, "too much is kept"
    for _ in range(_TICKS):
        lone.advance(TICK_MS / 1000)
        replies += client.receive(b"")
    named = lone.node.store.peek(FLUSH_KEY)
    assert named is None or named.value == b"flush", "a client has named the empty key"
    return in_any_pieces(replies) if port == REDIS else replies, client.closing


def _without_statistics(cluster: LoneNode | Cluster) -> None:
    """Statistics tell of pieces and peers."""
    node = cluster.node if isinstance(cluster, LoneNode) else cluster.nodes[1]
    node.clients._context.reports.clear()


def never_waiting(data: bytes, port: str = "") -> Answer:
    """What an engine answers whose writes are done at once."""
    engine = Rig(item_max=ITEM_MAX).engine
    connection = redis_to(engine) if port == REDIS else connection_to(engine)
    replies = connection.receive(data)
    while _may_go_on(connection):
        replies += connection.resume()
    return comparable(replies, port), connection.closing


def always_waiting(parts: Iterable[bytes], port: str = "") -> Answer:
    """What an engine answers whose every write has to wait."""
    client = RedisWaiting() if port == REDIS else Waiting()
    client.rig.engine.item_limit.item_max = ITEM_MAX
    if port == REDIS:
        client.connection = redis_to(client.rig.engine)  # which looks at the limit when it comes
    replies = b""
    for part in parts:
        if client.connection.closing:
            break
        replies += client.receive(part)
        while client.rig.later.rounds or _may_go_on(client.connection):
            replies += client.succeed() if client.rig.later.rounds else client.connection.resume()
    return comparable(replies, port), client.connection.closing


def _may_go_on(connection: Connection) -> bool:
    """Whether it has stopped for nothing but to let others have their turn."""
    return connection.blocked and not (connection.closing or connection.waiting or connection.outside)


def without_peers(data: bytes, port: str = "") -> Answer:
    """What a node alone answers to whom it does not take for PHP."""
    lone = lone_node(item_max=ITEM_MAX, php_options=PhpOptions(on=False))
    _without_statistics(lone)
    client = lone.connect(port)
    return comparable(client.receive(data), port), client.closing


def among_three(parts: Iterable[bytes], rng: Random, port: str = "") -> Answer:
    """The same for a node among three, whose peers acknowledge when chance will have it."""
    cluster = serving_cluster(item_max=ITEM_MAX, php_options=PhpOptions(on=False))
    _without_statistics(cluster)
    client = redis_client(cluster, 1) if port == REDIS else cluster.client(1)
    for part in parts:
        if client.connection.closing:
            break
        cluster.hold_all()
        client.post(part)
        cluster.shuffle(rng, rng.choice([0, 1, 3, 10]))
        if client.connection.blocked:
            cluster.shuffle(rng)
    cluster.shuffle(rng)
    while _may_go_on(client.connection):
        cluster.turn(1, client.go_on)
        cluster.shuffle(rng)
    assert not cluster.nodes[1].replica.rounds, "something is still in flight"
    faults = [line for line in cluster.logs[1] if "fault" in line]
    assert not faults, faults[0]
    return comparable(client.take(), port), client.connection.closing


def comparable(replies: bytes, port: str) -> bytes:
    """The replies without what tells of node and clock, and of when it was that they came."""
    return in_any_pieces(replies) if port == REDIS else without_uniques(replies)


def in_any_pieces(replies: bytes) -> bytes:
    """Redis' replies without what tells of the pieces in which bytes came, or depends on them."""
    return _TRAFFIC.sub(b"", messages_last(replies))


def tells_of_peers(talk: bytes) -> bool:
    """Whether a Redis client asks what others there are."""
    return _PEERS.search(talk) is not None


def without_uniques(replies: bytes) -> bytes:
    """The replies without cas uniques, which tell of node and clock."""
    if not replies.startswith(b"\x81"):
        replies = re.sub(rb"(VALUE \S+ \d+ \d+) \d+\r\n", rb"\1\r\n", replies)
        return re.sub(rb" (cas=|c)\d{15,}", rb" \1", replies)
    packets = []
    while replies:
        end = HEADER.size + int.from_bytes(replies[8:12], "big")
        packets.append(replies[:16] + replies[24:end])
        replies = replies[end:]
    return b"|".join(packets)
