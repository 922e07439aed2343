"""SENTINEL: every node answers as Redis' sentinels do, so that their clients find a node that serves.

Whoever is named the master takes every command (topology.py). Any name is taken for that of the master; clients
that look for theirs in the list of all masters (redis-py) find those that are configured, and those that have
been asked for here.

There are no replicas, though every node holds everything: predis asks each one that is listed for its ROLE, and
throws if it says that it is a master. The other sentinels are the other serving nodes, at the same ports at
which they are nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import ADMIN, NO_KEYS, Command, container
from memrep.protocol.resp.spelling import EMPTY, ZERO, array, bulk, bulks, simple
from memrep.protocol.resp.topology import RedisNode

Words = Sequence[bytes]

_FLAGS: Final = ADMIN | NO_KEYS


def address_by_name(client: Client, words: Words) -> bytes:
    """SENTINEL GET-MASTER-ADDR-BY-NAME name"""
    topology = client.server.topology
    topology.asked_for(words[2])
    node = topology.master_for(client.host)
    return bulks([node.host, b"%d" % node.port])


def master(client: Client, words: Words) -> bytes:
    """SENTINEL MASTER name"""
    client.server.topology.asked_for(words[2])
    return _master(client, words[2])


def masters(client: Client, words: Words) -> bytes:
    """SENTINEL MASTERS"""
    return array([_master(client, name) for name in client.server.topology.all_names])


def replicas(client: Client, words: Words) -> bytes:
    """SENTINEL REPLICAS name, SENTINEL SLAVES name"""
    return EMPTY


def sentinels(client: Client, words: Words) -> bytes:
    """SENTINEL SENTINELS name"""
    return array([_sentinel(client, node) for node in client.server.topology.others])


def quorum(client: Client, words: Words) -> bytes:
    """SENTINEL CKQUORUM name"""
    count = len(client.server.topology.serving)
    return simple(b"OK %d usable Sentinels. Quorum and failover authorization can be reached" % count)


def my_id(client: Client, words: Words) -> bytes:
    """SENTINEL MYID"""
    return bulk(client.server.topology.me.node_id)


def is_down(client: Client, words: Words) -> bytes:
    """SENTINEL IS-MASTER-DOWN-BY-ADDR ip port epoch runid: none that is told of is down, nobody is elected"""
    return array([ZERO, bulk(b"*"), ZERO])


def _master(client: Client, name: bytes) -> bytes:
    topology = client.server.topology
    figures = {
        b"role-reported": b"master",
        b"role-reported-time": b"0",
        b"config-epoch": b"0",
        b"num-slaves": b"0",
        b"num-other-sentinels": b"%d" % len(topology.others),
        b"quorum": b"1",
        b"failover-timeout": b"180000",
        b"parallel-syncs": b"1",
    }
    return _described(client, name, topology.master_for(client.host), b"master", figures)


def _sentinel(client: Client, node: RedisNode) -> bytes:
    figures = {b"last-hello-message": b"0", b"voted-leader": b"?", b"voted-leader-epoch": b"0"}
    return _described(client, node.node_id, node, b"sentinel", figures)


def _described(client: Client, name: bytes, node: RedisNode, kind: bytes, more: dict[bytes, bytes]) -> bytes:
    """Describe one node, as Redis' sentinels describe any."""
    fields = {
        b"name": name,
        b"ip": node.host,
        b"port": b"%d" % node.port,
        b"runid": node.node_id,
        b"flags": kind,
        b"link-pending-commands": b"0",
        b"link-refcount": b"1",
        b"last-ping-sent": b"0",
        b"last-ok-ping-reply": b"0",
        b"last-ping-reply": b"0",
        b"down-after-milliseconds": b"30000",
        b"info-refresh": b"0",
        **more,
    }
    return client.say.mapping([(field, bulk(text)) for field, text in fields.items()])


COMMANDS: Final = (
    container(
        b"sentinel",
        Command(b"get-master-addr-by-name", 3, _FLAGS, address_by_name),
        Command(b"master", 3, _FLAGS, master),
        Command(b"masters", 2, _FLAGS, masters),
        Command(b"replicas", 3, _FLAGS, replicas),
        Command(b"slaves", 3, _FLAGS, replicas),
        Command(b"sentinels", 3, _FLAGS, sentinels),
        Command(b"ckquorum", 3, _FLAGS, quorum),
        Command(b"myid", 2, _FLAGS, my_id),
        Command(b"is-master-down-by-addr", 6, _FLAGS, is_down),
    ),
)
