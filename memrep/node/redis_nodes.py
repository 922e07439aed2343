"""Where Redis clients find the nodes that serve: the members of the view that hold everything.

A node's number is its place in the sorted list of nodes, the same on every node, and so is what clients take
for its identity: a digest of its address in that list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha1
from typing import Final

from memrep.node.options import NodeOptions
from memrep.protocol.resp.topology import RedisNode, Topology
from memrep.replication.replica import Replica

#: An address at which everybody listens and nobody can be found.
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def make_topology(options: NodeOptions, replica: Replica) -> Topology:
    """Make what Redis clients are told of the nodes.

    Args:
        options: of this node.
        replica: knows who is in the view, and who of them holds everything.
    """
    nodes = {number: _node(options, number) for number in range(1, len(options.nodes) + 1)}

    def find_serving() -> Sequence[RedisNode]:
        return [nodes[number] for number in sorted(_serving(replica))]

    return Topology(nodes[options.me], find_serving, options.redis_masters)


def _node(options: NodeOptions, number: int) -> RedisNode:
    name = options.nodes[number - 1]
    host, port = name.rpartition(":")[0].strip("[]"), options.redis_port
    if number == options.me and options.redis_address is not None:
        host, port = options.redis_address.host, options.redis_address.port
    node_id = sha1(name.encode(), usedforsecurity=False).hexdigest().encode()
    return RedisNode(node_id, _WILDCARDS.get(host, host).encode(), port)


def _serving(replica: Replica) -> Iterator[int]:
    """Yield those members that hold everything, as far as this node knows."""
    state, peers = replica.state, replica.detector.peers
    for number in state.view.members:
        if number == state.me:
            if state.full:
                yield number
        else:
            peer = peers[number]
            holds_everything = number in state.view.full or (peer.beat is not None and peer.beat.full)
            if holds_everything and not peer.process.gone:  # clients need not wait for the view to tell them
                yield number
