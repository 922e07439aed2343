"""The drain: the orderly end of a node that serves, in which no client loses what it is at.

Problem: a PHP request that has read its data will want to write it, a write on its way must reach the others,
and what this node alone holds would be gone with it.

So it goes step by step, each with an end:

1. A node that alone holds everything serves on until another one has fetched it.
2. Nobody new is accepted; clients that are connected are served on for a while, those who wait to be accepted
   and those who are in the midst of a handshake, TCP's or TLS', among them.
3. Redis' clients, who keep their connections and whose commands may not be dropped (lingering_close.py), are
   hung up on each in a moment of rest, while the node still serves.
4. The writes on their way are finished, the peers are told, and they go on without this node in the same
   instant.
5. The clients who are left are hung up on, and get a moment to hear it (lingering_close.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from memrep.daemon.client_ports import ClientPorts
from memrep.daemon.clients import Clients
from memrep.daemon.peers import Peers
from memrep.daemon.reactor import Reactor
from memrep.node.node import Node

#: How long a node that alone holds everything waits for another one that fetches it; the unit's TimeoutStopSec=
#: is above it.
HANDOVER_S: Final = 60

#: How long a client may be at TCP's handshake when others are refused already.
_HANDSHAKE_S: Final = 0.05

#: How long a client of Redis that never rests is served on.
_REST_S: Final = 0.25

_FINISH_S: Final = 0.75
_PART_S: Final = 0.25


async def hand_over(node: Node, log: Callable[[str], None]) -> None:
    """Serve on until another node holds everything, if one is about to: what it lacks is only here."""
    if node.hands_over:
        log("it alone holds everything: it stops when another node does, in a minute at most")
        with trio.move_on_after(HANDOVER_S):
            while node.hands_over:
                await trio.sleep(0.01)


async def drain(
    node: Node, reactor: Reactor, clients: Clients, ports: ClientPorts, peers: Peers, drain_ms: int
) -> None:
    """Let clients finish what they are at, then the node, then part from all.

    Args:
        node: what ends.
        reactor: makes its turns.
        clients: those who are served on.
        ports: where no more come in.
        peers: those who are told.
        drain_ms: how long clients that are connected are served on.
    """
    reactor.turn(ports.refuse_more)
    await trio.sleep(_HANDSHAKE_S)
    reactor.turn(ports.shut)
    with trio.move_on_after(drain_ms / 1000):
        while len(clients) or ports.at_handshakes:
            await trio.sleep(0.005)
    with trio.move_on_after(_REST_S):
        while clients.any_with_hold:
            reactor.turn(clients.part_from_resting)
            await trio.sleep(0.001)
    with trio.move_on_after(_FINISH_S):
        done: list[bool] = []
        while not any(done):
            reactor.turn(lambda: done.append(node.leave()))
            await trio.sleep(0.001)
        while peers.unsent:
            await trio.sleep(0.001)
    reactor.turn(clients.close_all)
    with trio.move_on_after(_PART_S):
        while len(clients.partings):
            await trio.sleep(0.002)
