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

Up to the fourth step all of it can be taken back: the ports are opened again, and nobody has gone on without
this node.
"""

from __future__ import annotations

from typing import Final

import trio

from memrep.daemon.client_ports import ClientPorts
from memrep.daemon.clients import Clients
from memrep.daemon.peers import Peers
from memrep.daemon.reactor import Reactor
from memrep.events import HANDS_OVER, Tell
from memrep.node.node import Node

#: How long a node that alone holds everything waits for another one that fetches it; the unit's TimeoutStopSec=
#: is above it.
HANDOVER_S: Final = 60

#: How long a client may be at TCP's handshake when others are refused already.
_HANDSHAKE_S: Final = 0.05

#: How long a client of Redis that never rests is served on.
_REST_S: Final = 0.25

#: How long the writes on their way may take, and those who are hung up on.
_FINISH_S: Final = 0.75
_PART_S: Final = 0.25

#: How long all of it takes at most beside the time that clients are given.
BESIDES_S: Final = _HANDSHAKE_S + _REST_S + _FINISH_S + _PART_S


class Drain:
    """The drain of one node, step by step.

    Args:
        node: what ends.
        reactor: makes its turns.
        clients: those who are served on.
        ports: where no more come in.
        peers: those who are told.
    """

    def __init__(
        self, node: Node, reactor: Reactor, clients: Clients, ports: ClientPorts, peers: Peers
    ) -> None:
        self._node = node
        self._reactor = reactor
        self._clients = clients
        self._ports = ports
        self._peers = peers

    async def hand_over(self, seconds: float, log: Tell) -> None:
        """Serve on until another node holds everything, if one is about to: what it lacks is only here."""
        if self._node.hands_over:
            log(HANDS_OVER(seconds=seconds))
            with trio.move_on_after(seconds):
                while self._node.hands_over:
                    await trio.sleep(0.01)

    async def end(self, drain_ms: int) -> None:
        """Do all the other steps, whatever comes of each; clients are served on for so long."""
        await self.let_finish(drain_ms)
        await self.leave()
        await self.part()

    async def let_finish(self, drain_ms: int) -> None:
        """Let nobody in any more, and clients that are connected finish what they are at, for so long."""
        self._reactor.turn(self._ports.refuse_more)
        await trio.sleep(_HANDSHAKE_S)
        self._reactor.turn(self._ports.shut)
        with trio.move_on_after(drain_ms / 1000):
            while len(self._clients) or self._ports.at_handshakes:
                await trio.sleep(0.005)
        with trio.move_on_after(_REST_S):
            while self._clients.any_with_hold:
                self._reactor.turn(self._clients.part_from_resting)
                await trio.sleep(0.001)

    async def leave(self) -> bool:
        """Finish the writes on their way and tell the peers; return whether that could be done in time."""
        done: list[bool] = []
        with trio.move_on_after(_FINISH_S):
            while not any(done):
                self._reactor.turn(lambda: done.append(self._node.leave()))
                await trio.sleep(0.001)
            while self._peers.unsent:
                await trio.sleep(0.001)
        return any(done)

    async def part(self) -> None:
        """Hang up on the clients who are left, and give them a moment to hear it."""
        self._reactor.turn(self._clients.close_all)
        with trio.move_on_after(_PART_S):
            while len(self._clients.partings):
                await trio.sleep(0.002)

    def take_back(self) -> None:
        """Let clients in again; to be called before this node has left."""
        self._reactor.turn(self._ports.let_in_again)
