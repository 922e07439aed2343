"""CLUSTER: the nodes that serve as a Redis Cluster, for clients that fail over only there (`--redis-cluster`).

Every node holds every key and takes every command, whatever slot its keys are in, and never sends a client
elsewhere. But a client of a cluster has nobody else to ask when the master of a slot dies, unless it knows of
other masters. So each of the k serving nodes is called the master of a k-th of the slots, and a replica of all
others; when one is lost the others are told of with larger parts.

Where it is switched off the answers are those of a Redis without a cluster.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from memrep.protocol.resp.arguments import CommandError, integer
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import FAST, NO_KEYS, Command, Handler, container
from memrep.protocol.resp.databases import ALL
from memrep.protocol.resp.plan import Plan
from memrep.protocol.resp.server import CLUSTER
from memrep.protocol.resp.spelling import EMPTY, OK, ZERO, array, bulk, bulks
from memrep.protocol.resp.spelling import integer as spell_integer
from memrep.protocol.resp.topology import RedisNode

Words = Sequence[bytes]

SLOTS: Final = 1 << 14

#: How far above the port of clients the nodes' own is said to be, as with Redis; no client wants it.
_BUS: Final = 10_000

#: So many keys are looked at before anybody asks how long this turn has lasted.
_PIECE: Final = 500

_DISABLED: Final = b"ERR This instance has cluster support disabled"


def slot_of(key: bytes) -> int:
    """Return the slot of a key: CRC-16 (XMODEM) of what is in its first pair of braces, or of all of it."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key, 0) % SLOTS


def shares(count: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last slot of each of so many nodes."""
    for i in range(count):
        yield SLOTS * i // count, SLOTS * (i + 1) // count - 1


def _where_enabled(handler: Handler) -> Handler:
    """Return a handler that does the same, but is refused where there is no cluster."""

    def checked(client: Client, words: Words) -> Plan | bytes | Iterator[bytes]:
        if client.server.mode != CLUSTER:
            raise CommandError(_DISABLED)
        return handler(client, words)

    return checked


def done(client: Client, words: Words) -> bytes:
    """READONLY READWRITE ASKING, which say to a replica what it may do: every node may do everything"""
    return OK


def _slots(client: Client, words: Words) -> bytes:
    nodes = client.server.topology.serving
    return array(
        [
            array([spell_integer(first), spell_integer(last), *[_of_slots(client, node) for node in owners]])
            for (first, last), owners in _owners(nodes)
        ]
    )


def _owners(nodes: Sequence[RedisNode]) -> Iterator[tuple[tuple[int, int], Sequence[RedisNode]]]:
    """Yield each share with its master and then the others, in the order in which they take over reads."""
    for i, share in enumerate(shares(len(nodes))):
        yield share, [*nodes[i:], *nodes[:i]]


def _of_slots(client: Client, node: RedisNode) -> bytes:
    return array([bulk(node.host), spell_integer(node.port), bulk(node.node_id), client.say.mapping([])])


def _nodes(client: Client, words: Words) -> bytes:
    topology = client.server.topology
    lines = [
        b"%b %b@%d %b - 0 0 %d connected %d-%d\n"
        % (
            node.node_id,
            node.address,
            node.port + _BUS,
            b"myself,master" if node == topology.me else b"master",
            i + 1,
            *share,
        )
        for i, (node, share) in enumerate(zip(topology.serving, shares(len(topology.serving)), strict=True))
    ]
    return client.say.text(b"".join(lines))


def _shards(client: Client, words: Words) -> bytes:
    shards = []
    for share, (first, *others) in _owners(client.server.topology.serving):
        nodes = [_of_shard(client, first, b"master"), *[_of_shard(client, node, b"replica") for node in others]]
        parts = [(b"slots", array([spell_integer(slot) for slot in share])), (b"nodes", array(nodes))]
        shards.append(client.say.mapping(parts))
    return array(shards)


def _of_shard(client: Client, node: RedisNode, role: bytes) -> bytes:
    return client.say.mapping(
        [
            (b"id", bulk(node.node_id)),
            (b"port", spell_integer(node.port)),
            (b"ip", bulk(node.host)),
            (b"endpoint", bulk(node.host)),
            (b"role", bulk(role)),
            (b"replication-offset", ZERO),
            (b"health", bulk(b"online")),
        ]
    )


def _info(client: Client, words: Words) -> bytes:
    count = len(client.server.topology.serving)
    figures = {
        b"cluster_state": b"ok",
        b"cluster_slots_assigned": b"%d" % SLOTS,
        b"cluster_slots_ok": b"%d" % SLOTS,
        b"cluster_slots_pfail": b"0",
        b"cluster_slots_fail": b"0",
        b"cluster_known_nodes": b"%d" % count,
        b"cluster_size": b"%d" % count,
        b"cluster_current_epoch": b"%d" % count,
        b"cluster_my_epoch": b"1",
        b"cluster_stats_messages_sent": b"0",
        b"cluster_stats_messages_received": b"0",
        b"total_cluster_links_buffer_limit_exceeded": b"0",
    }
    return client.say.text(b"".join([b"%b:%b\r\n" % figure for figure in figures.items()]))


def _my_id(client: Client, words: Words) -> bytes:
    return bulk(client.server.topology.me.node_id)


def _key_slot(client: Client, words: Words) -> bytes:
    return spell_integer(slot_of(words[2]))


def _count_keys(client: Client, words: Words) -> Iterator[bytes]:
    """CLUSTER COUNTKEYSINSLOT slot: all keys are looked at"""
    return _in_slot(client, words[2], lambda found: spell_integer(len(found)))


def _get_keys(client: Client, words: Words) -> Iterator[bytes]:
    """CLUSTER GETKEYSINSLOT slot count"""
    if not client.server.lists_keys:
        raise CommandError(b"NOPERM this node does not list keys (--redis-no-keys)")
    count = integer(words[3])
    if count < 0:
        raise CommandError(b"ERR Invalid slot or number of keys")
    return _in_slot(client, words[2], lambda found: bulks(found[:count]))


def _in_slot(client: Client, word: bytes, tell: Callable[[list[bytes]], bytes]) -> Iterator[bytes]:
    slot = integer(word, b"ERR Invalid slot")
    if not 0 <= slot < SLOTS:
        raise CommandError(b"ERR Invalid slot")
    return _walk(client, slot, tell)


def _walk(client: Client, slot: int, tell: Callable[[list[bytes]], bytes]) -> Iterator[bytes]:
    named, is_live = ALL[0].named, client.engine.peek
    found = []
    for number, stored in enumerate(client.server.keys()):
        key = named(stored)
        if key is not None and slot_of(key) == slot and is_live(stored) is not None:
            found.append(key)
        if number % _PIECE == _PIECE - 1:
            yield b""
    yield tell(found)


def _none(client: Client, words: Words) -> bytes:
    """List none: no node is only a replica, and there are no links of which clients might want to know."""
    return EMPTY


def _row(name: bytes, arity: int, handler: Handler, flags: int = NO_KEYS) -> Command:
    return Command(name, arity, flags, _where_enabled(handler))


COMMANDS: Final = (
    _row(b"readonly", 1, done, FAST | NO_KEYS),
    _row(b"readwrite", 1, done, FAST | NO_KEYS),
    _row(b"asking", 1, done, FAST | NO_KEYS),
    container(
        b"cluster",
        _row(b"slots", 2, _slots),
        _row(b"nodes", 2, _nodes),
        _row(b"shards", 2, _shards),
        _row(b"info", 2, _info),
        _row(b"myid", 2, _my_id),
        _row(b"keyslot", 3, _key_slot),
        _row(b"countkeysinslot", 3, _count_keys),
        _row(b"getkeysinslot", 4, _get_keys),
        _row(b"replicas", 3, _none),
        _row(b"slaves", 3, _none),
        _row(b"links", 2, _none),
    ),
)
