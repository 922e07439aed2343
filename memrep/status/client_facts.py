"""SEAM: the clients of one node, as JSON: who is connected, and who has asked how much.

PHP connects anew for each page, so what one connection asks says little. What counts is the host: its sums hold
what it has asked on all its connections, those that have ended as well. They only grow; whoever wants to know
how much it is a second asks twice (`client_rates`).
"""

from __future__ import annotations

import msgspec


class ClientStatus(msgspec.Struct, frozen=True):
    """A connected client.

    Attributes:
        address: host and port, or the path of the unix socket.
        host: its host; "" on a unix socket.
        protocol: "memcached" or "redis".
        tls: whether it speaks TLS.
        state: what it does, in memcached's words (`stats conns`).
        age_s: since when it is connected,
        idle_s: and since when it has said nothing, seconds.
        reads: how often something was read of it; at a site's pace that is a request each time.
        received: bytes that have come from it.
    """

    address: str
    host: str
    protocol: str
    tls: bool
    state: str
    age_s: float
    idle_s: float
    reads: int
    received: int


class HostSums(msgspec.Struct, frozen=True):
    """What a host has asked since the node started.

    Attributes:
        host: its address; "" for all of the unix socket.
        connected: its clients that are connected now.
        connects: how often it has connected.
        reads: how often something was read of it.
        received: bytes that have come from it.
    """

    host: str
    connected: int
    connects: int
    reads: int
    received: int


class ClientsStatus(msgspec.Struct, frozen=True):
    """The clients of one node.

    Attributes:
        node: its address in --nodes.
        at: the node's monotonic clock, seconds: by the difference of two answers rates are told.
        limit: how many may be connected.
        hosts: all that have been heard of; of very many those that came last.
        clients: those that are connected.
        format: of all this.
    """

    node: str
    at: float
    limit: int
    hosts: list[HostSums]
    clients: list[ClientStatus]
    format: int = 1
